import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { within } from "./support/deadline.ts";
import { findPython } from "./support/libzmq.ts";
import { RawBroker, RawLogClient } from "./support/raw_log_client.ts";
import { sourcePath } from "./support/runtimes.ts";

// examples/tail_topic.py reads a topic with nothing but the system's libzmq and what docs/PROTOCOL.md says.

const python = findPython();
const skip = python === undefined ? "no Python here has the package zmq" : false;

/** A running example: its lines, and how it ended. */
class Tail {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #ended: Promise<number | null>;
  #errors = "";

  constructor(...args: string[]) {
    this.#child = spawn(python!, [sourcePath("examples/tail_topic.py"), ...args]);
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
    this.#child.stderr!.on("data", (chunk) => this.#errors += String(chunk));
    this.#ended = new Promise((resolve) => this.#child.on("close", resolve));
  }

  async lines(count: number): Promise<string[]> {
    const lines: string[] = [];
    while (lines.length < count) {
      const { value, done } = await within(this.#lines.next(), `line ${lines.length} of ${count}`);
      if (done === true) throw new Error(`it ended: ${this.#errors}`);
      lines.push(value);
    }
    return lines;
  }

  /** What it says when it ends by itself. */
  async end(): Promise<{ readonly code: number | null; readonly errors: string }> {
    return { code: await within(this.#ended, "the example to end"), errors: this.#errors };
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await within(this.#ended, "the example to be gone");
  }
}

test("a Python program tails a topic: what is there, and what comes while it waits", { skip }, async () => {
  const broker = new RawBroker();
  await broker.listen();
  const publisher = new RawLogClient(broker.endpoint);
  await publisher.begin("orders", 1n);
  const session = { session: 1n, epoch: 1 };
  await publisher.publish({ ...session, batch: 0 }, ["zero", "één", "two"]);
  await publisher.publish({ ...session, batch: 1 }, ["three", ""]);
  await publisher.committed(2);
  const all = new Tail(broker.endpoint, "orders");
  // From the middle of a batch.
  const late = new Tail(broker.endpoint, "orders", "1");
  assertEquals(await all.lines(5), ["0 zero", "1 één", "2 two", "3 three", "4 "]);
  assertEquals(await late.lines(4), ["1 één", "2 two", "3 three", "4 "]);
  await publisher.publish({ ...session, batch: 2 }, ["while it waits"]);
  assertEquals(await all.lines(1), ["5 while it waits"]);
  assertEquals(await late.lines(1), ["5 while it waits"]);
  const many = Array.from({ length: 3_000 }, (_, index) => `value ${index}`);
  await publisher.publish({ ...session, batch: 3 }, many);
  assertEquals(await all.lines(3_000), many.map((value, index) => `${index + 6} ${value}`));
  await Promise.all([all.kill(), late.kill()]);
  publisher.close();
  await broker.close();
});

test("a Python program is told why it cannot tail", { skip }, async () => {
  const broker = new RawBroker();
  await broker.listen();
  const { code, errors } = await new Tail(broker.endpoint, "nobody made this").end();
  assertEquals(code, 1);
  assertStringIncludes(errors, "ERR_LOG_TOPIC");
  await broker.close();
});
