import { test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "../../support/properties.ts";
import { OrderIndex, SegmentIndex } from "../../../src/log/order/order_index.ts";

interface Row {
  readonly position: bigint;
  readonly offset: number;
  readonly count: number;
  readonly bytes: number;
  readonly checksum: number;
  readonly timestampMs: number;
}

const steps = fc.array(
  fc.record({
    count: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.constant(0xffff_ffff)),
    bytes: fc.integer({ min: 0, max: 0xffff_ffff }),
    checksum: fc.integer({ min: 0, max: 0xffff_ffff }),
    later: fc.integer({ min: 0, max: 2 }),
  }),
  { maxLength: 200 },
);

/** A segment's rows, and what they should be. */
function filled(
  first: bigint,
  list: readonly { count: number; bytes: number; checksum: number; later: number }[],
) {
  const index = new SegmentIndex(4_096, first);
  const rows: Row[] = [];
  let position = first;
  let timestampMs = 1_750_000_000_000;
  for (const [at, { count, bytes, checksum, later }] of list.entries()) {
    timestampMs += later;
    const offset = 2 ** 40 + at * 64;
    index.append(offset, count, bytes, checksum, timestampMs);
    rows.push({ position, offset, count, bytes, checksum, timestampMs });
    position += BigInt(count);
  }
  return { index, rows, end: position };
}

test("rows read as they were appended, however many", () => {
  fc.assert(fc.property(steps, fc.bigInt({ min: 0n, max: 2n ** 63n }), (list, first) => {
    const { index, rows, end } = filled(first, list);
    assertEquals(index.rows, rows.length);
    assertEquals(index.endPosition, end);
    for (const [row, wanted] of rows.entries()) {
      assertEquals({
        position: index.positionOf(row),
        offset: index.offsetOf(row),
        count: index.countOf(row),
        bytes: index.bytesOf(row),
        checksum: index.checksumOf(row),
        timestampMs: index.timestampOf(row),
      }, wanted);
    }
  }));
});

test("a position finds the row that holds it", () => {
  fc.assert(fc.property(steps, fc.bigInt({ min: 0n, max: 2n ** 60n }), (list, first) => {
    const { index, rows, end } = filled(first, list);
    for (const [row, { position, count }] of rows.entries()) {
      assertEquals(index.find(position), row);
      assertEquals(index.find(position + BigInt(count) - 1n), row);
    }
    for (const outside of [first - 1n, end, end + 5n]) assertThrows(() => index.find(outside));
  }));
});

test("a time finds the first row that is not older", () => {
  fc.assert(fc.property(steps, (list) => {
    const { index, rows } = filled(0n, list);
    const times = rows.map(({ timestampMs }) => timestampMs);
    for (const time of new Set([0, ...times.flatMap((one) => [one - 1, one, one + 1])])) {
      const naive = times.findIndex((one) => one >= time);
      assertEquals(index.findTime(time), naive === -1 ? rows.length : naive);
    }
  }));
});

test("scenario 52: rows begin near 2^32, 2^53 and 2^63 as well as at 0", () => {
  for (const first of [2n ** 32n - 2n, 2n ** 53n - 2n, 2n ** 63n - 2n]) {
    const { index } = filled(
      first,
      Array.from({ length: 5 }, () => ({ count: 1, bytes: 1, checksum: 0, later: 1 })),
    );
    for (let at = 0n; at < 5n; at++) {
      assertEquals(index.find(first + at), Number(at));
      assertEquals(index.positionOf(Number(at)), first + at);
    }
    assertEquals(index.endPosition, first + 5n);
  }
});

function summary(base: number, firstPosition: bigint) {
  return { base, firstPosition, reaches: base, startedMs: base };
}

test("a position finds its segment, and one that is older than all finds none", () => {
  fc.assert(fc.property(
    fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 12 }),
    fc.integer({ min: 0, max: 3 }),
    (sizes, first) => {
      const index = new OrderIndex(1_000);
      const starts: bigint[] = [];
      let position = BigInt(first);
      for (const [at, size] of sizes.entries()) {
        const rows = index.begin(summary(at * 100, position));
        starts.push(position);
        for (let row = 0; row < size; row++) rows.append(at * 100, 1, 8, 0, 0);
        position += BigInt(size);
      }
      for (let wanted = 0n; wanted <= position + 1n; wanted++) {
        // Segments without rows begin where the next one does: the last of them is meant.
        const naive = starts.filter((start) => start <= wanted).length - 1;
        assertEquals(index.find(wanted)?.base, naive === -1 ? undefined : naive * 100);
      }
      for (const [at, segment] of index.segments.entries()) {
        assertEquals(index.after(segment), index.segments[at + 1]);
      }
    },
  ));
});

test("segments below an offset are forgotten, and the rest stays", () => {
  const index = new OrderIndex(10);
  assertEquals(index.find(0n), undefined);
  for (const base of [0, 10, 20, 30]) index.begin(summary(base, BigInt(base)));
  for (
    const [before, bases] of [[0, [0, 10, 20, 30]], [1, [10, 20, 30]], [20, [20, 30]], [99, []]] as const
  ) {
    index.trim(before);
    assertEquals(index.segments.map(({ base }) => base), [...bases]);
  }
});

/** Which segments have their rows. */
function loaded(index: OrderIndex): number[] {
  return index.segments.filter((segment) => segment.index !== undefined).map(({ base }) => base);
}

test("above the bound the oldest rows go; never those of the last segment, nor those just loaded", () => {
  const index = new OrderIndex(10);
  const begin = (base: number, rows: number): void => {
    const segment = index.begin(summary(base, BigInt(base)));
    for (let row = 0; row < rows; row++) segment.append(0, 1, 8, 0, 0);
  };
  begin(0, 6);
  begin(100, 6);
  // The rows of a segment count when the next one begins.
  assertEquals(loaded(index), [0, 100]);
  begin(200, 30);
  assertEquals(loaded(index), [100, 200]);
  begin(300, 1);
  assertEquals(loaded(index), [300]);
  const again = new SegmentIndex(0, 0n);
  for (let row = 0; row < 20; row++) again.append(0, 1, 8, 0, 0);
  index.loaded(again);
  assertEquals(loaded(index), [0, 300]);
  assert(index.segments[0]!.index === again);
  const other = new SegmentIndex(100, 100n);
  other.append(0, 1, 8, 0, 0);
  index.loaded(other);
  assertEquals(loaded(index), [100, 300]);
});

test("rows of a segment that is gone meanwhile are not kept", () => {
  const index = new OrderIndex(10);
  index.found(summary(0, 0n));
  index.found(summary(100, 5n));
  index.trim(100);
  index.loaded(new SegmentIndex(0, 0n));
  assertEquals(index.segments.map(({ base, index: rows }) => [base, rows]), [[100, undefined]]);
});

test("what is found is known without its rows", () => {
  const index = new OrderIndex(10);
  const opening = { ...summary(0, 3n), reaches: 0, topic: "orders", options: {} };
  index.found(opening);
  assertEquals(index.segments, [{ ...summary(0, 3n), index: undefined }]);
  assertEquals(index.find(2n), undefined);
  assertEquals(index.find(3n)?.base, 0);
});
