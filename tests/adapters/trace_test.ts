import { test } from "node:test";
import process from "node:process";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { detectRuntime } from "../../adapters/detect.ts";
import { debugLine, namesHawser } from "../../adapters/trace.ts";
import { start } from "../examples/program.ts";
import { moduleCommand, OWN_RUNTIME } from "../interop/support/runtimes.ts";

const DEADLINE_MS = 30_000;

/** Runs watched_program.ts on this runtime. On Deno without any permission that sockets do not need. */
async function watched(
  debug: string,
  ...args: readonly string[]
): Promise<{ stdout: string; stderr: string }> {
  const command = moduleCommand(OWN_RUNTIME, "tests/adapters/watched_program").flatMap((word) =>
    word === "-A" || word === "--allow-all" ? ["--allow-net"] : [word]
  ) as [string, ...string[]];
  if (detectRuntime() === "deno") {
    assert(command.includes("--allow-net"), command.join(" "));
    assert(!command.some((word) => word.startsWith("--allow-env")), command.join(" "));
  }
  const { code, stdout, stderr } = await start([...command, ...args], {
    env: { ...process.env, NODE_DEBUG: debug },
    deadlineMs: DEADLINE_MS,
  })
    .ending;
  assertEquals(code, 0, stderr);
  return { stdout, stderr };
}

test("NODE_DEBUG=hawser prints events and states to the standard error, with no permission of its own", async () => {
  const { stdout, stderr } = await watched("net,hawser,http");
  assertEquals(stdout, "done\n");
  const lines = stderr.split("\n").filter((line) => line.startsWith("HAWSER "));
  const said = lines.map((line) => line.replace(/^HAWSER \d+: /, "").replaceAll(/127\.0\.0\.1:\d+/g, "here"));
  for (
    const line of [
      "PULL 1 bind tcp://here",
      "PUSH 2 state tcp://here dialing",
      "PUSH 2 state tcp://here ready",
      "PUSH 2 handshake tcp://here peer=PULL@tcp://here",
      "PULL 1 handshake tcp://here peer=PUSH@tcp://here",
      "PULL 1 end",
    ]
  ) assert(said.includes(line), `${line} is not in:\n${said.join("\n")}`);
});

test("without NODE_DEBUG, or with another name in it, nothing is printed", async () => {
  for (const debug of ["", "hawsers"]) {
    const { stdout, stderr } = await watched(debug);
    assertEquals(stdout, "done\n");
    assert(!stderr.includes("HAWSER"), stderr);
  }
});

test("the diagnostics channels have every event and state", async () => {
  const { stdout } = await watched("", "channels");
  for (
    const line of [
      "hawser:event event PULL bind",
      "hawser:event event PUSH handshake",
      "hawser:state state PUSH ready",
      "hawser:event event PULL end",
    ]
  ) assertStringIncludes(stdout, `${line}\n`);
});

test("NODE_DEBUG is read as Node reads it", () => {
  for (const text of ["hawser", "HAWSER", "net,hawser", "net, hawser ,http", "*", "haw*", "*ser"]) {
    assert(namesHawser(text), text);
  }
  for (const text of ["", ",", "hawsers", "haw", "net", "h.wser", "hawse+r", "(", "["]) {
    assert(!namesHawser(text), text);
  }
});

test("a line of the debug output has what the event has", () => {
  const line = (event: object): string =>
    debugLine({
      kind: "event",
      socketType: "PUSH",
      socketId: 3,
      event: event as { readonly type: string; readonly address: string },
    }).replace(/^HAWSER \d+: /, "");
  assertEquals(line({ type: "end", address: "" }), "PUSH 3 end");
  assertEquals(
    line({ type: "connect:retry", address: "tcp://a:1", interval: 100 }),
    "PUSH 3 connect:retry tcp://a:1 interval=100",
  );
  const error = Object.assign(new Error("refused\nfor ever"), { code: "ERR_X" });
  const peer = { socketType: "PULL", remoteAddress: "tcp://b:2" };
  assertEquals(
    line({ type: "disconnect", address: "tcp://a:1", peer, error }),
    'PUSH 3 disconnect tcp://a:1 peer=PULL@tcp://b:2 error="refused\\nfor ever" (ERR_X)',
  );
  assertEquals(
    line({ type: "disconnect", address: "tcp://a:1", peer: undefined, error: undefined }),
    "PUSH 3 disconnect tcp://a:1",
  );
});
