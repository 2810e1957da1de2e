import { test } from "node:test";
import { readdirSync } from "node:fs";
import { assertEquals } from "@std/assert";
import { commandOf } from "./command.ts";
import { start } from "./program.ts";

// Every example is run as a reader would run it, on the runtime that runs the tests. It ends by itself.

const DEADLINE_MS = 50_000;

/** What each example prints. */
const EXPECTED: Readonly<Record<string, readonly string[]>> = {
  abort: ["ERR_ABORTED, because of a change of plans", "time is up", "ERR_ABORTED", "done"],
  backpressure: ["20000 messages, and the sender had to wait"],
  custom_transport: ["large: 10000000 bytes, true"],
  events: ["a PUSH is there, speaking ZMTP 3.1 (NULL)", "bind, accept, handshake, disconnect, close, end"],
  proxy: ["2 4 6", "3 there, 3 back, 9 frames there"],
  pub_sub: ["weather.berlin: rain", "weather.quito: sun", "weather.: that was all"],
  request_reply: ["HELLO", "ERR_TIMEOUT: No reply within 200 ms"],
  router_dealer: [
    "first from left",
    "second from left",
    "first from right",
    "second from right",
    "ERR_UNROUTABLE",
  ],
};

/** The lines that an example prints. */
async function linesOf(name: string): Promise<string[]> {
  const { code, stdout, stderr } = await start(commandOf(name), { deadlineMs: DEADLINE_MS }).ending;
  assertEquals({ code, stderr }, { code: 0, stderr: "" }, stdout);
  return stdout.trimEnd().split("\n");
}

for (const [name, expected] of Object.entries(EXPECTED)) {
  test(`the example ${name} prints what it should and ends by itself`, async () => {
    assertEquals(await linesOf(name), expected);
  });
}

test("the example push_pull deals tasks out in turn and ends by itself", async () => {
  const [first, second, ...others] = await linesOf("push_pull");
  assertEquals(others, []);
  // Who of the two comes first is not said.
  const lists = [first, second].map((line) => line?.split(": ")[1]);
  assertEquals(lists.sort(), ["task 1, task 3, task 5", "task 2, task 4, task 6"]);
  assertEquals([first, second].map((line) => line?.split(": ")[0]), ["Ada", "Grace"]);
});

test("no example is left out", () => {
  const parts = ["duplex_transport", "queue_transport", "socket_transport"];
  const names = readdirSync("examples").filter((name) => name.endsWith(".ts")).map((name) =>
    name.slice(0, -3)
  );
  assertEquals(names.sort(), [...Object.keys(EXPECTED), ...parts, "push_pull"].sort());
});
