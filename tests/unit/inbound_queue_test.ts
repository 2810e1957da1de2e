import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "../support/properties.ts";
import { concat } from "../../src/bytes/bytes.ts";
import { InboundQueue } from "../../src/pattern/pipe/inbound_queue.ts";
import type { HighWaterMark } from "../../src/pattern/pipe/outbound_queue.ts";
import { encodeFrame } from "../../src/zmtp/frame_encoder.ts";
import { FLAG_MORE } from "../../src/zmtp/wire.ts";

/** A queue, and how often it told of messages and asked for more. */
function makeQueue(mark: Partial<HighWaterMark> = {}, conflate = false): {
  readonly queue: InboundQueue;
  readonly told: { readable: number; drained: number };
} {
  const told = { readable: 0, drained: 0 };
  const queue = new InboundQueue({
    mark: { messages: 0, bytes: 0, ...mark },
    conflate,
    events: { readable: () => void told.readable++, drained: () => void told.drained++ },
  });
  return { queue, told };
}

function frameOf(length: number, fill = 7): Uint8Array {
  return new Uint8Array(length).fill(fill);
}

/** Whole messages as wire bytes. */
function wire(...messages: readonly (readonly Uint8Array[])[]): Uint8Array {
  return concat(
    messages.flatMap((frames) =>
      frames.map((frame, index) => encodeFrame(index < frames.length - 1 ? FLAG_MORE : 0, frame))
    ),
  );
}

function addRun(queue: InboundQueue, ...messages: readonly (readonly Uint8Array[])[]): void {
  const bytes = wire(...messages);
  queue.run(bytes, 0, bytes.length, messages.length);
}

function addMessage(queue: InboundQueue, ...frames: Uint8Array[]): void {
  queue.message(frames, frames.reduce((sum, frame) => sum + frame.length, 0));
}

function readAll(queue: InboundQueue): Uint8Array[][] {
  const messages: Uint8Array[][] = [];
  for (let message = queue.read(); message !== undefined; message = queue.read()) messages.push(message);
  return messages;
}

test("runs and assembled messages come out in the order in which they went in, frame by frame", () => {
  const { queue } = makeQueue();
  const large = frameOf(300);
  addRun(queue, [frameOf(1, 1)], [frameOf(0), frameOf(2, 2), frameOf(0)]);
  addMessage(queue, frameOf(3, 3), frameOf(0));
  addRun(queue, [large]);
  assertEquals(queue.messages, 4);
  assertEquals(readAll(queue), [
    [frameOf(1, 1)],
    [frameOf(0), frameOf(2, 2), frameOf(0)],
    [frameOf(3, 3), frameOf(0)],
    [large],
  ]);
  assertEquals([queue.messages, queue.bytes], [0, 0]);
});

test("the frames of a run are plain views of the chunk, not copies, and no chunk's subclass shows through", () => {
  class Slab extends Uint8Array {}
  const { queue } = makeQueue();
  const bytes = wire([frameOf(5, 1)], [frameOf(4, 2)]);
  const slab = new Slab(bytes.length + 10);
  slab.set(bytes, 10);
  queue.run(slab, 10, slab.length, 2);
  const [first] = queue.read()!;
  assertEquals(first!.constructor, Uint8Array);
  assert(first!.buffer === slab.buffer, "a view, no copy");
  assertEquals([...first!], [1, 1, 1, 1, 1]);
  assertEquals([...queue.read()![0]!], [2, 2, 2, 2]);
});

test("a run may begin and end anywhere in its chunk", () => {
  const { queue } = makeQueue();
  const before = wire([frameOf(9)]);
  const bytes = concat([before, wire([frameOf(1, 1)], [frameOf(2, 2)]), wire([frameOf(8)])]);
  queue.run(bytes, before.length, before.length + 3 + 4, 2);
  assertEquals(readAll(queue), [[frameOf(1, 1)], [frameOf(2, 2)]]);
});

