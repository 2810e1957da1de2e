/**
 * The parts of a document that `report` writes; whatever is around them is written by hand.
 *
 * @module
 */

const BEGIN = /^<!-- begin ([\w-]+) -->$/;

/**
 * The document with every part replaced between `<!-- begin name -->` and `<!-- end name -->`, where `parts`
 * has that name and it is not empty: figures that were not measured this time stay.
 *
 * @throws {Error} A part does not end, or the document has none.
 */
export function replaceParts(document: string, parts: Readonly<Record<string, string>>): string {
  const written: string[] = [];
  const lines = document.split("\n");
  let found = 0;
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!;
    written.push(line);
    const name = BEGIN.exec(line)?.[1];
    if (name === undefined) continue;
    const end = lines.indexOf(`<!-- end ${name} -->`, at);
    if (end < 0) throw new Error(`The part "${name}" has no end`);
    found++;
    const text = parts[name] ?? "";
    written.push(...(text === "" ? lines.slice(at + 1, end) : ["", ...text.split("\n"), ""]), lines[end]!);
    at = end;
  }
  if (found === 0) throw new Error("There is no part to write: <!-- begin table --> and <!-- end table -->");
  return written.join("\n");
}
