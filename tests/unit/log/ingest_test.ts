import { test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { concat } from "../../../src/bytes/bytes.ts";
import { crc32 } from "../../../src/bytes/crc32.ts";
import { MisuseError } from "../../../src/errors.ts";
import { Ingest } from "../../../src/log/ingest/ingest.ts";
import type { IngestRefusal } from "../../../src/log/ingest/states.ts";
import type { Admission } from "../../../src/log/order/sequencer_types.ts";
import { encodeMessage } from "../../../src/log/wire/codec.ts";
import { batchBytes, batchFrames, BenchBroker, bodyOf, onWire, peekBatch } from "./ingest_bench.ts";

const STATUS = encodeMessage({ type: "status", request: 7 }, crc32);
const READ = encodeMessage(
  { type: "read", request: 7, topic: "orders", from: 0n, bytesMax: 1, waitMs: 0 },
  crc32,
);

test("batches and control messages come through whole, at every chunk size", () => {
  const stream = concat([
    batchBytes(1n, 0, 8),
    onWire(STATUS),
    batchBytes(1n, 1, 255),
    batchBytes(1n, 2, 256),
    onWire(READ),
    batchBytes(1n, 3, 300),
  ]);
  for (let chunkBytes = 1; chunkBytes <= stream.length; chunkBytes++) {
    const broker = new BenchBroker({ buffers: 4 });
    const topic = broker.topic(8, 1n);
    const connection = broker.connect();
    assertEquals(connection.ingest.state, "init");
    connection.receive(stream, chunkBytes);
    assertEquals(connection.control.length, 2);
    assert(connection.control[1]!.endsWith("+orders"));
    assertEquals(connection.refusals, []);
    assertEquals(connection.ingest.state, "waitHeader");
    topic.rounds();
    assertEquals(topic.order, "1:0 1:1 1:2 1:3");
    assertEquals([broker.counters.stored, broker.counters.storedBytes], [4, 819]);
    broker.assertAtRest();
  }
});

test("everything that is refused or discarded leaves the framing in step, at every chunk size", () => {
  const stream = concat([
    batchBytes(1n, 0, 65),
    batchBytes(9n, 0, 8),
    batchBytes(1n, 1, 16, { bodyBytes: 17 }),
    batchBytes(1n, 2, 16, { bodyCrc: 1 }),
    onWire([...STATUS, new Uint8Array(300)]),
    onWire([...batchFrames(1n, 3, 16), new Uint8Array(300), new Uint8Array(3)]),
    onWire([batchFrames(1n, 4, 16)[0]!]),
    batchBytes(1n, 5, 64),
  ]);
  for (let chunkBytes = 1; chunkBytes <= stream.length; chunkBytes++) {
    const broker = new BenchBroker({ buffers: 1, bufferBytes: 64 });
    const topic = broker.topic(8, 1n);
    const connection = broker.connect();
    connection.receive(stream, chunkBytes);
    assertEquals(connection.refusals, [
      "1:0 tooLarge",
      "9:0 unknownSession",
      "1:1 malformed",
      "1:2 checksum",
      "1:3 malformed",
      "1:4 malformed",
    ]);
    assertEquals(connection.control.length, 1);
    topic.rounds();
    assertEquals(topic.order, "1:5");
    assertEquals(broker.counters.admitted, 3, "only what its frames can be is shown to the sequencer");
    broker.assertAtRest();
  }
});

test("a body of a control message is bounded; a larger one is discarded and its message delivered", () => {
  const broker = new BenchBroker({ buffers: 1 });
  broker.topic(1, 1n);
  const connection = broker.connect();
  connection.receive(onWire([STATUS[0]!, new Uint8Array(65_536)]));
  connection.receive(onWire([STATUS[0]!, new Uint8Array(65_537)]));
  connection.receive(onWire([new Uint8Array(65_537)]));
  assertEquals(connection.control.map((text) => text.endsWith("-")), [false, true, true]);
  assertEquals(broker.counters.discardedBytes, 2 * 65_537);
});

test("behind a first frame that cannot be read nothing is worth memory", () => {
  const broker = new BenchBroker({ buffers: 1 });
  const connection = broker.connect();
  const header = batchFrames(1n, 0, 8)[0]!;
  header[63]! ^= 1;
  connection.receive(onWire([header, new Uint8Array(100)]));
  connection.receive(onWire([new Uint8Array(3), new Uint8Array(100)]));
  connection.receive(onWire(STATUS));
  assertEquals(connection.control.map((text) => text.endsWith("+-")), [true, true, false]);
  assertEquals([broker.counters.batches, broker.counters.discardedBytes], [0, 200]);
});

test("what the sequencer does not admit is discarded without staging memory, and its sender told why", () => {
  const broker = new BenchBroker({ buffers: 1 });
  const topic = broker.topic(4, 1n, 2n);
  const blocked = broker.connect();
  // The pool is in use: a refused batch does not wait for it.
  blocked.receive(batchBytes(2n, 0, 64).subarray(0, 100));
  assertEquals(broker.pool.utilisationPercent, 100);
  const reasons: Admission[] = ["duplicate", "staleEpoch", "unknownSession", "fenced", "beyondWindow"];
  const connection = broker.connect();
  for (const [batch, reason] of reasons.entries()) {
    topic.judge = (): Admission => reason;
    connection.receive(batchBytes(1n, batch, 64), 10);
  }
  assertEquals(connection.refusals, reasons.map((reason, batch) => `1:${batch} ${reason}`));
  for (const reason of reasons) assertEquals(broker.counters.refusals[reason as IngestRefusal], 1);
  assertEquals([broker.counters.discardedBytes, broker.counters.pauses], [320, 0]);
  blocked.end();
  broker.assertAtRest();
});

test("a batch that is still under way is a duplicate when it comes again", () => {
  const broker = new BenchBroker({ buffers: 2 });
  const topic = broker.topic(4, 1n);
  const [one, two] = [broker.connect(), broker.connect()];
  const bytes = batchBytes(1n, 0, 64);
  one.receive(bytes.subarray(0, 100));
  two.receive(bytes);
  assertEquals(two.refusals, ["1:0 duplicate"]);
  one.receive(bytes.subarray(100));
  topic.rounds();
  assertEquals(topic.order, "1:0");
  broker.assertAtRest();
});

test("a damaged body is refused, and its resend is taken", () => {
  const broker = new BenchBroker({ buffers: 1 });
  const topic = broker.topic(4, 1n);
  const connection = broker.connect();
  const bytes = batchBytes(1n, 0, 64);
  const damaged = bytes.slice();
  damaged[damaged.length - 1]! ^= 0x80;
  connection.receive(damaged);
  assertEquals([connection.refusals, topic.ring.inFlight], [["1:0 checksum"], 0]);
  connection.receive(bytes);
  topic.rounds();
  assertEquals(topic.order, "1:0");
  broker.assertAtRest();
});

test("a body that does not hold what its header says is refused", () => {
  const broker = new BenchBroker({ buffers: 1 }, { checkBody: (batch, body) => body[0] === batch.count });
  const topic = broker.topic(4, 1n);
  const connection = broker.connect();
  const first = bodyOf(1n, 0, 32)[0]!;
  connection.receive(batchBytes(1n, 0, 32, { count: 2 }));
  assertEquals(connection.refusals, ["1:0 malformed"]);
  connection.receive(batchBytes(1n, 0, 256, { count: first }));
  assertEquals(topic.ring.inFlight, 1);
});

test("in the embedded form bodies arrive in ordinary memory, are not checked again, and run through the same phases", () => {
  const broker = new BenchBroker({ buffers: 1 }, { trusted: true, input: undefined });
  const topic = broker.topic(2, 1n);
  const { ingest, refusals } = broker.connect();
  assertEquals(ingest.nextTimeoutMs, Infinity);
  assert(!ingest.messageArrived(STATUS));
  for (let batch = 0; batch < 4; batch++) {
    assert(ingest.messageArrived(batchFrames(1n, batch, 1_024, { bodyCrc: 0 })));
  }
  assertEquals([ingest.state, ingest.waitingForSlot], ["waitHeader", 2]);
  ingest.messageArrived(batchFrames(1n, 4, 1_025));
  ingest.messageArrived([batchFrames(1n, 4, 8)[0]!, new Uint8Array(0)]);
  ingest.messageArrived(batchFrames(1n, 3, 8));
  assertEquals(refusals, ["1:4 tooLarge", "1:4 malformed", "1:3 duplicate"]);
  topic.rounds();
  assertEquals(topic.order, "1:0 1:1 1:2 1:3");
  assertEquals(broker.pool.histogram, new Array(11).fill(0), "no staging memory was needed");
  broker.assertAtRest();
  ingest.closed();
});

test("where there is no place for an allocator bodies are checked when their message is there", () => {
  const broker = new BenchBroker({ buffers: 1 }, { input: undefined });
  broker.topic(2, 1n);
  const { ingest, refusals } = broker.connect();
  ingest.messageArrived(batchFrames(1n, 0, 16, { bodyCrc: 0 }));
  ingest.messageArrived(batchFrames(1n, 0, 16));
  ingest.messageArrived([batchFrames(1n, 1, 16)[0]!]);
  assert(!ingest.messageArrived([]));
  assertEquals(refusals, ["1:0 checksum", "1:1 malformed"]);
  assertEquals(broker.counters.stored, 1);
});

test("an empty pool pauses a connection in front of the body, and it goes on with what arrived meanwhile", () => {
  const broker = new BenchBroker({ buffers: 1 });
  const topic = broker.topic(8, 1n, 2n);
  const [one, two] = [broker.connect(), broker.connect()];
  const first = batchBytes(1n, 0, 64);
  one.receive(first.subarray(0, 90));
  two.receive(concat([batchBytes(2n, 0, 64), batchBytes(2n, 1, 64), onWire(STATUS)]), 7);
  assertEquals([one.ingest.state, two.ingest.state, two.input.state], [
    "waitPayload",
    "waitMemory",
    "waiting",
  ]);
  assertEquals(two.control, []);
  one.receive(first.subarray(90));
  assertEquals([two.ingest.state, two.input.state, two.control.length], ["waitHeader", "running", 1]);
  topic.rounds();
  assertEquals(topic.order, "1:0 2:0 2:1");
  // Once for the other connection's body, once for its own first one, which nobody had looked at.
  assertEquals([broker.counters.pauses, broker.counters.resumes, broker.pool.exhausted], [2, 2, 2]);
  broker.assertAtRest();
});

test("paused connections go on in the order of their pauses", () => {
  const broker = new BenchBroker({ buffers: 1 });
  const sessions = [0n, 1n, 2n, 3n, 4n];
  const topic = broker.topic(8, ...sessions);
  const holder = broker.connect({ hold: true });
  holder.receive(batchBytes(0n, 0, 8));
  for (const session of [3n, 1n, 4n, 2n]) broker.connect().receive(batchBytes(session, 0, 8));
  assertEquals(broker.pool.waiting, 4);
  holder.deliver();
  topic.rounds();
  assertEquals(topic.order, "0:0 3:0 1:0 4:0 2:0");
  broker.assertAtRest();
});

test("several whole batches of one connection keep their order while the ring is full", () => {
  const broker = new BenchBroker({ buffers: 8 });
  const topic = broker.topic(1, 1n);
  const connection = broker.connect({ hold: true });
  for (let batch = 0; batch < 5; batch++) connection.receive(batchBytes(1n, batch, 8));
  connection.deliver();
  assertEquals([connection.ingest.waitingForSlot, broker.pool.inUse], [4, 4]);
  // While they wait the connection gets no more memory.
  connection.receive(batchBytes(1n, 5, 8));
  assertEquals([connection.ingest.state, broker.pool.inUse], ["waitMemory", 4]);
  topic.ring.wake();
  assertEquals([broker.counters.slotWaits, broker.counters.slotRetries, topic.ring.fullCount], [4, 1, 2]);
  for (let batch = 0; batch < 5; batch++) {
    assertEquals(topic.round(1), 1);
    connection.deliver();
  }
  topic.rounds();
  assertEquals(topic.order, "1:0 1:1 1:2 1:3 1:4 1:5");
  assertEquals(
    [broker.counters.pauses, broker.pool.pauses],
    [1, 0],
    "its own batches paused it, not the pool",
  );
  broker.assertAtRest();
});

test("a newcomer waits behind those who wait, even where there is a slot", () => {
  const broker = new BenchBroker({ buffers: 8 });
  const topic = broker.topic(4, 1n, 2n);
  topic.roomNow = "wait";
  broker.connect().receive(batchBytes(1n, 0, 8));
  topic.roomNow = "room";
  broker.connect().receive(batchBytes(2n, 0, 8));
  assertEquals([topic.ring.inFlight, topic.waiting], [0, 2]);
  topic.ring.wake();
  topic.rounds();
  assertEquals(topic.order, "1:0 2:0");
  broker.assertAtRest();
});

test("a topic that is behind does not hold up another topic's batches that have arrived", () => {
  const broker = new BenchBroker({ buffers: 8 });
  const behind = broker.topic(1, 1n);
  const quick = broker.topic(8, 2n);
  behind.roomNow = "wait";
  const connection = broker.connect({ hold: true });
  for (let batch = 0; batch < 2; batch++) {
    connection.receive(batchBytes(1n, batch, 8));
    connection.receive(batchBytes(2n, batch, 8));
  }
  connection.deliver();
  quick.rounds();
  assertEquals([quick.order, behind.ring.inFlight, behind.waiting], ["2:0 2:1", 0, 2]);
  const others = broker.connect();
  others.receive(batchBytes(2n, 2, 8));
  quick.rounds();
  assertEquals(quick.order, "2:0 2:1 2:2");
  behind.roomNow = "room";
  behind.ring.wake();
  behind.rounds();
  assertEquals(behind.order, "1:0 1:1");
  broker.assertAtRest();
});

for (const [room, refusal] of [["full", "storeFull"], ["stopped", "storeStopped"]] as const) {
  test(`a store that is ${room}: what arrives and what waits is refused, and a resend is welcome`, () => {
    const broker = new BenchBroker({ buffers: 4 });
    const topic = broker.topic(4, 1n);
    const connection = broker.connect();
    topic.roomNow = "wait";
    connection.receive(batchBytes(1n, 0, 8));
    connection.receive(batchBytes(1n, 1, 8));
    assertEquals([topic.waiting, connection.ingest.state], [1, "waitMemory"]);
    topic.roomNow = room;
    topic.ring.wake();
    connection.receive(batchBytes(1n, 2, 8));
    assertEquals(connection.refusals, [0, 1, 2].map((batch) => `1:${batch} ${refusal}`));
    broker.assertAtRest();
    topic.roomNow = "room";
    connection.receive(concat([0, 1, 2].map((batch) => batchBytes(1n, batch, 8))));
    topic.rounds();
    assertEquals(topic.order, "1:0 1:1 1:2");
    broker.assertAtRest();
  });
}

test("headers and bodies that came in pieces are counted", () => {
  const bytes = batchBytes(1n, 0, 100);
  const headerEnd = bytes.length - 100;
  for (let cut = 1; cut <= bytes.length; cut++) {
    const broker = new BenchBroker({ buffers: 1 });
    broker.topic(8, 1n);
    const connection = broker.connect();
    connection.receive(bytes.subarray(0, cut));
    connection.receive(bytes.subarray(cut));
    const { partialHeaders, partialPayloads } = broker.counters;
    // The decoder asks for memory when it knows a frame's size: in the first frame from its third byte on.
    assertEquals(partialHeaders, cut >= 2 && cut < headerEnd ? 1 : 0, `header cut at ${cut}`);
    assertEquals(partialPayloads, cut >= headerEnd && cut < bytes.length ? 1 : 0, `body cut at ${cut}`);
  }
});

test("a batch that is larger than a staging buffer is refused when limits are set, not when it arrives", () => {
  const broker = new BenchBroker({ buffers: 1, bufferBytes: 64 });
  const init = {
    pool: broker.pool,
    targets: { find: () => undefined },
    events: { refused: () => {}, failed: () => {} },
    counters: broker.counters,
    crc32,
    peekBatch,
    payloadTimeoutMs: 1,
    nowMs: 0,
  };
  assertEquals(new Ingest({ ...init, batchBytesMax: 64 }).state, "init");
  assertThrows(() => new Ingest({ ...init, batchBytesMax: 65 }), MisuseError, "batchBytesMax is 65");
});
