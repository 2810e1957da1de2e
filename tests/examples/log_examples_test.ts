import { test } from "node:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { assertEquals } from "@std/assert";
import { commandOf } from "./command.ts";
import { start } from "./program.ts";

// Every example of the log is run as a reader would run it, on the runtime that runs the tests. It ends by itself.

const DEADLINE_MS = 50_000;

/** What each example prints. */
const EXPECTED: Readonly<Record<string, readonly string[]>> = {
  consumer: [
    "wash is done",
    "rinse is done",
    "3 are left",
    "spin is done",
    "dry is done",
    "fold is done",
    "0 are left",
  ],
  embedded: ["published at 0", "0: one pair of socks", "1: two hats", "2: three coats"],
  publish_subscribe: [
    "the same order for both: true",
    "north in its order: true",
    "south in its order: true",
  ],
  resume: ["nothing is there yet", "3 is there", "6 is there", "all of them once, in order: true"],
};

for (const [name, expected] of Object.entries(EXPECTED)) {
  test(`the log's example ${name} prints what it should and ends by itself`, async () => {
    const { code, stdout, stderr } = await start(commandOf(`log/${name}`), { deadlineMs: DEADLINE_MS })
      .ending;
    assertEquals({ code, stderr }, { code: 0, stderr: "" }, stdout);
    assertEquals(stdout.trimEnd().split("\n"), expected);
  });
}

test("no example of the log is left out", () => {
  const names = readdirSync(join(process.cwd(), "examples", "log")).filter((name) => name.endsWith(".ts"));
  assertEquals(names.sort(), [...Object.keys(EXPECTED), "main"].map((name) => `${name}.ts`).sort());
});
