import { test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { crc32 } from "../../../src/bytes/crc32.ts";
import { MisuseError } from "../../../src/errors.ts";
import { LogError } from "../../../src/log/errors.ts";
import { BatchMemory } from "../../../src/log/publisher/batch_memory.ts";
import { formatProgress, ProgressCounter } from "../../../src/log/publisher/progress.ts";
import { RESEND_TIMEOUT_MS_MAX, ResendTimeout } from "../../../src/log/publisher/resend.ts";
import { Sealer, type SealerInit } from "../../../src/log/publisher/sealer.ts";
import { OutgoingBatch, Window } from "../../../src/log/publisher/window.ts";
import { RecordBatch } from "../../../src/log/wire/record.ts";
import fc from "../../support/properties.ts";

test("memory is used again, up to what is kept, and never of another size", () => {
  const memory = new BatchMemory(64, 2, (bytes) => new Uint8Array(bytes));
  const [a, b, c] = [memory.take(), memory.take(), memory.take()];
  assertEquals(memory.made, 3);
  for (const one of [a, b, c]) memory.give(one);
  memory.give(new Uint8Array(63));
  const again = new Set([memory.take(), memory.take()]);
  assert(again.has(a) && again.has(b));
  assertEquals([memory.take().length, memory.made], [64, 4]);
});

test("the time-out follows the round trip, above its floor", () => {
  const timeout = new ResendTimeout(10);
  assertEquals([timeout.timeoutMs, timeout.averageMs], [10, undefined]);
  timeout.sample(8);
  assertEquals([timeout.averageMs, timeout.timeoutMs], [8, 8 + 4 * 4]);
  timeout.sample(16);
  // TCP's estimator: the variation before the average, a quarter and an eighth of the new sample.
  assertEquals([timeout.averageMs, timeout.timeoutMs], [9, 9 + 4 * 5]);
  for (let i = 0; i < 200; i++) timeout.sample(1);
  assertEquals(timeout.timeoutMs, 10, "the floor");
});

test("the time-out doubles with each try, to a bound, and is short again after progress", () => {
  const timeout = new ResendTimeout(1_000);
  const waits = Array.from({ length: 20 }, () => {
    const { timeoutMs } = timeout;
    timeout.resent();
    return timeoutMs;
  });
  assertEquals(waits.slice(0, 7), [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, RESEND_TIMEOUT_MS_MAX]);
  assertEquals(new Set(waits.slice(6)), new Set([RESEND_TIMEOUT_MS_MAX]));
  timeout.progressed();
  assertEquals(timeout.timeoutMs, 1_000);
  assertEquals(new ResendTimeout(90_000).timeoutMs, 90_000, "a floor above the bound is one");
});

test("the time-out is the floor before anything was measured, and doubles ten times", () => {
  for (const floor of [0, 1, 10]) assertEquals(new ResendTimeout(floor).timeoutMs, floor);
  const timeout = new ResendTimeout(10);
  for (let i = 0; i < 20; i++) timeout.resent();
  assertEquals(timeout.timeoutMs, 10 * 1_024);
});

test("progress is a line for people", () => {
  const counter = new ProgressCounter();
  assertEquals(formatProgress(counter.snapshot(5)), "waiting for acks: [] total=0/5");
  counter.linked(3);
  counter.linked(0);
  counter.add(986_828);
  const line = "waiting for acks: [B0=986828 B3=0] total=986828/10485760";
  assertEquals(formatProgress(counter.snapshot(10_485_760)), line);
  counter.refuse(2);
  assertEquals(formatProgress(counter.snapshot(10_485_760)), `${line} refused=2`);
});

test("acknowledged records are counted for the broker that acknowledged them", () => {
  const counter = new ProgressCounter();
  assertEquals(counter.snapshot(20), { brokers: [], acknowledged: 0, submitted: 20, refused: 0 });
  counter.linked(1);
  counter.add(5);
  counter.linked(2);
  counter.add(7);
  counter.add(1);
  counter.linked(1);
  counter.add(2);
  counter.refuse(3);
  counter.refuse(1);
  const { brokers, acknowledged, refused } = counter.snapshot(20);
  assertEquals(brokers, [{ brokerId: 1, records: 7 }, { brokerId: 2, records: 8 }]);
  assertEquals([acknowledged, refused], [15, 4]);
  assertEquals([counter.acknowledged, counter.refused], [15, 4]);
});

function batchOf(firstRecord: number, bytes = 10): OutgoingBatch<string> {
  return new OutgoingBatch<string>({
    body: new Uint8Array(bytes),
    memory: undefined,
    firstRecord,
    count: 1,
    crc: 0,
    lastSequence: undefined,
    tokens: undefined,
    tokenRecords: undefined,
  });
}

test("a window is a queue with numbers: against an array, over many laps", () => {
  const step = fc.constantFrom("push", "push", "shift", "remove", "renumber");
  fc.assert(
    fc.property(fc.array(step, { maxLength: 1_500, size: "max" }), (steps) => {
      const window = new Window<string>();
      let twin: OutgoingBatch<string>[] = [];
      let base = 0;
      let pushed = 0;
      for (const one of steps) {
        if (one === "push") {
          const batch = batchOf(pushed++, 1 + pushed % 7);
          window.push(batch);
          twin.push(batch);
        } else if (one === "shift" && twin.length > 0) {
          assert(window.shift() === twin.shift());
          base++;
        } else if (one === "remove" && twin.length > 0) {
          const index = pushed % twin.length;
          assert(window.remove(index) === twin[index]);
          twin.splice(index, 1);
        } else if (one === "renumber") {
          const gone = window.renumber((batch) => batch.firstRecord % 3 === 0 ? "gone" : "keep");
          assertEquals(gone, twin.filter(({ firstRecord }) => firstRecord % 3 === 0));
          twin = twin.filter(({ firstRecord }) => firstRecord % 3 !== 0);
          base = 0;
        }
        assertEquals([window.length, window.baseNumber, window.nextNumber], [
          twin.length,
          base,
          base + twin.length,
        ]);
        assertEquals(window.bytes, twin.reduce((bytes, { body }) => bytes + body.length, 0));
        twin.forEach((batch, index) => {
          assert(window.at(index) === batch);
          assertEquals([window.numberAt(index), window.indexOf(base + index)], [base + index, index]);
        });
      }
    }),
    { numRuns: 40 },
  );
});

test("what an older epoch has left comes before the numbers, and counts for itself", () => {
  const window = new Window<string>();
  for (let i = 0; i < 5; i++) window.push(batchOf(i, 10 + i));
  window.renumber(({ firstRecord }) => firstRecord < 2 ? "older" : "keep");
  assertEquals([window.older, window.olderBytes, window.baseNumber, window.nextNumber], [2, 21, 0, 3]);
  assertEquals([window.indexOf(0), window.at(window.indexOf(0)).firstRecord], [2, 2]);
  // A second fence: what was older stays so, whatever is said of it.
  window.renumber(() => "gone");
  assertEquals([window.older, window.length, window.nextNumber], [2, 2, 0]);
  window.push(batchOf(9));
  assertEquals([window.baseNumber, window.numberAt(2)], [0, 0]);
  window.shift();
  assertEquals([window.older, window.olderBytes, window.baseNumber], [1, 11, 0]);
  window.shift();
  window.shift();
  assertEquals([window.older, window.olderBytes, window.baseNumber, window.nextNumber], [0, 0, 1, 1]);
});

function makeSealer(batchBytes = 100, more: Partial<SealerInit> = {}): Sealer<string> {
  return new Sealer<string>({
    batchBytes,
    batchRecordsMax: 1_000,
    batchBytesMax: 1_000,
    buffersKept: 4,
    crc32,
    memory: (bytes) => new Uint8Array(bytes).fill(0xee),
    ...more,
  });
}

test("a sealed batch has its records, its CRC, and who waits for which of them", () => {
  const sealer = makeSealer();
  assert(sealer.add("one", undefined, undefined));
  assert(sealer.add("two", { sequence: 5n }, "waits for two"));
  assert(sealer.add(new Uint8Array([1]), { sequence: 9n }, "waits for three"));
  const batch = sealer.seal();
  assertEquals([batch.firstRecord, batch.count, batch.lastSequence], [0, 3, 9n]);
  assertEquals([batch.tokens, batch.tokenRecords], [["waits for two", "waits for three"], [1, 2]]);
  assertEquals(batch.crc, crc32(batch.body, 0));
  const opened = RecordBatch.open(batch.body, { position: 0n, timestampMs: 0, count: 3 }) as RecordBatch;
  assertEquals(opened.records().map(({ value }) => [...value]), [[111, 110, 101], [116, 119, 111], [1]]);
  assert(sealer.add("four", undefined, undefined));
  const next = sealer.seal();
  assertEquals([next.firstRecord, next.lastSequence, next.tokens], [3, undefined, undefined]);
});

test("a small body is copied, a large one takes its memory with it", () => {
  const sealer = makeSealer(100);
  sealer.add(new Uint8Array(17), undefined, undefined);
  const small = sealer.seal();
  assertEquals([small.body.length, small.memory, small.body.buffer.byteLength], [25, undefined, 25]);
  sealer.add(new Uint8Array(18), undefined, undefined);
  const large = sealer.seal();
  assertEquals([large.body.length, large.memory?.length], [26, 100]);
  sealer.add(new Uint8Array(50), undefined, undefined);
  const other = sealer.seal();
  assert(other.memory !== large.memory, "its memory is in use");
  sealer.add(new Uint8Array(60), undefined, undefined);
  sealer.recycle(large.memory!);
  sealer.seal();
  sealer.add(new Uint8Array(60), undefined, undefined);
  assert(sealer.seal().memory === large.memory, "its memory is used again");
});

test("small batches are copied out of one memory, until a broker wants smaller ones", () => {
  let made = 0;
  const memory = (bytes: number): Uint8Array => (made++, new Uint8Array(bytes));
  const sealer = makeSealer(100, { memory });
  for (let i = 0; i < 10; i++) {
    sealer.add("small", undefined, undefined);
    sealer.seal();
  }
  assertEquals(made, 1);
  sealer.add("small", undefined, undefined);
  sealer.limit(50);
  sealer.seal();
  assert(!sealer.add(new Uint8Array(60), undefined, undefined), "the next batch has the new size");
});

test("what does not fit is not taken, and a record that never will is a batch of its own", () => {
  const sealer = makeSealer(100);
  assert(sealer.add(new Uint8Array(80), undefined, "a"));
  assert(!sealer.add(new Uint8Array(5), undefined, "b"));
  assertEquals([sealer.count, sealer.records, sealer.large(new Uint8Array(5), undefined)], [1, 1, undefined]);
  sealer.seal();
  assertEquals(sealer.large(new Uint8Array(92), undefined), undefined);
  assertEquals(sealer.large(new Uint8Array(93), undefined), 101);
  const batch = sealer.sealLarge(101, new Uint8Array(93).fill(7), { sequence: 3n }, "c");
  assertEquals([batch.body.length, batch.count, batch.firstRecord, batch.lastSequence], [101, 1, 1, 3n]);
  assertEquals([batch.tokens, batch.tokenRecords, batch.memory], [["c"], [0], undefined]);
  assertEquals(sealer.large(new Uint8Array(992), undefined), 1_000, "as large as the broker takes");
  const error = assertThrows(() => sealer.large(new Uint8Array(993), undefined), LogError, "1001 bytes");
  assertEquals(error.code, "ERR_LOG_BATCH_TOO_LARGE");
  assertThrows(
    () => sealer.add(5 as unknown as string, undefined, "d"),
    MisuseError,
    "a Uint8Array or a string",
  );
  assertEquals(sealer.records, 2);
});

test("a batch is full at its bytes and at its records", () => {
  const bytes = makeSealer(50);
  bytes.add(new Uint8Array(41), undefined, undefined);
  assert(!bytes.full);
  bytes.seal();
  bytes.add(new Uint8Array(42), undefined, undefined);
  assert(bytes.full);
  const records = makeSealer(1_000, { batchRecordsMax: 2 });
  records.add("a", undefined, undefined);
  assert(!records.full);
  records.add("b", undefined, undefined);
  assert(records.full);
});

test("a broker with smaller batches gets smaller ones from the next on", () => {
  const sealer = makeSealer(100);
  sealer.add(new Uint8Array(60), undefined, undefined);
  sealer.limit(50);
  assertEquals(sealer.seal().body.length, 68, "what is in it stays");
  assert(!sealer.add(new Uint8Array(60), undefined, undefined));
  assert(sealer.add(new Uint8Array(42), undefined, undefined));
  assert(sealer.full);
  assertThrows(() => sealer.large(new Uint8Array(43), undefined), LogError, "batchBytesMax (50)");
});
