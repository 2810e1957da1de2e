import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "../../support/properties.ts";
import { crc32 } from "../../../src/bytes/crc32.ts";
import { Feed, type FeedTopic } from "../../../src/log/broker/feed.ts";
import type { LogError } from "../../../src/log/errors.ts";
import { OrderIndex, SegmentIndex, type SegmentSummary } from "../../../src/log/order/order_index.ts";
import type { StoreFailure } from "../../../src/log/store/store.ts";
import type { Records } from "../../../src/log/wire/messages.ts";
import { Random } from "../../support/random.ts";
import { BytesStore } from "./entries_bench.ts";

interface Batch {
  readonly position: bigint;
  readonly count: number;
  readonly body: Uint8Array;
}

/** A topic whose batches are committed one by one, in segments. */
class FedTopic implements FeedTopic {
  readonly bytes: BytesStore = new BytesStore();
  readonly store = { read: this.bytes.read };
  readonly index: OrderIndex = new OrderIndex(1_000_000);
  readonly batches: Batch[] = [];
  earliest = 0n;
  visibleTail = 0n;
  generation = 3;
  loads = 0;
  #rows!: SegmentIndex;
  #waiting: { body: Uint8Array; offset: number } | undefined;

  constructor() {
    this.roll();
  }

  /** Drops the rows of all but the last segment. */
  forgetRows(): void {
    for (const segment of this.index.segments.slice(0, -1)) segment.index = undefined;
  }

  loadRows(segment: SegmentSummary, done: (index: SegmentIndex | StoreFailure) => void): void {
    this.loads++;
    const rows = new SegmentIndex(segment.base, segment.firstPosition);
    for (const [base, offset, count, bytes, checksum] of this.#all) {
      if (base === segment.base) rows.append(offset, count, bytes, checksum, 0);
    }
    this.index.loaded(rows);
    done(rows);
  }

  readonly #all: [number, number, number, number, number][] = [];

  roll(): void {
    this.bytes.roll();
    const base = this.bytes.tail;
    this.#rows = this.index.begin({ base, firstPosition: this.visibleTail, reaches: base, startedMs: 0 });
  }

  commit(body: Uint8Array, count = 1): void {
    this.#order(body, this.bytes.payload(body).offset, count);
  }

  /** A payload that waits for its order. */
  wait(body: Uint8Array): void {
    this.#waiting = { body, offset: this.bytes.payload(body).offset };
  }

  commitWaiting(): void {
    this.#order(this.#waiting!.body, this.#waiting!.offset, 1);
  }

  #order(body: Uint8Array, offset: number, count: number): void {
    const { base } = this.#rows;
    this.#rows.append(offset, count, body.length, crc32(body, 0), 0);
    this.#all.push([base, offset, count, body.length, crc32(body, 0)]);
    this.batches.push({ position: this.visibleTail, count, body });
    this.visibleTail += BigInt(count);
  }
}

interface Message {
  readonly records: Records;
  readonly bodies: readonly Uint8Array[];
}

class Reader {
  readonly messages: Message[] = [];
  readonly local: boolean;
  room = Infinity;
  error: LogError | undefined;
  readonly #all: Batch[] = [];

  constructor(local = false) {
    this.local = local;
  }

  trySendRecords(records: Records, bodies: readonly Uint8Array[]): boolean {
    if (this.room <= 0) return false;
    this.room--;
    this.messages.push({ records, bodies });
    for (const [at, { position, count, bodyBytes, bodyCrc }] of records.entries.entries()) {
      const body = bodies[at]!.slice();
      assertEquals([body.length, crc32(body, 0)], [bodyBytes, bodyCrc]);
      this.#all.push({ position, count, body });
    }
    assertEquals(records.position, records.entries[0]!.position);
    assertEquals(bodies.length, records.entries.length);
    return true;
  }

  ended(error: LogError): void {
    assertEquals(this.error, undefined, "ended twice");
    this.error = error;
  }

  get batches(): readonly Batch[] {
    return this.#all;
  }

  get bytes(): number {
    return this.#all.reduce((sum, { body }) => sum + body.length, 0);
  }
}

function start(topic: FedTopic, { position = 0n, creditBytes = 1e9, reader = new Reader() } = {}) {
  const feed = new Feed(9, position, creditBytes, topic, reader);
  return { feed, reader };
}

const body = (bytes: number, fill: number): Uint8Array => new Uint8Array(bytes).fill(fill);

