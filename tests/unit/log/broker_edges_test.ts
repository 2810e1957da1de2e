// runtimes: node
import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { BrokerScene, type BrokerSceneOptions } from "./broker_scene.ts";
import { bodyOf, type Peer } from "./broker_peer.ts";
import type { SessionOpened } from "../../../src/log/wire/messages.ts";

const BOUND = { retention: { bytesMax: 10_000, ageMsMax: 0, keepFor: [] } };
const LARGE = "x".repeat(900);

function started(
  options: BrokerSceneOptions = {},
): { scene: BrokerScene; peer: Peer; session: SessionOpened } {
  const scene = new BrokerScene(options);
  const peer = scene.peer();
  peer.openTopic();
  return { scene, peer, session: peer.openSession() };
}

test("what a replaced or closed epoch held does not hold back retention", () => {
  for (const how of ["replaced", "closed", "forgotten"]) {
    const { scene, peer, session } = started({ topic: BOUND });
    peer.publish(session, 1, "held");
    assertEquals(scene.topic().sequencer.heldNow, 1);
    if (how === "replaced") peer.askSession({ session: session.session });
    else peer.say({ type: "closeSession", session: session.session, epoch: 1 });
    assertEquals(scene.topic().sequencer.heldNow, 0);
    peer.take("ack");
    const next = how === "replaced" ? { session: session.session, epoch: 2 } : peer.openSession();
    for (let at = 0; at < 60; at++) peer.publish(next, at, LARGE);
    assert(scene.topic().store.segments <= 3, `${scene.topic().store.segments} segments are left`);
    peer.vanish();
    scene.settle();
    scene.assertNothingHeld();
  }
});

test("a store that stops while batches wait for it gives their memory back, and the topic comes again", () => {
  const { scene, peer, session } = started({
    store: "machine",
    writeBehindBytesMax: 2_000,
    topic: { ack: 1 },
  });
  for (let at = 0; at < 6; at++) peer.publishMore(session, at, LARGE);
  scene.broker.endOfBurst();
  assert(scene.topic().ring.waiting > 0, "some wait");
  const waiting = scene.peer();
  waiting.openTopic();
  scene.disk.failNext("write");
  scene.until(() => scene.notices.length > 0, "the store's end");
  assert(!peer.open && !waiting.open, "who used the topic is told by the end of the link");
  scene.settle();
  assertEquals(scene.broker.status().staging.inUse, 0);
  scene.run(3_000);
  const again = scene.peer();
  again.openTopic();
  const resumed = again.openSession({ session: session.session, epoch: session.epoch });
  for (let at = resumed.nextBatch; at < 8; at++) again.publish(resumed, at, `later ${at}`);
  scene.settle();
  assertEquals(again.take("ack").at(-1)?.nextBatch, 8);
  again.vanish();
  scene.settle();
  scene.assertNothingHeld();
  scene.close();
});

test("a store that stops while publishers wait for a grant", () => {
  const { scene, peer } = started({ store: "machine", broker: { grantBatchesMax: 1, grantBytesMax: 1_024 } });
  const others = [1, 2, 3].map(() => {
    const one = scene.peer();
    one.openTopic();
    one.askSession();
    return one;
  });
  peer.publish({ session: 1n, epoch: 1 }, 0, "x");
  assert(scene.topic().sequencer.waiting > 0);
  scene.disk.failNext("write");
  scene.until(() => scene.notices.length > 0);
  scene.run(5_000);
  assert(others.every(({ open }) => !open));
  scene.assertNothingHeld();
  scene.close();
});

for (const at of Array.from({ length: 14 }, (_, index) => index)) {
  test(`a broker is closed ${at} events after somebody asked for a topic`, () => {
    const scene = new BrokerScene({ store: "machine" });
    const peer = scene.peer();
    peer.say({ type: "openTopic", request: 1, topic: "orders", options: {} });
    scene.steps(at);
    scene.close();
    assert(!peer.open);
    scene.run(5_000);
    assertEquals(scene.disk.openFiles, 0);
  });
}

