/**
 * What went wrong in a log that was built before (the list's numbers), for the machines between a publisher's connection and
 * the sequencer.
 *
 * @module
 */

import { test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "../../support/properties.ts";
import { concat } from "../../../src/bytes/bytes.ts";
import { MisuseError } from "../../../src/errors.ts";
import { REFUSAL_CODES } from "../../../src/log/ingest/states.ts";
import { Ring } from "../../../src/log/ingest/ring.ts";
import { batchBytes, BenchBroker, bodyOf, type Stored } from "./ingest_bench.ts";

/** Reserves and publishes until the ring is full; answers how many that were. */
function fill(ring: Ring<number>): number {
  let count = 0;
  for (let index = ring.reserve(0); index >= 0; index = ring.reserve(0)) {
    assert(ring.publish(index, index));
    count++;
  }
  return count;
}

test("scenario 1: an empty ring whose consumer stands at the producer's slot takes exactly its size, on every lap", () => {
  const ring = new Ring<number>({ size: 5 });
  for (let lap = 0; lap < 20; lap++) {
    for (let at = 0; at < 5; at++) {
      assertEquals(ring.inFlight, 0);
      assertEquals(fill(ring), 5);
      assertEquals(ring.reserve(0), -1);
      const front = ring.consumed;
      assertEquals(ring.consume(), front);
      assertEquals(fill(ring), 1);
      while (ring.consume() !== undefined);
      // The next round begins one slot further.
      assert(ring.publish(ring.reserve(0), 0));
      ring.consume();
    }
  }
});

test("scenario 2: what can be reserved is the size less what is in flight, for any next and consumed over many laps", () => {
  const property = fc.property(
    fc.integer({ min: 1, max: 9 }),
    fc.array(fc.tuple(fc.boolean(), fc.nat(12)), { maxLength: 100 }),
    (size, steps) => {
      const ring = new Ring<number>({ size });
      for (const [produces, count] of steps) {
        for (let i = 0; i < count; i++) {
          const { inFlight, next } = ring;
          if (produces) {
            const index = ring.reserve(0);
            assertEquals(index, inFlight < size ? next : -1);
            if (index >= 0) ring.publish(index, index);
          } else {
            assertEquals(ring.consume(), inFlight > 0 ? next - inFlight : undefined);
          }
          assert(ring.inFlight >= 0 && ring.inFlight <= size);
        }
      }
      const room = size - ring.inFlight;
      assertEquals(fill(ring), room);
    },
  );
  fc.assert(property, { numRuns: 500 });
});

test("scenario 3: a fresh ring takes its whole size before anything was consumed", () => {
  for (const size of [1, 2, 3, 64, 1_024]) assertEquals(fill(new Ring({ size })), size);
});

test("scenario 4: after the wrap a free first slot does not open a busy second one", () => {
  const ring = new Ring<number>({ size: 4 });
  fill(ring);
  assertEquals(ring.consume(), 0);
  assertEquals(ring.reserve(0), 4);
  assertEquals(ring.reserve(0), -1, "slot 1 is busy");
  assert(ring.publish(4, 44));
  assertEquals([ring.consume(), ring.consume(), ring.consume(), ring.consume()], [1, 2, 3, 44]);
});

test("scenario 5: one batch more than the ring has slots waits, and overwrites nothing", () => {
  const broker = new BenchBroker({ buffers: 8 });
  const topic = broker.topic(4, 1n);
  const connection = broker.connect();
  for (let batch = 0; batch < 5; batch++) connection.receive(batchBytes(1n, batch, 32));
  assertEquals([topic.ring.inFlight, topic.waiting, topic.ring.fullCount], [4, 1, 1]);
  topic.rounds();
  assertEquals(topic.order, "1:0 1:1 1:2 1:3 1:4");
  broker.assertAtRest();
});

test("scenario 6: a batch that was taken out and deferred keeps its bytes while ring and staging go round twice", () => {
  const broker = new BenchBroker({ buffers: 1, bufferBytes: 64 });
  const topic = broker.topic(3, 1n);
  const connection = broker.connect();
  connection.receive(batchBytes(1n, 100, 64));
  const deferred = topic.ring.consume()!;
  for (let batch = 0; batch < 6; batch++) {
    connection.receive(batchBytes(1n, batch, 64));
    topic.round();
  }
  assertEquals([topic.ring.consumed, topic.sequenced.length], [7, 6]);
  assertEquals(deferred, { session: 1n, batch: 100, body: bodyOf(1n, 100, 64) });
  broker.assertAtRest();
});

test("scenario 7: batches 1 to N first, then 0: who holds them takes them out of the ring, so 0 has a slot", () => {
  const size = 8;
  const broker = new BenchBroker({ buffers: 2 });
  const topic = broker.topic(size, 1n);
  const connection = broker.connect();
  const held: Map<number, Stored> = new Map();
  for (const batch of [...Array.from({ length: 3 * size }, (_, i) => i + 1), 0]) {
    connection.receive(batchBytes(1n, batch, 16));
    for (let stored = topic.ring.consume(); stored !== undefined; stored = topic.ring.consume()) {
      held.set(stored.batch, stored);
    }
    topic.ring.wake();
  }
  assertEquals(held.size, 3 * size + 1);
  assertEquals([topic.ring.fullCount, broker.counters.slotWaits, broker.counters.pauses], [0, 0, 0]);
  broker.assertAtRest();
});

test("scenario 8: every ring counts from its own beginning", () => {
  const rings = [1, 2, 3, 5].map((size) => new Ring<number>({ size }));
  for (let turn = 0; turn < 60; turn++) {
    for (const [at, ring] of rings.entries()) {
      if (turn % (at + 1) !== 0) continue;
      assertEquals(ring.reserve(0), turn / (at + 1));
      ring.publish(turn / (at + 1), turn);
      assertEquals(ring.consume(), turn);
      assertEquals([ring.consumed, ring.inFlight], [turn / (at + 1) + 1, 0]);
    }
  }
});

test("scenario 9: retired slots are passed over, an unpublished one is waited at, and the position only rises", () => {
  const ring = new Ring<string>({ size: 6 });
  const [a, b, c, d] = [ring.reserve(0), ring.reserve(0), ring.reserve(0), ring.reserve(0)];
  const positions: number[] = [];
  const consume = (): string | undefined => {
    const value = ring.consume();
    positions.push(ring.consumed);
    return value;
  };
  ring.publish(a, "a");
  ring.retire(b);
  ring.publish(d, "d");
  assertEquals([consume(), consume(), consume()], ["a", undefined, undefined], "c is not there yet");
  ring.publish(c, "c");
  assertEquals([consume(), consume(), consume()], ["c", "d", undefined]);
  assertEquals(positions, [2, 2, 2, 3, 4, 4]);
});

test("scenario 10: a claim whose owner has gone is retired in bounded time, and later slots flow", () => {
  const ring = new Ring<string>({ size: 3, claimTimeoutMs: 1_000 });
  ring.reserve(0);
  ring.publish(ring.reserve(10), "later");
  assertEquals(ring.consume(), undefined);
  assertEquals(ring.nextTimeoutMs, 1_000);
  ring.retireOlder(ring.nextTimeoutMs);
  assertEquals(ring.consume(), "later");
  assertEquals(ring.inFlight, 0);
});

test("scenario 10: a connection that dies in the middle of a body has claimed no slot, and leaves no admission behind", () => {
  const broker = new BenchBroker({ buffers: 2 });
  const topic = broker.topic(2, 1n, 2n);
  const [dying, living] = [broker.connect(), broker.connect()];
  dying.receive(batchBytes(1n, 0, 100).subarray(0, 120));
  assertEquals(topic.claims.size, 1);
  living.receive(batchBytes(2n, 0, 100));
  dying.cut();
  topic.rounds();
  assertEquals(topic.order, "2:0");
  assertEquals([topic.ring.inFlight, topic.claims.size], [0, 0]);
  broker.assertAtRest();
});

test("scenario 11: a late publication into a slot that was given to somebody else is refused and counted", () => {
  const ring = new Ring<string>({ size: 2, claimTimeoutMs: 10 });
  const late = ring.reserve(0);
  ring.retireOlder(10);
  const indices = [ring.reserve(11), ring.reserve(11)];
  assert(indices.some((index) => index % 2 === late % 2), "the slot is in use again");
  assertEquals(ring.publish(late, "late"), false);
  assertEquals(ring.stalePublishes, 1);
  for (const index of indices) assert(ring.publish(index, String(index)));
  assertEquals([ring.consume(), ring.consume()], indices.map(String));
});

test("scenario 12: a full ring pauses the connection and never closes it", () => {
  const broker = new BenchBroker({ buffers: 4 });
  const topic = broker.topic(1, 1n);
  const connection = broker.connect();
  for (let batch = 0; batch < 10; batch++) connection.receive(batchBytes(1n, batch, 100), 33);
  assertEquals([connection.ingest.state, connection.failures, connection.refusals], ["waitMemory", [], []]);
  topic.rounds();
  assertEquals(topic.sequenced.length, 10);
  assertEquals([connection.failures, connection.refusals], [[], []]);
  broker.assertAtRest();
});

test("scenario 13: a sequencer that stands still longer than any budget, then goes on: all is sequenced, nothing closed", () => {
  const broker = new BenchBroker({ buffers: 3 });
  const topic = broker.topic(2, 1n, 2n, 3n);
  const connections = [1n, 2n, 3n].map((session) => {
    const connection = broker.connect();
    for (let batch = 0; batch < 20; batch++) connection.receive(batchBytes(session, batch, 50), 64);
    return connection;
  });
  // Whoever tries again tries in vain, a thousand times and for a day.
  for (let i = 0; i < 1_000; i++) topic.ring.wake();
  for (const { ingest } of connections) {
    for (let i = 0; i < 1_000; i++) ingest.handleTimeout(ingest.nextTimeoutMs);
    ingest.handleTimeout(86_400_000);
  }
  assert(broker.counters.slotRetries >= 1_000);
  assertEquals(topic.sequenced.length, 0);
  topic.rounds();
  assertEquals(topic.sequenced.length, 60);
  for (const { failures, refusals } of connections) assertEquals([failures, refusals], [[], []]);
  broker.assertAtRest();
});

test("scenario 14: there is no way to drop: an admitted batch is sequenced or its publisher is told", () => {
  const broker = new BenchBroker({ buffers: 2, bufferBytes: 64 });
  const topic = broker.topic(1, 1n, 2n);
  const [steady, dying] = [broker.connect(), broker.connect()];
  topic.roomNow = "wait";
  steady.receive(batchBytes(1n, 0, 64));
  steady.receive(batchBytes(1n, 1, 64));
  dying.receive(batchBytes(2n, 0, 64).subarray(0, 100));
  dying.end();
  topic.roomNow = "full";
  topic.ring.wake();
  topic.roomNow = "room";
  steady.receive(batchBytes(1n, 2, 64, { bodyCrc: 7 }));
  steady.receive(batchBytes(1n, 3, 64));
  topic.rounds();
  const told = steady.refusals.map((text) => text.split(" ")[0]!);
  const sequenced = topic.order.split(" ");
  assertEquals([...told, ...sequenced].sort(), ["1:0", "1:1", "1:2", "1:3"]);
  const { counters } = broker;
  assertEquals([counters.admitted, counters.stored, counters.refusedAdmitted, counters.lost], [5, 1, 3, 1]);
  assertEquals(counters.drops, 0);
  broker.assertAtRest();
});

test("scenario 15: any number of connections in front of a ring of one slot: all wait, none is lost", () => {
  const broker = new BenchBroker({ buffers: 4, bufferBytes: 64 });
  const sessions = Array.from({ length: 200 }, (_, i) => BigInt(i));
  const topic = broker.topic(1, ...sessions);
  const connections = sessions.map((session) => {
    const connection = broker.connect();
    connection.receive(concat([batchBytes(session, 0, 64), batchBytes(session, 1, 64)]), 50);
    return connection;
  });
  assertEquals([broker.counters.waitingForSlot, broker.pool.waiting], [4, 196]);
  topic.rounds();
  assertEquals(topic.sequenced.length, 400);
  for (const { failures, refusals } of connections) assertEquals([failures, refusals], [[], []]);
  broker.assertAtRest();
});

test("scenario 16: a batch of exactly a buffer passes, one byte more is refused by name, and the next one is taken", () => {
  const broker = new BenchBroker({ buffers: 2, bufferBytes: 2_048 });
  const topic = broker.topic(4, 1n);
  const connection = broker.connect();
  connection.receive(batchBytes(1n, 0, 2_048));
  connection.receive(batchBytes(1n, 1, 2_049));
  connection.receive(batchBytes(1n, 2, 2_047));
  topic.rounds();
  assertEquals(topic.order, "1:0 1:2");
  assertEquals(connection.refusals, ["1:1 tooLarge"]);
  assertEquals(REFUSAL_CODES.tooLarge, "ERR_LOG_BATCH_TOO_LARGE");
  broker.assertAtRest();
  const wrong = new BenchBroker({ buffers: 2, bufferBytes: 2_048 }, { batchBytesMax: 2_049 });
  assertThrows(() => wrong.connect(), MisuseError, "a staging buffer has 2048 bytes");
});

for (const chunkBytes of [1, 7, 64, 100, 1_000, Infinity]) {
  for (const hold of [false, true]) {
    const how = `${chunkBytes} bytes a chunk, looked at ${hold ? "later" : "at once"}`;
    test(`scenario 17: a pool of 1 and 3 connections: all complete; utilisation returns to 0; pauses equal resumes (${how})`, () => {
      const broker = new BenchBroker({ buffers: 1, bufferBytes: 256 });
      const topic = broker.topic(2, 1n, 2n, 3n);
      const streams = [1n, 2n, 3n].map((session) => ({
        connection: broker.connect({ hold }),
        bytes: concat(Array.from({ length: 6 }, (_, batch) => batchBytes(session, batch, 200 + batch))),
        at: 0,
      }));
      const longest = Math.max(...streams.map(({ bytes }) => bytes.length));
      // Chunk by chunk in turn, so that every connection is in the middle of something.
      for (let at = 0; at < longest; at += chunkBytes) {
        for (const { connection, bytes } of streams) connection.receive(bytes.subarray(at, at + chunkBytes));
        for (const { connection } of streams) connection.deliver(1);
        topic.round(1);
      }
      for (let left = 60; left > 0; left--) {
        for (const { connection } of streams) connection.deliver();
        topic.round();
      }
      for (const session of [1n, 2n, 3n]) {
        const got = topic.sequenced.filter((one) => one.session === session).map(({ batch }) => batch);
        assertEquals(got, [0, 1, 2, 3, 4, 5]);
      }
      assert(broker.pool.pauses > 0);
      assertEquals(broker.counters.pauses, broker.counters.resumes);
      assertEquals(broker.pool.pauses, broker.pool.resumes);
      broker.assertAtRest();
    });
  }
}

test("scenario 18: a full store: the body is drained, the connection stays, and the next batch on it parses", () => {
  const stream = concat([batchBytes(1n, 0, 300), batchBytes(2n, 0, 300), batchBytes(1n, 0, 300)]);
  for (const chunkBytes of [1, 10, 100, 301, Infinity]) {
    const broker = new BenchBroker({ buffers: 1 });
    const full = broker.topic(4, 1n);
    const other = broker.topic(4, 2n);
    full.roomNow = "full";
    const connection = broker.connect();
    connection.receive(stream, chunkBytes);
    other.rounds();
    assertEquals(other.order, "2:0");
    assertEquals(connection.refusals, ["1:0 storeFull", "1:0 storeFull"]);
    assertEquals([broker.counters.discardedBytes, broker.counters.drops], [600, 0]);
    full.roomNow = "room";
    connection.receive(batchBytes(1n, 0, 300), chunkBytes);
    full.rounds();
    assertEquals([full.order, connection.failures], ["1:0", []]);
    broker.assertAtRest();
  }
});

test("scenario 19: a ring's counters are its topic's own", () => {
  const broker = new BenchBroker({ buffers: 8 });
  const [busy, idle] = [broker.topic(1, 1n), broker.topic(1, 2n)];
  const connection = broker.connect();
  for (let batch = 0; batch < 3; batch++) connection.receive(batchBytes(1n, batch, 8));
  broker.connect().receive(batchBytes(2n, 0, 8));
  assertEquals([busy.ring.fullCount, busy.ring.highWater, busy.ring.congested], [1, 1, true]);
  assertEquals([idle.ring.fullCount, idle.ring.highWater, idle.ring.stalePublishes], [0, 1, 0]);
  busy.rounds();
  idle.rounds();
  assertEquals([busy.ring.congested, idle.ring.fullCount], [false, 0]);
  broker.assertAtRest();
});