test("everything that is visible is sent in order, in few messages, and nothing beyond", () => {
  const topic = new FedTopic();
  for (let at = 0; at < 10; at++) topic.commit(body(at * 3, at), 1 + at % 3);
  const { feed, reader } = start(topic);
  feed.pump();
  assertEquals(reader.batches, topic.batches);
  assertEquals(reader.messages.length, 1);
  assertEquals(feed.position, topic.visibleTail);
  const { records } = reader.messages[0]!;
  assertEquals([records.cursor, records.request, records.tail, records.generation], [
    9,
    0,
    topic.visibleTail,
    3,
  ]);
  feed.pump();
  assertEquals(reader.messages.length, 1);
  topic.commit(body(1, 1));
  assertEquals(reader.messages.length, 1);
  feed.pump();
  assertEquals(reader.batches, topic.batches);
  feed.consumed(reader.bytes);
  feed.close();
  assertEquals([topic.bytes.pinned, topic.bytes.released.left], [0, 0]);
});

test("a position inside of a batch begins with the whole batch", () => {
  const topic = new FedTopic();
  topic.commit(body(8, 1), 5);
  topic.commit(body(8, 2), 5);
  for (let position = 0n; position < 10n; position++) {
    const { feed, reader } = start(topic, { position });
    feed.pump();
    assertEquals(reader.batches, position < 5n ? topic.batches : topic.batches.slice(1));
    feed.close();
  }
});

test("no more is under way than the credit, but for one batch that is larger", () => {
  const topic = new FedTopic();
  for (let at = 0; at < 20; at++) topic.commit(body(10, at));
  topic.commit(body(100, 7));
  topic.commit(body(1, 8));
  const { feed, reader } = start(topic, { creditBytes: 35 });
  feed.pump();
  assertEquals(reader.bytes, 40, "a batch is begun as long as any credit is left");
  feed.consumed(5);
  assertEquals(reader.bytes, 40);
  feed.consumed(15);
  assertEquals(reader.bytes, 50);
  feed.consumed(9);
  feed.consumed(reader.bytes + 1_000);
  assertEquals(reader.bytes, 90);
  for (let last = -1; last !== reader.bytes;) feed.consumed(last = reader.bytes);
  assertEquals(reader.batches, topic.batches);
});

test("memory is pinned until the credit says that it was consumed, and released in order", () => {
  const topic = new FedTopic();
  const { feed, reader } = start(topic);
  for (let at = 0; at < 3; at++) {
    topic.commit(body(10, at));
    feed.pump();
  }
  assertEquals(topic.bytes.pinned, 3);
  for (const [consumed, pinned] of [[9, 3], [10, 2], [29, 1], [5, 1], [30, 0]]) {
    feed.consumed(consumed!);
    assertEquals(topic.bytes.pinned, pinned);
  }
  assertEquals(topic.bytes.released, { recycled: 3, left: 0 });
  assertEquals(reader.batches, topic.batches);
});

test("a reader that vanishes leaves what it did not confirm to the garbage collector", () => {
  const topic = new FedTopic();
  const { feed, reader } = start(topic);
  for (let at = 0; at < 3; at++) {
    topic.commit(body(10, at));
    feed.pump();
  }
  reader.room = 0;
  topic.commit(body(10, 9));
  feed.pump();
  feed.consumed(10);
  feed.close();
  feed.close();
  // One confirmed, one that was read and never sent; two may still be in the transport's hands.
  assertEquals(topic.bytes.released, { recycled: 2, left: 2 });
  assertEquals(topic.bytes.pinned, 0);
  feed.pump();
  feed.consumed(30);
  assertEquals(reader.messages.length, 3);
});

test("a reader of this process gets copies, and nothing stays pinned", () => {
  const topic = new FedTopic();
  for (let at = 0; at < 3; at++) topic.commit(body(10, at));
  const { feed, reader } = start(topic, { reader: new Reader(true) });
  feed.pump();
  assertEquals(topic.bytes.released, { recycled: 1, left: 0 });
  // The store's memory was overwritten when it was released.
  const { bodies } = reader.messages[0]!;
  assertEquals([...bodies], topic.batches.map((batch) => batch.body));
  feed.close();
});

test("a target without room gets the same message again when it has some, and nothing is read twice", () => {
  const topic = new FedTopic();
  for (let at = 0; at < 4; at++) topic.commit(body(10, at));
  const { feed, reader } = start(topic, { creditBytes: 20 });
  reader.room = 0;
  feed.pump();
  feed.pump();
  assertEquals([topic.bytes.reads, reader.messages.length], [1, 0]);
  reader.room = 1;
  feed.pump();
  assertEquals([topic.bytes.reads, reader.batches.length], [1, 2]);
  feed.consumed(20);
  assertEquals([topic.bytes.reads, reader.batches.length], [2, 2]);
  reader.room = 1;
  feed.pump();
  assertEquals(reader.batches, topic.batches);
});

test("a feed below what is kept ends with what is missing", () => {
  const topic = new FedTopic();
  for (let at = 0; at < 4; at++) topic.commit(body(10, at));
  topic.earliest = 3n;
  const { feed, reader } = start(topic, { position: 1n });
  feed.pump();
  const { code, from, to } = reader.error!;
  assertEquals([code, from, to], ["ERR_LOG_TRIMMED", 1n, 3n]);
  feed.pump();
  assertEquals(reader.messages.length, 0);
});