test("a broker is closed while a topic whose store failed waits to be opened again, or is being opened", () => {
  for (const ms of [0, 1, 500, 999, 1_001, 1_002, 1_004, 1_006]) {
    const { scene, peer, session } = started({ store: "machine" });
    scene.disk.failNext("sync");
    peer.publish(session, 0, "x");
    scene.until(() => scene.notices.length > 0 || scene.loop.nowMs > 10_000);
    assertEquals(scene.notices.length, 1);
    scene.run(ms);
    scene.close();
    scene.run(5_000);
    assertEquals(scene.disk.openFiles, 0);
  }
});

test("what is said while a broker closes is not taken", () => {
  for (let at = 0; at < 20; at++) {
    const { scene, peer, session } = started({ store: "machine" });
    peer.say({ type: "openConsumer", request: 5, topic: "orders", consumer: "c" });
    const consumer = peer.wait("consumerOpened");
    peer.subscribe();
    peer.publish(session, 0, "x");
    let closed = 0;
    scene.broker.close(() => closed++);
    scene.steps(at);
    peer.publish(session, 1, "y");
    const { handle, epoch } = consumer;
    peer.say({ type: "commit", request: 6, handle, epoch, position: 0n, generation: 1 });
    peer.say({ type: "trim", request: 7, topic: "orders", before: 1n });
    peer.askSession();
    peer.read(0n);
    peer.say({ type: "credit", cursor: 1, consumedBytes: 5 });
    peer.say({ type: "openConsumer", request: 8, topic: "orders", consumer: "d" });
    peer.say({ type: "closeSession", session: session.session, epoch: 1 });
    scene.until(() => closed === 1);
    scene.run(5_000);
    assert(!peer.open);
    scene.restart();
    const again = scene.peer();
    assertEquals(again.openTopic().generation, 1, "it was closed in order");
    again.read(0n);
    again.wait("records");
    assert(again.seen.some(({ value }) => value === "x"));
  }
});

test("nobody uses a topic before what was found is as durable as what will be acknowledged", () => {
  const { scene, peer, session } = started({ store: "machine", topic: { ack: 2 } });
  peer.publish(session, 0, "x");
  peer.wait("ack");
  scene.kill();
  const first = scene.peer();
  first.say({ type: "openTopic", request: 1, topic: "orders", options: {} });
  scene.until(() => scene.broker.topics.all.length > 0);
  const second = scene.peer();
  second.askSession({ session: session.session, epoch: 1 });
  second.read(0n);
  second.say({ type: "openTopic", request: 1, topic: "orders", options: {} });
  second.assertQuiet();
  const { tail } = scene.machine().store;
  second.wait("sessionOpened");
  assert(scene.machine().store.synced >= tail);
});

test("whoever waits for a topic whose store fails before it is there is told", () => {
  for (const kind of ["sync", "write", "syncFolder", "open", "list"] as const) {
    const scene = new BrokerScene({ store: "machine" });
    const peer = scene.peer();
    scene.disk.failNext(kind);
    peer.say({ type: "openTopic", request: 1, topic: "orders", options: {} });
    scene.settle();
    scene.run(10_000);
    assert(peer.told.length === 1 || !peer.open, `${kind}: ${peer.told.length} answers`);
    scene.close();
  }
});

test("a list of topics that cannot be read is read again, and takes nothing for missing", () => {
  const { scene, peer, session } = started({ store: "machine" });
  peer.publish(session, 0, "x");
  peer.wait("ack");
  scene.close();
  scene.restart();
  const { list } = scene.stores;
  const again = scene.peer();
  scene.stores.list = (done) => done({ kind: "stopped", message: "no list today" });
  again.read(0n);
  again.expectRefused("ERR_LOG_STORE_FAILED");
  again.subscribe();
  assertEquals(again.expect("cursorEnded").error.code, "ERR_LOG_STORE_FAILED");
  scene.stores.list = list.bind(scene.stores);
  again.read(0n);
  again.wait("records");
});

