// runtimes: node
import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import type { SessionOpened } from "../../../src/log/wire/messages.ts";
import type { Peer } from "./broker_peer.ts";
import { judge, ModelPublisher, readAll } from "./broker_crash_model.ts";
import { BrokerScene, type BrokerSceneOptions } from "./broker_scene.ts";

const LARGE = "x".repeat(900);

function started(
  options: BrokerSceneOptions = {},
): { scene: BrokerScene; peer: Peer; session: SessionOpened } {
  const scene = new BrokerScene({ store: "machine", ...options });
  const peer = scene.peer();
  peer.openTopic();
  return { scene, peer, session: peer.openSession() };
}

/** Publishes until the disk is full. Answers how many batches were sent. */
function fill(scene: BrokerScene, peer: Peer, session: SessionOpened): number {
  scene.disk.spaceBytes = 20_000;
  let sent = 0;
  while (scene.topic().state === "open") {
    peer.publish(session, sent++, LARGE);
    scene.settle(20);
    assert(sent < 100);
  }
  return sent;
}

test("a full disk: publishers are told once, refused and kept; readers go on; room lets everything go on", () => {
  const { scene, peer, session } = started();
  const idle = scene.peer();
  const other = idle.openSession();
  const sent = fill(scene, peer, session);
  scene.settle(20);
  const committed = peer.told.reduce(
    (most, one) => one.type === "ack" ? Math.max(most, one.nextBatch) : most,
    0,
  );
  for (const [one, { session: id }] of [[peer, session], [idle, other]] as const) {
    const states = one.take("storeState");
    assertEquals(states.map(({ session, epoch, state }) => [session, epoch, state]), [[id, 1, "full"]]);
  }
  assert(committed < sent, "what is not written is not acknowledged");
  peer.publish(session, sent, LARGE);
  assertEquals(peer.expectRefused("ERR_LOG_STORE_FULL").batch, sent);
  const reader = scene.peer();
  reader.subscribe();
  scene.settle(20);
  assertEquals(reader.seen.length, committed);
  const late = scene.peer();
  late.askSession();
  scene.settle(20);
  assertEquals(late.take("sessionOpened"), [], "its entry cannot be written");
  scene.disk.spaceBytes = Infinity;
  scene.run(5_000);
  assertEquals(idle.take("storeState").map(({ state }) => state), ["resumed"]);
  assertEquals(late.take("sessionOpened").length, 1);
  assertEquals(
    peer.take("ack").at(-1)?.nextBatch,
    sent,
    "what was taken is acknowledged, without being sent again",
  );
  peer.publish(session, sent, LARGE);
  scene.settle();
  assertEquals(peer.take("ack").at(-1)?.nextBatch, sent + 1);
  assertEquals(reader.seen.length, sent + 1);
  for (const one of [peer, idle, reader, late]) one.vanish();
  scene.settle();
  scene.assertNothingHeld();
});

test("trim frees room on a full disk", () => {
  const { scene, peer, session } = started();
  const sent = fill(scene, peer, session);
  scene.run(100);
  peer.told.length = 0;
  const before = scene.disk.usedBytes;
  peer.say({ type: "trim", request: 5, topic: "orders", before: 10n });
  scene.run(5_000);
  // The entry that says so needs room itself: the next one is made of a little that somebody else gave back.
  scene.disk.spaceBytes = before + 9_000;
  scene.run(5_000);
  assert(peer.take("done").length === 1);
  assert(scene.disk.usedBytes < before + 9_000);
  assertEquals(scene.topic().state, "open");
  peer.publish(session, sent, LARGE);
  scene.run(5_000);
  assertEquals(scene.topic().tail, `${sent + 1}`);
});

test("a broker whose disk is full is closed, and what it had acknowledged is there afterwards", () => {
  for (const end of ["close", "kill", "powerLoss"] as const) {
    const { scene, peer, session } = started({ topic: { ack: 2 } });
    fill(scene, peer, session);
    scene.settle(20);
    const acked = peer.told.reduce(
      (most, one) => one.type === "ack" ? Math.max(most, one.nextSyncedBatch) : most,
      0,
    );
    if (end === "close") {
      scene.close();
      scene.restart();
    } else scene[end]();
    scene.disk.spaceBytes = Infinity;
    const again = scene.peer();
    again.openTopic();
    const resumed = again.openSession({ session: session.session, epoch: 1, acknowledged: acked });
    assert(resumed.nextBatch >= acked);
    again.publish(resumed, resumed.nextBatch, "more");
    scene.settle();
    assertEquals(again.take("ack").at(-1)?.nextBatch, resumed.nextBatch + 1);
  }
});

test("publishers whose disk fills up and empties again and again lose nothing and double nothing", () => {
  for (let seed = 1; seed <= 10; seed++) {
    const scene = new BrokerScene({ seed, store: "machine", topic: { ack: 1, syncIntervalMs: 20 } });
    const { random } = scene;
    const publishers = ["a", "b"].map((name) => new ModelPublisher(scene, name, 1, 200));
    for (let round = 0; round < 300; round++) {
      random.pick(publishers).act(60);
      if (random.chance(0.05)) scene.disk.spaceBytes = scene.disk.usedBytes + random.integer(0, 2_000);
      if (random.chance(0.1)) scene.disk.spaceBytes = Infinity;
      scene.steps(random.integer(0, 5));
    }
    scene.disk.spaceBytes = Infinity;
    for (let tries = 0; publishers.some(({ acknowledged }) => acknowledged < 60); tries++) {
      assert(tries < 2_000, "it goes on without help");
      for (const publisher of publishers) publisher.act(60);
      scene.run(20);
    }
    const seen = readAll(scene);
    assertEquals(seen.length, 120);
    judge(seen, publishers);
  }
});