test("what retention takes while it is being read is trimmed, not corrupt; anything else is corrupt", () => {
  for (const trimmed of [true, false]) {
    const topic = new FedTopic();
    topic.commit(body(10, 1));
    topic.commit(body(10, 2));
    topic.bytes.later = true;
    const { feed, reader } = start(topic);
    feed.pump();
    assertEquals(topic.bytes.reads, 1);
    topic.bytes.failure = { kind: "corrupt", message: "gone", offset: 7 };
    if (trimmed) topic.earliest = 2n;
    topic.bytes.settle();
    assertEquals(reader.error?.code, trimmed ? "ERR_LOG_TRIMMED" : "ERR_LOG_CORRUPT");
    assertEquals(reader.error?.offset, trimmed ? undefined : 7);
    feed.pump();
  }
});

test("a feed that is closed while it reads gives the memory back and says nothing", () => {
  for (const failing of [false, true]) {
    const topic = new FedTopic();
    topic.commit(body(10, 1));
    topic.bytes.later = true;
    const { feed, reader } = start(topic);
    feed.pump();
    feed.close();
    if (failing) topic.bytes.failure = { kind: "corrupt", message: "gone" };
    topic.bytes.settle();
    assertEquals([reader.messages.length, reader.error], [0, undefined]);
    assertEquals(topic.bytes.released, { recycled: failing ? 0 : 1, left: 0 });
  }
});

test("segments whose rows were dropped are read again; each message keeps to one segment", () => {
  const topic = new FedTopic();
  for (let at = 0; at < 9; at++) {
    topic.commit(body(10, at));
    if (at % 3 === 2) topic.roll();
  }
  topic.forgetRows();
  const { feed, reader } = start(topic);
  feed.pump();
  assertEquals(reader.batches, topic.batches);
  assertEquals(reader.messages.map(({ records }) => records.entries.length), [3, 3, 3]);
  assertEquals(topic.loads, 3);
});

test("a payload that waited for its order over the end of a segment is read by itself", () => {
  const topic = new FedTopic();
  topic.commit(body(10, 1));
  topic.wait(body(10, 2));
  topic.roll();
  topic.commit(body(10, 3));
  topic.commitWaiting();
  topic.commit(body(10, 4));
  // And one that stands behind the one that is ordered before it.
  topic.wait(body(10, 5));
  topic.commit(body(10, 6));
  topic.commitWaiting();
  topic.commit(body(10, 7));
  const { feed, reader } = start(topic);
  feed.pump();
  assertEquals(reader.batches, topic.batches);
});

test("bodies of one message are bounded; a larger one comes alone", () => {
  const topic = new FedTopic();
  for (const bytes of [400_000, 400_000, 400_000, 3_000_000, 10]) topic.commit(body(bytes, 1));
  const { feed, reader } = start(topic);
  feed.pump();
  assertEquals(reader.messages.map(({ records }) => records.entries.map(({ bodyBytes }) => bodyBytes)), [
    [400_000, 400_000],
    [400_000],
    [3_000_000],
    [10],
  ]);
});

test("whatever comes in whichever order, a reader gets every batch once, within its credit", () => {
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 1, max: 200 }), fc.boolean(), (seed, creditBytes, local) => {
      const random = new Random(seed);
      const topic = new FedTopic();
      topic.bytes.later = random.chance(0.7);
      const { feed, reader } = start(topic, { creditBytes, reader: new Reader(local) });
      reader.room = 0;
      let consumed = 0;
      const steps: readonly (() => void)[] = [
        () => topic.commit(random.bytes(random.integer(0, 60)), random.integer(1, 4)),
        () => random.chance(0.2) && topic.roll(),
        () => random.chance(0.2) && topic.forgetRows(),
        () => feed.pump(),
        () => topic.bytes.later && random.chance(0.5) && settleSome(topic),
        () => {
          reader.room = random.integer(0, 3);
          feed.pump();
        },
        () => {
          consumed = random.integer(consumed, reader.bytes);
          feed.consumed(consumed);
        },
      ];
      for (let step = 0; step < 120; step++) {
        random.pick(steps)();
        const last = reader.messages.at(-1)?.bodies.at(-1)?.length ?? 0;
        assert(reader.bytes - consumed <= creditBytes + last, "more than the credit");
      }
      reader.room = Infinity;
      for (let sent = -1; sent !== reader.bytes || consumed !== reader.bytes;) {
        sent = reader.bytes;
        feed.pump();
        settleSome(topic);
        feed.consumed(consumed = reader.bytes);
        settleSome(topic);
      }
      assertEquals(reader.batches, topic.batches);
      assertEquals([topic.bytes.pinned, topic.bytes.released.left], [0, 0]);
    }),
    { numRuns: 150 },
  );
});

/** Answers reads; those that are sent stay pinned. */
function settleSome(topic: FedTopic): void {
  topic.bytes.answer();
}