for (const how of ["unsubscribe", "subscribe", "vanish"] as const) {
  test(`a subscription that is taken back before it began stays away: ${how}`, () => {
    const { scene, peer, session } = started({ store: "machine" });
    for (let at = 0; at < 40; at++) {
      peer.publish(session, at, LARGE);
      scene.settle();
    }
    scene.close();
    scene.restart();
    const again = scene.peer();
    again.openTopic();
    again.subscribe({ start: "timestamp", from: 1n });
    again.assertQuiet();
    if (how === "unsubscribe") again.say({ type: "unsubscribe", cursor: 1 });
    else if (how === "subscribe") again.subscribe({ start: "latest" });
    else again.vanish();
    scene.settle();
    const begun = how === "subscribe" ? 1 : 0;
    assertEquals(again.take("subscribed").map(({ position }) => position), begun === 1 ? [40n] : []);
    assertEquals([scene.topic().subscriptions, again.seen.length], [begun, 0]);
    again.vanish();
    scene.assertNothingHeld();
  });
}

test("acknowledgements go to the link that has the session, not to the one that had it", () => {
  const { scene, peer, session } = started();
  peer.room = 0;
  peer.say({ type: "status", request: 1 });
  peer.publish(session, 0, "x");
  const newer = scene.peer();
  newer.openTopic();
  const resumed = newer.openSession({ session: session.session, epoch: session.epoch });
  assertEquals(resumed.runs, [{ batch: 0, batches: 1, position: 0n }]);
  newer.room = 0;
  newer.say({ type: "status", request: 1 });
  newer.publish(resumed, 1, "y");
  peer.writable();
  newer.writable();
  assertEquals(newer.take("ack").map(({ runs }) => runs), [[{ batch: 1, batches: 1, position: 1n }]]);
  assertEquals(peer.take("ack"), []);
});

test("one session id in two topics of a link leaves nothing behind", () => {
  const { scene, peer, session } = started();
  peer.openTopic("others");
  peer.openSession({ topic: "others", session: session.session });
  peer.vanish();
  scene.settle();
  scene.assertNothingHeld();
});

test("records grow old in a topic that nobody writes to", () => {
  for (const store of ["memory", "machine"] as const) {
    const { scene, peer, session } = started({
      store,
      topic: { retention: { bytesMax: 0, ageMsMax: 60_000, keepFor: [] } },
    });
    for (let at = 0; at < 40; at++) {
      peer.publish(session, at, LARGE);
      scene.settle();
    }
    assert(scene.topic().store.segments > 3);
    scene.run(200_000);
    assertEquals(scene.topic().store.segments, 1, store);
  }
});

test("bytes that a peer asks for and does not read are bounded", () => {
  const { scene, peer, session } = started({
    broker: { stagingBufferBytes: 1_048_576, memoryBytesMax: 67_108_864, holdBytesMax: 4_194_304 },
    topic: { segmentBytes: 8_388_608 },
  });
  const value = "x".repeat(1_000_000);
  peer.publish(session, 0, value);
  const reader = scene.peer();
  reader.room = 0;
  for (let at = 0; at < 200 && reader.open; at++) reader.read(0n, { bytesMax: 1_000_000 });
  assert(!reader.open, "200 MB wait for it");
});

test("two readers on one link share it", () => {
  const { scene, peer, session } = started();
  const reader = scene.peer();
  reader.subscribe({ cursor: 1 });
  reader.subscribe({ cursor: 2 });
  reader.take("subscribed");
  reader.room = 0;
  for (let at = 0; at < 20; at++) peer.publish(session, at, `${at}`);
  const counts = new Map([[1, 0], [2, 0]]);
  for (let round = 0; round < 20; round++) {
    peer.publish(session, 20 + round, "more");
    reader.writable(1);
    for (const { cursor } of reader.take("records")) counts.set(cursor, counts.get(cursor)! + 1);
  }
  assert([...counts.values()].every((count) => count >= 5), JSON.stringify([...counts]));
});

test("consumers by the thousand do not outgrow a segment", () => {
  const { scene, peer } = started({ store: "machine" });
  const consumer = "c".repeat(200);
  for (let at = 0; at < 3_000; at++) {
    peer.say({ type: "openConsumer", request: at, topic: "orders", consumer: `${consumer}${at}` });
    if (at % 20 === 0) scene.settle();
  }
  scene.settle();
  peer.take("consumerOpened");
  const session = peer.openSession();
  for (let at = 0; at < 60; at++) {
    peer.publish(session, at, LARGE);
    scene.settle();
  }
  assertEquals(peer.take("ack").at(-1)?.nextBatch, 60);
  assert(bodyOf(["x"]).length > 0);
});

