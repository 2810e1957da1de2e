import { test } from "node:test";
import { assert, assertEquals, assertNotStrictEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "../../support/properties.ts";
import { BugError, MisuseError } from "../../../src/errors.ts";
import { StagingPool, type StagingWaiter } from "../../../src/log/ingest/staging_pool.ts";

/** A waiter that writes down when it is resumed. */
function waiter(name: string, log: string[]): StagingWaiter {
  return { resume: () => void log.push(name) };
}

test("a buffer is given as a view of exactly the bytes that were asked for, until none is left", () => {
  const pool = new StagingPool({ buffers: 2, bufferBytes: 64 });
  const one = pool.allocate(64)!;
  const two = pool.allocate(1)!;
  assertEquals([one.length, two.length], [64, 1]);
  assertNotStrictEquals(one.buffer, two.buffer);
  assertEquals(pool.utilisationPercent, 100);
  assertEquals(pool.allocate(1), undefined);
  assertEquals(pool.exhausted, 1);
  pool.release(two);
  assertEquals(pool.utilisationPercent, 50);
  assertEquals(pool.allocate(0)!.length, 0);
});

test("buffers are made when they are first needed, and recycled", () => {
  const made: number[] = [];
  const memory = (bytes: number): Uint8Array => {
    made.push(bytes);
    return new Uint8Array(bytes);
  };
  const pool = new StagingPool({ buffers: 8, bufferBytes: 32, memory });
  assertEquals(made, []);
  const first = pool.allocate(32)!;
  pool.release(first);
  const second = pool.allocate(16)!;
  assertStrictEquals(second.buffer, first.buffer);
  assertEquals(made, [32]);
  pool.allocate(1);
  assertEquals(made, [32, 32]);
});

test("buffers that share one allocation stay apart", () => {
  const slab = new Uint8Array(128);
  let at = 0;
  const memory = (bytes: number): Uint8Array => slab.subarray(at, at += bytes);
  const pool = new StagingPool({ buffers: 2, bufferBytes: 64, memory });
  const one = pool.allocate(64)!;
  const two = pool.allocate(64)!;
  one.fill(1);
  two.fill(2);
  assertEquals([one[63], two[0]], [1, 2]);
  pool.release(one);
  assert(pool.owns(two) && !pool.owns(one));
});

test("memory that is not lent cannot be released", () => {
  const pool = new StagingPool({ buffers: 1, bufferBytes: 8 });
  const memory = pool.allocate(8)!;
  assertThrows(() => pool.release(new Uint8Array(8)), BugError, "did not give");
  assertThrows(() => pool.release(memory.subarray(0)), BugError);
  pool.release(memory);
  assertThrows(() => pool.release(memory), BugError);
  const next = pool.allocate(8)!;
  assertThrows(
    () => pool.release(memory),
    BugError,
    "",
    "a late release must not free the next user's buffer",
  );
  assert(pool.owns(next));
  assertEquals(pool.inUse, 1);
});

test("memory that somebody may still write to is replaced, not recycled", () => {
  const pool = new StagingPool({ buffers: 1, bufferBytes: 8 });
  const memory = pool.allocate(8)!;
  pool.release(memory, false);
  const next = pool.allocate(8)!;
  memory.fill(9);
  assertEquals(next, new Uint8Array(8));
});

test("memory that was given away is replaced", () => {
  const pool = new StagingPool({ buffers: 1, bufferBytes: 8 });
  const memory = pool.allocate(8)!;
  structuredClone(0, { transfer: [memory.buffer as ArrayBuffer] });
  pool.release(memory);
  assertEquals([pool.inUse, pool.allocate(8)], [0, new Uint8Array(8)]);
});

test("more than a buffer has is a bug of the caller, who knows the limit", () => {
  const pool = new StagingPool({ buffers: 1, bufferBytes: 8 });
  assertThrows(() => pool.allocate(9), BugError);
  assertEquals(pool.inUse, 0);
});

test("options outside their ranges are refused", () => {
  for (const bad of [0, -1, 1.5, NaN, Infinity, 2 ** 53]) {
    assertThrows(() => new StagingPool({ buffers: bad, bufferBytes: 1 }), MisuseError, `buffers is ${bad}`);
    assertThrows(
      () => new StagingPool({ buffers: 1, bufferBytes: bad }),
      MisuseError,
      `bufferBytes is ${bad}`,
    );
  }
  for (const bad of [0, 101, 0.5]) {
    const init = { buffers: 1, bufferBytes: 1, resumePercent: bad };
    assertThrows(() => new StagingPool(init), MisuseError, `resumePercent is ${bad}: it must be an integer`);
  }
});

test("who finds none is queued once, and served first come first served below the mark", () => {
  const log: string[] = [];
  const pool = new StagingPool({ buffers: 10, bufferBytes: 1 });
  const held = Array.from({ length: 10 }, () => pool.allocate(1)!);
  const [a, b] = [waiter("a", log), waiter("b", log)];
  for (const who of [a, b, a, b, a]) assertEquals(pool.allocate(1, who), undefined);
  assertEquals([pool.waiting, pool.pauses, pool.exhausted], [2, 2, 2]);
  for (let inUse = 9; inUse >= 7; inUse--) pool.release(held.pop()!);
  assertEquals([pool.utilisationPercent, log], [70, []], "70 % is not below 70 %");
  pool.release(held.pop()!);
  assertEquals(log, ["a"], "what is kept for a counts: one more would be above the mark");
  assert(pool.allocate(1, a) !== undefined);
  assertEquals(log, ["a"]);
  pool.release(held.pop()!);
  assertEquals(log, ["a", "b"]);
  assertEquals([pool.waiting, pool.pauses, pool.resumes, pool.forgotten], [0, 2, 2, 0]);
});

test("every mark and pool size resumes: nobody waits in front of an idle pool", () => {
  for (let buffers = 1; buffers <= 12; buffers++) {
    for (let resumePercent = 1; resumePercent <= 100; resumePercent++) {
      const log: string[] = [];
      const pool = new StagingPool({ buffers, bufferBytes: 1, resumePercent });
      const held = Array.from({ length: buffers }, () => pool.allocate(1)!);
      pool.allocate(1, waiter("a", log));
      // The first release after which less than the mark is in use.
      for (let inUse = buffers; inUse > 0; inUse--) {
        assertEquals(log.length, inUse * 100 < resumePercent * buffers ? 1 : 0);
        pool.release(held.pop()!);
      }
      assertEquals(log, ["a"]);
    }
  }
});

test("what is kept for a waiter cannot be taken by a newcomer", () => {
  const log: string[] = [];
  const pool = new StagingPool({ buffers: 1, bufferBytes: 1 });
  const memory = pool.allocate(1)!;
  const a = waiter("a", log);
  pool.allocate(1, a);
  pool.release(memory);
  assertEquals(log, ["a"]);
  assertEquals(pool.allocate(1), undefined);
  assertEquals(pool.allocate(1, waiter("b", log)), undefined);
  assert(pool.allocate(1, a) !== undefined);
});

test("a newcomer does not overtake the queue, even where buffers are free", () => {
  const log: string[] = [];
  const pool = new StagingPool({ buffers: 4, bufferBytes: 1, resumePercent: 50 });
  const held = Array.from({ length: 4 }, () => pool.allocate(1)!);
  pool.allocate(1, waiter("a", log));
  pool.release(held.pop()!);
  assertEquals([pool.utilisationPercent, log], [75, []]);
  assertEquals(pool.allocate(1), undefined);
});

test("a waiter that leaves passes on what is kept for it", () => {
  const log: string[] = [];
  const pool = new StagingPool({ buffers: 1, bufferBytes: 1 });
  const memory = pool.allocate(1)!;
  const [a, b, c] = [waiter("a", log), waiter("b", log), waiter("c", log)];
  for (const who of [a, b, c]) pool.allocate(1, who);
  pool.forget(b);
  pool.forget(b);
  assertEquals([pool.waiting, pool.forgotten], [2, 1]);
  pool.release(memory);
  pool.forget(a);
  assertEquals(log, ["a", "c"]);
  assert(pool.allocate(1, c) !== undefined);
  assertEquals([pool.pauses, pool.resumes, pool.forgotten, pool.waiting], [3, 2, 1, 0]);
});

test("waiters that take and release inside resume are served in order, without recursion", () => {
  const pool = new StagingPool({ buffers: 1, bufferBytes: 1 });
  const log: number[] = [];
  let depth = 0;
  const first = pool.allocate(1)!;
  for (let i = 0; i < 1_000; i++) {
    const self: StagingWaiter = {
      resume(): void {
        depth++;
        assertEquals(depth, 1);
        pool.release(pool.allocate(1, self)!);
        log.push(i);
        depth--;
      },
    };
    pool.allocate(1, self);
  }
  pool.release(first);
  assertEquals(log, Array.from({ length: 1_000 }, (_, i) => i));
  assertEquals([pool.inUse, pool.pauses, pool.resumes], [0, 1_000, 1_000]);
});

test("the histogram counts how full the pool was after each allocation", () => {
  const pool = new StagingPool({ buffers: 10, bufferBytes: 1 });
  const held = Array.from({ length: 10 }, () => pool.allocate(1)!);
  assertEquals(pool.histogram, [0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
  pool.allocate(1);
  assertEquals(pool.histogram[10], 1, "what got nothing is in `exhausted`");
  for (const memory of held) pool.release(memory);
  pool.allocate(1);
  assertEquals(pool.histogram[1], 2);
  for (let buffers = 1; buffers <= 200; buffers++) {
    const other = new StagingPool({ buffers, bufferBytes: 1 });
    for (let i = 1; i <= buffers; i++) {
      const before = [...other.histogram];
      other.allocate(1);
      const bucket = other.histogram.findIndex((count, at) => count !== before[at]);
      assertEquals(bucket, Math.floor(other.utilisationPercent / 10 + 1e-9), `${i} of ${buffers}`);
    }
  }
});

/** The pool as somebody would write it who does not care for speed. */
class NaivePool {
  readonly lent: Uint8Array[] = [];
  queue: number[] = [];
  kept: number[] = [];
  readonly resumed: number[] = [];

  readonly buffers: number;
  readonly percent: number;

  constructor(buffers: number, percent: number) {
    this.buffers = buffers;
    this.percent = percent;
  }

  allocate(who: number): boolean {
    if (this.kept.includes(who)) {
      this.kept = this.kept.filter((one) => one !== who);
      return true;
    }
    if (this.queue.length === 0 && this.lent.length + this.kept.length < this.buffers) return true;
    if (!this.queue.includes(who)) this.queue.push(who);
    return false;
  }

  settle(): void {
    while (
      this.queue.length > 0 && (this.lent.length + this.kept.length) / this.buffers < this.percent / 100
    ) {
      const who = this.queue.shift()!;
      this.kept.push(who);
      this.resumed.push(who);
    }
  }

  forget(who: number): void {
    this.queue = this.queue.filter((one) => one !== who);
    this.kept = this.kept.filter((one) => one !== who);
    this.settle();
  }
}

test("the pool does what its naive twin does", () => {
  const step = fc.tuple(fc.constantFrom("allocate", "release", "forget"), fc.nat(5));
  const property = fc.property(
    fc.integer({ min: 1, max: 6 }),
    // Shares that are exact in binary: the twin divides.
    fc.constantFrom(25, 50, 75, 100),
    fc.array(step, { maxLength: 200 }),
    (buffers, resumePercent, steps) => {
      const resumed: number[] = [];
      const waiters = Array.from({ length: 6 }, (_, who) => ({ resume: () => void resumed.push(who) }));
      const pool = new StagingPool({ buffers, bufferBytes: 4, resumePercent });
      const twin = new NaivePool(buffers, resumePercent);
      for (const [kind, who] of steps) {
        if (kind === "allocate") {
          const memory = pool.allocate(4, waiters[who]);
          assertEquals(memory !== undefined, twin.allocate(who));
          if (memory !== undefined) twin.lent.push(memory);
        } else if (kind === "release" && twin.lent.length > 0) {
          const [memory] = twin.lent.splice(who % twin.lent.length, 1);
          pool.release(memory!);
          twin.settle();
        } else if (kind === "forget") {
          pool.forget(waiters[who]!);
          twin.forget(who);
        }
        assertEquals(resumed, twin.resumed);
        assertEquals(pool.inUse, twin.lent.length);
        assertEquals(pool.waiting, twin.queue.length);
        assertEquals(pool.pauses, pool.resumes + pool.forgotten + pool.waiting);
        assertEquals(new Set(twin.lent.map(({ buffer }) => buffer)).size, twin.lent.length);
        // Whoever waits has something to wait for.
        if (pool.waiting > 0) assert(twin.lent.length + twin.kept.length > 0);
      }
    },
  );
  fc.assert(property, { numRuns: 500 });
});
