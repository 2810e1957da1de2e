import { test } from "node:test";
import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "../../support/properties.ts";
import { BugError } from "../../../src/errors.ts";
import { MemoryStore, MemoryStores } from "../../../src/log/store/memory_store.ts";
import { SegmentPool } from "../../../src/log/store/segment_pool.ts";
import type { StoreEvents, StoreFailure, StoreRead, TopicStore } from "../../../src/log/store/store.ts";

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

function recorder(): StoreEvents & { readonly calls: string[] } {
  const calls: string[] = [];
  return {
    calls,
    written: (frontier) => calls.push(`written ${frontier}`),
    synced: (frontier) => calls.push(`synced ${frontier}`),
    failed: ({ kind }) => calls.push(`failed ${kind}`),
    resumed: () => calls.push("resumed"),
  };
}

interface Setup {
  readonly segmentBytes?: number;
  readonly memoryBytesMax?: number;
  readonly pool?: SegmentPool;
}

function open({ segmentBytes = 8, memoryBytesMax = 32, pool = new SegmentPool() }: Setup = {}) {
  const events = recorder();
  return { store: new MemoryStore({ segmentBytes, memoryBytesMax }, events, pool), events, pool };
}

/** Memory stores answer at once. */
function read(store: TopicStore, offset: number, count: number): StoreRead | StoreFailure {
  let answer: StoreRead | StoreFailure | undefined;
  store.read(offset, count, (result) => answer = result);
  assert(answer !== undefined, "the answer did not come at once");
  return answer;
}

function readBytes(store: TopicStore, offset: number, count: number): Uint8Array {
  const answer = read(store, offset, count);
  if ("kind" in answer) throw new Error(answer.message);
  const copy = answer.bytes.slice();
  answer.release(true);
  return copy;
}

const bounds = (store: TopicStore): number[][] => store.segments.map(({ base, bytes }) => [base, bytes]);

test("what is appended is written at once, and told from inside", () => {
  const { store, events } = open();
  assertEquals([store.durability, store.tail, store.written, store.synced], ["none", 0, 0, 0]);
  assertEquals(bounds(store), [[0, 0]]);
  store.append(0, [bytes(1, 2), bytes(3)]);
  assertEquals(events.calls, ["written 3", "synced 3"]);
  assertEquals([store.tail, store.written, store.synced], [3, 3, 3]);
  assertEquals(readBytes(store, 1, 2), bytes(2, 3));
  store.sync();
  assertEquals(events.calls.length, 2);
});

test("an append elsewhere than at the tail is a bug, and changes nothing", () => {
  const { store, events } = open();
  store.append(0, [bytes(1)]);
  for (const expected of [0, 2, -1]) {
    assertThrows(
      () => store.append(expected, [bytes(9)]),
      BugError,
      `append at ${expected}, but the tail is 1`,
    );
  }
  assertThrows(() => store.append(1, [new Uint8Array(8)]), BugError, "room for 7");
  assertEquals([store.tail, events.calls.length], [1, 2]);
});

test("a roll begins a segment at the tail; one without bytes is not rolled", () => {
  const { store } = open();
  store.roll();
  assertEquals(bounds(store), [[0, 0]]);
  store.append(0, [bytes(1, 2, 3)]);
  const before = store.segments;
  store.roll();
  store.roll();
  assertEquals(bounds(store), [[0, 3], [3, 0]]);
  assertEquals(before.length, 1, "a list that somebody holds does not change");
  store.append(3, [bytes(4)]);
  assertEquals(bounds(store), [[0, 3], [3, 1]]);
  assertEquals([readBytes(store, 0, 3), readBytes(store, 3, 1)], [bytes(1, 2, 3), bytes(4)]);
});

test("reads of what is not there, or in two segments, fail", () => {
  const { store } = open();
  store.append(0, [bytes(1, 2)]);
  store.roll();
  store.append(2, [bytes(3)]);
  for (const [offset, count] of [[0, 3], [1, 2], [2, 2], [3, 1], [9, 1]] as const) {
    const answer = read(store, offset, count);
    assert("kind" in answer, `${offset}+${count} was read`);
    assertEquals([answer.kind, answer.offset], ["corrupt", offset]);
  }
});

