// runtimes: node
import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import type { SessionOpened } from "../../../src/log/wire/messages.ts";
import type { Peer } from "./broker_peer.ts";
import { BrokerScene, type BrokerSceneOptions } from "./broker_scene.ts";

const LARGE = "x".repeat(900);
const STORES = ["memory", "machine"] as const;

function started(
  options: BrokerSceneOptions = {},
): { scene: BrokerScene; peer: Peer; session: SessionOpened } {
  const scene = new BrokerScene(options);
  const peer = scene.peer();
  peer.openTopic();
  return { scene, peer, session: peer.openSession() };
}

/** Publishes so many batches of one large record, one after the other. */
function fill(peer: Peer, session: SessionOpened, from: number, to: number): void {
  for (let at = from; at < to; at++) {
    peer.publish(session, at, `${at} ${LARGE}`);
    peer.scene.settle();
  }
}

test("a read waits for records, and is answered with nothing when its time is over, or at once", () => {
  const { scene, peer, session } = started();
  const reader = scene.peer();
  reader.read(0n);
  assertEquals(reader.expect("records").entries, []);
  reader.read(0n, { request: 7, waitMs: 500 });
  reader.read(1n, { request: 8, waitMs: 100 });
  reader.read(9n, { request: 9, waitMs: 1_000_000 });
  reader.assertQuiet();
  peer.publish(session, 0, "x");
  assertEquals(reader.take("records").map(({ request, position, tail }) => [request, position, tail]), [[
    7,
    0n,
    1n,
  ]]);
  scene.run(99);
  reader.assertQuiet();
  scene.run(5);
  assertEquals(reader.take("records").map(({ request, entries }) => [request, entries.length]), [[8, 0]]);
  reader.vanish();
  peer.vanish();
  scene.settle();
  scene.assertNothingHeld();
  assertEquals(scene.machine().readers.nextTimeoutMs, Infinity);
});

test("a link has so many reads waiting, and another one is answered at once", () => {
  const { scene } = started();
  const reader = scene.peer();
  for (let request = 1; request <= 1_025; request++) reader.read(0n, { request, waitMs: 60_000 });
  assertEquals(reader.take("records").map(({ request }) => request), [1_025]);
});

test("scenario 51: a subscription to a topic that nobody has made begins when somebody does, from its beginning", () => {
  for (const store of STORES) {
    const scene = new BrokerScene({ store });
    const early = [1, 2].map(() => scene.peer());
    for (const reader of early) reader.subscribe({ start: "latest" });
    const gone = scene.peer();
    gone.subscribe();
    const back = scene.peer();
    back.subscribe();
    back.say({ type: "unsubscribe", cursor: 1 });
    gone.vanish();
    scene.settle();
    const peer = scene.peer();
    peer.openTopic();
    const session = peer.openSession();
    const joined = scene.peer();
    peer.publish(session, 0, "a", "b");
    scene.settle();
    joined.subscribe({ start: "position", from: 1n });
    peer.publish(session, 1, "c");
    scene.settle();
    for (const reader of early) assertEquals(reader.seen.map(({ value }) => value), ["a", "b", "c"]);
    // A batch comes whole: who reads it leaves out what was before.
    assertEquals(joined.seen.map(({ value }) => value), ["a", "b", "c"]);
    assertEquals([back.seen, back.told, gone.seen], [[], [], []]);
    assertEquals(scene.topic().subscriptions, 3);
  }
});

