import { MessageChannel } from "node:worker_threads";
import { test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { Directory, type LocalNames } from "../../../adapters/worker/directory.ts";
import { Family } from "../../../adapters/worker/family.ts";
import { connectWorker, workerTransport } from "../../../adapters/worker/mod.ts";
import { PortStream } from "../../../adapters/worker/port_stream.ts";
import type { Port, WebWorker, WorkerMessage } from "../../../adapters/worker/types.ts";
import { MisuseError } from "../../../src/errors.ts";
import { Probe, Progress, turns } from "../../../testing/probe.ts";

/** Both ends of an open stream, and the port of the far one. */
async function openPair(): Promise<{ near: Probe; far: Probe; port: Port }> {
  const { port1, port2 } = new MessageChannel() as unknown as { port1: Port; port2: Port };
  const progress = new Progress(3_000);
  const [near, far] = [new Probe("near", progress), new Probe("far", progress)];
  const join = (port: Port, accepted: boolean) => (handlers: Probe | object) => {
    const stream = new PortStream(handlers as Probe, "worker://test");
    stream.join(port, accepted);
    return stream;
  };
  near.dial(join(port1, false));
  far.dial(join(port2, true));
  await near.until("open", () => near.opened && far.opened);
  return { near, far, port: port2 };
}

test("shared memory goes by reference, and is lent until the other end has passed it on", async () => {
  const { near, far } = await openPair();
  far.setPaused(true);
  const shared = new Uint8Array(new SharedArrayBuffer(1_000)).fill(5);
  assertEquals(near.write(shared), false);
  await turns(5);
  assert(near.isLent);
  let seen: Uint8Array | undefined;
  far.onData = (chunk) => seen = chunk;
  far.setPaused(false);
  await near.until("drain", () => !near.isLent);
  assert(seen!.buffer instanceof SharedArrayBuffer);
  // The probe overwrites what is free again.
  assertEquals(seen![0], 0xdd);
  near.finish("abort");
  await far.until("close", () => near.closed && far.closed);
});

test("what is in flight has a bound, whatever the other end does", async () => {
  const { near, far } = await openPair();
  far.setPaused(true);
  await near.fill(64 * 1_048_576);
  assert(near.sentBytes <= 4 * 1_048_576, `${near.sentBytes} bytes`);
  far.setPaused(false);
  await near.until("drain", () => !near.isLent);
  await far.until("all bytes", () => far.receivedBytes === near.sentBytes);
  far.verify();
  near.finish("abort");
  await far.until("close", () => near.closed && far.closed);
});

test("a message that is none of ours ends the stream with a cause", async () => {
  for (const message of [{ odd: true }, "odd", null]) {
    const { near, far, port } = await openPair();
    port.postMessage(message);
    await near.until("close", () => near.closed && far.closed);
    assert(near.cause instanceof Error && near.cause.message.includes("none of ours"), String(near.cause));
  }
});

test("names have 1 to 255 characters, and the wildcard only binds", () => {
  for (const address of ["worker://", `worker://${"x".repeat(256)}`, "tcp://x", "worker:x"]) {
    const error = assertThrows(() => workerTransport.dial(address, {}), MisuseError);
    assertEquals(error.code, "ERR_ENDPOINT");
    assertThrows(() => workerTransport.listen(address, {}), MisuseError);
  }
  assertThrows(() => workerTransport.dial("worker://*", {}), MisuseError);
  workerTransport.listen("worker://*", {});
});

test("connectWorker says what it takes", () => {
  assertThrows(() => connectWorker({} as WebWorker), MisuseError, "node:worker_threads");
});

/** A thread of the test: its names, and a Web Worker as its parent sees it, if it has a parent. */
class Member {
  readonly directory: Directory;
  readonly family: Family;
  readonly worker: WebWorker;
  readonly taken: string[] = [];
  readonly #listeners: ((event: WorkerMessage) => void)[] = [];
  /** What the parent's own handlers get. */
  readonly seen: unknown[] = [];

  constructor(isChild: boolean) {
    let family: Family | undefined;
    const toParent = isChild ? (data: unknown) => this.#post(data) : undefined;
    this.directory = new Directory((local: LocalNames) => [family = new Family(local, toParent)]);
    this.family = family!;
    this.worker = {
      postMessage: () => {},
      addEventListener: (_type, listener) => void this.#listeners.push(listener),
      removeEventListener: (_type, listener) => {
        this.#listeners.splice(this.#listeners.indexOf(listener), 1);
      },
    };
  }

  bind(name: string): Promise<{ free: () => void }> {
    return this.directory.bind(name, (port) => {
      this.taken.push(name);
      port.close();
    });
  }

  give(name: string): Promise<boolean> {
    const { port1, port2 } = new MessageChannel() as unknown as { port1: Port; port2: Port };
    port1.unref!();
    return this.directory.give(name, port2);
  }

  #post(data: unknown): void {
    let stopped = false;
    for (const listener of this.#listeners) {
      if (!stopped) listener({ data, stopImmediatePropagation: () => void (stopped = true) });
    }
    if (!stopped) this.seen.push(data);
  }
}

async function until(ready: () => boolean): Promise<void> {
  for (let i = 0; !ready(); i++) {
    assert(i < 10_000, "waited in vain");
    await turns(1);
  }
}

test("a page and its workers, and workers of workers, find each other's names through their parents", async () => {
  const [page, left, right, leaf] = [new Member(false), new Member(true), new Member(true), new Member(true)];
  page.family.connect(left.worker);
  page.family.connect(right.worker);
  left.family.connect(leaf.worker);
  await leaf.bind("leaf");
  await left.bind("left");
  const bound = await right.bind("right");
  await page.bind("page");
  for (
    const [from, to, name] of [[right, leaf, "leaf"], [leaf, right, "right"], [page, leaf, "leaf"]] as const
  ) {
    const before = to.taken.length;
    for (let i = 0; !await from.give(name); i++) assert(i < 100, `${name} was not found`);
    await until(() => to.taken.length > before);
  }
  assertEquals([left.seen, right.seen, leaf.seen], [[], [], []], "nothing came among the program's messages");
  await left.bind("right").then(
    () => assert(false),
    (error) => assertEquals(error.code, "ERR_ADDRESS_IN_USE"),
  );
  bound.free();
  let given = true;
  for (let i = 0; given && i < 1_000; i++) [given] = [await leaf.give("right"), await turns(1)];
  assertEquals(given, false);
  assertEquals(await page.give("nobody"), false);
});

test("a worker whose parent did not call connectWorker finds nobody, and asks again the next time", async () => {
  const [page, worker] = [new Member(false), new Member(true)];
  await page.bind("page");
  assertEquals(await worker.give("page"), false);
  const end = page.family.connect(worker.worker);
  assertEquals(await worker.give("page"), true);
  await until(() => page.taken.length === 1);
  end();
  let given = true;
  for (let i = 0; given && i < 1_000; i++) [given] = [await worker.give("page"), await turns(1)];
  assertEquals(given, false, "after the end of it");
});
