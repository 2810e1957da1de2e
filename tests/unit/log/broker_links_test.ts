// runtimes: node
import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { concat } from "../../../src/bytes/bytes.ts";
import type * as M from "../../../src/log/wire/messages.ts";
import { BrokerScene } from "./broker_scene.ts";
import { batchBytes, bytesOf, StreamPeer } from "./broker_stream.ts";

const STORES = ["memory", "machine"] as const;
const SESSION = { session: 500n, epoch: 1 };

/** Everything that a client says in its life: before its session is open, then batches, then what it has read. */
function conversation(): [Uint8Array, Uint8Array, Uint8Array] {
  const topic = "orders";
  const messages: M.ClientMessage[] = [
    { type: "hello", versionMin: 1, versionMax: 1, features: 0 },
    { type: "openTopic", request: 1, topic, options: {} },
    {
      type: "openSession",
      request: 2,
      topic,
      publisher: "",
      session: SESSION.session,
      epoch: 0,
      acknowledged: 0,
      ack: 1,
      windowBatches: 8,
      windowBytes: 4_096,
    },
    { type: "openConsumer", request: 3, topic, consumer: "c" },
    {
      type: "subscribe",
      request: 4,
      cursor: 1,
      topic,
      start: "earliest",
      from: 0n,
      generation: 0,
      creditBytes: 1_000,
    },
    { type: "read", request: 5, topic, from: 5n, bytesMax: 100, waitMs: 10_000 },
    {
      type: "subscribe",
      request: 6,
      cursor: 2,
      topic: "none",
      start: "latest",
      from: 0n,
      generation: 0,
      creditBytes: 1,
    },
  ];
  const batches = concat([
    batchBytes(SESSION, 0, "a", "b"),
    batchBytes(SESSION, 2, "d".repeat(100)),
    batchBytes(SESSION, 1, "c".repeat(200)),
  ]);
  const commit = bytesOf({ type: "commit", request: 7, handle: 1, epoch: 1, position: 1n, generation: 1 });
  return [concat(messages.map((message) => bytesOf(message))), batches, commit];
}

test("scenario 64: a conversation that arrives byte by byte, or in chunks of any size, is the same conversation", () => {
  const parts = conversation();
  for (const store of STORES) {
    const told = [1, 2, 3, 7, 64, 1_000].map((size) => {
      const scene = new BrokerScene({ store });
      const stream = new StreamPeer(scene);
      for (const bytes of parts) {
        for (let at = 0; at < bytes.length; at += size) {
          stream.receive(bytes.subarray(at, at + size));
          if (size < 10) scene.steps(1);
        }
        scene.settle();
      }
      const { seen, told } = stream.peer;
      assertEquals(seen.map(({ value }) => value[0]), ["a", "b", "c", "d"]);
      const types = [...new Set(told.map(({ type }) => type))].sort();
      const acked = told.filter((message): message is M.AckMessage => message.type === "ack").at(-1)!;
      assertEquals(acked.nextBatch, 3);
      return types;
    });
    for (const types of told) assertEquals(types, told[0]);
    assert(told[0]!.includes("consumerOpened") && told[0]!.includes("sessionOpened"));
  }
});

test("links that are cut at any byte of their conversation leave nothing behind, and disturb nobody", () => {
  const parts = conversation();
  const [begin] = parts;
  const bytes = concat(parts);
  for (const store of STORES) {
    const scene = new BrokerScene({ store, broker: { stagingBuffers: 1 }, topic: { leaseMs: 100 } });
    const good = scene.peer();
    good.openTopic();
    const session = good.openSession();
    let published = 0;
    for (let at = 1; at < bytes.length; at += store === "memory" ? 2 : 13) {
      const stream = new StreamPeer(scene);
      const head = Math.min(at, begin.length);
      stream.receive(bytes.subarray(0, head));
      scene.settle();
      stream.receive(bytes.subarray(head, at));
      if (at % 3 === 0) scene.settle();
      stream.cut();
      if (at % 7 > 0) continue;
      good.publish(session, published++, "good");
      scene.settle();
      assertEquals(good.take("ack").at(-1)?.nextBatch, published);
      const { connections, staging, topics } = scene.broker.status();
      assertEquals([connections, staging.inUse, topics[0]!.publishers, topics[0]!.subscriptions], [
        1,
        0,
        1,
        0,
      ]);
    }
    good.vanish();
    scene.run(5_000);
    scene.assertNothingHeld();
    assertEquals(scene.broker.pool.waiting, 0);
    scene.close();
  }
});

