import { test } from "node:test";
import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "../../support/properties.ts";
import { BugError } from "../../../src/errors.ts";
import { Segment, SEGMENT_TRANSITIONS, segmentAt } from "../../../src/log/store/segment.ts";
import type { SegmentInput, SegmentState } from "../../../src/log/store/segment.ts";
import { SegmentPool } from "../../../src/log/store/segment_pool.ts";

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

test("a segment holds what is appended, at absolute offsets", () => {
  const segment = new Segment(100, 16, new SegmentPool());
  assertEquals([segment.base, segment.bytes, segment.end, segment.room], [100, 0, 100, 16]);
  assert(segment.append([bytes(1, 2), bytes(), bytes(3)]));
  assertEquals([segment.bytes, segment.end, segment.room], [3, 103, 13]);
  assert(segment.append([bytes(4)]));
  assertEquals(segment.view(100, 4), bytes(1, 2, 3, 4));
  assertEquals(segment.view(102, 1), bytes(3));
  assertEquals([segment.has(100, 4), segment.has(99, 1), segment.has(100, 5), segment.has(104, 0)], [
    true,
    false,
    false,
    true,
  ]);
  assertThrows(() => segment.view(103, 2), BugError);
});

test("a reader sees only what was published: an append that fails half-way leaves nothing", () => {
  const segment = new Segment(0, 16, new SegmentPool());
  segment.append([bytes(1, 2)]);
  const broken = { length: 2, 0: 9, 1: 9, [Symbol.iterator]: undefined } as unknown as Uint8Array;
  const throwing = new Proxy(broken, {
    get: (target, key) => {
      if (key === "0") throw new Error("the memory was given away");
      return Reflect.get(target, key);
    },
  });
  assertThrows(() => segment.append([bytes(7, 7), throwing]), Error, "given away");
  assertEquals([segment.bytes, segment.has(2, 1)], [2, false]);
  assert(segment.append([bytes(3)]));
  assertEquals(segment.view(0, 3), bytes(1, 2, 3));
});

test("what does not fit leaves nothing, and smaller things still fit", () => {
  const segment = new Segment(0, 4, new SegmentPool());
  assert(segment.append([bytes(1, 2)]));
  assertEquals(segment.append([bytes(3), bytes(4, 5)]), false);
  assertEquals(segment.bytes, 2);
  assert(segment.append([bytes(3, 4)]));
  assertEquals(segment.append([bytes(5)]), false);
  assert(segment.append([]), "nothing always fits");
  assertEquals(segment.view(0, 4), bytes(1, 2, 3, 4));
});

test("a view stays the same while more is appended", () => {
  const segment = new Segment(0, 8, new SegmentPool());
  segment.append([bytes(1, 2)]);
  const view = segment.view(0, 2);
  segment.append([bytes(3, 4)]);
  assertEquals(view, bytes(1, 2));
  assertEquals(segment.view(0, 4).buffer, view.buffer);
});

test("memory is taken at the first append only", () => {
  const made: number[] = [];
  const pool = new SegmentPool({ memory: (size) => (made.push(size), new Uint8Array(size)) });
  const segment = new Segment(0, 64, pool);
  segment.append([bytes()]);
  segment.retire();
  assertEquals([made, pool.idleBytes], [[], 0]);
  const next = new Segment(0, 64, pool);
  next.append([bytes(1)]);
  assertEquals([made, next.memoryBytes], [[64], 64]);
});

/** Drives a segment into each of its states. */
const REACHED: Readonly<Record<SegmentState, (pool: SegmentPool) => Segment>> = {
  open: (pool) => new Segment(0, 8, pool),
  sealed: (pool) => {
    const segment = new Segment(0, 8, pool);
    segment.seal();
    return segment;
  },
  retired: (pool) => {
    const segment = new Segment(0, 8, pool);
    segment.append([bytes(1)]);
    segment.read(0, 1);
    segment.retire();
    return segment;
  },
  gone: (pool) => {
    const segment = new Segment(0, 8, pool);
    segment.retire();
    return segment;
  },
};

test("the whole table of a segment's states", () => {
  const inputs: Readonly<Record<SegmentInput, SegmentState[]>> = {
    sealed: ["open", "sealed"],
    retiredPinned: ["open", "sealed"],
    retiredFree: ["open", "sealed"],
    unpinned: ["open", "sealed", "retired"],
  };
  for (const [state, row] of Object.entries(SEGMENT_TRANSITIONS)) {
    for (const [input, states] of Object.entries(inputs)) {
      assertEquals(input in row, (states as string[]).includes(state), `${state} on ${input}`);
    }
  }
  for (const [state, reach] of Object.entries(REACHED)) {
    assertEquals(reach(new SegmentPool()).state, state);
  }
});

