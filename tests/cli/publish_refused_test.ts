import { after, test } from "node:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { connectLog, startBroker } from "../../log.ts";
import { begin, hawser } from "./in_process.ts";

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
  assertStringIncludes(stderr, "The record before it is in the log, and nothing after it was published");
});

test("records that a broker with narrower limits refuses later end the command, and nothing follows them", async () => {
  const dir = join(folder, "data");
  // A path, because nobody else takes it while the broker is away.
  const endpoint = `ipc://${join(folder, "narrow.sock")}`;
  const to = ["--connect", endpoint, "--name", "importer"];
  const first = await startBroker({ dir, listen: [endpoint] });
  const publishing = begin(["publish", "orders", ...to], { stdin: "open" });
  publishing.stdin.write("a\nb\n");
  const log = await connectLog(endpoint);
  for await (const _record of log.subscribe("orders", { from: "earliest" })) break;
  await log.close();
  await first.close();
  await publishing.see(/lost the connection to the broker/);
  publishing.stdin.write(`c\n${LARGE}\nd\n`);
  await using _second = await startBroker({ dir, listen: [endpoint], batchBytesMax: 500 });
  const { code, stdout, stderr } = await publishing.ending;
  assertEquals([code, stdout], [1, ""]);
  assertMatch(
    stderr,
    /\nhawser: Cannot publish all that was read: .*\(ERR_LOG_BATCH_TOO_LARGE\)\. The log has 1 of 4 rec/,
  );
  // Typed again, it goes on with the first line that the log does not have, and knows which one is too large.
  const again = await hawser(["publish", "orders", ...to], { stdin: `a\nb\nc\n${LARGE}\nd\n` });
  assertEquals(again.code, 1);
  assertMatch(
    again.stderr,
    /Cannot publish line 4 of standard input: .*The 3 records before it are in the log/,
  );
  const read = await hawser(
    ["subscribe", "orders", "--from", "earliest", "--count", "3", "--connect", endpoint],
  );
  assertEquals(read.stdout, "a\nb\nc\n");
});
