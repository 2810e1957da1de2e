import { after, test } from "node:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { startBroker } from "../../log.ts";
import { hawser } from "./in_process.ts";

const folder = mkdtempSync(join(tmpdir(), "hawser-cli-refused-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const LARGE = "x".repeat(1_000);

/** Publishes lines whose `at`th is too large, and returns what the log has then. */
async function publishWithLarge(
  lines: readonly string[],
  at: number,
  options: readonly string[],
  runs: number,
): Promise<string> {
  await using broker = await startBroker({ listen: ["tcp://127.0.0.1:0"], batchBytesMax: 500 });
  const to = ["--connect", broker.endpoints[0]!];
  const file = join(folder, "lines");
  writeFileSync(file, [...lines.slice(0, at), LARGE, ...lines.slice(at)].map((one) => `${one}\n`).join(""));
  let complaint: string | undefined;
  for (let run = 0; run < runs; run++) {
    const { code, stdout, stderr } = await hawser(["publish", "orders", file, ...options, ...to]);
    assertEquals([code, stdout], [1, ""], stderr);
    assertStringIncludes(stderr, `Cannot publish line ${at + 1} of ${file}: A record of 1008 bytes`);
    assertMatch(stderr, /batchBytesMax \(500\).*--batch-bytes-max/);
    // Typed again, it is refused in the same words.
    assertEquals(stderr, complaint ??= stderr);
  }
  await hawser(["publish", "orders", ...to], { stdin: "end\n" });
  const count = String(at + 1);
  const { stdout } = await hawser(["subscribe", "orders", "--from", "earliest", "--count", count, ...to]);
  return stdout;
}

const LINES = ["a", "b", "c", "d"];

test("publish stops at a line that is too large, wherever it stands", async () => {
  for (let at = 0; at <= LINES.length; at++) {
    const expected = [...LINES.slice(0, at), "end"].map((one) => `${one}\n`).join("");
    assertEquals(await publishWithLarge(LINES, at, [], 1), expected, `line ${at + 1}`);
  }
});

test("a named publisher never passes over a line that is too large, however often it is run", async () => {
  for (let at = 0; at <= LINES.length; at++) {
    const expected = [...LINES.slice(0, at), "end"].map((one) => `${one}\n`).join("");
    assertEquals(await publishWithLarge(LINES, at, ["--name", "importer"], 2), expected, `line ${at + 1}`);
  }
});

test("a whole file that is too large is told by its name, and the files behind it are not published", async () => {
  await using broker = await startBroker({ listen: ["tcp://127.0.0.1:0"], batchBytesMax: 500 });
  const to = ["--connect", broker.endpoints[0]!];
  const [small, large] = [join(folder, "small"), join(folder, "large")];
  writeFileSync(small, "small");
  writeFileSync(large, LARGE);
  const { code, stderr } = await hawser(["publish", "files", small, large, small, "--whole-file", ...to]);
  assertEquals(code, 1);
  assertStringIncludes(stderr, `Cannot publish ${large}: `);
  assertStringIncludes(stderr, "The log has 1 record before it, and nothing after it was published");
});
