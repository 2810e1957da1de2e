import { test } from "node:test";
import { SCHEMES } from "../interop/support/addresses.ts";
import { within } from "../interop/support/deadline.ts";
import { closeLane, type Lane, openLane } from "./lanes.ts";

// Awaiting a settled promise never leaves the microtask queue, so a loop of sends that are all taken at once would keep
// timers and reads from running for ever.

const TICKS = 20;
/** A loop that starves timers would also starve a deadline's: this one looks at the clock itself. */
const DEADLINE_MS = 30_000;

/** Goes on until a timer has fired so often and, where there is a receiver, something was read. */
class Endless {
  ticks = 0;
  received = 0;
  readonly #lane: Lane;
  readonly #reads: boolean;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #endMs = performance.now() + DEADLINE_MS;

  constructor(lane: Lane, reads = true) {
    this.#lane = lane;
    this.#reads = reads;
    this.#timer = setInterval(() => this.ticks++, 1);
    if (reads) void this.#receive();
  }

  get running(): boolean {
    if (performance.now() > this.#endMs) {
      throw new Error(`${this.ticks} ticks and ${this.received} messages in ${DEADLINE_MS} ms`);
    }
    return this.ticks < TICKS || (this.#reads && this.received === 0);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await closeLane(this.#lane);
  }

  async #receive(): Promise<void> {
    const messages = this.#lane.receiver as unknown as AsyncIterable<unknown>;
    for await (const _message of messages) this.received++;
  }
}

for (const scheme of SCHEMES) {
  test(`timers and reads go on during an endless loop of awaited sends over ${scheme}`, async () => {
    const lane = await openLane("PUSH-PULL", scheme);
    const endless = new Endless(lane);
    const body = new Uint8Array(8);
    while (endless.running) await lane.sender.send(body);
    await endless.stop();
  });

  test(`timers and reads go on during an endless loop of awaited large sends over ${scheme}`, async () => {
    const lane = await openLane("PUSH-PULL", scheme, { sender: { sendHighWaterMark: 0, linger: 0 } });
    const endless = new Endless(lane);
    const body = new Uint8Array(100_000);
    while (endless.running) await lane.sender.send(body);
    await endless.stop();
  });

  test(`timers and reads go on during an endless loop of try-calls that waits where it must over ${scheme}`, async () => {
    const lane = await openLane("PUSH-PULL", scheme);
    const endless = new Endless(lane);
    const body = new Uint8Array(8);
    while (endless.running) {
      if (!lane.sender.trySend(body)) await lane.sender.waitWritable();
    }
    await endless.stop();
  });
}

test("a timer fires during an endless loop of sends that a publisher has nobody for", async () => {
  const lane = await openLane("PUB-SUB", "tcp");
  await within(lane.receiver[Symbol.asyncDispose](), "the subscriber to leave");
  const endless = new Endless(lane, false);
  while (endless.running) await lane.sender.send("to nobody");
  await endless.stop();
});
