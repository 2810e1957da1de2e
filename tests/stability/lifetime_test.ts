import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { Dealer, Pull, Push } from "../../mod.ts";
import { freshAddress, SCHEMES } from "../interop/support/addresses.ts";
import { within } from "../interop/support/deadline.ts";
import { nextEvent } from "../interop/support/events.ts";
import { whyNot } from "../interop/support/runtimes.ts";
import { OWN_RUNTIME } from "../interop/support/runtimes.ts";
import { Program } from "./program.ts";

// What keeps a process alive, and what does not. A program that must live is watched for as long as another one takes
// that has as little to do, must not live, and was started later.

const PROGRAM = "tests/stability/lifetime_program";
const skip = whyNot(OWN_RUNTIME, PROGRAM);

function start(role: string, ...args: readonly string[]): Program {
  return new Program(PROGRAM, role, ...args);
}

/** Starts a program with an idle connected socket and waits until it has ended by itself. */
async function watchAnIdleOneEnd(): Promise<void> {
  const dealer = new Dealer();
  await dealer.bind(freshAddress("tcp"));
  const idle = start("idle", dealer.lastEndpoint!);
  assertEquals(await idle.line(), "connected");
  assertEquals(await idle.code(), 0);
  dealer.close();
}

test(
  "an idle connected socket, heartbeats and all, does not keep a process alive",
  { skip },
  watchAnIdleOneEnd,
);

test("a socket that seeks its peer in vain does not keep a process alive", { skip }, async () => {
  // Bound and given back: nobody listens there.
  const pull = new Pull();
  await pull.bind(freshAddress("tcp"));
  const nowhere = pull.lastEndpoint!;
  await pull[Symbol.asyncDispose]();
  const lonely = start("lonely", nowhere);
  assertEquals(await lonely.line(), "started");
  assertEquals(await lonely.code(), 0);
});

test(
  "a worker whose only work is a loop over messages stays alive until it closes its socket",
  { skip },
  async () => {
    const push = new Push();
    await push.bind(freshAddress("tcp"));
    const worker = start("work", push.lastEndpoint!);
    assertEquals(await worker.line(), "started");
    assertEquals(await worker.line(), "connected");
    await watchAnIdleOneEnd();
    assert(worker.alive, "the worker has ended while it waited");
    await push.send("task");
    assertEquals(await worker.line(), "task");
    await push.send("stop");
    assertEquals(await worker.line(), "stop");
    assertEquals(await worker.code(), 0);
    push.close();
  },
);

test("a worker stays alive while nobody is there, and works when somebody comes", { skip }, async () => {
  const first = new Push();
  await first.bind(freshAddress("tcp"));
  const address = first.lastEndpoint!;
  await first[Symbol.asyncDispose]();
  const worker = start("work", address);
  assertEquals(await worker.line(), "started");
  await watchAnIdleOneEnd();
  assert(worker.alive, "the worker has ended while it waited");
  const second = new Push();
  await second.bind(address);
  await second.send("stop");
  assertEquals(await worker.line(), "connected");
  assertEquals(await worker.line(), "stop");
  assertEquals(await worker.code(), 0);
  second.close();
});

test("a process stays alive while it waits for one message", { skip }, async () => {
  const dealer = new Dealer();
  await dealer.bind(freshAddress("ipc"));
  const waiting = start("waitOnce", dealer.lastEndpoint!);
  assertEquals(await waiting.line(), "connected");
  await watchAnIdleOneEnd();
  assert(waiting.alive, "it has ended while it waited");
  await dealer.send("at last");
  assertEquals(await waiting.line(), "at last");
  assertEquals(await waiting.code(), 0);
  dealer.close();
});

test("a process stays alive while it listens", { skip }, async () => {
  const listening = start("listen");
  const address = await listening.line();
  await watchAnIdleOneEnd();
  assert(listening.alive, "it has ended while it listened");
  const push = new Push();
  push.connect(address);
  await within(push.ready(), "the listener to answer");
  push.close();
  assertEquals(await listening.code(), 0);
});

for (const scheme of SCHEMES) {
  test(`a program that has closed its sockets over ${scheme} ends by itself`, { skip }, async () => {
    const program = start("use", scheme);
    assertEquals(await program.line(), "closed");
    assertEquals(await program.code(), 0);
  });
}

test("a program that sends and closes ends only when its messages have left", { skip }, async () => {
  const pull = new Pull();
  await pull.bind(freshAddress("tcp"));
  const program = start("sendAndLeave", pull.lastEndpoint!);
  assertEquals(await program.line(), "closed");
  for (let i = 0; i < 1_000; i++) {
    const [body] = await within(pull.receive(), `message ${i}`);
    assertEquals(new TextDecoder().decode(body), `message ${i}`);
  }
  assertEquals(await program.code(), 0);
  pull.close();
});

test("a peer whose process ends is reported", { skip }, async () => {
  const dealer = new Dealer();
  await dealer.bind(freshAddress("tcp"));
  const gone = nextEvent(dealer, "disconnect");
  const idle = start("idle", dealer.lastEndpoint!);
  assertEquals(await idle.code(), 0);
  await gone;
  dealer.close();
});
