import { test } from "node:test";
import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import fc from "../support/properties.ts";
import { concat } from "../../src/bytes/bytes.ts";
import { InboundQueue } from "../../src/pattern/pipe/inbound_queue.ts";
import { SharedBound } from "../../src/pattern/pipe/shared_bound.ts";
import { encodeFrame } from "../../src/zmtp/frame_encoder.ts";

/** A queue that counts toward `total`, and how often it asked for more. */
class Member {
  asked = 0;
  readonly queue: InboundQueue;

  constructor(total: SharedBound, options: { readonly conflate?: boolean; readonly messages?: number } = {}) {
    this.queue = new InboundQueue({
      mark: { messages: options.messages ?? 0, bytes: 0 },
      conflate: options.conflate ?? false,
      total,
      events: {
        readable: () => {},
        drained: () => {
          assertGreater(this.queue.credit, 0, "asked for more without room");
          this.asked++;
        },
      },
    });
  }

  /** Adds one message of 872 bytes, which counts 1 000 with its frame. */
  add(): void {
    this.queue.message([new Uint8Array(872)], 872);
  }

  addRun(messages: number, length = 100): void {
    const run = concat(Array.from({ length: messages }, () => encodeFrame(0, new Uint8Array(length))));
    this.queue.run(run, 0, run.length, messages);
  }
}

function stateOf(total: SharedBound): readonly number[] {
  return [total.bytes, total.queues, total.waiting.size];
}

test("at the bound those are full that hold their share, and one that holds less is not", () => {
  const total = new SharedBound(1_000);
  total.bytes = 999;
  total.queues = 4;
  assertEquals(total.isFull(900), false, "below the bound nobody is");
  total.bytes = 1_000;
  assertEquals([0, 249, 250, 900].map((own) => total.isFull(own)), [false, false, true, true]);
  total.bytes = 1_999;
  assertEquals([0, 1, 250].map((own) => total.isFull(own)), [false, false, true]);
  total.bytes = 2_000;
  assertEquals([0, 1, 250].map((own) => total.isFull(own)), [false, true, true], "newcomers' shares add up");
});

test("those that wait are woken once the bound has an eighth of room, and may wait again", () => {
  const total = new SharedBound(800);
  let woken = 0;
  const waiting = {
    reconsider(): void {
      woken++;
      total.waiting.add(waiting);
    },
  };
  total.waiting.add(waiting);
  total.bytes = 701;
  total.left();
  assertEquals(woken, 0);
  total.bytes = 700;
  total.left();
  assertEquals([woken, total.waiting.size], [1, 1]);
});

test("a queue that holds its share takes no more; an empty one always takes a message", () => {
  const total = new SharedBound(4_000);
  const [first, second, third] = [new Member(total), new Member(total), new Member(total)];
  for (let i = 0; i < 3; i++) first!.add();
  assertEquals(first!.queue.credit, Infinity);
  second!.add();
  assertEquals(stateOf(total), [4_000, 2, 0]);
  assertEquals([first!.queue.credit, second!.queue.credit, third!.queue.credit], [0, Infinity, Infinity]);
  third!.add();
  assertEquals(third!.queue.credit, Infinity, "1 000 bytes are less than a third");
});

test("a queue that found no room goes on when others have made some, without being read itself", () => {
  const total = new SharedBound(4_000);
  const [first, second] = [new Member(total), new Member(total)];
  for (let i = 0; i < 2; i++) first!.add();
  for (let i = 0; i < 2; i++) second!.add();
  // The first one was below its share when it was filled: it hears of the bound only when it wants more.
  assertEquals([first!.queue.credit, second!.queue.credit], [0, 0]);
  second!.queue.read();
  assertEquals([first!.asked, second!.asked], [1, 1]);
  second!.queue.drop();
  assertEquals(stateOf(total), [2_000, 1, 0]);
  first!.queue.drop();
  assertEquals(stateOf(total), [0, 0, 0]);
});

