import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import type { Order } from "../../../src/log/topic_options.ts";
import type * as M from "../../../src/log/wire/messages.ts";
import { batchOf, bodyOf, type Peer } from "./broker_peer.ts";
import { BrokerScene } from "./broker_scene.ts";

const VALUE = bodyOf(["a longer value"]);

/**
 * Of session 1, whose epoch is 2 and of which batches 0 and 1 are committed.
 *
 * - `open`: nothing else.
 * - `gap`: batch 3 waits for batch 2.
 * - `fenced`: the gap has outlived its lease.
 * - `closed`: by its publisher.
 * - `moved`: another link has resumed it.
 * - `replaced`: another link has opened epoch 3.
 */
const STATES = ["open", "gap", "fenced", "closed", "moved", "replaced"] as const;
type SessionState = typeof STATES[number];

function inState(state: SessionState, order: Order = 5): Peer {
  const scene = new BrokerScene({ topic: { order } });
  const peer = scene.peer();
  peer.openTopic();
  peer.openSession({ session: 1n });
  peer.askSession({ session: 1n });
  for (const batch of [0, 1]) peer.publish({ session: 1n, epoch: 2 }, batch, "value");
  if (state === "gap" || state === "fenced") peer.publish({ session: 1n, epoch: 2 }, 3, "value");
  if (state === "fenced") scene.run(3_000);
  if (state === "closed") peer.say({ type: "closeSession", session: 1n, epoch: 2 });
  if (state === "moved" || state === "replaced") {
    const other = scene.peer();
    other.openTopic();
    other.askSession({ session: 1n, epoch: state === "moved" ? 2 : 0 });
  }
  scene.settle();
  peer.told.length = 0;
  return peer;
}

/** What is told: a prefix, a code, or nothing. */
function answers(peer: Peer): string {
  peer.scene.settle();
  return peer.told.splice(0).map((message) => {
    if (message.type === "ack") return `ack ${message.nextBatch}`;
    if (message.type !== "refused") return message.type;
    assertEquals([message.request, message.session], [0, 1n]);
    return message.error.code.replace("ERR_LOG_", "");
  }).join(", ");
}

type Damage = (batch: M.Batch, body: Uint8Array) => readonly [M.Batch, Uint8Array];
const whole: Damage = (batch, body) => [batch, body];

/** Batch, epoch, damage; what is told in each of {@link STATES}. */
const TABLE: readonly (readonly [string, number, number, Damage, ...string[]])[] = [
  [
    "the next",
    2,
    2,
    whole,
    "ack 3",
    "ack 4",
    "SESSION_UNKNOWN",
    "SESSION_UNKNOWN",
    "SESSION_UNKNOWN",
    "SESSION_UNKNOWN",
  ],
  [
    "one that waits",
    3,
    2,
    whole,
    "",
    "ack 2",
    "SESSION_UNKNOWN",
    "SESSION_UNKNOWN",
    "SESSION_UNKNOWN",
    "SESSION_UNKNOWN",
  ],
  [
    "one ahead",
    4,
    2,
    whole,
    "",
    "",
    "SESSION_UNKNOWN",
    "SESSION_UNKNOWN",
    "SESSION_UNKNOWN",
    "SESSION_UNKNOWN",
  ],
  [
    "a copy",
    1,
    2,
    whole,
    "ack 2",
    "ack 2",
    "SESSION_UNKNOWN",
    "SESSION_UNKNOWN",
    "SESSION_UNKNOWN",
    "SESSION_UNKNOWN",
  ],
  [
    "one beyond the window",
    99,
    2,
    whole,
    "WINDOW",
    "WINDOW",
    "SESSION_UNKNOWN",
    "SESSION_UNKNOWN",
    "SESSION_UNKNOWN",
    "SESSION_UNKNOWN",
  ],
  [
    "of the epoch before",
    2,
    1,
    whole,
    "FENCED",
    "FENCED",
    "SESSION_UNKNOWN",
    "SESSION_UNKNOWN",
    "SESSION_UNKNOWN",
    "SESSION_UNKNOWN",
  ],
  [
    "of an epoch to come",
    2,
    3,
    whole,
    "SESSION_UNKNOWN",
    "SESSION_UNKNOWN",
    "SESSION_UNKNOWN",
    "SESSION_UNKNOWN",
    "SESSION_UNKNOWN",
    "SESSION_UNKNOWN",
  ],
  [
    "with a wrong checksum",
    2,
    2,
    (batch, body) => [{ ...batch, bodyCrc: (batch.bodyCrc ^ 1) >>> 0 }, body],
    "MALFORMED",
    "MALFORMED",
    "SESSION_UNKNOWN",
    "SESSION_UNKNOWN",
    "SESSION_UNKNOWN",
    "SESSION_UNKNOWN",
  ],
  [
    "with a flipped bit",
    2,
    2,
    (batch, body) => [batch, body.map((byte, at) => at === 9 ? byte ^ 4 : byte)],
    "MALFORMED",
    "MALFORMED",
    "SESSION_UNKNOWN",
    "SESSION_UNKNOWN",
    "SESSION_UNKNOWN",
    "SESSION_UNKNOWN",
  ],
  [
    "with fewer bytes than it says",
    2,
    2,
    (batch, body) => [batch, body.subarray(1)],
    "MALFORMED",
    "MALFORMED",
    "MALFORMED",
    "MALFORMED",
    "MALFORMED",
    "MALFORMED",
  ],
  [
    "with more records than it has",
    2,
    2,
    (batch, body) => [{ ...batch, count: 2 }, body],
    "MALFORMED",
    "MALFORMED",
    "SESSION_UNKNOWN",
    "SESSION_UNKNOWN",
    "SESSION_UNKNOWN",
    "SESSION_UNKNOWN",
  ],
];

