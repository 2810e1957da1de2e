import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "../support/properties.ts";
import { concat } from "../../src/bytes/bytes.ts";
import { encodeFrame } from "../../src/zmtp/frame_encoder.ts";
import {
  hasReferences,
  REFERENCE_BYTES_MIN,
  Segment,
  SEGMENT_BYTES,
  segmentBytesOf,
  SegmentPool,
  SMALL_SEGMENT_BYTES,
} from "../../src/zmtp/segment.ts";
import { FLAG_MORE } from "../../src/zmtp/wire.ts";

function wireOf(message: readonly Uint8Array[]): Uint8Array {
  return concat(
    message.map((frame, index) => encodeFrame(index < message.length - 1 ? FLAG_MORE : 0, frame)),
  );
}

/** Sizes on both sides of every border: short and long headers, copied and referenced bodies, the loop and `set`. */
const sizes = fc.oneof(
  fc.constantFrom(
    0,
    1,
    16,
    17,
    255,
    256,
    REFERENCE_BYTES_MIN - 1,
    REFERENCE_BYTES_MIN,
    REFERENCE_BYTES_MIN + 1,
    40_000,
  ),
  fc.integer({ min: 0, max: 2_000 }),
);
const messages = fc.array(fc.array(sizes, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 12 })
  .map((list) =>
    list.map((frames, at) => frames.map((size, index) => new Uint8Array(size).fill(at * 7 + index)))
  );

test("the chunks of a segment are its messages on the wire, large bodies as they are and small ones as they were", () => {
  fc.assert(
    fc.property(messages, (list) => {
      const segment = new Segment(list.reduce((sum, message) => sum + segmentBytesOf(message), 0));
      for (const message of list) {
        assert(segment.fits(segmentBytesOf(message)));
        if (message.length === 1) segment.addMessage(message[0]!);
        else segment.addMessage(message);
      }
      const expected = concat(list.map(wireOf));
      assertEquals([segment.messages, segment.bytes], [list.length, expected.length]);
      const references: readonly Uint8Array[] = list.flat().filter((frame) =>
        frame.length >= REFERENCE_BYTES_MIN
      );
      const chunks = segment.chunks();
      assertEquals(
        chunks.filter((chunk) => references.includes(chunk)).length,
        references.length,
        "by reference",
      );
      for (const chunk of chunks) assert(chunk.length > 0, "no empty writes");
      for (const frame of list.flat()) if (frame.length < REFERENCE_BYTES_MIN) frame.fill(0xee);
      assertEquals(concat(chunks), expected);
    }),
    { numRuns: 300 },
  );
});

test("segments can be added to one another any number of times: bytes copied, large bodies shared", () => {
  fc.assert(
    fc.property(messages, (list) => {
      const framed = new Segment(list.reduce((sum, message) => sum + segmentBytesOf(message), 0));
      for (const message of list) framed.addMessage(message);
      const first = encodeFrame(0, Uint8Array.of(9));
      const peers = [0, 1].map(() => {
        const segment = new Segment(3 + 2 * framed.end);
        segment.addMessage(Uint8Array.of(9));
        segment.addSegment(framed);
        segment.addSegment(framed);
        return segment;
      });
      framed.clear();
      const once = list.map(wireOf);
      const expected = concat([first, ...once, ...once]);
      for (const segment of peers) {
        assertEquals([segment.messages, segment.bytes], [1 + 2 * list.length, expected.length]);
        assertEquals(concat(segment.chunks()), expected);
      }
    }),
    { numRuns: 150 },
  );
});

test("a segment is intact until a referenced body has another length", () => {
  const segment = new Segment(1_000);
  segment.addMessage([new Uint8Array(10), new Uint8Array(20_000), new Uint8Array(30_000)]);
  assert(segment.intact);
  const { buffer } = segment.bodies[1]!;
  structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
  assert(!segment.intact);
});