test("where a subscription begins: every way, over many segments, also after a restart", () => {
  for (const store of STORES) {
    const { scene, peer, session } = started({ store });
    const times: number[] = [];
    for (let at = 0; at < 40; at++) {
      times.push(Math.floor(1_750_000_000_000 + scene.loop.nowMs));
      peer.publish(session, at, `${at} ${LARGE}`);
      scene.settle();
      scene.run(1_000);
    }
    for (const again of store === "machine" ? [false, true] : [false]) {
      if (again) scene.kill();
      const reader = scene.peer();
      reader.openTopic();
      const begins = (change: Parameters<Peer["subscribe"]>[0]): bigint => {
        reader.subscribe({ creditBytes: 0, ...change });
        return reader.wait("subscribed").position;
      };
      assertEquals(begins({ start: "earliest" }), 0n);
      assertEquals(begins({ start: "latest" }), 40n);
      for (const at of [0n, 1n, 17n, 39n, 40n]) assertEquals(begins({ start: "position", from: at }), at);
      times.forEach((ms, at) => {
        assertEquals(begins({ start: "timestamp", from: BigInt(ms) }), BigInt(at), `${at}`);
        assertEquals(begins({ start: "timestamp", from: BigInt(ms + 1) }), BigInt(at + 1), `behind ${at}`);
      });
      assertEquals(begins({ start: "timestamp", from: 0n }), 0n);
      assertEquals(begins({ start: "timestamp", from: 9_000_000_000_000_000n }), 40n);
    }
  }
});

test("a cursor of an earlier generation goes on where nothing was cut, and is told where something was", () => {
  const { scene, peer, session } = started({ store: "machine", topic: { syncIntervalMs: 0 } });
  peer.publish(session, 0, "kept");
  scene.settle();
  scene.machine().store.sync();
  scene.settle();
  const before = scene.machine().store.synced;
  assert(before > 0);
  peer.publish(session, 1, "cut", "cut", "cut");
  // The machine dies before anything else is written.
  scene.disk.fail = ({ kind }) => kind === "write" ? { kind: "full", message: "no room" } : undefined;
  scene.settle();
  scene.disk.fail = undefined;
  scene.kill();
  const reader = scene.peer();
  assertEquals(reader.openTopic(), { ...reader.openTopic(), generation: 2, tail: 1n });
  const newer = reader.openSession();
  reader.publish(newer, 0, "a", "b", "c", "d");
  reader.wait("ack");
  for (
    const [from, generation, code] of [
      [0n, 1, ""],
      [1n, 1, ""],
      [2n, 1, "ERR_LOG_CUT"],
      [4n, 1, "ERR_LOG_CUT"],
      [4n, 2, ""],
      [4n, 0, ""],
    ] as const
  ) {
    reader.subscribe({ start: "position", from, generation, creditBytes: 0 });
    if (code === "") assertEquals(reader.expect("subscribed").position, from);
    else {
      const { message, ...error } = reader.expect("cursorEnded").error;
      assertEquals(error as unknown, { code, from: 1n, to: from });
      assertEquals(message, `A crash removed positions from 1 on; the cursor was at ${from}`);
    }
  }
});

test("retention by bytes: whole segments go, with feeds reading from them, and readers are told where it goes on", () => {
  for (const store of STORES) {
    const { scene, peer, session } = started({
      store,
      topic: { retention: { bytesMax: 20_000, ageMsMax: 0, keepFor: [] } },
    });
    const slow = scene.peer();
    slow.subscribe({ creditBytes: 2_000 });
    fill(peer, session, 0, 100);
    const { store: { bytes, segments }, earliest } = scene.topic();
    assert(segments <= 4 && bytes <= 20_000 + 8_192, `${segments} segments, ${bytes} bytes`);
    assert(BigInt(earliest) > 70n);
    assert(scene.machine().index.segments.length === segments, "the index has what the store has");
    const had = slow.seen.length;
    assert(had >= 2 && had <= 4);
    const [ended] = slow.take("cursorEnded");
    const { code, from, to } = ended!.error;
    assertEquals([code, from], ["ERR_LOG_TRIMMED", BigInt(had)]);
    assert(to! > from! && to! <= BigInt(earliest));
    slow.say({ type: "credit", cursor: 1, consumedBytes: 1_900 });
    scene.settle();
    slow.assertQuiet();
    slow.read(0n);
    const refused = slow.expectRefused("ERR_LOG_TRIMMED", 4);
    assertEquals([refused.error.from, refused.error.to], [0n, BigInt(earliest)]);
    slow.subscribe();
    scene.settle();
    slow.take("records");
    assertEquals(slow.seen[had]?.position, BigInt(earliest));
    for (const one of [slow, peer]) one.vanish();
    scene.settle();
    scene.assertNothingHeld();
  }
});