test("the credit is what is missing to the mark, never less than nothing; 0 is no mark", () => {
  const { queue } = makeQueue({ messages: 3 });
  assertEquals(queue.credit, 3);
  addRun(queue, [frameOf(1)], [frameOf(1)]);
  assertEquals(queue.credit, 1);
  addRun(queue, [frameOf(1)], [frameOf(1)]);
  assertEquals(queue.credit, 0);
  assertEquals(makeQueue().queue.credit, Infinity);
});

test("a mark in bytes stops the credit whatever the messages are", () => {
  const { queue } = makeQueue({ bytes: 100, messages: 10 });
  addMessage(queue, frameOf(99));
  assertEquals(queue.credit, 9);
  addMessage(queue, frameOf(1));
  assertEquals(queue.credit, 0);
});

for (const [mark, low] of [[1, 0], [2, 1], [3, 1], [4, 2], [9, 4], [10, 5], [1_000, 500]] as const) {
  test(`a queue of mark ${mark} that was full asks for more once, when ${low} are left`, () => {
    const { queue, told } = makeQueue({ messages: mark });
    for (let i = 0; i < mark; i++) addRun(queue, [frameOf(1)]);
    for (let left = mark - 1; left > low; left--) {
      queue.read();
      assertEquals(told.drained, 0, `with ${left} left`);
    }
    queue.read();
    assertEquals([queue.messages, told.drained], [low, 1]);
    readAll(queue);
    assertEquals(told.drained, 1);
  });
}

test("a queue that was never full asks for nothing", () => {
  const { queue, told } = makeQueue({ messages: 3, bytes: 1_000 });
  addRun(queue, [frameOf(1)], [frameOf(1)]);
  readAll(queue);
  assertEquals(told.drained, 0);
});

test("a mark in bytes that is still exceeded at half the messages asks again further down", () => {
  const { queue, told } = makeQueue({ bytes: 100 });
  addMessage(queue, frameOf(1));
  addMessage(queue, frameOf(1));
  addMessage(queue, frameOf(1));
  addMessage(queue, frameOf(500));
  queue.read();
  queue.read();
  queue.read();
  assertEquals([queue.credit, told.drained], [0, 0], "500 bytes are left");
  queue.read();
  assertEquals([queue.credit > 0, told.drained], [true, 1]);
});

test("whoever asks for more has room, and a queue that is empty has asked", () => {
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.record({ add: fc.integer({ min: 0, max: 60 }), run: fc.boolean() }) },
    { weight: 3, arbitrary: fc.record({ read: fc.integer({ min: 1, max: 6 }) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        mark: fc.record({ messages: fc.constantFrom(0, 1, 2, 7), bytes: fc.constantFrom(0, 1, 30, 100) }),
      }),
    },
  );
  let asked = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let stopped = false;
      const queue: InboundQueue = new InboundQueue({
        mark: { messages: 2, bytes: 30 },
        events: {
          readable: () => {},
          drained: () => {
            assert(queue.credit > 0, "asked for more without room");
            stopped = false;
            asked++;
          },
        },
      });
      for (const one of steps) {
        if ("add" in one && queue.credit > 0) {
          if (one.run) addRun(queue, [frameOf(one.add)]);
          else addMessage(queue, frameOf(one.add));
          // A decoder that finds no credit stops, and goes on only when it is asked.
          if (queue.credit === 0) stopped = true;
        } else if ("read" in one) {
          for (let i = 0; i < one.read; i++) queue.read();
        } else if ("mark" in one) {
          queue.setMark(one.mark);
          if (queue.credit === 0 && queue.messages > 0) stopped = true;
        }
      }
      while (queue.read() !== undefined);
      assert(!stopped, "nobody will ever wake the decoder");
    }),
    { numRuns: 2_000 },
  );
  if (asked < 100) throw new Error(`asked only ${asked} times`);
});

test("a raised mark asks for more at once, a lowered one keeps what is there", () => {
  const { queue, told } = makeQueue({ messages: 4 });
  for (let i = 0; i < 4; i++) addRun(queue, [frameOf(1)]);
  queue.setMark({ messages: 10, bytes: 0 });
  assertEquals([told.drained, queue.credit], [1, 6]);
  queue.setMark({ messages: 2, bytes: 0 });
  assertEquals([queue.messages, queue.credit], [4, 0]);
  assertEquals(readAll(queue).length, 4);
  assertEquals(told.drained, 2);
});