test("connections that share one staging buffer: one that is cut, and one that stops, hold up nobody for ever", () => {
  const scene = new BrokerScene({ broker: { stagingBuffers: 1, payloadTimeoutMs: 1_000 } });
  const [cut, stalled, last] = [0, 1, 2].map(() => new StreamPeer(scene));
  const opener = scene.peer();
  opener.openTopic();
  const sessions = [cut!, stalled!, last!].map((stream, at) => {
    const session = { session: BigInt(600 + at), epoch: 1 };
    stream.receive(bytesOf({ type: "hello", versionMin: 1, versionMax: 1, features: 0 }));
    stream.receive(bytesOf({
      type: "openSession",
      request: 2,
      topic: "orders",
      publisher: "",
      session: session.session,
      epoch: 0,
      acknowledged: 0,
      ack: 1,
      windowBatches: 4,
      windowBytes: 4_096,
    }));
    stream.peer.told.length = 0;
    return session;
  });
  const batches = sessions.map((session) => batchBytes(session, 0, "x".repeat(500)));
  cut!.receive(batches[0]!.subarray(0, 300));
  stalled!.receive(batches[1]!.subarray(0, 300));
  last!.receive(batches[2]!);
  scene.settle();
  assertEquals([scene.broker.status().staging.inUse, scene.broker.pool.waiting], [1, 2]);
  cut!.cut();
  scene.settle();
  assertEquals([scene.broker.status().staging.inUse, scene.broker.pool.waiting], [1, 1]);
  scene.run(2_500);
  assert(!stalled!.peer.open, "a body that does not come ends its connection");
  scene.settle();
  assertEquals(last!.peer.take("ack").at(-1)?.nextBatch, 1);
  last!.cut();
  opener.vanish();
  scene.settle();
  scene.assertNothingHeld();
  assertEquals(scene.broker.status().ingest.payloadTimeouts, 1);
});

test("a link that is slow gets everything in the end: answers in order, acks as the latest, records each once", () => {
  for (let seed = 1; seed <= 10; seed++) {
    const scene = new BrokerScene({ seed, store: seed % 2 === 0 ? "machine" : "memory" });
    const { random } = scene;
    const peer = scene.peer();
    peer.openTopic();
    const session = peer.openSession();
    peer.subscribe({ cursor: 1 });
    peer.subscribe({ cursor: 2 });
    scene.settle();
    peer.told.length = 0;
    peer.room = 0;
    let requests = 0;
    let acked = 0;
    const answered: number[] = [];
    const positions = new Map<number, bigint[]>([[1, []], [2, []]]);
    const hear = (): void => {
      for (const message of peer.told.splice(0)) {
        if (message.type === "ack") {
          assert(message.nextBatch >= acked, "acks rise");
          acked = message.nextBatch;
        } else if (message.type === "done") answered.push(message.request);
        else if (message.type === "records") {
          positions.get(message.cursor)!.push(...message.entries.map(({ position }) => position));
        }
      }
    };
    let sent = 0;
    for (let step = 0; step < 120; step++) {
      if (random.chance(0.5) && sent < acked + 8) peer.publish(session, sent++, `${sent}`);
      if (random.chance(0.3)) peer.say({ type: "trim", request: ++requests, topic: "orders", before: 0n });
      if (random.chance(0.3)) peer.writable(random.integer(0, 3));
      scene.steps(random.integer(0, 4));
      hear();
    }
    peer.writable();
    scene.settle();
    hear();
    assertEquals(acked, sent);
    assertEquals(answered, Array.from({ length: requests }, (_, at) => at + 1));
    const all = Array.from({ length: sent }, (_, at) => BigInt(at));
    assertEquals([...positions.values()], [all, all]);
  }
});

test("a link that asks and never reads is ended at its bound, and costs nothing afterwards", () => {
  const scene = new BrokerScene();
  const peer = scene.peer();
  peer.openTopic();
  const session = peer.openSession();
  peer.subscribe();
  peer.room = 0;
  let said = 0;
  while (peer.open && said < 10_000) {
    peer.say({ type: "trim", request: said++, topic: "orders", before: 0n });
    if (said % 100 === 0) peer.publish(session, said / 100 - 1, "x");
  }
  assert(said > 4_000 && said < 5_000, `${said} answers were kept for it`);
  scene.settle();
  scene.assertNothingHeld();
});

for (const failing of [false, true]) {
  const how = failing ? ", over a disk that fails now and then" : "";
  test(`anybody does anything at any time, and vanishes${how}: nothing is left behind`, () => {
    for (let seed = 1; seed <= 8; seed++) {
      anythingAtAnyTime(seed, failing ? "machine" : STORES[seed % 2]!, failing);
    }
  });
}