test("a consumer that holds retention keeps what it has not committed, wherever the reason to remove comes from", () => {
  for (const store of STORES) {
    for (const retention of [{ bytesMax: 9_000, ageMsMax: 0 }, { bytesMax: 0, ageMsMax: 5_000 }]) {
      const { scene, peer, session } = started({
        store,
        topic: { retention: { ...retention, keepFor: ["c"] } },
      });
      fill(peer, session, 0, 30);
      scene.run(20_000);
      assertEquals(scene.topic().earliest, "0", "it has not even begun");
      peer.take("ack");
      peer.say({ type: "openConsumer", request: 5, topic: "orders", consumer: "c" });
      const { handle, epoch } = peer.wait("consumerOpened");
      const commit = (position: bigint): void => {
        peer.say({ type: "commit", request: 6, handle, epoch, position, generation: 1 });
        assertEquals(peer.wait("done").position, position);
        scene.run(20_000);
      };
      commit(15n);
      const { earliest } = scene.topic();
      assert(BigInt(earliest) > 0n && BigInt(earliest) <= 15n, earliest);
      commit(30n);
      assert(BigInt(scene.topic().earliest) > 15n);
      assertEquals(scene.topic().consumers, [{ name: "c", epoch: 1, position: "30", lag: "0" }]);
    }
  }
});

test("trim: positions go at once, segments as they are whole, and it holds after a restart", () => {
  for (const store of STORES) {
    const { scene, peer, session } = started({ store });
    fill(peer, session, 0, 30);
    peer.take("ack");
    const trim = (before: bigint): bigint => {
      peer.say({ type: "trim", request: 5, topic: "orders", before });
      return peer.wait("done").position;
    };
    assertEquals([trim(0n), trim(5n), trim(3n)], [0n, 5n, 5n]);
    assertEquals(trim(20n), 20n);
    scene.run(2_000);
    peer.told.length = 0;
    assert(scene.topic().store.segments < 4);
    peer.read(19n);
    peer.expectRefused("ERR_LOG_TRIMMED");
    peer.read(20n);
    assertEquals(peer.wait("records").position, 20n);
    assertEquals(trim(1_000n), 30n, "no further than the tail");
    peer.read(30n);
    assertEquals(peer.wait("records").entries, []);
    if (store === "memory") continue;
    scene.settle();
    scene.kill();
    const again = scene.peer();
    const opened = again.openTopic();
    assertEquals([opened.earliest, opened.tail], [30n, 30n]);
  }
});

test("a full memory store refuses, keeps what it has, and goes on when room was made", () => {
  const { scene, peer, session } = started({
    topic: { retention: { bytesMax: 0, ageMsMax: 0, keepFor: ["c"] } },
  });
  let at = 0;
  while (peer.told.every(({ type }) => type !== "refused")) peer.publish(session, at++, LARGE);
  const refused = peer.take("refused")[0]!;
  assertEquals([refused.error.code, refused.batch], ["ERR_LOG_STORE_FULL", at - 1]);
  assertEquals(scene.topic().tail, `${at - 1}`);
  peer.publish(session, at - 1, LARGE);
  peer.expectRefused("ERR_LOG_STORE_FULL");
  peer.say({ type: "openConsumer", request: 5, topic: "orders", consumer: "c" });
  const { handle, epoch } = peer.expect("consumerOpened");
  peer.say({ type: "commit", request: 6, handle, epoch, position: 20n, generation: 1 });
  peer.expect("done");
  peer.publish(session, at - 1, LARGE);
  assertEquals(peer.expect("ack").nextBatch, at);
  const { ingest } = scene.broker.status();
  assertEquals([ingest.refusals.storeFull, ingest.drops], [2, 0]);
});

test("without anybody who holds it a full memory store lets the oldest go, and nobody is refused", () => {
  const { scene, peer, session } = started();
  fill(peer, session, 0, 300);
  assertEquals(peer.take("refused"), []);
  assertEquals(scene.topic().tail, "300");
  assert(BigInt(scene.topic().earliest) > 200n);
});

