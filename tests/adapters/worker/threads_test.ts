import { after, test } from "node:test";
import { Worker } from "node:worker_threads";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Context, MisuseError, Pull, Push, Request, type SocketEvent } from "../../../mod.ts";
import type { WorkerTask } from "./program.ts";

const program = new URL(`./program.${import.meta.url.split(".").at(-1)}`, import.meta.url);
const workers: Worker[] = [];
after(() => Promise.all(workers.map((worker) => worker.terminate())));

/** A worker, and what it says: every message of it that a program's own handler gets. */
class Helper {
  readonly worker: Worker;
  readonly said: unknown[] = [];
  #wake = (): void => {};

  constructor(task: WorkerTask) {
    this.worker = new Worker(program, { workerData: task });
    workers.push(this.worker);
    this.worker.on("message", (message) => {
      this.said.push(message);
      this.#wake();
    });
    this.worker.on("error", (error) => {
      this.said.push(error);
      this.#wake();
    });
  }

  async until(message: string): Promise<void> {
    while (!this.said.includes(message)) {
      const bad = this.said.find((said) => said instanceof Error || /failed|wrong/.test(String(said)));
      if (bad !== undefined) throw bad;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }
}

test("requests are answered by a worker, and no message of ours reaches the program's handlers", async () => {
  const helper = new Helper({ role: "echo", address: "worker://echo" });
  await helper.until("bound");
  await using context = new Context();
  const request = new Request({ context });
  request.connect("worker://echo");
  for (let i = 0; i < 50; i++) {
    await request.send([`${i}`, new Uint8Array(i * 1_000).fill(i)]);
    const [name, body] = await request.receive();
    assertEquals([new TextDecoder().decode(name), body!.length], [`${i}`, i * 1_000]);
  }
  assertEquals(helper.said, ["bound"]);
});

test("a worker connects before the main thread binds, and sends through marks of ten", async () => {
  const helper = new Helper({ role: "push", address: "worker://main", count: 3_000 });
  await using context = new Context();
  const pull = new Pull({ context, receiveHighWaterMark: 10 });
  await pull.bind("worker://main");
  for (let i = 0; i < 3_000; i++) {
    const [name, body] = await pull.receive();
    assertEquals([new TextDecoder().decode(name), body!.length], [`${i}`, i % 2_000]);
    assert(body!.every((byte) => byte === i % 256), `message ${i}`);
  }
  await helper.until("sent");
});

test("two workers find each other", async () => {
  const pulls = new Helper({ role: "pull", address: "worker://among", count: 2_000 });
  const pushes = new Helper({ role: "push", address: "worker://among", count: 2_000 });
  await pulls.until("received");
  await pushes.until("sent");
});

test("a name belongs to one thread of all, until its worker is terminated, which its peers notice", async () => {
  const helper = new Helper({ role: "echo", address: "worker://taken" });
  await helper.until("bound");
  await using context = new Context();
  // Whoever listens has heard of the names of the others, and does not have to ask first.
  await new Pull({ context }).bind("worker://listens");
  const pull = new Pull({ context });
  const request = new Request({ context, reconnectInterval: 10_000 });
  const events: SocketEvent[] = [];
  const gone = new Promise<void>((resolve) => {
    request.events.on("disconnect", (event) => {
      events.push(event);
      resolve();
    });
  });
  request.connect("worker://taken");
  await request.send("hello");
  await request.receive();
  const error = await assertRejects(() => pull.bind("worker://taken"), MisuseError);
  assertEquals((error as MisuseError).code, "ERR_ADDRESS_IN_USE");
  await helper.worker.terminate();
  await gone;
  assertEquals(events[0]?.type, "disconnect");
  assertEquals(await pull.bind("worker://taken"), "worker://taken");
});

test("what a program sends is neither detached nor changed, and shared memory goes by reference", async () => {
  await using context = new Context();
  const pull = new Pull({ context });
  const push = new Push({ context });
  await pull.bind("worker://bodies");
  push.connect("worker://bodies");
  const own = new Uint8Array(1_000_000).fill(7);
  const shared = new Uint8Array(new SharedArrayBuffer(100_000)).fill(9);
  await push.send(own);
  await push.send(shared);
  const [first] = await pull.receive();
  const [second] = await pull.receive();
  assertEquals([first!.length, own.length, own[999_999]], [1_000_000, 1_000_000, 7]);
  assert(first!.every((byte) => byte === 7));
  assertEquals(second!.length, 100_000);
  assert(second!.every((byte) => byte === 9));
  assertEquals(shared.length, 100_000);
});
