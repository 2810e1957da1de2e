import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { concat } from "../../../src/bytes/bytes.ts";
import { crc32 } from "../../../src/bytes/crc32.ts";
import type { Ingest } from "../../../src/log/ingest/ingest.ts";
import { encodeMessage } from "../../../src/log/wire/codec.ts";
import { batchBytes, BenchBroker, onWire } from "./ingest_bench.ts";

const STATUS = encodeMessage({ type: "status", request: 7 }, crc32);

/** How a connection may end in the middle of things. */
const ENDINGS = ["end", "cut"] as const;

for (const ending of ENDINGS) {
  test(`a connection that ends (${ending}) at any byte gives back all that it held`, () => {
    const stream = concat([batchBytes(1n, 0, 40), onWire(STATUS), batchBytes(1n, 1, 300)]);
    for (let bytes = 0; bytes <= stream.length; bytes++) {
      for (const hold of [false, true]) {
        const broker = new BenchBroker({ buffers: 1 });
        const topic = broker.topic(8, 1n);
        const connection = broker.connect({ hold });
        connection.receive(stream.subarray(0, bytes), 11);
        connection[ending]();
        topic.rounds();
        assertEquals(connection.ingest.state, "closed");
        assertEquals(connection.ingest.nextTimeoutMs, Infinity);
        broker.assertAtRest();
        // What was lost is welcome on another connection.
        const again = broker.connect();
        for (const batch of [0, 1]) again.receive(batchBytes(1n, batch, batch === 0 ? 40 : 300));
        topic.rounds();
        assertEquals(topic.order, "1:0 1:1");
      }
    }
  });

  test(`a paused connection that ends (${ending}) leaves the line, and the next one is served`, () => {
    const broker = new BenchBroker({ buffers: 1 });
    const topic = broker.topic(8, 1n, 2n, 3n);
    const holder = broker.connect({ hold: true });
    holder.receive(batchBytes(1n, 0, 8));
    const [paused, next] = [broker.connect(), broker.connect()];
    paused.receive(batchBytes(2n, 0, 8));
    next.receive(batchBytes(3n, 0, 8));
    paused[ending]();
    assertEquals([topic.claims.has("2 1 0"), broker.counters.pausesEnded], [false, 1]);
    holder.deliver();
    topic.rounds();
    assertEquals(topic.order, "1:0 3:0");
    broker.assertAtRest();
  });

  test(`a paused connection that ends (${ending}) with more behind the body that it waited with`, () => {
    const broker = new BenchBroker({ buffers: 1 });
    const topic = broker.topic(8, 1n, 2n);
    const holder = broker.connect({ hold: true });
    holder.receive(batchBytes(1n, 0, 8));
    const paused = broker.connect();
    paused.receive(
      concat([batchBytes(2n, 0, 8), onWire(STATUS), batchBytes(2n, 1, 8), batchBytes(2n, 2, 9)]),
    );
    paused[ending]();
    assertEquals([paused.control.length, paused.refusals], [ending === "end" ? 1 : 0, []]);
    assertEquals([topic.claims.size, broker.counters.lost], [1, ending === "end" ? 3 : 1]);
    assertEquals(broker.counters.partialPayloads, 0, "no body of it began");
    holder.deliver();
    topic.rounds();
    assertEquals(topic.order, "1:0");
    broker.assertAtRest();
  });

  test(`a batch that is whole and waits for a slot survives its connection (${ending})`, () => {
    const broker = new BenchBroker({ buffers: 1 });
    const topic = broker.topic(1, 1n);
    topic.roomNow = "wait";
    const connection = broker.connect();
    connection.receive(batchBytes(1n, 0, 8));
    connection.receive(batchBytes(1n, 1, 8));
    connection[ending]();
    assertEquals([topic.waiting, broker.pool.inUse, broker.counters.lost], [1, 1, 1]);
    topic.roomNow = "room";
    topic.ring.wake();
    topic.rounds();
    assertEquals(topic.order, "1:0");
    broker.assertAtRest();
  });
}

test("memory that the decoder of an ended connection may still write to is not given to another", () => {
  const broker = new BenchBroker({ buffers: 1 });
  const topic = broker.topic(8, 1n, 2n);
  const [one, two] = [broker.connect(), broker.connect()];
  const bytes = batchBytes(1n, 0, 200);
  one.receive(bytes.subarray(0, 150));
  one.ingest.closed();
  const other = batchBytes(2n, 0, 200);
  two.receive(other.subarray(0, 200));
  // The decoder of the first connection has not heard of its end.
  one.receive(bytes.subarray(150));
  two.receive(other.subarray(200));
  topic.rounds();
  assertEquals(topic.order, "2:0");
  one.input.finish();
  broker.assertAtRest();
});

for (const ending of ENDINGS) {
  test(`memory that the transport of an ended connection (${ending}) may still read into goes to no other`, () => {
    const broker = new BenchBroker({ buffers: 1, bufferBytes: 40_000 });
    const topic = broker.topic(8, 1n, 2n);
    const [one, two] = [broker.connect(), broker.connect()];
    const bytes = batchBytes(1n, 0, 40_000);
    one.receive(bytes.subarray(0, 5_000));
    const place = one.input.bodyMemory!;
    place.set(bytes.subarray(5_000, 9_000));
    one.receivedBytes += 4_000;
    one.input.receive(place.subarray(0, 4_000));
    const armed = one.input.bodyMemory!;
    assertEquals([armed.length, armed.buffer === place.buffer], [bytes.length - 9_000, true]);
    one[ending]();
    assertEquals([one.input.bodyMemory, broker.pool.inUse, broker.counters.lost], [undefined, 0, 1]);
    const other = batchBytes(2n, 0, 40_000);
    two.receive(other.subarray(0, 39_000));
    // The transport of the first connection has not closed, or never will.
    armed.fill(0xff);
    two.receive(other.subarray(39_000));
    topic.rounds();
    assertEquals(topic.order, "2:0");
    broker.assertAtRest();
  });
}

