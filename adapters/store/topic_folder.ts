/**
 * Names of topics as names of folders that every file system takes and tells apart, also those that take `Orders` and `orders` for the
 * same and those that know devices called `con`, and that are not the lock's file.
 * A name without capitals is its own folder: `orders`. Capitals are written small, and
 * which they were stands behind a `~`, a hexadecimal digit for four characters, the first character in the lowest bit:
 * `Orders` is `orders~1`.
 *
 * @module
 */

const TOPIC = /^[A-Za-z0-9._-]{1,200}$/;
/** Names that Windows keeps for devices, with whatever ending, or cannot have; and that of the lock's file. */
const RESERVED = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)|^\.|\.$|^lock$/;

/** The folder of `topic`; `undefined` for what can be no topic's name. */
export function folderOfTopic(topic: string): string | undefined {
  if (!TOPIC.test(topic)) return undefined;
  const small = topic.toLowerCase();
  const marks = capitalsOf(topic);
  return `${RESERVED.test(small) ? "~" : ""}${small}${marks === "" ? "" : `~${marks}`}`;
}

/** The topic whose folder this is; `undefined` for a folder that is no topic's. */
export function topicOfFolder(folder: string): string | undefined {
  const [small = "", marks = ""] = (folder.startsWith("~") ? folder.slice(1) : folder).split("~");
  const topic = [...small].map((character, at) => {
    const digit = Number.parseInt(marks[at >> 2] ?? "0", 16);
    return (digit >> (at & 3)) & 1 ? character.toUpperCase() : character;
  }).join("");
  return folderOfTopic(topic) === folder ? topic : undefined;
}

function capitalsOf(topic: string): string {
  let marks = "";
  for (let at = 0; at < topic.length; at += 4) {
    let digit = 0;
    for (let bit = 0; bit < 4; bit++) {
      if (/[A-Z]/.test(topic[at + bit] ?? "")) digit |= 1 << bit;
    }
    marks += digit.toString(16);
  }
  return marks.replace(/0+$/, "");
}
