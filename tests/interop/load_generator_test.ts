import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { Child } from "../../bench/child.ts";
import { findRoot } from "../../bench/contenders.ts";
import { compileLoad } from "../../bench/load.ts";
import { Router, XPublisher } from "../../mod.ts";
import { within } from "./support/deadline.ts";

// The program that the benchmarks use as clients and subscribers: what it says of messages is what a server saw.

const TIMEOUT_MS = 30_000;
const scratch = mkdtempSync(join(tmpdir(), "hawser-load-"));
after(() => rmSync(scratch, { recursive: true, force: true }));
const compiled = await compileLoad(findRoot(), scratch);
const skip = "missing" in compiled ? compiled.missing : false;

function startLoad(role: string, endpoint: string | null | undefined, values: readonly string[]): Child {
  if ("missing" in compiled) throw new Error(compiled.missing);
  const programArguments = [`role=${role}`, `endpoint=${endpoint}`, ...values];
  return new Child({ label: `load ${role}`, program: compiled.program, arguments: programArguments });
}

/** A window, and what the load counted from its start to its end. */
async function runWindow(load: Child, windowMs: number): Promise<{ result: Result; total: number }> {
  load.tell(`START 0 ${windowMs}`);
  await load.expect("WINDOW", TIMEOUT_MS);
  const result: Result = JSON.parse(await load.expect("RESULT", TIMEOUT_MS));
  return { result, total: await stop(load) };
}

interface Result {
  readonly messages: number;
  readonly bytes: number;
  readonly p50Us?: number;
  readonly p999Us?: number;
}

async function stop(load: Child): Promise<number> {
  load.tell("STOP");
  return Number(await load.expect("STOPPED", TIMEOUT_MS));
}

/** A ROUTER that sends everything back, and counts. */
async function openEcho(): Promise<{ router: Router; served: () => number; ended: Promise<void> }> {
  const router = new Router({ linger: 0 });
  await router.bind("tcp://127.0.0.1:*");
  let served = 0;
  async function serve(): Promise<void> {
    for await (const frames of router) {
      served++;
      await router.send(frames);
    }
  }
  return { router, served: () => served, ended: serve() };
}

for (const bytes of [8, 64, 255, 256, 70_000]) {
  test(`clients with bodies of ${bytes} bytes get back from a ROUTER what they sent`, { skip }, async () => {
    const { router, served, ended } = await openEcho();
    const load = startLoad("echo", router.lastEndpoint, [`bytes=${bytes}`, "clients=3"]);
    try {
      await load.expect("READY", TIMEOUT_MS);
      const { result, total } = await runWindow(load, 20);
      // Each of the three has had at least its first answer.
      assert(total >= 3, `${total} answers`);
      assertEquals(total, served());
      assertEquals(result.bytes, result.messages * bytes);
      const again = await runWindow(load, 20);
      assertEquals(again.total, served());
    } finally {
      await load.stop();
      await router.close();
    }
    await within(ended, "the server's loop");
  });
}

test("a command that comes while the connections are being opened is obeyed", { skip }, async () => {
  const { router, served, ended } = await openEcho();
  const load = startLoad("echo", router.lastEndpoint, ["bytes=64", "clients=3"]);
  try {
    load.tell("START 0 20");
    for (const word of ["READY", "WINDOW", "RESULT"] as const) await load.expect(word, TIMEOUT_MS);
    assertEquals(await stop(load), served());
  } finally {
    await load.stop();
    await router.close();
  }
  await within(ended, "the server's loop");
});

test("an open loop sends as many messages as are due, and hears of each", { skip }, async () => {
  const { router, served, ended } = await openEcho();
  const load = startLoad("latency", router.lastEndpoint, ["bytes=64", "rate=1000"]);
  try {
    await load.expect("READY", TIMEOUT_MS);
    const { result, total } = await runWindow(load, 50);
    assertEquals(result.messages, 51);
    assert(result.p50Us! > 0 && result.p999Us! >= result.p50Us!, JSON.stringify(result));
    assertEquals(total, served());
  } finally {
    await load.stop();
    await router.close();
  }
  await within(ended, "the server's loop");
});

test("connections are set up, counted, and leave nothing behind at the server", { skip }, async () => {
  const router = new Router({ linger: 0 });
  await router.bind("tcp://127.0.0.1:*");
  const load = startLoad("connect", router.lastEndpoint, ["clients=4"]);
  try {
    await load.expect("READY", TIMEOUT_MS);
    const { result, total } = await runWindow(load, 50);
    assert(total >= 4 && result.messages <= total, `${result.messages} of ${total}`);
  } finally {
    await load.stop();
    await router.close();
  }
});

test("subscribers count every message of a publisher", { skip }, async () => {
  const publisher = new XPublisher({ linger: 0, noDrop: true, verbosity: "allSubs" });
  await publisher.bind("tcp://127.0.0.1:*");
  const load = startLoad("subscribe", publisher.lastEndpoint, ["bytes=64", "clients=3"]);
  try {
    await load.expect("READY", TIMEOUT_MS);
    for (let subscriber = 0; subscriber < 3; subscriber++) {
      assertEquals(await within(publisher.receive(), "a subscription"), [Uint8Array.of(1)]);
    }
    for (let count = 0; count < 5_000; count++) await publisher.send(new Uint8Array(64));
    // It answers when nothing has arrived for a while; on a busy machine that may be before the end.
    let total = 0;
    while (total < 15_000) total = await stop(load);
    assertEquals(total, 15_000);
  } finally {
    await load.stop();
    await publisher.close();
  }
});

test("what is not as it was asked for is said, not measured", { skip }, async () => {
  const { router, ended } = await openEcho();
  const load = startLoad("echo", router.lastEndpoint, ["bytes=7", "clients=1"]);
  try {
    const failure = await load.expect("READY", TIMEOUT_MS).catch((error: Error) => error.message);
    assertEquals(failure, "load echo: a body must have at least 8 bytes");
  } finally {
    await load.stop();
    await router.close();
  }
  await within(ended, "the server's loop");
});