test("memory that no transport was offered is used again at once", () => {
  let made = 0;
  const broker = new BenchBroker({
    buffers: 1,
    bufferBytes: 40_000,
    memory: (bytes) => {
      made++;
      return new Uint8Array(bytes);
    },
  });
  const topic = broker.topic(8, 1n);
  const bytes = batchBytes(1n, 0, 40_000);
  for (let at = 0; at < 5; at++) {
    const connection = broker.connect();
    connection.receive(bytes.subarray(0, 30_000));
    connection.end();
  }
  broker.connect().receive(bytes);
  topic.rounds();
  assertEquals([topic.order, made], ["1:0", 1]);
  broker.assertAtRest();
});

test("after its end a connection takes no memory and says nothing", () => {
  const broker = new BenchBroker({ buffers: 1 });
  broker.topic(8, 1n);
  const connection = broker.connect();
  connection.ingest.closed();
  connection.ingest.closed();
  connection.receive(concat([batchBytes(1n, 0, 8), onWire(STATUS)]));
  connection.ingest.handleTimeout(1e9);
  assertEquals([connection.control, connection.refusals, connection.failures], [[], [], []]);
  assertEquals(broker.counters.batches, 0);
  broker.assertAtRest();
});

/** Looks at the clock whenever that is due, up to and including `untilMs`. */
function passTime(ingest: Ingest, untilMs: number): void {
  while (ingest.nextTimeoutMs <= untilMs) ingest.handleTimeout(ingest.nextTimeoutMs);
}

test("a body without progress ends its connection by name, not before its time and not much later", () => {
  const broker = new BenchBroker({ buffers: 1 });
  const topic = broker.topic(8, 1n, 2n);
  const [one, two] = [broker.connect(), broker.connect()];
  one.receive(batchBytes(1n, 0, 100).subarray(0, 100));
  two.receive(batchBytes(2n, 0, 8));
  passTime(one.ingest, 1_000);
  passTime(two.ingest, 1_000);
  assertEquals(one.failures, []);
  passTime(one.ingest, 1_250);
  assertEquals(one.failures.map(({ code }) => code), ["ERR_LOG_TIMEOUT"]);
  assertEquals(one.ingest.state, "closed");
  passTime(two.ingest, 100_000);
  assertEquals(two.failures, [], "who is paused waits for us, not we for it");
  topic.rounds();
  assertEquals([topic.order, broker.counters.payloadTimeouts], ["2:0", 1]);
  one.end();
  broker.assertAtRest();
});

test("a body that waited for memory has its whole time from there on", () => {
  const broker = new BenchBroker({ buffers: 1 });
  broker.topic(8, 1n, 2n);
  const [holder, connection] = [broker.connect({ hold: true }), broker.connect()];
  holder.receive(batchBytes(1n, 0, 8));
  connection.receive(batchBytes(2n, 0, 100).subarray(0, 100));
  passTime(connection.ingest, 10_100);
  holder.deliver();
  assertEquals(connection.ingest.state, "waitPayload");
  passTime(connection.ingest, 11_100);
  assertEquals(connection.failures, []);
  passTime(connection.ingest, 11_350);
  assertEquals(connection.failures.length, 1);
});

test("a paused connection whose stream has ended keeps nobody waiting, also before its end is told", () => {
  const broker = new BenchBroker({ buffers: 1 });
  const topic = broker.topic(8, 1n, 2n, 3n);
  const holder = broker.connect({ hold: true });
  holder.receive(batchBytes(1n, 0, 8));
  const [paused, next] = [broker.connect(), broker.connect()];
  paused.receive(batchBytes(2n, 0, 8));
  next.receive(batchBytes(3n, 0, 8));
  paused.input.finish();
  holder.deliver();
  topic.rounds();
  assertEquals(topic.order, "1:0 3:0");
  assertEquals(broker.pool.waiting, 0);
  paused.ingest.closed();
  broker.assertAtRest();
});

test("any byte of a body is progress, and the next body has a time of its own", () => {
  const broker = new BenchBroker({ buffers: 1 });
  broker.topic(200, 1n);
  const connection = broker.connect();
  let nowMs = 0;
  for (let batch = 0; batch < 3; batch++) {
    const bytes = batchBytes(1n, batch, 30);
    for (let at = 0; at < bytes.length; at++) {
      connection.receive(bytes.subarray(at, at + 1));
      passTime(connection.ingest, nowMs += 990);
    }
  }
  assertEquals([connection.failures, broker.counters.stored], [[], 3]);
  passTime(connection.ingest, nowMs += 100_000);
  assertEquals(connection.failures, [], "an idle connection owes nothing");
});

test("a process that slept does not blame its peers", () => {
  const broker = new BenchBroker({ buffers: 1 });
  broker.topic(8, 1n);
  const connection = broker.connect();
  const bytes = batchBytes(1n, 0, 100);
  connection.receive(bytes.subarray(0, 100));
  connection.ingest.handleTimeout(250);
  connection.ingest.handleTimeout(3_600_000);
  connection.ingest.handleTimeout(3_600_001);
  assertEquals([connection.failures, connection.ingest.nextTimeoutMs], [[], 3_600_250]);
  connection.receive(bytes.subarray(100));
  passTime(connection.ingest, 7_200_000);
  assertEquals([connection.failures, broker.counters.stored], [[], 1]);
});
