import { after, test } from "node:test";
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assertEquals, assertRejects } from "@std/assert";
import type { FoundFile } from "../../examples/ventilator/files.ts";
import { JobError } from "../../examples/ventilator/job_error.ts";
import { LINE_BYTES_MAX, LineCutter, readLines } from "../../examples/log/lines/lines.ts";
import { type DeliveredLine, Verifier } from "../../examples/log/lines/verifier.ts";
import fc from "../support/properties.ts";

// The parts of the log's job that a run with an honest log never shows.

const temporary = mkdtempSync(join(tmpdir(), "hawser-lines-"));
after(() => rmSync(temporary, { recursive: true, force: true }));

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array): string => new TextDecoder("latin1").decode(bytes);

test("lines are the same however the bytes arrive, and together they are the bytes", () => {
  const content = fc.array(fc.constantFrom("a", "b", "\n"), { maxLength: 60 }).map((texts) => texts.join(""));
  const cuts = fc.array(fc.nat(60), { maxLength: 8 });
  fc.assert(fc.property(content, cuts, fc.integer({ min: 1, max: 9 }), (text, cuts, bytesMax) => {
    // The naive twin: whole text, one character at a time.
    const expected: string[] = [""];
    for (const character of text) {
      expected[expected.length - 1] += character;
      if (character === "\n" || expected.at(-1)!.length === bytesMax) expected.push("");
    }
    if (expected.at(-1) === "") expected.pop();

    const cutter = new LineCutter(bytesMax);
    const ends = [...cuts, text.length].sort((a, b) => a - b).map((end) => Math.min(end, text.length));
    const lines: Uint8Array[] = [];
    ends.forEach((end, index) => lines.push(...cutter.cut(bytesOf(text.slice(ends[index - 1] ?? 0, end)))));
    lines.push(...cutter.end());
    assertEquals(lines.map(textOf), expected);
  }));
});

function writeFiles(folder: string, contents: Readonly<Record<string, string>>): FoundFile[] {
  mkdirSync(join(temporary, folder));
  return Object.entries(contents).map(([path, content]) => {
    writeFileSync(join(temporary, folder, path), content, "latin1");
    return { path, bytes: content.length };
  });
}

async function linesOf(folder: string, files: readonly FoundFile[]): Promise<string[]> {
  const lines: string[] = [];
  for await (const part of readLines(join(temporary, folder), files)) {
    for (const line of part.lines) lines.push(textOf(line));
  }
  return lines;
}

test("a file without line ends goes in several records, one without bytes in none", async () => {
  const zeros = { path: "zeros", bytes: 2 * LINE_BYTES_MAX + 5 };
  const files = writeFiles("shapes", { empty: "", "no end": "a\nb", ends: "\n\n" });
  writeFileSync(join(temporary, "shapes", "zeros"), "");
  truncateSync(join(temporary, "shapes", "zeros"), zeros.bytes);
  const lines = await linesOf("shapes", [...files, zeros]);
  assertEquals(lines.slice(0, 4), ["a\n", "b", "\n", "\n"]);
  assertEquals(lines.slice(4).map((line) => line.length), [LINE_BYTES_MAX, LINE_BYTES_MAX, 5]);
});

test("of a file that grows only what was found is read", async () => {
  const files = writeFiles("growing", { file: "a\nb\n" });
  writeFileSync(join(temporary, "growing", "file"), "a\nb\nc\nd\n");
  assertEquals(await linesOf("growing", files), ["a\n", "b\n"]);
});

test("a file that is gone is named", async () => {
  const error = await assertRejects(() => linesOf("nowhere", [{ path: "file", bytes: 1 }]), JobError);
  assertEquals(
    error.message,
    `Cannot read ${join(temporary, "nowhere", "file")}: there is no such file or folder (ENOENT).`,
  );
});

const deno = writeFiles("judged", { a: "1\n2\n", b: "3\n" });
const bun = writeFiles("judged too", { c: "x\n\n" });
const records: readonly (readonly [key: string, value: string])[] = [
  ["Deno", "1\n"],
  ["Bun", "x\n"],
  ["Deno", "2\n"],
  ["Deno", "3\n"],
  ["Bun", "\n"],
];
const HONEST: readonly DeliveredLine[] = records.map(([key, value], index) => ({
  position: BigInt(index),
  key: bytesOf(key),
  value: bytesOf(value),
}));

/** What the verifier says about records of Deno's files a and b and of Bun's file c. */
async function judge(
  delivered: readonly DeliveredLine[],
  tail: number = delivered.length,
): Promise<string[]> {
  const verifier = new Verifier(temporary, [
    { name: "Deno", files: deno.map((file) => ({ ...file, path: `judged/${file.path}` })) },
    { name: "Bun", files: bun.map((file) => ({ ...file, path: `judged too/${file.path}` })) },
  ]);
  // In two parts, as batches come.
  await verifier.check(delivered.slice(0, 2));
  await verifier.check(delivered.slice(2));
  await verifier.finish(BigInt(tail));
  assertEquals(verifier.lines, delivered.length);
  return verifier.mistakes;
}

test("an honest log has no mistakes, and every line is counted", async () => {
  assertEquals(await judge(HONEST), []);
});

test("a hole and a duplicate are seen", async () => {
  const at = (position: number, record: DeliveredLine): DeliveredLine => ({
    ...record,
    position: BigInt(position),
  });
  const hole = HONEST.map((record, index) => index < 3 ? record : at(index + 1, record));
  assertEquals(await judge(hole, 6), ["There is a hole: position 4 was delivered, and 3 was next."]);
  const twice = [...HONEST.slice(0, 2), HONEST[1]!, ...HONEST.slice(2)];
  assertEquals(await judge(twice, 5), [
    "Position 1 was delivered twice.",
    "Position 1 is not line 2 of judged too/c, which is Bun's next.",
    "Bun has more lines than its files: position 4 is one too many.",
  ]);
});

test("a line that is changed, out of order, missing or nobody's is seen", async () => {
  const changed = HONEST.map((record) =>
    record.position === 2n ? { ...record, value: bytesOf("2 \n") } : record
  );
  assertEquals(await judge(changed), ["Position 2 is not line 2 of judged/a, which is Deno's next."]);
  const swapped = HONEST.map((record, index) => ({
    ...record,
    value: HONEST[index === 2 ? 3 : index === 3 ? 2 : index]!.value,
  }));
  assertEquals(await judge(swapped), [
    "Position 2 is not line 2 of judged/a, which is Deno's next.",
    "Position 3 is not line 1 of judged/b, which is Deno's next.",
  ]);
  assertEquals(await judge(HONEST.slice(0, 3)), [
    "Line 1 of judged/b, and what Deno has behind it, is missing.",
    "Line 2 of judged too/c, and what Bun has behind it, is missing.",
  ]);
  const nobody = HONEST.map((record, index) => index === 4 ? { ...record, key: bytesOf("Node") } : record);
  assertEquals(await judge(nobody), [
    `Position 4 has the key "Node", which is no publisher's.`,
    "Line 2 of judged too/c, and what Bun has behind it, is missing.",
  ]);
  assertEquals(await judge(HONEST, 6), ["The log's next position is 6, but 5 was to be delivered next."]);
});

test("mistakes are a few sentences, however many there are", async () => {
  const wrong = Array.from({ length: 100 }, (_, index) => ({ ...HONEST[0]!, position: BigInt(2 * index) }));
  assertEquals((await judge(wrong)).length, 10);
});