test("a mark that is lowered while the queue is full still ends in being asked", () => {
  const { queue, told } = makeQueue({ messages: 1_000 });
  for (let i = 0; i < 1_000; i++) addRun(queue, [frameOf(1)]);
  queue.setMark({ messages: 10, bytes: 0 });
  for (let left = 999; left >= 6; left--) queue.read();
  assertEquals(told.drained, 0, "still too many");
  queue.read();
  assertEquals(told.drained, 1);
});

test("messages are announced once while the queue is not empty", () => {
  const { queue, told } = makeQueue();
  queue.announce();
  assertEquals(told.readable, 0, "an empty queue has nothing to tell");
  addRun(queue, [frameOf(1)]);
  queue.announce();
  addRun(queue, [frameOf(1)]);
  queue.announce();
  assertEquals(told.readable, 1);
});

test("a queue that was read to its last message announces the next, though nobody found it empty", () => {
  for (const add of [(queue: InboundQueue) => addRun(queue, [frameOf(1)]), addMessageOfOne]) {
    const { queue, told } = makeQueue();
    add(queue);
    queue.announce();
    assertEquals(queue.read()?.length, 1);
    add(queue);
    queue.announce();
    assertEquals(told.readable, 2);
  }
});

function addMessageOfOne(queue: InboundQueue): void {
  addMessage(queue, frameOf(1));
}

test("a conflating queue keeps the newest message of everything that came, and never stops the decoder", () => {
  const { queue } = makeQueue({ messages: 1, bytes: 1 }, true);
  addRun(queue, [frameOf(1, 1)], [frameOf(1, 2)], [frameOf(2, 3), frameOf(300, 4)]);
  assertEquals([queue.messages, queue.credit], [1, Infinity]);
  assertEquals(readAll(queue), [[frameOf(2, 3), frameOf(300, 4)]]);
  addRun(queue, [frameOf(1, 5)]);
  addMessage(queue, frameOf(1, 6));
  assertEquals(readAll(queue), [[frameOf(1, 6)]]);
  assertEquals([queue.messages, queue.bytes], [0, 0]);
});

test("thousands of chunks go through without a trace", () => {
  const { queue } = makeQueue();
  let next = 0;
  for (let round = 0; round < 5_000; round++) {
    const number = frameOf(2);
    new DataView(number.buffer).setUint16(0, round);
    addRun(queue, [number]);
    if (round % 3 !== 2) continue;
    for (let i = 0; i < 2; i++) {
      const [frame] = queue.read()!;
      assertEquals(frame![0]! * 256 + frame![1]!, next++);
    }
  }
  assertEquals(readAll(queue).length, 5_000 - next);
  assertEquals([queue.messages, queue.bytes], [0, 0]);
});

test("clear forgets everything", () => {
  const { queue } = makeQueue({ messages: 2 });
  addRun(queue, [frameOf(1)], [frameOf(2)]);
  queue.read();
  queue.clear();
  assertEquals([queue.messages, queue.bytes, queue.read()], [0, 0, undefined]);
});

test("a run whose memory was used again never counts what is not there", () => {
  // Two messages; what the first now claims leads nowhere, or beyond the second.
  for (const change of [[1, 1, 7, 0xff, 9, 9], [1, 1, 7, 1, 200, 9], [1, 1, 7, 1, 1, 9]]) {
    const bytes = Uint8Array.of(0, 1, 7, 0, 1, 8);
    let corrupted = 0;
    const queue = new InboundQueue({
      mark: { messages: 2, bytes: 0 },
      events: {
        readable: () => {},
        drained: () => {},
        corrupted: (messages) => void (corrupted += messages),
      },
    });
    queue.run(bytes, 0, 6, 2);
    bytes.set(change);
    assertEquals(queue.read(), undefined);
    assertEquals([corrupted, queue.messages, queue.bytes, queue.credit], [2, 0, 0, 2]);
  }
});
