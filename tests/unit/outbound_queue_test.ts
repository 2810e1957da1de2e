import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "../support/properties.ts";
import { concat } from "../../src/bytes/bytes.ts";
import type { OutboundListener } from "../../src/engine/link.ts";
import { type HighWaterMark, OutboundQueue } from "../../src/pattern/pipe/outbound_queue.ts";
import { encodeFrame } from "../../src/zmtp/frame_encoder.ts";
import { SEGMENT_BYTES, SegmentPool, SMALL_SEGMENT_BYTES } from "../../src/zmtp/segment.ts";
import { SharedRun } from "../../src/zmtp/shared_run.ts";

/** A queue with everything that it tells. */
class Bench {
  writable = 0;
  readonly busy: boolean[] = [];
  readonly pool: SegmentPool = new SegmentPool();
  readonly queue: OutboundQueue;
  readonly told: string[] = [];
  onFull: (() => void) | undefined = undefined;

  constructor(mark: Partial<HighWaterMark> = {}, options: { readonly conflate?: boolean } = {}) {
    this.queue = new OutboundQueue({
      pool: this.pool,
      mark: { messages: 0, bytes: 0, ...mark },
      writable: () => void this.writable++,
      busy: (on) => void this.busy.push(on),
      ...options,
    });
  }

  listen(): this {
    const listener: OutboundListener = {
      queued: () => void this.told.push("queued"),
      writeNow: () => {
        this.told.push("full");
        this.onFull?.();
      },
    };
    this.queue.listener = listener;
    return this;
  }

  /** Takes and releases everything, and answers what it was on the wire. */
  drain(): Uint8Array {
    const chunks: Uint8Array[] = [];
    for (let segment = this.queue.take(); segment !== undefined; segment = this.queue.take()) {
      chunks.push(...segment.chunks().map((chunk) => chunk.slice()));
      this.queue.release(segment);
    }
    return concat(chunks);
  }
}

function text(...bodies: string[]): Uint8Array {
  return concat(bodies.map((body) => encodeFrame(0, new TextEncoder().encode(body))));
}

const bytesOf = (body: string): Uint8Array => new TextEncoder().encode(body);

test("messages leave in order, each whole in one segment, whatever their sizes", () => {
  const frames = fc.array(fc.constantFrom(0, 3, 300, 16_383, 16_384, 40_000), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(fc.array(frames, { maxLength: 40 }), fc.nat(5), (list, takeEvery) => {
      const bench = new Bench();
      const out: Uint8Array[] = [];
      const expected: Uint8Array[] = [];
      const take = (): boolean => {
        const segment = bench.queue.take();
        if (segment === undefined) return false;
        const bytes = concat(segment.chunks());
        // A message that ended in the segment before would show as one that has no end here.
        assert((lastFlags(bytes) & 1) === 0, "a message spans two segments");
        out.push(bytes);
        bench.queue.release(segment);
        return true;
      };
      list.forEach((sizes, at) => {
        const message = sizes.map((size) => new Uint8Array(size).fill(at));
        assert(bench.queue.write(message.length === 1 ? message[0]! : message));
        expected.push(
          ...message.map((frame, index) => encodeFrame(index < message.length - 1 ? 1 : 0, frame)),
        );
        if (takeEvery > 0 && at % takeEvery === 0) take();
      });
      while (take());
      assertEquals(concat(out), concat(expected));
      assertEquals([bench.queue.messages, bench.queue.bytes, bench.queue.hasSegments], [0, 0, false]);
    }),
    { numRuns: 200 },
  );
});

function lastFlags(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  let flags = 0;
  for (let at = 0; at < bytes.length;) {
    flags = bytes[at]!;
    const long = (flags & 2) !== 0;
    at += long ? 9 + Number(view.getBigUint64(at + 1)) : 2 + bytes[at + 1]!;
  }
  return flags;
}

/** So large that no second one fits into its segment. */
const ALONE = [new Uint8Array(16_000), new Uint8Array(16_000), new Uint8Array(16_000)];

for (const [mark, low] of [[1, 0], [2, 1], [3, 1], [4, 2], [9, 4], [40, 20]] as const) {
  test(`at a mark of ${mark} a message is refused, and the writer hears of room when ${low} are left`, () => {
    const told: number[] = [];
    const queue: OutboundQueue = new OutboundQueue({
      pool: new SegmentPool(),
      mark: { messages: mark, bytes: 0 },
      writable: () => void told.push(queue.messages),
    });
    for (let i = 0; i < mark; i++) assert(queue.write(ALONE));
    assertEquals([queue.canWrite, queue.write(bytesOf("x")), queue.messages], [false, false, mark]);
    for (let left = mark - 1; left >= 0; left--) {
      queue.release(queue.take()!);
      assertEquals(queue.messages, left);
      assertEquals(queue.canWrite, left <= low, `with ${left} left`);
    }
    assertEquals(told, [low]);
  });
}