test("full means no room in the buffer, or enough bytes for one write", () => {
  const segment = new Segment(SEGMENT_BYTES);
  assert(!segment.full && segment.fits(SEGMENT_BYTES) && !segment.fits(SEGMENT_BYTES + 1));
  let bodies = 0;
  while (!segment.full) {
    segment.addMessage(new Uint8Array(REFERENCE_BYTES_MIN));
    bodies++;
  }
  assert(bodies >= 4 && bodies <= 64 && !segment.fits(2), `${bodies} large bodies`);
  const used = new Segment(SEGMENT_BYTES);
  for (let i = 0; i < SEGMENT_BYTES / 256; i++) used.addMessage(new Uint8Array(254));
  assert(used.full && used.end === SEGMENT_BYTES);
  const small = new Segment(SMALL_SEGMENT_BYTES);
  for (let i = 0; i < SMALL_SEGMENT_BYTES / 256; i++) small.addMessage(new Uint8Array(254));
  assert(!small.full && !small.fits(2), "used up, but its owner can enlarge it");
});

test("what is copied and what is referenced is decided body by body", () => {
  const [small, large] = [new Uint8Array(REFERENCE_BYTES_MIN - 1), new Uint8Array(REFERENCE_BYTES_MIN)];
  assertEquals([
    hasReferences(small),
    hasReferences(large),
    hasReferences([small, small]),
    hasReferences([small, large]),
  ], [
    false,
    true,
    false,
    true,
  ]);
  assertEquals([segmentBytesOf(small), segmentBytesOf(large), segmentBytesOf([large, new Uint8Array(3)])], [
    small.length + 9,
    9,
    9 + 5,
  ]);
});

test("a pool gives cleared segments, keeps so many bytes, and never the odd sizes", () => {
  const pool = new SegmentPool(2 * SEGMENT_BYTES + SMALL_SEGMENT_BYTES);
  const made = [0, 1, 2].map(() => pool.take(10));
  for (const segment of made) {
    segment.addMessage(new Uint8Array(20_000));
    pool.give(segment);
  }
  const again = [0, 1, 2].map(() => pool.take(SEGMENT_BYTES));
  assertEquals(again.map((segment) => made.includes(segment)), [true, true, false]);
  for (const { end, messages, bytes, cuts, bodies, bodyBytes } of again) {
    assertEquals([end, messages, bytes, cuts, bodies, bodyBytes], [0, 0, 0, [], [], []]);
  }
  const odd = pool.take(SEGMENT_BYTES + 1);
  assertEquals(odd.buffer.length, SEGMENT_BYTES + 1);
  pool.give(odd);
  assert(pool.take(1).buffer.length === SEGMENT_BYTES);
  const small = pool.take(10, true);
  assert(small.buffer.length < SEGMENT_BYTES && small.fits(10));
  pool.give(small);
  assert(pool.take(10, true) === small && pool.take(10) !== small);
  assert(pool.take(SEGMENT_BYTES, true).fits(SEGMENT_BYTES), "small only where it fits");
  for (let i = 0; i < 100; i++) pool.give(new Segment(SMALL_SEGMENT_BYTES));
  const kept = new Set(made);
  for (let i = 0; i < 100; i++) kept.add(pool.take(10, true));
  for (let i = 0; i < 3; i++) pool.give(made[i]!);
  assertEquals(made.map(() => pool.take(1)).filter((segment) => made.includes(segment)).length, 2);
});

test("of a segment that was handed over in part, what is left begins with the first message that was not handed over whole", () => {
  fc.assert(
    fc.property(messages, fc.double({ min: 0, max: 1, noNaN: true }), (list, part) => {
      const segment = new Segment(list.reduce((sum, message) => sum + segmentBytesOf(message), 0));
      for (const message of list) segment.addMessage(message);
      const handedBytes = Math.floor(part * segment.bytes);
      const ends: number[] = [];
      for (const message of list) ends.push((ends.at(-1) ?? 0) + wireOf(message).length);
      const whole = ends.filter((end) => end <= handedBytes).length;
      assertEquals(segment.forget(handedBytes), whole);
      const left = list.slice(whole);
      assertEquals(concat(segment.chunks().filter(({ length }) => length > 0)), concat(left.map(wireOf)));
      assertEquals([segment.messages, segment.bytes], [left.length, ends.at(-1)! - (ends[whole - 1] ?? 0)]);
      assert(segment.intact);
    }),
  );
});
