/**
 * Sessions that end while something of theirs is still on its way into the log, and ids that are used again.
 *
 * @module
 */

import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { requestOf, Scene } from "./sequencer_scene.ts";

test("a session is not forgotten while batches of an earlier epoch are being written, so its id is not mixed up", () => {
  const scene = new Scene();
  const { sequencer } = scene;
  scene.open(1n);
  scene.sendAll(1n, 1, [0, 1]);
  scene.open(1n);
  sequencer.close(1n, 2, 0);
  assert(sequencer.view(1n) !== undefined, "its first epoch's batches are not durable");
  const again = scene.open(1n);
  assert(again.kind === "newEpoch");
  assertEquals(again.epoch, 3);
  scene.sendAll(1n, 3, [0]);
  scene.settle();
  assertEquals(sequencer.view(1n)!.nextBatch, 1);
  sequencer.close(1n, 3, 0);
  assertEquals(sequencer.view(1n), undefined);
});

test("a session that ended is forgotten when the batches of its earlier epochs are written", () => {
  const scene = new Scene();
  scene.open(1n);
  scene.sendAll(1n, 1, [0, 1]);
  scene.open(1n);
  scene.sequencer.close(1n, 2, 0);
  scene.commit();
  assertEquals(scene.sequencer.view(1n), undefined);
  assertEquals(scene.sequencer.counters.sessions, 0);
});

test("a session is not forgotten while a fence of it is being stored, whatever became of it since", () => {
  const scene = new Scene();
  const { sequencer } = scene;
  scene.open(1n);
  scene.commit();
  scene.sendAll(1n, 1, [1]);
  scene.round();
  assertEquals(scene.expire(1_000), [{ session: 1n, epoch: 1, nextBatch: 0 }]);
  scene.open(1n);
  sequencer.close(1n, 2, scene.nowMs);
  const again = scene.open(1n);
  assert(again.kind === "newEpoch");
  assertEquals(again.epoch, 3);
  scene.commit();
  assertEquals(sequencer.view(1n)!.epoch, 3);
  scene.sendAll(1n, 3, [0]);
  assertEquals(scene.settle(), [0]);
});

test("a session that has been idle for too long is kept until its fence is stored", () => {
  const scene = new Scene({ sessionIdleMs: 500 });
  const { sequencer } = scene;
  scene.open(1n);
  scene.commit();
  scene.sendAll(1n, 1, [1]);
  scene.round();
  sequencer.disconnected(1n, 1, 0);
  scene.expire(0);
  assertEquals(scene.expire(1_000).length, 1);
  scene.expire(1_500);
  assert(sequencer.view(1n) !== undefined);
  scene.commit();
  assertEquals(scene.discarded.map(({ batch }) => batch), [1]);
  scene.expire(2_500);
  assertEquals(sequencer.view(1n), undefined);
});

test("a session without a link is kept while a batch of it is whole and waits for a slot", () => {
  const scene = new Scene({ sessionIdleMs: 500 });
  const { sequencer } = scene;
  scene.open(1n);
  scene.commit();
  assertEquals(scene.send(1n, 1, 0), "take");
  sequencer.disconnected(1n, 1, 0);
  scene.expire(0);
  scene.expire(5_000);
  assertEquals(scene.settle(), [0]);
  assertEquals(sequencer.view(1n)!.nextBatch, 1);
  scene.expire(6_000);
  assertEquals(sequencer.view(1n), undefined);
});

test("what was synced of an id's earlier life is not taken for what its next life has written", () => {
  const scene = new Scene();
  const { sequencer } = scene;
  let position = 0n;
  const write = (): void => {
    scene.sendAll(1n, 1, [0]);
    scene.round();
    sequencer.committed(scene.log.at(-1)!, position++);
  };
  scene.open(1n);
  write();
  sequencer.close(1n, 1, 0);
  scene.open(1n);
  write();
  const [first, second] = scene.log;
  sequencer.synced(first!);
  assertEquals(sequencer.view(1n)!.nextSyncedBatch, 0, "only the one before was synced");
  sequencer.synced(second!);
  assertEquals(sequencer.view(1n)!.nextSyncedBatch, 1);
});

test("two links ask for one session and wait: the end of one does not take the other out of the queue", () => {
  for (const publisher of ["", "p"]) {
    const scene = new Scene({ grantBatchesMax: 1 });
    const { sequencer } = scene;
    const session = publisher === "" ? 2n : 0n;
    scene.open(1n, { windowBatches: 1 });
    assertEquals(scene.open(session, { publisher }).kind, "wait", "the link before, as good as dead");
    assertEquals(scene.open(session, { publisher }).kind, "wait", "its publisher has a new one");
    sequencer.cancelOpen(requestOf(session, { publisher }));
    // Who is told that something may be free asks again, and is in the queue again.
    if (scene.freed > 0) assertEquals(scene.open(session, { publisher }).kind, "wait");
    scene.freed = 0;
    sequencer.disconnected(1n, 1, 0);
    assert(scene.freed > 0, "nobody tells the one that still waits");
    assertEquals(scene.open(session, { publisher }).kind, "newEpoch");
  }
});