test("who was never refused is told nothing", () => {
  const bench = new Bench({ messages: 5 });
  for (let i = 0; i < 5; i++) assert(bench.queue.write(bytesOf("x")));
  bench.drain();
  assertEquals(bench.writable, 0);
});

test("a mark in bytes counts framing, accepts one message above it, and gives credit at half", () => {
  const bench = new Bench({ bytes: 1_000 });
  assert(bench.queue.write(new Uint8Array(5_000)), "an empty queue takes any message");
  assertEquals([bench.queue.bytes, bench.queue.write(new Uint8Array(1))], [5_009, false]);
  bench.drain();
  assertEquals([bench.writable, bench.queue.canWrite], [1, true]);
  for (let i = 0; i < 10; i++) assertEquals(bench.queue.write(new Uint8Array(98)), true);
  assertEquals([bench.queue.bytes, bench.queue.canWrite], [1_000, false]);
});

test("both marks count: the first that is reached refuses, and both must be half-way down", () => {
  const bench = new Bench({ messages: 2, bytes: 100 });
  assert(bench.queue.write(new Uint8Array(200)));
  assert(!bench.queue.write(new Uint8Array(1)), "bytes");
  bench.drain();
  assert(bench.queue.write(bytesOf("a")) && bench.queue.write(bytesOf("b")));
  assert(!bench.queue.write(bytesOf("c")), "messages");
});

test("at the mark an idle connection is asked to write at once, and a message it makes room for is taken", () => {
  const bench = new Bench({ messages: 2 }).listen();
  bench.onFull = () => void bench.drain();
  for (let i = 0; i < 10; i++) assert(bench.queue.write(bytesOf("x")));
  assertEquals(bench.writable, 0);
  bench.onFull = undefined;
  bench.queue.write(bytesOf("x"));
  assert(!bench.queue.write(bytesOf("x")), "nobody wrote");
});

test("the listener hears of the first message of an empty queue, and of each full segment", () => {
  const bench = new Bench().listen();
  bench.queue.write(bytesOf("one"));
  bench.queue.write(bytesOf("two"));
  assertEquals(bench.told, ["queued"]);
  bench.drain();
  bench.queue.write(bytesOf("three"));
  assertEquals(bench.told, ["queued", "queued"]);
  for (let i = 0; i < 8; i++) bench.queue.write(new Uint8Array(16_000));
  assertEquals(bench.told.filter((one) => one === "full").length, 1);
  assert(bench.queue.hasFullSegment);
});

test("what was taken stays queue until it is released; what was lost is queue off and its memory left alone", () => {
  const bench = new Bench({ messages: 1 });
  bench.queue.write(bytesOf("in flight"));
  const segment = bench.queue.take()!;
  assertEquals([bench.queue.messages, bench.queue.hasSegments, bench.queue.canWrite], [1, false, false]);
  bench.queue.discard(segment);
  assertEquals([bench.queue.messages, bench.queue.bytes, bench.writable], [0, 0, 1]);
  assertEquals(segment.messages, 1, "whoever holds it may still read it");
  bench.queue.write(bytesOf("next"));
  assert(bench.queue.take() !== segment);
});

test("released memory is used again", () => {
  const bench = new Bench();
  bench.queue.write(bytesOf("one"));
  const segment = bench.queue.take()!;
  bench.queue.release(segment);
  bench.queue.write(bytesOf("two"));
  assert(bench.queue.take() === segment);
});

test("a queue begins with little memory, and takes much once it needs it, in the same segment", () => {
  const bench = new Bench().listen();
  bench.queue.write(new Uint8Array(64));
  const small = bench.queue.take()!;
  assertEquals(small.buffer.length, SMALL_SEGMENT_BYTES);
  bench.queue.release(small);
  for (const size of [254, 1_022, 64]) {
    const count = Math.floor(SEGMENT_BYTES / (size + 9)) - 2;
    for (let i = 0; i < count; i++) bench.queue.write(new Uint8Array(size).fill(i));
    const large = bench.queue.take()!;
    assertEquals([large.buffer.length, large.messages, bench.queue.hasSegments], [
      SEGMENT_BYTES,
      count,
      false,
    ]);
    assertEquals(large.buffer[large.end - 1], (count - 1) & 255);
    bench.queue.release(large);
    bench.queue.write(bytesOf("goes on"));
    const next = bench.queue.take()!;
    assertEquals(next.buffer.length, SEGMENT_BYTES, "it sends much");
    bench.queue.release(next);
  }
  bench.queue.write(bytesOf("little again"));
  assertEquals(bench.queue.take(), small);
  assert(!bench.told.includes("full"), "nothing is written before its time");
});