for (const [name, batch, epoch, damage, ...told] of TABLE) {
  test(`what a publisher is told of a batch: ${name}`, () => {
    STATES.forEach((state, at) => {
      const peer = inState(state);
      const before = peer.scene.topic().tail;
      peer.say(...damage(batchOf(1n, epoch, batch, VALUE, 1), VALUE.slice()));
      assertEquals(answers(peer), told[at], state);
      const grew = told[at] === "ack 3" ? 1 : told[at] === "ack 4" ? 2 : 0;
      assertEquals(BigInt(peer.scene.topic().tail) - BigInt(before), BigInt(grew), "what is ordered");
      assert(peer.open);
      peer.vanish();
      for (const connection of [...peer.scene.broker.connections]) connection.closed();
      peer.scene.run(5_000);
      peer.scene.assertNothingHeld();
    });
  });
}

test("in orders that keep no order a batch ahead is ordered at once, and a copy of it never again", () => {
  for (const order of [0, 2] as const) {
    const peer = inState("open", order);
    peer.publish({ session: 1n, epoch: 2 }, 3, "ahead");
    assertEquals(answers(peer), "ack 2");
    peer.publish({ session: 1n, epoch: 2 }, 3, "ahead");
    assertEquals(answers(peer), "ack 2");
    peer.publish({ session: 1n, epoch: 2 }, 2, "next");
    assertEquals(answers(peer), "ack 4");
    peer.read(0n);
    assertEquals(peer.seen.map(({ value }) => value), ["value", "value", "ahead", "next"]);
  }
});

test("a batch as large as is legal is taken; one byte more is refused, and the next one is taken", () => {
  const { scene } = inState("open");
  const peer = scene.peer();
  const session = peer.openSession();
  const head = bodyOf([""]).length;
  const largest = "x".repeat(1_024 - head);
  peer.publish(session, 0, largest);
  assertEquals(peer.expect("ack").nextBatch, 1);
  peer.publish(session, 1, `${largest}y`);
  const refused = peer.expectRefused("ERR_LOG_BATCH_TOO_LARGE");
  assertEquals([refused.session, refused.epoch, refused.batch], [session.session, 1, 1]);
  peer.publish(session, 1, "small");
  assertEquals(peer.expect("ack").nextBatch, 2);
});

