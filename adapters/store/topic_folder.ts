/**
 * Maps topic names to folder names that every file system accepts and keeps apart, including those that treat
 * `Orders` and `orders` as the same and those that reserve device names such as `con`. The lock's file name
 * is avoided too.
 *
 * A name without capitals is its own folder: `orders`. Capitals are written in lower case, and hexadecimal
 * digits after a `~` say which they were: one digit for four characters, the first character in the lowest
 * bit. `Orders` becomes `orders~1`. A reserved name gets a `~` in front.
 *
 * @module
 */

const TOPIC = /^[A-Za-z0-9._-]{1,200}$/;
/**
 * Names that Windows reserves for devices, with any extension, or does not allow, names that begin with a
 * dot, and that of the lock's file.
 */
const RESERVED = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)|^\.|\.$|^lock$/;

/** Returns the folder of `topic`, or `undefined` if it cannot be a topic's name. */
export function folderOfTopic(topic: string): string | undefined {
  if (!TOPIC.test(topic)) return undefined;
  const small = topic.toLowerCase();
  const marks = capitalsOf(topic);
  return `${RESERVED.test(small) ? "~" : ""}${small}${marks === "" ? "" : `~${marks}`}`;
}

/** Returns the topic of `folder`, or `undefined` if it is not a topic's folder. */
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