test("room is bounded by what is not trimmed", () => {
  const { store } = open({ memoryBytesMax: 10 });
  assertEquals([store.hasRoom(10), store.hasRoom(11)], [true, false]);
  store.append(0, [new Uint8Array(8)]);
  assertEquals([store.hasRoom(2), store.hasRoom(3)], [true, false]);
  store.roll();
  store.trim(7);
  assertEquals(store.hasRoom(3), false, "nothing ended there");
  store.trim(8);
  assertEquals([bounds(store), store.hasRoom(10)], [[[8, 0]], true]);
});

test("a trim removes whole segments, never the last one", () => {
  const { store, pool } = open();
  for (let segment = 0; segment < 3; segment++) {
    store.append(store.tail, [bytes(1, 2)]);
    if (segment < 2) store.roll();
  }
  store.trim(3);
  assertEquals(bounds(store), [[2, 2], [4, 2]]);
  store.trim(100);
  assertEquals(bounds(store), [[4, 2]]);
  assertEquals(pool.idleBytes, 16);
  assert("kind" in read(store, 2, 1));
});

test("trimmed memory is used again, but not while somebody reads it", () => {
  const { store, pool } = open();
  store.append(0, [bytes(1, 2, 3)]);
  store.roll();
  const held = read(store, 0, 3);
  assert(!("kind" in held) && held.pinned);
  store.trim(3);
  store.append(3, [bytes(9, 9, 9)]);
  assertEquals(held.bytes, bytes(1, 2, 3));
  held.release(true);
  store.roll();
  store.append(6, [bytes(7)]);
  assertEquals([pool.fresh, pool.recycled], [2, 1]);
});

test("memory that a vanished reader held is left to the garbage collector", () => {
  const { store, pool } = open();
  store.append(0, [bytes(1, 2, 3)]);
  const held = read(store, 0, 3);
  assert(!("kind" in held));
  store.roll();
  store.trim(3);
  held.release(false);
  store.append(3, [bytes(4)]);
  assertEquals([pool.fresh, pool.recycled, held.bytes], [2, 0, bytes(1, 2, 3)]);
});

test("a closed store says nothing, keeps nothing, and leaves readers their bytes", () => {
  const { store, events, pool } = open();
  store.append(0, [bytes(1, 2)]);
  const held = read(store, 0, 2);
  assert(!("kind" in held));
  let done = 0;
  store.close((failure) => {
    assertEquals(failure, undefined);
    done++;
  });
  assertEquals([done, pool.idleBytes, held.bytes], [1, 0, bytes(1, 2)]);
  held.release(true);
  assertEquals([pool.idleBytes, events.calls.length], [8, 2]);
  assertEquals(store.hasRoom(0), false);
  assertThrows(() => store.append(2, [bytes(3)]), BugError);
  assertThrows(() => store.close(() => {}), BugError);
});

test("a store that is closed from inside written says nothing of synced", () => {
  const calls: string[] = [];
  const store: MemoryStore = new MemoryStore({ segmentBytes: 8, memoryBytesMax: 8 }, {
    written: () => store.close(() => calls.push("closed")),
    synced: () => calls.push("synced"),
    failed: () => {},
    resumed: () => {},
  }, new SegmentPool());
  store.append(0, [bytes(1)]);
  assertEquals(calls, ["closed"]);
});

test("there is nothing to recover", () => {
  const { store } = open();
  let done = 0;
  store.truncate(0, () => done++);
  assertEquals(done, 1);
  store.append(0, [bytes(1)]);
  assertThrows(() => store.truncate(0, () => {}), BugError);
});

test("the factory opens each topic once, and anew after it was closed", () => {
  const stores = new MemoryStores();
  const options = { segmentBytes: 8, memoryBytesMax: 8 };
  const openTopic = (topic: string): TopicStore => {
    let opened: TopicStore | StoreFailure | undefined;
    stores.open(topic, options, recorder(), (store) => opened = store);
    assert(opened !== undefined && !("kind" in opened));
    return opened;
  };
  const topics = (): readonly string[] => {
    let names: readonly string[] = ["?"];
    stores.list((found) => names = found);
    return names;
  };
  assertEquals([stores.durability, topics()], ["none", []]);
  const orders = openTopic("orders");
  orders.append(0, [bytes(1)]);
  assertEquals(topics(), ["orders"]);
  assertThrows(() => openTopic("orders"), BugError);
  assertThrows(() => stores.close(() => {}), BugError);
  orders.close(() => {});
  const again = openTopic("orders");
  assertEquals([again.tail, again === orders], [0, false]);
  again.close(() => {});
  let closed = 0;
  stores.close(() => closed++);
  assertEquals([closed, topics()], [1, []]);
});