function anythingAtAnyTime(seed: number, store: "memory" | "machine", failing: boolean): void {
  const scene = new BrokerScene({
    seed,
    store,
    broker: { stagingBuffers: 2, grantBatchesMax: 6 },
    topic: { leaseMs: 200, retention: { bytesMax: 9_000, ageMsMax: 0, keepFor: [] } },
    writeBehindBytesMax: 2_000,
  });
  const { random } = scene;
  let broken: string | undefined;
  scene.disk.fail = ({ kind }) => kind === broken ? { kind: "failed", message: `no ${kind} now` } : undefined;
  let streams: StreamPeer[] = [];
  const topics = ["orders", "others"];
  for (let step = 0; step < 250; step++) {
    if (failing) {
      broken = random.chance(0.1)
        ? random.pick(["write", "sync", "syncFolder", "open", "read", "remove", "list", "truncate", "close"])
        : undefined;
    }
    if (streams.length < 6 && random.chance(0.2)) {
      const stream = new StreamPeer(scene);
      stream.receive(bytesOf({ type: "hello", versionMin: 1, versionMax: 1, features: 0 }));
      streams.push(stream);
    }
    streams = streams.filter(({ peer }) => peer.open);
    if (streams.length === 0) continue;
    const stream = random.pick(streams);
    stream.peer.room = random.chance(0.2) ? random.integer(0, 2) : Infinity;
    if (random.chance(0.1)) stream.peer.writable(random.pick([1, 5, Infinity]));
    const bytes = anything(random, random.pick(topics));
    // Some say only a part, and the rest never comes.
    if (random.chance(0.08)) {
      stream.receive(bytes.subarray(0, random.integer(0, bytes.length)));
      if (random.chance(0.5)) scene.steps(3);
      stream.cut();
    } else stream.receive(bytes);
    if (random.chance(0.4)) scene.steps(random.integer(1, 5));
  }
  broken = undefined;
  for (const stream of streams) if (stream.peer.open) stream.cut();
  scene.run(5_000);
  scene.assertNothingHeld();
  scene.close();
  assertEquals(scene.disk.openFiles, 0);
}

/** One message with small numbers, so that many fit what others have said. */
function anything(random: BrokerScene["random"], topic: string): Uint8Array {
  const small = (): number => random.integer(0, 4);
  const session = BigInt(random.integer(1, 6));
  const request = small();
  const message = random.pick<() => Uint8Array>([
    () => bytesOf({ type: "openTopic", request, topic, options: {} }),
    () =>
      bytesOf({
        type: "openSession",
        request,
        topic,
        publisher: random.pick(["", "", "p"]),
        session: random.chance(0.9) ? session : 0n,
        epoch: random.pick([0, 0, 1, 2]),
        acknowledged: 0,
        ack: 1,
        windowBatches: 4,
        windowBytes: 2_000,
      }),
    () => batchBytes({ session, epoch: random.integer(1, 3) }, small(), "x".repeat(random.integer(0, 900))),
    () => batchBytes({ session, epoch: random.integer(1, 3) }, small(), "y", "z"),
    () => bytesOf({ type: "closeSession", session, epoch: random.integer(1, 3) }),
    () => bytesOf({ type: "yield", session, epoch: 1, limit: small() }),
    () =>
      bytesOf({
        type: "subscribe",
        request,
        cursor: small(),
        topic,
        start: random.pick(["earliest", "latest", "position", "timestamp"]),
        from: BigInt(small()),
        generation: random.integer(0, 1),
        creditBytes: random.pick([0, 500, 100_000]),
      }),
    () => bytesOf({ type: "credit", cursor: small(), consumedBytes: random.integer(0, 5_000) }),
    () => bytesOf({ type: "unsubscribe", cursor: small() }),
    () =>
      bytesOf({ type: "read", request, topic, from: BigInt(small()), bytesMax: 100, waitMs: small() * 50 }),
    () => bytesOf({ type: "openConsumer", request, topic, consumer: random.pick(["c", "d"]) }),
    () =>
      bytesOf({
        type: "commit",
        request,
        handle: small(),
        epoch: small(),
        position: BigInt(small()),
        generation: 1,
      }),
    () => bytesOf({ type: "closeConsumer", handle: small() }),
    () => bytesOf({ type: "trim", request, topic, before: BigInt(small()) }),
    () => bytesOf({ type: "status", request }),
  ]);
  return message();
}
