// runtimes: node
import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { runKill } from "./kill.ts";

// `npm run stress -- kill` does this fifty times.

test("kill -9 of the broker at random moments under load, five times: what was acknowledged at ack 1 and ack 2 is there, none of it twice, each publisher's in its order, and publishers and readers go on without help", async () => {
  const lines: string[] = [];
  const { kills, promises, topics } = await runKill({ times: 5, seed: "5", say: (line) => lines.push(line) });
  assertEquals(kills, 5, lines.join("\n"));
  assertEquals(promises.map(({ publisher }) => publisher), [0, 1, 2, 3, 4, 5]);
  for (const { records } of promises) assert(records > 0);
  const submitted = promises.reduce((sum, { records }) => sum + records, 0);
  assertEquals(topics.reduce((sum, { tail }) => sum + Number(tail), 0), submitted);
});