test("a queue is busy from its first message to the release of its last", () => {
  const bench = new Bench();
  bench.queue.write(bytesOf("one"));
  const first = bench.queue.take()!;
  bench.queue.write(bytesOf("two"));
  bench.queue.release(first);
  assertEquals(bench.busy, [true]);
  bench.drain();
  assertEquals(bench.busy, [true, false]);
  bench.queue.write(bytesOf("three"));
  bench.queue.clear();
  assertEquals(bench.busy, [true, false, true, false]);
});

test("clear leaves what is in flight to the connection", () => {
  const bench = new Bench();
  bench.queue.write(bytesOf("in flight"));
  const segment = bench.queue.take()!;
  bench.queue.write(bytesOf("queued"));
  bench.queue.clear();
  assertEquals([bench.queue.messages, bench.busy], [1, [true]]);
  bench.queue.discard(segment);
  assertEquals([bench.queue.messages, bench.busy], [0, [true, false]]);
});

test("a mark that is raised lets the writer go on at once, a lowered one refuses what would be too much", () => {
  const bench = new Bench({ messages: 2 });
  bench.queue.write(bytesOf("1"));
  bench.queue.write(bytesOf("2"));
  assert(!bench.queue.write(bytesOf("3")));
  bench.queue.setMark({ messages: 10, bytes: 0 });
  assertEquals([bench.writable, bench.queue.write(bytesOf("3"))], [1, true]);
  bench.queue.setMark({ messages: 1, bytes: 0 });
  assertEquals([bench.queue.messages, bench.queue.write(bytesOf("4"))], [3, false]);
  assertEquals(bench.drain(), text("1", "2", "3"));
  assertEquals([bench.writable, bench.queue.write(bytesOf("4"))], [2, true]);
});

test("no mark at all takes everything", () => {
  const bench = new Bench({ messages: 0, bytes: 0 });
  for (let i = 0; i < 20_000; i++) assert(bench.queue.write(bytesOf("x")));
  bench.queue.setMark({ messages: 5, bytes: 0 });
  assert(!bench.queue.write(bytesOf("x")));
  bench.queue.setMark({ messages: 0, bytes: 0 });
  assertEquals([bench.writable, bench.queue.write(bytesOf("x"))], [1, true]);
});

test("a message that others get too is taken as it is, in order and under the same mark", () => {
  const bench = new Bench({ messages: 3 });
  const run = new SharedRun();
  const message = [bytesOf("a"), bytesOf("b")];
  assert(run.add(message));
  assert(bench.queue.writeShared(run, message));
  assert(bench.queue.write(bytesOf("c")));
  assert(run.add(message));
  assert(bench.queue.writeShared(run, message));
  assert(!bench.queue.writeShared(run, message));
  const both = concat([encodeFrame(1, message[0]!), encodeFrame(0, message[1]!)]);
  assertEquals(bench.drain(), concat([both, text("c"), both]));
  assert(run.idle);
});

test("a conflating queue keeps the newest message, framed only when it is its turn, and never refuses", () => {
  const bench = new Bench({ messages: 1, bytes: 1 }, { conflate: true }).listen();
  for (let i = 0; i < 20; i++) assert(bench.queue.write(bytesOf(`${i}`)));
  assertEquals([bench.queue.messages, bench.told, bench.busy], [1, ["queued"], [true]]);
  const first = bench.queue.take()!;
  assertEquals(concat(first.chunks()), text("19"));
  bench.queue.write(bytesOf("20"));
  bench.queue.write(bytesOf("21"));
  assertEquals(bench.queue.messages, 2, "one in flight, one queued");
  bench.queue.release(first);
  assertEquals(bench.drain(), text("21"));
  assertEquals([bench.queue.messages, bench.queue.bytes, bench.busy], [0, 0, [true, false]]);
});

test("a conflating queue, too, keeps what was sent as it was: a small body is copied", () => {
  const bench = new Bench({}, { conflate: true });
  const body = bytesOf("before");
  const frames = [bytesOf("also"), bytesOf("before")];
  bench.queue.write(body);
  body.fill(0x78);
  assertEquals(bench.drain(), text("before"));
  bench.queue.write(frames);
  frames[1]!.fill(0x78);
  frames.pop();
  assertEquals(bench.drain(), concat([encodeFrame(1, bytesOf("also")), text("before")]));
});

test("what a transport refused is first in the queue again, without what it took", () => {
  const bench = new Bench({ messages: 4 });
  for (const body of ["one", "two", "three"]) assert(bench.queue.write(bytesOf(body)));
  const refused = bench.queue.take()!;
  assert(bench.queue.write(bytesOf("four")));
  bench.queue.giveBack(refused, text("one").length + 4);
  assertEquals([bench.queue.messages, bench.queue.bytes], [3, text("two", "three", "four").length]);
  assert(bench.queue.hasSegments);
  assertEquals(bench.drain(), text("two", "three", "four"));
  assertEquals(bench.busy, [true, false]);
});
