import { after, test } from "node:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { findSources, readRecords, STDIN, totalBytes } from "../../cli/input.ts";
import { CommandError } from "../../cli/terminal.ts";
import fc from "../support/properties.ts";

const folder = mkdtempSync(join(tmpdir(), "hawser-cli-input-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The records of a text that arrives in such pieces on the standard input. */
async function recordsOf(pieces: readonly string[], wholeFile = false): Promise<string[]> {
  const stdin = Readable.from(pieces.map((piece) => encoder.encode(piece)), { objectMode: true });
  const records: string[] = [];
  let bytes = 0;
  for await (
    const { records: some } of readRecords([{ name: STDIN, bytes: undefined }], {
      stdin,
      wholeFile,
      read: (more) => bytes += more,
    })
  ) {
    records.push(...some.map((record) => decoder.decode(record)));
  }
  assertEquals(bytes, pieces.join("").length);
  return records;
}

/** The same, naively. */
function linesOf(text: string): string[] {
  const lines = text.split("\n");
  return lines.at(-1) === "" ? lines.slice(0, -1) : lines;
}

test("lines, however they are cut into pieces", async () => {
  const text = "a\n\nbc\r\nlonger line\n\nlast";
  for (let size = 1; size <= text.length; size++) {
    const pieces = Array.from(
      { length: Math.ceil(text.length / size) },
      (_, at) => text.slice(at * size, (at + 1) * size),
    );
    assertEquals(await recordsOf(pieces), ["a", "", "bc\r", "longer line", "", "last"]);
  }
  assertEquals(await recordsOf([]), []);
  assertEquals(await recordsOf([""]), []);
  assertEquals(await recordsOf(["\n"]), [""]);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ unit: fc.constantFrom("\n", "a", "b"), maxLength: 6 })),
      async (pieces) => {
        assertEquals(await recordsOf(pieces), linesOf(pieces.join("")));
      },
    ),
  );
});

test("a whole input is one record, line ends and all", async () => {
  assertEquals(await recordsOf(["a\n", "b\n"], true), ["a\nb\n"]);
  assertEquals(await recordsOf([], true), [""]);
});

test("files in their order", async () => {
  const [one, two] = [join(folder, "one"), join(folder, "two")];
  writeFileSync(one, "1\n2");
  writeFileSync(two, "3\n");
  const sources = findSources([two, one, two]);
  assertEquals(totalBytes(sources), 7);
  assertEquals(totalBytes(findSources([one, STDIN])), undefined);
  for (const wholeFile of [false, true]) {
    const records: string[] = [];
    for await (
      const { records: some } of readRecords(sources, { stdin: Readable.from([]), wholeFile, read: () => {} })
    ) {
      records.push(...some.map((record) => decoder.decode(record)));
    }
    assertEquals(records, wholeFile ? ["3\n", "1\n2", "3\n"] : ["3", "1", "2", "3"]);
  }
});

test("what cannot be read is told by its name", async () => {
  assertThrows(() => findSources([join(folder, "none")]), CommandError, "none");
  assertThrows(() => findSources([folder]), CommandError, "it is a folder");
  const broken = new Readable({ read: () => {} });
  broken.destroy(new Error("torn"));
  const reading = readRecords([{ name: STDIN, bytes: undefined }], {
    stdin: broken,
    wholeFile: false,
    read: () => {},
  });
  await assertRejects(() => reading.next(), CommandError, "Cannot read standard input: torn");
});

test("an interruption does not wait for the input, nor for its end, and half a line is no record", async () => {
  for (const wholeFile of [false, true]) {
    // As on Deno, where a read that is under way goes on after the stream was destroyed.
    const stdin = new Readable({ read: () => {}, destroy: () => {} });
    const interruption = new AbortController();
    const records: string[] = [];
    const reading = readRecords([{ name: STDIN, bytes: undefined }, { name: STDIN, bytes: undefined }], {
      stdin,
      wholeFile,
      // By a turn after it was read, so that the next read is under way.
      read: () => setTimeout(() => interruption.abort(), 0),
      signal: interruption.signal,
    });
    stdin.push(encoder.encode("a\nb"));
    for await (const { records: some } of reading) {
      records.push(...some.map((record) => decoder.decode(record)));
    }
    assertEquals(records, wholeFile ? [] : ["a"]);
  }
});