test("two sessions on one link, and one on two links, one after the other", () => {
  const scene = new BrokerScene();
  const peer = scene.peer();
  peer.openTopic();
  const [first, second] = [peer.openSession(), peer.openSession()];
  peer.publishMore(first, 0, "a0").publishMore(second, 0, "b0").publishMore(first, 1, "a1");
  scene.broker.endOfBurst();
  assertEquals(peer.take("ack").map(({ session, nextBatch }) => [session, nextBatch]), [
    [first.session, 2],
    [second.session, 1],
  ]);
  const other = scene.peer();
  other.openTopic();
  const moved = other.openSession({ session: first.session, epoch: 1, acknowledged: 0 });
  assertEquals(moved.runs, [
    { batch: 0, batches: 1, position: 0n },
    { batch: 1, batches: 1, position: 2n },
  ]);
  // The old link has nothing to do with it any more: neither its batches nor its end.
  peer.publish(first, 2, "stray");
  peer.expectRefused("ERR_LOG_SESSION_UNKNOWN");
  peer.say({ type: "closeSession", session: first.session, epoch: 1 });
  peer.vanish();
  other.publish(moved, 2, "a2");
  assertEquals(other.take("ack").at(-1)?.nextBatch, 3);
  other.read(0n);
  assertEquals(other.seen.map(({ value }) => value), ["a0", "b0", "a1", "a2"]);
  other.vanish();
  scene.assertNothingHeld();
});

test("a newcomer with the publisher's name gets the session, and the older one learns its committed prefix", () => {
  const scene = new BrokerScene();
  const peer = scene.peer();
  peer.openTopic();
  const first = peer.openSession({ publisher: "p" });
  const body = bodyOf(["a0"]);
  peer.say(batchOf(first.session, 1, 0, body, 1, 41n), body);
  peer.publish(first, 2, "held");
  peer.take("ack");
  const other = scene.peer();
  const second = other.openSession({ publisher: "p" });
  assertEquals([second.session, second.epoch, second.lastSequence], [first.session, 2, 41n]);
  assertEquals(peer.expect("fenced"), {
    type: "fenced",
    session: first.session,
    epoch: 1,
    nextBatch: 1,
    reason: "superseded",
  });
  // It comes again with what it knows.
  peer.say({ ...peer.askSession({ publisher: "p", session: first.session, epoch: 1 }) });
  assertEquals(peer.take("fenced").map(({ reason }) => reason), ["superseded", "superseded"]);
  other.publish(second, 0, "b0");
  other.read(0n);
  assertEquals(other.seen.map(({ value }) => value), ["a0", "b0"]);
  assertEquals(scene.topic().sequencer.heldNow, 0);
});

test("more sessions than sessionsMax are refused by name, and none of those that are there suffers", () => {
  const scene = new BrokerScene({ broker: { sessionsMax: 2 } });
  const peer = scene.peer();
  peer.openTopic();
  const sessions = [peer.openSession(), peer.openSession()];
  peer.askSession();
  peer.expectRefused("ERR_LOG_SESSIONS", 2);
  for (const session of sessions) {
    peer.publish(session, 0, "x");
    assertEquals(peer.expect("ack").nextBatch, 1);
  }
  peer.say({ type: "closeSession", session: sessions[0]!.session, epoch: 1 });
  peer.openSession();
});

test("a publisher waits for a grant, and for nobody once its link is gone", () => {
  const scene = new BrokerScene({ broker: { grantBatchesMax: 2 } });
  const holders = [scene.peer(), scene.peer()];
  holders[0]!.openTopic();
  const held = holders.map((holder) => holder.openSession());
  held.forEach((session, at) => holders[at]!.publish(session, 1, "ahead"));
  const waiting = [1, 2, 3].map(() => {
    const peer = scene.peer();
    peer.askSession();
    return peer;
  });
  scene.settle();
  for (const peer of waiting) assertEquals(peer.take("sessionOpened"), []);
  assertEquals(scene.topic().sequencer.waiting, 3);
  waiting[0]!.vanish();
  assertEquals(scene.topic().sequencer.waiting, 2);
  for (const peer of holders) peer.vanish();
  // What they hold is forgotten when its lease is over.
  scene.run(5_000);
  for (const peer of waiting.slice(1)) assertEquals(peer.take("sessionOpened").length, 1);
  for (const peer of waiting) peer.vanish();
  scene.settle();
  scene.assertNothingHeld();
});
