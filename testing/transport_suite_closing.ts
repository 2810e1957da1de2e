/**
 * The cases of the compliance suite about the end of a stream.
 *
 * @module
 */

import { check } from "./probe.ts";
import { FILL_BYTES_MAX, type SuiteCase } from "./bench.ts";

/** Cases about the end of a stream. */
export const closingCases: readonly SuiteCase[] = [
  ["flush delivers what was written, then the peer sees the end", async (bench) => {
    const { left, right } = await bench.pair();
    while (left.writePattern(65_536) && left.sentBytes < 4_194_304);
    left.transport.close("flush");
    await right.until("end", () => right.ended);
    right.verify(left.sentBytes);
    right.transport.close("flush");
    await left.until("close", () => left.closed);
    await right.until("close", () => right.closed);
    check(left.cause === undefined, `the left end closed with ${String(left.cause)}`);
    check(right.cause === undefined, `the right end closed with ${String(right.cause)}`);
  }],
  ["flush delivers a lent chunk to a peer that reads late", async (bench) => {
    const { left, right } = await bench.pair();
    if (!right.transport.setPaused(true)) return;
    // Chunks so large that no single system call takes the rest of one either.
    await left.fill(FILL_BYTES_MAX, 4_194_304);
    const drains = left.drains;
    left.transport.close("flush");
    right.transport.setPaused(false);
    await right.until("end", () => right.ended);
    right.verify(left.sentBytes);
    check(left.drains === drains + 1, "the lent chunk was not reported as drained");
    right.transport.close("flush");
    await left.until("close", () => left.closed);
    check(left.cause === undefined, `the left end closed with ${String(left.cause)}`);
  }],
  ["flush of a paused stream with unread input still closes, without a reset", async (bench) => {
    const { left, right } = await bench.pair();
    if (!left.transport.setPaused(true)) return;
    await right.fill(FILL_BYTES_MAX);
    await left.send(100_000, 10_000);
    left.transport.close("flush");
    await right.until("end", () => right.ended);
    right.verify(100_000);
    await right.until("drain", () => !right.isLent);
    right.transport.close("flush");
    await left.until("close", () => left.closed);
    await right.until("close", () => right.closed);
    check(left.cause === undefined, `the left end closed with ${String(left.cause)}`);
    check(right.cause === undefined, `the right end closed with ${String(right.cause)}`);
  }],
  ["flush of a paused stream closes when the peer has already ended", async (bench) => {
    const { left, right } = await bench.pair();
    if (!left.transport.setPaused(true)) return;
    right.writePattern(200_000);
    right.transport.close("flush");
    left.transport.close("flush");
    await left.until("close", () => left.closed);
    await right.until("close", () => right.closed);
    check(left.cause === undefined, `the left end closed with ${String(left.cause)}`);
  }],
  ["after the peer's end one may still write, until one closes", async (bench) => {
    const { left, right } = await bench.pair();
    await left.send(10, 10);
    left.transport.close("flush");
    await right.until("end", () => right.ended);
    check(!right.closed && !left.closed, "the stream closed although one direction is open");
    // The other end discards it, but it must be read there, or this would never drain.
    await right.send(16 * 1_048_576, 65_536);
    right.transport.close("flush");
    await right.until("close", () => right.closed);
    await left.until("close", () => left.closed);
    check(right.cause === undefined, `the right end closed with ${String(right.cause)}`);
    check(left.receivedBytes === 0, "input arrived after the stream was closed");
  }],
  ["both ends flush at once", async (bench) => {
    const { left, right } = await bench.pair();
    left.writePattern(1000);
    right.writePattern(1000);
    left.transport.close("flush");
    right.transport.close("flush");
    await left.until("close", () => left.closed);
    await right.until("close", () => right.closed);
  }],
  ["abort after flush closes although the peer reads nothing", async (bench) => {
    const { left, right } = await bench.pair();
    if (!right.transport.setPaused(true)) return;
    await left.fill(FILL_BYTES_MAX);
    left.transport.close("flush");
    left.transport.close("abort");
    await left.until("close", () => left.closed);
    right.transport.setPaused(false);
    await right.until("end or close", () => right.ended || right.closed);
    check(right.receivedBytes < left.sentBytes, "an abort waited for the peer");
    right.verify();
  }],
  ["abort closes at once, and the peer notices", async (bench) => {
    const { left, right } = await bench.pair();
    left.transport.close("abort");
    left.transport.close("abort");
    left.transport.close("flush");
    await left.until("close", () => left.closed);
    check(left.cause === undefined, `the abort closed with ${String(left.cause)}`);
    await right.until("end or close", () => right.ended || right.closed);
  }],
  ["a writer whose peer aborts is closed, even in the middle of a lent chunk", async (bench) => {
    const { left, right } = await bench.pair();
    if (!right.transport.setPaused(true)) return;
    await left.fill(FILL_BYTES_MAX);
    right.transport.close("abort");
    await left.until("close", () => left.closed);
    check(left.cause !== undefined, "the cause is missing");
  }],
  ["a writer whose peer has gone is closed sooner or later, and write never throws", async (bench) => {
    const { left, right } = await bench.pair();
    right.transport.close("abort");
    while (!left.closed) {
      if (!left.writePattern(65_536)) await left.until("drain or close", () => !left.isLent);
      else await left.until("anything", () => true);
      check(left.sentBytes < FILL_BYTES_MAX, "writing to a closed peer never ends");
    }
  }],
  ["abort right after dial closes without open", async (bench) => {
    const listener = await bench.listen();
    const left = bench.dial(listener.address);
    left.transport.close("abort");
    await left.until("close", () => left.closed);
    check(!left.opened, "the stream opened although it had been aborted");
    check(left.cause === undefined, `it closed with ${String(left.cause)}`);
  }],
  ["flush right after dial, with nothing written, closes", async (bench) => {
    const listener = await bench.listen();
    const left = bench.dial(listener.address);
    left.transport.close("flush");
    await left.until("close", () => left.closed);
    check(left.cause === undefined, `it closed with ${String(left.cause)}`);
  }],
  ["flush right after a write before open delivers it", async (bench) => {
    const listener = await bench.listen();
    const left = bench.dial(listener.address);
    const taken = left.writePattern(1000);
    left.transport.close("flush");
    for (let i = 0; bench.accepted.length === 0 && i < 10_000; i++) await bench.turn();
    const right = bench.accepted[0];
    check(right !== undefined, "the stream was not accepted");
    await right.until("end", () => right.ended);
    right.verify(1000);
    check(taken || left.drains === 1, "the lent chunk was not reported as drained");
    right.transport.close("flush");
    await left.until("close", () => left.closed);
  }],
  ["closing from within open, data and end works", async (bench) => {
    const { left, right } = await bench.pair();
    right.onData = () => right.transport.close("abort");
    await left.send(10, 10);
    await right.until("close", () => right.closed);
    const listener = await bench.listen();
    const early = bench.dial(
      listener.address,
      (probe) => probe.onOpen = () => probe.transport.close("abort"),
    );
    await early.until("close", () => early.closed);
    check(early.opened && early.cause === undefined, `it closed with ${String(early.cause)}`);
  }],
  ["calls after close do nothing", async (bench) => {
    const { left } = await bench.pair();
    left.transport.close("abort");
    await left.until("close", () => left.closed);
    check(!left.transport.write(new Uint8Array(5)), "a closed stream took a chunk");
    if (left.transport.writev) {
      check(!left.transport.writev([new Uint8Array(5)]), "a closed stream took chunks");
    }
    left.transport.setPaused(true);
    left.transport.setPaused(false);
    left.transport.close("flush");
    left.transport.close("abort");
    await bench.turn();
  }],
];