test("a run counts with all of its chunk until its last message is taken, and a chunk counts once", () => {
  const total = new SharedBound(Infinity);
  const { queue } = new Member(total);
  const chunk = new Uint8Array(10_000);
  chunk.set(concat([encodeFrame(0, new Uint8Array(10)), encodeFrame(0, new Uint8Array(20))]), 0);
  queue.run(chunk, 0, 12, 1);
  queue.run(chunk, 12, 34, 1);
  assertEquals(stateOf(total), [10_128, 1, 0]);
  queue.read();
  assertEquals(total.bytes, 10_128);
  queue.read();
  assertEquals(stateOf(total), [0, 0, 0]);
});

test("empty frames are not free", () => {
  const total = new SharedBound(Infinity);
  const { queue } = new Member(total);
  queue.message(Array.from({ length: 1_000 }, () => new Uint8Array(0)), 0);
  assertEquals(total.bytes, 128_000);
  queue.read();
  assertEquals(stateOf(total), [0, 0, 0]);
});

test("what was counted is given back when it is replaced, dropped, or cannot be read any longer", () => {
  const total = new SharedBound(Infinity);
  const newest = new Member(total, { conflate: true });
  for (let i = 0; i < 3; i++) newest.add();
  newest.addRun(4, 372);
  assertEquals(stateOf(total), [500, 1, 0]);
  newest.queue.drop();
  assertEquals(stateOf(total), [0, 0, 0]);
  newest.add();
  assertEquals(stateOf(total), [0, 0, 0], "it takes nothing any more");

  const spoilt = new Member(total);
  const run = encodeFrame(0, new Uint8Array(100));
  spoilt.queue.run(run, 0, run.length, 1);
  const frame = new Uint8Array(500);
  spoilt.queue.message([frame], 500);
  for (const { buffer } of [run, frame]) structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
  assertEquals(spoilt.queue.read(), [frame]);
  assertEquals([...stateOf(total), spoilt.queue.bytes], [0, 0, 0, 0]);
});

test("a message that conflate replaces makes room for others, who hear of it when it is announced", () => {
  const total = new SharedBound(4_000);
  const [newest, other] = [new Member(total, { conflate: true }), new Member(total)];
  newest!.queue.message([new Uint8Array(3_000)], 3_000);
  for (let i = 0; i < 3; i++) other!.add();
  assertEquals([newest!.queue.credit, other!.queue.credit], [Infinity, 0]);
  newest!.queue.message([new Uint8Array(1)], 1);
  assertEquals(other!.asked, 0, "not from inside a decoder");
  newest!.queue.announce();
  assertEquals(other!.asked, 1);
});

test("whatever is added, read and dropped: nobody who stopped is forgotten, and all is given back", () => {
  const step = fc.record({
    who: fc.integer({ min: 0, max: 3 }),
    what: fc.constantFrom("add", "add", "add", "run", "read", "drop"),
    count: fc.integer({ min: 1, max: 4 }),
  });
  let asked = 0;
  let refused = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 30, maxLength: 80 }), (steps) => {
      const total = new SharedBound(4_000);
      const members = [0, 0, 5, 2].map((messages) => new Member(total, { messages }));
      const stopped = new Map<Member, number>();
      const dropped = new Set<Member>();
      for (const { who, what, count } of steps) {
        const member = members[who]!;
        if (what === "drop" && count === 4) {
          member.queue.drop();
          dropped.add(member);
        } else if (what === "read") {
          for (let i = 0; i < count; i++) member.queue.read();
        } else if (what === "add" || what === "run") {
          if (member.queue.credit > 0) {
            if (what === "add") member.add();
            else member.addRun(count);
          } else {
            refused++;
            if (!stopped.has(member)) stopped.set(member, member.asked);
          }
        }
        assertLess(total.bytes, 2 * 4_000 + 4 * 1_001);
        for (const [one, before] of stopped) if (one.asked > before) stopped.delete(one);
      }
      for (const { queue } of members) while (queue.read() !== undefined);
      for (const [one, before] of stopped) {
        assert(one.asked > before || dropped.has(one), "nobody will ever wake the decoder");
      }
      assertEquals(stateOf(total), [0, 0, 0]);
      for (const one of members) asked += one.asked;
    }),
    { numRuns: 1_000 },
  );
  assertGreater(asked, 100);
  assertGreater(refused, 100);
});