test("a sealed segment is read and not appended to; a retired one is neither", () => {
  const sealed = REACHED.sealed(new SegmentPool());
  assertEquals([sealed.append([bytes(1)]), sealed.room], [false, 0]);
  const retired = REACHED.retired(new SegmentPool());
  assertEquals(retired.append([bytes(1)]), false);
  assertThrows(() => retired.read(0, 1), BugError);
  assertThrows(() => retired.retire(), BugError);
  assertThrows(() => retired.seal(), BugError);
  const gone = REACHED.gone(new SegmentPool());
  assertThrows(() => gone.read(0, 0), BugError);
});

test("memory goes back when the owner and the last reader have let go, in any order", () => {
  for (const order of ["owner first", "reader first"] as const) {
    const pool = new SegmentPool();
    const segment = new Segment(0, 8, pool);
    segment.append([bytes(1, 2)]);
    segment.seal();
    const [first, second] = [segment.read(0, 1), segment.read(1, 1)];
    assertEquals(segment.pins, 2);
    if (order === "owner first") segment.retire();
    first.release(true);
    assertEquals(pool.idleBytes, 0, order);
    assertEquals(second.bytes, bytes(2));
    second.release(true);
    if (order === "reader first") {
      assertEquals([segment.state, pool.idleBytes], ["sealed", 0]);
      segment.retire();
    }
    assertEquals([segment.state, pool.idleBytes, segment.has(0, 1)], ["gone", 8, false], order);
  }
});

test("memory that one reader left un-recycled is never used again", () => {
  for (const last of [0, 1]) {
    const pool = new SegmentPool();
    const segment = new Segment(0, 8, pool);
    segment.append([bytes(1, 2)]);
    const reads = [segment.read(0, 1), segment.read(1, 1)];
    segment.retire();
    reads[1 - last]!.release(last === 1);
    reads[last]!.release(last === 0);
    assertEquals([segment.state, pool.idleBytes], ["gone", 0]);
  }
});

test("a read is released once", () => {
  const segment = new Segment(0, 8, new SegmentPool());
  segment.append([bytes(1)]);
  const read = segment.read(0, 1);
  read.release(true);
  assertThrows(() => read.release(true), BugError);
  assertEquals(segment.pins, 0);
});

test("a pool prefers used memory to fresh one, the warmest first, and only of the same size", () => {
  const pool = new SegmentPool({ idleBytesMax: 24 });
  const [first, second, other] = [pool.take(8), pool.take(8), pool.take(16)];
  assertEquals([pool.fresh, pool.recycled, first.length, other.length], [3, 0, 8, 16]);
  pool.give(first);
  pool.give(second);
  assertEquals(pool.idleBytes, 16);
  pool.give(other);
  assertEquals([pool.idleBytes, pool.dropped], [16, 1]);
  assertEquals(pool.take(16).length, 16);
  assertStrictEquals(pool.take(8), second);
  assertStrictEquals(pool.take(8), first);
  assertEquals([pool.fresh, pool.recycled, pool.idleBytes], [4, 2, 0]);
  pool.give(first);
  assertThrows(() => pool.give(first), BugError);
  pool.clear();
  assertEquals(pool.idleBytes, 0);
});

test("a segment over recycled memory shows nothing of its former life", () => {
  const pool = new SegmentPool();
  const before = new Segment(0, 8, pool);
  before.append([bytes(1, 2, 3, 4)]);
  before.retire();
  const after = new Segment(50, 8, pool);
  after.append([bytes(9)]);
  assertEquals([pool.fresh, pool.recycled], [1, 1]);
  assertEquals([after.view(50, 1), after.has(50, 2)], [bytes(9), false]);
});

test("segmentAt agrees with a search from the end", () => {
  const lists = fc.uniqueArray(fc.integer({ min: 0, max: 60 }), { maxLength: 12 });
  fc.assert(fc.property(lists, fc.integer({ min: -2, max: 62 }), (bases, offset) => {
    const segments = bases.sort((a, b) => a - b).map((base) => ({ base, bytes: 1 }));
    const naive = segments.filter(({ base }) => base <= offset).at(-1);
    assertStrictEquals(segmentAt(segments, offset), naive);
  }));
});

test("appends of any sizes, against an array", () => {
  const chunk = fc.uint8Array({ maxLength: 9 });
  fc.assert(fc.property(fc.array(fc.array(chunk, { maxLength: 4 }), { maxLength: 30 }), (appends) => {
    const segment = new Segment(1_000, 64, new SegmentPool());
    const twin: number[] = [];
    for (const chunks of appends) {
      const flat = chunks.flatMap((one) => [...one]);
      const fits = twin.length + flat.length <= 64;
      assertEquals(segment.append(chunks), fits);
      if (fits) twin.push(...flat);
      assertEquals([...segment.view(1_000, segment.bytes)], twin);
    }
  }));
});
