/**
 * The cases of the compliance suite about the end of a stream.
 *
 * @module
 */

import { FILL_BYTES_MAX, type SuiteCase, suiteCase } from "./bench.ts";
import { check, type Probe } from "./probe.ts";

/** Waits until both have closed, and fails if the stream was not ended in order. */
async function closeInOrder(left: Probe, right: Probe): Promise<void> {
  await left.until("close", () => left.closed);
  await right.until("close", () => right.closed);
  for (const { name, cause } of [left, right]) {
    check(cause === undefined, `${name} closed with ${String(cause)}`);
  }
}

/** Cases about the end of a stream. */
export const closingCases: readonly SuiteCase[] = [
  suiteCase("flush delivers what was written, then the peer sees the end", async (bench) => {
    const { left, right } = await bench.pair();
    while (left.writePattern(65_536) && left.sentBytes < 4_194_304);
    await left.until("drain", () => !left.isLent);
    left.finish("flush");
    await right.until("end", () => right.ended);
    right.verify(left.sentBytes);
    right.finish("flush");
    await closeInOrder(left, right);
  }),
  suiteCase(
    "flush right after a drain loses nothing of a chunk that no system call takes at once",
    async (bench) => {
      const { left, right } = await bench.pair();
      bench.pause(right);
      await left.fill(FILL_BYTES_MAX, 4_194_304);
      right.setPaused(false);
      await left.until("drain", () => !left.isLent);
      left.finish("flush");
      await right.until("end", () => right.ended);
      right.verify(left.sentBytes);
      right.finish("flush");
      await closeInOrder(left, right);
    },
    "canPause",
  ),
  suiteCase(
    "flush of a paused stream with unread input still closes, without a reset",
    async (bench) => {
      const { left, right } = await bench.pair();
      bench.pause(left);
      await right.fill(FILL_BYTES_MAX);
      await left.send(100_000, 10_000);
      left.finish("flush");
      await right.until("end", () => right.ended);
      right.verify(100_000);
      await right.until("drain", () => !right.isLent);
      right.finish("flush");
      await closeInOrder(left, right);
    },
    "canPause",
    "halfClose",
  ),
  suiteCase("flush of a paused stream closes when the peer has already ended", async (bench) => {
    const { left, right } = await bench.pair();
    bench.pause(left);
    right.writePattern(5);
    if (!await right.settles()) {
      left.setPaused(false);
      await right.until("drain", () => !right.isLent);
      left.setPaused(true);
    }
    right.finish("flush");
    left.finish("flush");
    await closeInOrder(left, right);
  }, "canPause"),
  suiteCase("after the peer's end one may still write, until one closes", async (bench) => {
    const { left, right } = await bench.pair();
    await left.send(10, 10);
    left.finish("flush");
    await right.until("end", () => right.ended);
    check(!right.closed && !left.closed, "the stream closed although one direction is open");
    // The other end discards it, but it must be read there, or this would never drain.
    await right.send(16 * 1_048_576, 65_536);
    right.finish("flush");
    await right.until("close", () => right.closed);
    await left.until("close", () => left.closed);
    check(right.cause === undefined, `the right end closed with ${String(right.cause)}`);
    check(left.receivedBytes === 0, "input arrived after the stream was closed");
  }, "halfClose"),
  suiteCase("both ends flush at once", async (bench) => {
    const { left, right } = await bench.pair();
    await Promise.all([left.send(1000, 1000), right.send(1000, 1000)]);
    left.finish("flush");
    right.finish("flush");
    await closeInOrder(left, right);
  }),
  suiteCase("abort after flush closes although the peer reads nothing", async (bench) => {
    const { left, right } = await bench.pair();
    bench.pause(right);
    left.writePattern(5);
    if (await left.settles()) left.finish("flush");
    left.finish("abort");
    await left.until("close", () => left.closed);
    check(!right.ended, "an end came although reading was paused");
    right.setPaused(false);
    await right.until("end or close", () => right.ended || right.closed);
    right.verify();
  }, "canPause"),
  suiteCase(
    "abort in the middle of a lent chunk closes at once, whether or not it arrives",
    async (bench) => {
      const { left, right } = await bench.pair();
      bench.pause(right);
      await left.fill(FILL_BYTES_MAX);
      left.finish("abort");
      await left.until("close", () => left.closed);
      left.verifyNoCause();
      right.setPaused(false);
      await right.until("end or close", () => right.ended || right.closed);
      right.verify();
    },
    "canPause",
  ),
  suiteCase("abort closes at once, and the peer notices", async (bench) => {
    const { left, right } = await bench.pair();
    left.finish("abort");
    await left.until("close", () => left.closed);
    left.verifyNoCause();
    await right.until("end or close", () => right.ended || right.closed);
  }),
  suiteCase(
    "a writer whose peer aborts is closed with a cause, even while its memory is lent",
    async (bench) => {
      const { left, right } = await bench.pair();
      bench.pause(right);
      await left.fill(FILL_BYTES_MAX);
      right.finish("abort");
      await left.until("close", () => left.closed);
      check(left.cause !== undefined, "the cause is missing");
    },
    "canPause",
  ),
  suiteCase(
    "a writer whose peer has gone is closed sooner or later, and write never throws",
    async (bench) => {
      const { left, right } = await bench.pair();
      right.finish("abort");
      while (!left.closed && !left.ended) {
        if (!left.writePattern(65_536)) await left.until("drain or close", () => !left.isLent);
        else await bench.turn();
        check(left.sentBytes < FILL_BYTES_MAX, "writing to a closed peer never ends");
      }
    },
  ),
  suiteCase("closing from within open works", async (bench) => {
    const listener = await bench.listen();
    const abort = (probe: Probe): void => void (probe.onOpen = () => probe.finish("abort"));
    const left = bench.dial(listener.address, abort);
    await left.until("close", () => left.closed);
    check(left.opened, "the stream did not open");
    left.verifyNoCause();
  }),
  suiteCase("closing from within data works", async (bench) => {
    const { left, right } = await bench.pair();
    right.onData = () => right.finish("abort");
    await left.send(10, 10);
    await right.until("close", () => right.closed);
  }),
  suiteCase("closing from within end works", async (bench) => {
    const { left, right } = await bench.pair();
    right.onEnd = () => right.finish("flush");
    await left.send(10, 10);
    left.finish("flush");
    await closeInOrder(left, right);
    right.verify(10);
  }),
];
