/**
 * What a broker that is started again knows of sessions: through the store, behind the beginning of a segment.
 *
 * @module
 */

import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import type { BrokerMessage } from "../../../src/log/wire/messages.ts";
import { BrokerScene } from "./broker_scene.ts";

type Ack = Extract<BrokerMessage, { type: "ack" }>;

test("a copy that comes after a restart right behind a new segment's beginning gets its position", () => {
  const scene = new BrokerScene({ store: "process" });
  const peer = scene.peer();
  peer.openTopic();
  const session = peer.openSession();
  const other = peer.openSession();
  for (const batch of [0, 1, 2]) {
    peer.publish(session, batch, `a${batch}`, `b${batch}`);
    peer.publish(other, batch, `c${batch}`);
  }
  // The other one alone fills the segment.
  const segments = (): number => scene.machine().store.segments.length;
  for (let batch = 3; segments() === 1 && batch < 100; batch++) {
    peer.publish(other, batch, "x".repeat(500));
    scene.settle();
  }
  scene.kill();
  const again = scene.peer();
  again.openTopic();
  const base = scene.machine().store.segments.at(-1)!.base;
  assert(base > 0);
  const opened = again.openSession({ session: session.session, epoch: 1, acknowledged: 1 });
  assertEquals(opened.nextBatch, 3);
  const runs = [0, 1, 2].map((batch) => ({ batch, batches: 1, position: BigInt(3 * batch) }));
  assertEquals(opened.runs, runs);
  again.publish(session, 1, "a1", "b1");
  const acks = again.take("ack") as Ack[];
  assertEquals(acks.flatMap(({ runs }) => runs), [runs[1]!]);
  again.read(0n);
  again.wait("records");
  assertEquals(again.seen.filter(({ value }) => value === "a1").length, 1);
});

test("publishers that have come and gone do not come back with a restart, and those that stayed do", () => {
  for (const end of ["kill", "close"] as const) {
    const scene = new BrokerScene({ store: "process", broker: { sessionsMax: 2 } });
    const peer = scene.peer();
    peer.openTopic();
    const stayed = peer.openSession();
    for (let run = 0; run < 20; run++) {
      const session = peer.openSession();
      peer.publish(session, 0, `run ${run}`);
      peer.wait("ack");
      peer.say({ type: "closeSession", session: session.session, epoch: 1 });
      scene.settle();
    }
    if (end === "kill") scene.kill();
    else {
      scene.close();
      scene.restart();
    }
    const again = scene.peer();
    again.openTopic();
    assertEquals(scene.topic().sequencer.sessions, 1);
    assertEquals(again.openSession({ session: stayed.session, epoch: 1 }).epoch, 1);
    again.openSession();
    again.askSession();
    again.expectRefused("ERR_LOG_SESSIONS");
  }
});

test("a session that ends while its broker closes adds nothing behind what is synced: the note of a clean stop is true", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const scene = new BrokerScene({ store: "machine", seed });
    const peer = scene.peer();
    peer.openTopic();
    const session = peer.openSession();
    for (const batch of [0, 1, 2]) peer.publishMore(session, batch, "x".repeat(100));
    peer.sayMore({ type: "closeSession", session: session.session, epoch: 1 });
    scene.broker.close(() => {});
    scene.steps(seed % 30);
    scene.powerLoss();
    const again = scene.peer();
    again.openTopic();
    assert(scene.topic().sequencer.sessions <= 1);
  }
});
