import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "../../support/properties.ts";
import { type RetentionInput, trimOffset } from "../../../src/log/broker/retention.ts";
import { OrderIndex } from "../../../src/log/order/order_index.ts";
import type { Retention } from "../../../src/log/topic_options.ts";

const NOTHING: Retention = { bytesMax: 0, ageMsMax: 0, keepFor: [] };

interface SegmentCase {
  readonly bytes: number;
  readonly records: number;
  /** How long after the one before it began. */
  readonly laterMs: number;
  /** How far its rows reach into those before it. */
  readonly reach: number;
}

type Change = Partial<Omit<RetentionInput, "segments" | "index" | "retention">> & {
  readonly retention?: Partial<Retention>;
};

/** Segments back to back. Without a wish nothing is wanted from retention. */
function inputOf(list: readonly SegmentCase[], change: Change = {}): RetentionInput {
  const index = new OrderIndex(100);
  const segments = [];
  let base = 0;
  let position = 0n;
  let startedMs = 0;
  for (const { bytes, records, laterMs, reach } of list) {
    startedMs += laterMs;
    index.begin({ base, firstPosition: position, reaches: Math.max(0, base - reach), startedMs });
    segments.push({ base, bytes });
    base += bytes;
    position += BigInt(records);
  }
  return {
    trimmedTo: 0n,
    heldFrom: undefined,
    wantedBytes: 0,
    wallMs: startedMs,
    ...change,
    segments,
    index,
    retention: { ...NOTHING, ...change.retention },
  };
}

/** `count` segments of 100 bytes, 10 records and 50 ms each. */
function even(count: number): SegmentCase[] {
  return Array.from({ length: count }, () => ({ bytes: 100, records: 10, laterMs: 50, reach: 0 }));
}

test("without a reason nothing goes", () => {
  assertEquals(trimOffset(inputOf(even(5))), 0);
  assertEquals(trimOffset(inputOf([])), 0);
});

test("segments go that are not needed for bytesMax, counted with the last", () => {
  for (
    const [bytesMax, offset] of [[500, 0], [499, 0], [401, 0], [400, 100], [399, 100], [101, 300], [1, 400]]
  ) {
    assertEquals(trimOffset(inputOf(even(5), { retention: { bytesMax: bytesMax! } })), offset, `${bytesMax}`);
  }
});

test("segments go whose records are all older than ageMsMax", () => {
  // They begin at 50, 100, 150, 200 and 250 ms: what is in one is not younger than the next one's beginning.
  for (const [wallMs, offset] of [[250, 0], [300, 0], [301, 100], [350, 100], [351, 200], [9_999, 400]]) {
    const input = inputOf(even(5), { retention: { ageMsMax: 200 }, wallMs: wallMs! });
    assertEquals(trimOffset(input), offset, `${wallMs}`);
  }
});

test("segments go that were trimmed whole", () => {
  for (
    const [trimmedTo, offset] of [[0n, 0], [9n, 0], [10n, 100], [19n, 100], [20n, 200], [999n, 400]] as const
  ) {
    assertEquals(trimOffset(inputOf(even(5), { trimmedTo })), offset, `${trimmedTo}`);
  }
});

test("a store at its bound gets what it asks for, whole segments, but never the last", () => {
  for (const [wantedBytes, offset] of [[1, 100], [100, 100], [101, 200], [400, 400], [9_999, 400]]) {
    assertEquals(trimOffset(inputOf(even(5), { wantedBytes: wantedBytes! })), offset);
  }
});

test("consumers hold back every reason", () => {
  const reasons: Change[] = [
    { retention: { bytesMax: 1 } },
    { retention: { ageMsMax: 1 }, wallMs: 9_999 },
    { trimmedTo: 999n },
    { wantedBytes: 9_999 },
  ];
  for (const reason of reasons) {
    for (
      const [heldFrom, offset] of [[0n, 0], [9n, 0], [10n, 100], [25n, 200], [40n, 400], [99n, 400]] as const
    ) {
      assertEquals(trimOffset(inputOf(even(5), { ...reason, heldFrom })), offset);
    }
  }
});

test("a payload that waited for its order over the end of its segment holds that segment", () => {
  const list = even(5);
  list[3] = { ...list[3]!, reach: 150 };
  assertEquals(trimOffset(inputOf(list, { retention: { bytesMax: 1 } })), 400);
  // The fourth one stays, and reaches back to 150: so does the second one.
  assertEquals(trimOffset(inputOf(list, { retention: { bytesMax: 101 } })), 100);
  // Which reaches back to the first.
  list[1] = { ...list[1]!, reach: 1 };
  assertEquals(trimOffset(inputOf(list, { retention: { bytesMax: 101 } })), 0);
  list[4] = { ...list[4]!, reach: 400 };
  assertEquals(trimOffset(inputOf(list, { retention: { bytesMax: 1 } })), 0);
});

test("segments that the store was told to remove and still has are not made up for again", () => {
  const input = inputOf(even(5), { retention: { bytesMax: 250 } });
  input.index.trim(200);
  assertEquals(trimOffset(input), 0);
  assertEquals(input.segments.length, 5);
});

test("whatever is asked: a segment goes only with all before it, for a reason, and held by nobody", () => {
  const segment = fc.record({
    bytes: fc.integer({ min: 1, max: 100 }),
    records: fc.integer({ min: 0, max: 10 }),
    laterMs: fc.integer({ min: 0, max: 50 }),
    reach: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 200 })),
  });
  fc.assert(fc.property(
    fc.array(segment, { minLength: 1, maxLength: 10 }),
    fc.record({
      bytesMax: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 500 })),
      ageMsMax: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 300 })),
      trimmedTo: fc.bigInt({ min: 0n, max: 60n }),
      heldFrom: fc.option(fc.bigInt({ min: 0n, max: 60n }), { nil: undefined }),
      wantedBytes: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 400 })),
      wallMs: fc.integer({ min: 0, max: 600 }),
    }),
    (list, { bytesMax, ageMsMax, ...change }) => {
      const input = inputOf(list, { ...change, retention: { bytesMax, ageMsMax } });
      const offset = trimOffset(input);
      const kept = input.index.segments.filter(({ base }) => base >= offset);
      assert(kept.length > 0, "the last one stays");
      for (const { reaches } of kept) {
        assert(offset === 0 || reaches >= offset, "a payload is gone");
      }
      const total = list.reduce((sum, { bytes }) => sum + bytes, 0);
      const gone = input.segments.filter(({ base, bytes }) => base + bytes <= offset);
      for (const [at, { base, bytes }] of gone.entries()) {
        const next = input.index.segments[at + 1]!;
        const { heldFrom, trimmedTo, wantedBytes, wallMs } = input;
        assert(heldFrom === undefined || heldFrom >= next.firstPosition, "a consumer holds it");
        const left = total - base - bytes;
        const large = bytesMax > 0 && left >= bytesMax;
        const old = ageMsMax > 0 && wallMs - next.startedMs > ageMsMax;
        assert(large || old || trimmedTo >= next.firstPosition || base < wantedBytes, "there was no reason");
      }
    },
  ));
});