test("a session that began long after the last record is not forgotten after a restart as if it were as old as that", () => {
  for (const recorded of [false, true]) {
    const { scene, peer, session } = started({ store: "machine" });
    if (recorded) peer.publish(session, 0, "x");
    const names = ["", "p"];
    scene.run(8 * 86_400_000);
    peer.told.length = 0;
    const young = names.map((publisher) => peer.openSession(publisher === "" ? {} : { publisher }));
    scene.settle();
    scene.kill();
    const other = scene.peer();
    other.openTopic();
    scene.run(60_000);
    other.openSession();
    scene.run(60_000);
    young.forEach(({ session: id, epoch }, at) => {
      const resumed = other.openSession({ session: id, epoch, publisher: names[at]! });
      assertEquals([resumed.session, resumed.epoch], [id, epoch]);
    });
  }
});

test("a session that was idle for too long is forgotten, also over restarts, and its publisher is told", () => {
  const { scene, peer, session } = started({ store: "machine" });
  peer.publish(session, 0, "x");
  scene.settle();
  peer.vanish();
  scene.run(4 * 86_400_000);
  scene.kill();
  const again = scene.peer();
  again.openTopic();
  scene.run(2 * 86_400_000);
  again.openSession();
  const known = scene.topic().sequencer.sessions;
  assertEquals(known, 2);
  scene.run(2 * 86_400_000);
  assertEquals(scene.topic().sequencer.sessions, 1);
  again.askSession({ session: session.session, epoch: 1, acknowledged: 1 });
  assertEquals(again.wait("fenced").reason, "sessionUnknown");
});

test("a topic of ack 0 is ordered and read as any other", () => {
  for (const store of ["memory", "machine"] as const) {
    const { scene, peer, session } = started({ store, topic: { ack: 0 } });
    const reader = scene.peer();
    reader.subscribe();
    for (let at = 0; at < 8; at++) peer.publish(session, at, `${at}`);
    scene.settle();
    assertEquals(reader.seen.map(({ value }) => value), Array.from({ length: 8 }, (_, at) => `${at}`));
    assertEquals(peer.take("ack").at(-1)?.nextBatch, 8, "its window moves on");
    const more = peer.openSession({ ack: 1 });
    peer.publish(more, 0, "more");
    scene.settle();
    assertEquals(reader.seen.at(-1), { position: 8n, value: "more" });
  }
});

test("a link that ends while the first of its waiting sessions is opened gets no second one", () => {
  const scene = new BrokerScene({ broker: { grantBatchesMax: 2 } });
  const peer = scene.peer();
  peer.openTopic();
  const sessions = [1, 2].map(() => peer.openSession({ windowBatches: 1 }));
  assertEquals(sessions.map(({ limit }) => limit), [1, 1]);
  const waiting = scene.peer();
  waiting.askSession();
  waiting.askSession();
  assertEquals(scene.topic().sequencer.waiting, 2);
  // One answer more, and it is ended.
  waiting.room = 0;
  for (let request = 0; request < 4_096; request++) {
    waiting.say({ type: "trim", request, topic: "orders", before: 0n });
  }
  assert(waiting.open);
  peer.vanish();
  scene.run(5_000);
  assert(!waiting.open);
  scene.assertNothingHeld();
});

test("a topic that nobody uses asks for no timer", () => {
  for (const store of ["memory", "process", "machine"] as const) {
    const { scene, peer, session } = started({ store });
    peer.publish(session, 0, "x");
    scene.run(10_000);
    assertEquals(scene.machine().nextTimeoutMs, Infinity, store);
    peer.vanish();
    scene.run(10_000);
    // But for the session that is forgotten after a week.
    assert(scene.machine().nextTimeoutMs > scene.loop.nowMs + 86_400_000);
  }
});