test("consumers: one active reader by name, its position outlives everything", () => {
  for (const store of STORES) {
    const { scene, peer, session } = started({ store });
    peer.publish(session, 0, "a", "b", "c");
    scene.settle();
    peer.take("ack");
    const open = (one: Peer, consumer = "c"): ReturnType<Peer["wait"]> & { type: "consumerOpened" } => {
      one.say({ type: "openConsumer", request: 5, topic: "orders", consumer });
      return one.wait("consumerOpened") as ReturnType<Peer["wait"]> & { type: "consumerOpened" };
    };
    const first = open(peer);
    assertEquals([first.epoch, first.position, first.tail], [1, undefined, 3n]);
    const commit = (
      one: Peer,
      { handle, epoch }: { handle: number; epoch: number },
      position: bigint,
    ): void => {
      one.say({ type: "commit", request: 6, handle, epoch, position, generation: 1 });
    };
    commit(peer, first, 2n);
    assertEquals(peer.wait("done").position, 2n);
    const other = scene.peer();
    const second = open(other);
    assertEquals([second.epoch, second.position, second.committedGeneration], [2, 2n, 1]);
    assertEquals(peer.wait("consumerSuperseded"), {
      type: "consumerSuperseded",
      handle: first.handle,
      epoch: 1,
    });
    commit(peer, first, 3n);
    peer.expectRefused("ERR_LOG_SUPERSEDED", 6);
    commit(other, second, 1n);
    assertEquals(other.wait("done").position, 1n, "it may go back");
    // A second one on the same link has a handle of its own; who closes one keeps the other.
    const third = open(other, "d");
    assert(third.handle !== second.handle);
    other.say({ type: "closeConsumer", handle: second.handle });
    commit(other, second, 3n);
    other.expectRefused("ERR_LOG_SUPERSEDED", 6);
    commit(other, third, 3n);
    other.wait("done");
    other.vanish();
    const last = open(peer);
    assertEquals([last.epoch, last.position], [3, 1n]);
    if (store === "memory") continue;
    scene.settle();
    scene.kill();
    const again = scene.peer();
    again.openTopic();
    const after = open(again);
    assertEquals([after.epoch, after.position, after.committedGeneration, after.generation], [4, 1n, 1, 2]);
    assertEquals(scene.topic().consumers.map(({ name, position, lag }) => [name, position, lag]), [
      ["c", "1", "2"],
      ["d", "3", "0"],
    ]);
  }
});

test("a topic through which much has passed keeps nothing for what is gone", () => {
  for (const store of STORES) {
    const { scene, peer, session } = started({
      store,
      topic: { retention: { bytesMax: 16_384, ageMsMax: 0, keepFor: [] } },
    });
    const reader = scene.peer();
    reader.subscribe();
    let consumed = 0;
    const sizes = [300, 1_000].map((batches) => {
      for (let at = batches === 300 ? 0 : 300; at < batches; at++) {
        peer.publish(session, at, LARGE);
        if (at % 4 === 0) scene.settle();
        for (const { entries } of reader.take("records")) {
          consumed += entries.reduce((sum, { bodyBytes }) => sum + bodyBytes, 0);
        }
        reader.say({ type: "credit", cursor: 1, consumedBytes: consumed });
        peer.told.length = 0;
      }
      scene.run(3_000);
      const machine = scene.machine();
      const rows = machine.index.segments.reduce((sum, { index }) => sum + (index?.rows ?? 0), 0);
      assertEquals([machine.ingest.reaches(-1), machine.ingest.ring.inFlight, machine.journal.waiting], [
        -1,
        0,
        0,
      ]);
      assertEquals(scene.broker.pool.inUse, 0);
      return { rows, segments: machine.store.segments.length, kept: machine.index.segments.length };
    });
    for (const size of sizes) {
      assert(size.rows <= 40 && size.segments <= 4 && size.kept <= 4, JSON.stringify(size));
    }
    assertEquals(reader.seen.length, 1_000);
    assertEquals(peer.scene.machine().sequencer.takeRuns(session.session).length <= 64, true);
    if (store === "machine") assert(scene.disk.names("orders").length <= 4);
  }
});
