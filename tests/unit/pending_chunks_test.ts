import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "../support/properties.ts";
import { concat } from "../../src/bytes/bytes.ts";
import { type HalfReceived, PendingChunks, PendingTotal } from "../../src/engine/pending_chunks.ts";

function drain(pending: PendingChunks): Uint8Array {
  const chunks: Uint8Array[] = [];
  for (let chunk = pending.shift(); chunk !== undefined; chunk = pending.shift()) chunks.push(chunk);
  return concat(chunks);
}

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      push: fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 40_000 })),
    }),
  },
  { weight: 2, arbitrary: fc.record({ take: fc.double({ min: 0, max: 1, noNaN: true }) }) },
);

test("bytes come out in the order in which they went in, however they are taken, and the counts end at zero", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const total = new PendingTotal(1_000);
      const pending = new PendingChunks(total);
      let next = 0;
      let expected = 0;
      const check = (bytes: Uint8Array): void => {
        for (const byte of bytes) {
          if (byte !== (expected++ & 0xff)) throw new Error(`byte ${expected - 1} is ${byte}`);
        }
      };
      for (const one of steps) {
        if ("push" in one) {
          pending.push(new Uint8Array(one.push).map(() => next++ & 0xff));
        } else {
          const chunk = pending.shift();
          if (chunk === undefined) continue;
          // As a decoder that stops half-way.
          const used = Math.floor(chunk.length * one.take);
          check(chunk.subarray(0, used));
          if (used < chunk.length) pending.unshift(chunk.subarray(used));
        }
        assertEquals(total.bytes, pending.bytes);
        assert(pending.bytes >= next - expected, "less is counted than is held");
      }
      check(drain(pending));
      assertEquals([expected, pending.bytes, total.bytes, pending.length], [next, 0, 0, 0]);
    }),
    { numRuns: 500 },
  );
});

test("a trickle is joined: a thousand bytes cost one buffer", () => {
  const pending = new PendingChunks(new PendingTotal(Infinity));
  for (let i = 0; i < 1_000; i++) pending.push(Uint8Array.of(i));
  assertEquals(pending.length, 1);
  assert(pending.bytes <= 20_000, `${pending.bytes} bytes`);
  assertEquals(drain(pending).length, 1_000);
});

test("what was shifted away is not written to when more comes", () => {
  const pending = new PendingChunks(new PendingTotal(Infinity));
  pending.push(Uint8Array.of(1, 2));
  pending.push(Uint8Array.of(3));
  const chunk = pending.shift()!;
  pending.push(Uint8Array.of(4));
  pending.unshift(chunk.subarray(1));
  pending.push(Uint8Array.of(5));
  assertEquals([...chunk], [1, 2, 3]);
  assertEquals([...drain(pending)], [2, 3, 4, 5]);
});

test("backing memory is counted, and a view that fills little of its buffer is copied", () => {
  const pending = new PendingChunks(new PendingTotal(Infinity));
  pending.push(new Uint8Array(1_000_000).subarray(0, 3_000));
  assertEquals(pending.bytes, 3_000);
  pending.push(new Uint8Array(10_000).subarray(0, 5_000));
  assertEquals(pending.bytes, 13_000, "half of a buffer pins all of it");
});

test("a total has room below its bound, over all that count into it", () => {
  const total = new PendingTotal(10_000);
  const [one, two] = [new PendingChunks(total), new PendingChunks(total)];
  one.push(new Uint8Array(6_000));
  assert(total.hasRoom);
  two.push(new Uint8Array(6_000));
  assert(!total.hasRoom);
  one.clear();
  assertEquals([total.bytes, one.bytes, one.length, total.hasRoom], [6_000, 0, 0, true]);
  one.push(Uint8Array.of(1));
  assertEquals([...drain(one)], [1]);
});

class Half implements HalfReceived {
  heardMs = 0;
  heardBytes = 0;
  suspectedMs = -1;
  lost = "";
  readonly #total: PendingTotal;
  #bytes = 0;

  constructor(total: PendingTotal) {
    this.#total = total;
  }

  receive(bytes: number, nowMs: number): void {
    this.heardMs = nowMs;
    this.heardBytes += bytes;
    this.#bytes += bytes;
    this.#total.countHalf(this, bytes, true);
  }

  giveUp(why: Error): void {
    this.lost = why.message;
    this.#total.countHalf(this, -this.#bytes, false);
  }
}

test("one that has stopped goes although another is read on, and that one stays while it goes on", () => {
  const total = new PendingTotal(400_000);
  const [oldest, stopped] = [new Half(total), new Half(total)];
  oldest.receive(100_000, 0);
  stopped.receive(300_000, 0);
  for (let nowMs = 0; nowMs <= 1_200; nowMs += 100) {
    oldest.receive(7_000, nowMs);
    total.review(nowMs);
  }
  assert(stopped.lost.includes("none of it arrived"), stopped.lost);
  assertEquals(oldest.lost, "");
});

test("progress is asked for only while others wait, and not for time in which the process did not run", () => {
  const total = new PendingTotal(400_000);
  const [oldest, other] = [new Half(total), new Half(total)];
  oldest.receive(399_999, 0);
  for (let nowMs = 0; nowMs <= 5_000; nowMs += 250) {
    oldest.receive(0, nowMs);
    total.review(nowMs);
  }
  other.receive(1, 5_000);
  total.review(5_000);
  // The process comes back, and only then sees what came meanwhile.
  for (const nowMs of [8_000, 8_060]) {
    oldest.receive(1_000, nowMs);
    other.receive(0, nowMs);
    total.review(nowMs);
  }
  assertEquals(oldest.lost, "");
  for (let nowMs = 8_100; nowMs <= 9_000; nowMs += 100) {
    oldest.receive(1_000, nowMs);
    other.receive(0, nowMs);
    total.review(nowMs);
  }
  assertEquals(oldest.lost, "");
  for (const nowMs of [9_100, 9_160]) {
    oldest.receive(1, nowMs);
    total.review(nowMs);
  }
  assert(oldest.lost.includes("65536 bytes of it came in 1000 ms"), oldest.lost);
  assertEquals(other.lost, "");
});