test("stores of one factory recycle each other's memory", () => {
  const pool = new SegmentPool();
  const first = open({ pool }).store;
  first.append(0, [bytes(1)]);
  first.close(() => {});
  open({ pool }).store.append(0, [bytes(2)]);
  assertEquals([pool.fresh, pool.recycled], [1, 1]);
});

type Step =
  | { readonly kind: "append"; readonly chunks: readonly Uint8Array[] }
  | { readonly kind: "roll" }
  | { readonly kind: "sync" }
  | { readonly kind: "trim" | "read" | "hold" | "release"; readonly at: number };

const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant("append" as const), chunks: chunks() }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("roll" as const, "sync" as const) }) },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constantFrom("trim" as const, "read" as const, "hold" as const, "release" as const),
        at: fc.nat(200),
      }),
    },
  ),
  { maxLength: 60 },
) as fc.Arbitrary<Step[]>;

function chunks() {
  return fc.array(fc.uint8Array({ maxLength: 6 }), { minLength: 1, maxLength: 3 });
}

test("any operations, against an array", () => {
  fc.assert(fc.property(steps, (list) => new Twin().run(list)));
});

/** A store, and the same in plain arrays. */
class Twin {
  readonly #opened = open({ segmentBytes: 16, memoryBytesMax: 64 });
  readonly #bytes: number[] = [];
  #bases = [0];
  readonly #held: { readonly read: StoreRead; readonly expected: number[] }[] = [];

  run(list: readonly Step[]): void {
    for (const step of list) {
      this.#step(step);
      this.#compare();
    }
    for (const { read } of this.#held) read.release(true);
    this.#opened.store.close(() => {});
    const { pool } = this.#opened;
    assertEquals(pool.idleBytes, pool.fresh * 16, "memory was lost");
  }

  #step(step: Step): void {
    const { store } = this.#opened;
    const tail = this.#bytes.length;
    if (step.kind === "append") return this.#append(step.chunks.flatMap((chunk) => [...chunk]), step.chunks);
    if (step.kind === "roll") {
      store.roll();
      if (this.#bases.at(-1)! < tail) this.#bases.push(tail);
    } else if (step.kind === "sync") store.sync();
    else if (step.kind === "trim") {
      const before = Math.min(step.at, tail + 5);
      store.trim(before);
      while (this.#bases.length > 1 && this.#bases[1]! <= before) this.#bases.shift();
    } else if (step.kind === "release") {
      const [one] = this.#held.splice(step.at % Math.max(1, this.#held.length), 1);
      one?.read.release(true);
    } else this.#read(step.at, step.kind === "hold");
  }

  #append(flat: readonly number[], list: readonly Uint8Array[]): void {
    const { store } = this.#opened;
    const tail = this.#bytes.length;
    assertEquals(store.hasRoom(flat.length), tail - this.#bases[0]! + flat.length <= 64);
    if (tail - this.#bases.at(-1)! + flat.length > 16) {
      assertThrows(() => store.append(tail, list), BugError);
      return;
    }
    store.append(tail, list);
    this.#bytes.push(...flat);
  }

  #read(at: number, hold: boolean): void {
    const index = at % this.#bases.length;
    const [base, end] = [this.#bases[index]!, this.#bases[index + 1] ?? this.#bytes.length];
    const from = base + at % (end - base + 1);
    const answer = read(this.#opened.store, from, end - from);
    assert(!("kind" in answer));
    const expected = this.#bytes.slice(from, end);
    assertEquals([...answer.bytes], expected);
    if (hold) this.#held.push({ read: answer, expected });
    else answer.release(true);
  }

  #compare(): void {
    const { store, events } = this.#opened;
    assertEquals([store.tail, store.written], [this.#bytes.length, this.#bytes.length]);
    assertEquals(bounds(store).map(([base]) => base), this.#bases);
    for (const { read, expected } of this.#held) assertEquals([...read.bytes], expected);
    assertEquals(store.segments.at(-1)!.base, this.#bases.at(-1));
    assertStrictEquals(events.calls.some((call) => call.startsWith("failed")), false);
  }
}