test("a refused request does not take another link's request for the same session out of the queue", () => {
  const scene = new Scene({ grantBatchesMax: 1 });
  const { sequencer } = scene;
  scene.open(2n, { windowBatches: 1 });
  scene.commit();
  sequencer.disconnected(2n, 1, 0);
  scene.open(1n, { windowBatches: 1 });
  assertEquals(scene.open(2n, { epoch: 1 }).kind, "wait");
  assertEquals(scene.open(2n, { epoch: 7 }).kind, "unknown");
  if (scene.freed > 0) assertEquals(scene.open(2n, { epoch: 1 }).kind, "wait");
  scene.freed = 0;
  sequencer.disconnected(1n, 1, 0);
  assert(scene.freed > 0, "nobody tells the one that still waits");
  assertEquals(scene.open(2n, { epoch: 1 }).kind, "resume");
});

test("a snapshot between a fence and the newcomer's entry still says that the epoch is over", () => {
  for (const stored of [true, false]) {
    const scene = new Scene();
    const { sequencer } = scene;
    scene.open(1n);
    scene.sendAll(1n, 1, [0, 2]);
    scene.settle();
    scene.expire(1_000);
    if (stored) scene.commit();
    // The newcomer's entry does not fit: a segment begins before it, and the process ends there.
    assertEquals(sequencer.open(requestOf(1n), scene.nowMs).kind, "newEpoch");
    const [snapshot] = sequencer.exportSessions(scene.nowMs);
    assertEquals([snapshot!.epoch, snapshot!.fenced, snapshot!.nextBatch], [1, true, 1]);
    const twin = new Scene();
    twin.sequencer.importSessions([snapshot!], 0);
    assertEquals(twin.send(1n, 1, 1), "fenced");
    assertEquals(twin.open(1n, { epoch: 1 }), { kind: "fenced", session: 1n, epoch: 1, nextBatch: 1 });
  }
});

test("a gap whose filler was lost with its link has its second chance where the process stands still after that", () => {
  const scene = new Scene();
  const { sequencer } = scene;
  scene.open(1n);
  scene.sendAll(1n, 1, [1]);
  scene.round();
  assertEquals(sequencer.admit(1n, 1, 0, 10), "take");
  sequencer.abandon(1n, 1, 0);
  // The resend waits in a socket while nothing runs.
  assertEquals(scene.expire(5_000), []);
  scene.sendAll(1n, 1, [0]);
  assertEquals(scene.settle(), [0, 1]);
});

test("a restart forgets who was forgotten and nobody else, however many have come and gone and however idle who stayed is", () => {
  const scene = new Scene({ sessionsMax: 2, sessionIdleMs: 1_000 });
  scene.open(1n);
  scene.commit();
  for (let session = 2n; session < 40n; session++) {
    scene.nowMs += 10;
    assertEquals(scene.open(session).kind, "newEpoch");
    scene.sendAll(session, 1, [0]);
    scene.settle();
    scene.sequencer.close(session, 1, scene.nowMs);
  }
  // A session that is forgotten because it was idle, with a link long ago.
  assertEquals(scene.open(40n).kind, "newEpoch");
  scene.settle();
  scene.sequencer.disconnected(40n, 1, scene.nowMs);
  scene.expire(scene.nowMs + 1_000);
  scene.expire(scene.nowMs + 2_000);
  assertEquals(scene.open(41n).kind, "newEpoch");
  scene.settle();
  const later = scene.restart();
  assertEquals(later.sequencer.counters.sessions, 2);
  assertEquals(later.open(1n, { epoch: 1 }).kind, "resume", "it was there all the time");
  assertEquals(later.open(41n, { epoch: 1 }).kind, "resume");
  assertEquals(later.open(42n).kind, "full");
  later.sequencer.close(41n, 1, later.nowMs);
  assertEquals(later.open(42n).kind, "newEpoch");
});

test("an id that is used again right after its session ended is not forgotten by a replay", () => {
  const scene = new Scene();
  scene.open(1n);
  scene.sendAll(1n, 1, [0]);
  scene.settle();
  scene.sequencer.close(1n, 1, 0);
  scene.open(1n);
  scene.sendAll(1n, 1, [0, 1]);
  scene.settle();
  const later = scene.restart();
  assertEquals(later.open(1n, { epoch: 1 }).kind, "resume");
  assertEquals(later.sequencer.view(1n)!.nextBatch, 2);
});

test("a session that is closed while its fence is being stored is forgotten when that is done", () => {
  for (const publisher of ["", "p"]) {
    const scene = new Scene();
    const opening = scene.open(publisher === "" ? 1n : 0n, { publisher });
    assert(opening.kind === "newEpoch");
    const { session } = opening;
    scene.sendAll(session, 1, [0, 2]);
    scene.settle();
    assertEquals(scene.expire(1_000).length, 1);
    scene.sequencer.close(session, 1, 1_000);
    assert(scene.sequencer.view(session) !== undefined);
    scene.commit();
    assertEquals(scene.discarded.map(({ batch }) => batch), [2]);
    assertEquals(scene.sequencer.view(session)?.publisher, publisher === "" ? undefined : "p");
    scene.noteEnded();
    const later = scene.restart(scene.entries.length);
    assertEquals(later.sequencer.counters.sessions, publisher === "" ? 0 : 1);
  }
});
