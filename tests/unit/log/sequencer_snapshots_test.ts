/**
 * What a snapshot keeps of sessions for publishers that ask again after a restart: where their last batches are.
 *
 * @module
 */

import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "../../support/properties.ts";
import { decodeSnapshot, encodeSnapshot } from "../../../src/log/order/snapshot.ts";
import type { SessionSnapshot } from "../../../src/log/order/snapshot_types.ts";
import { range, Scene } from "./sequencer_scene.ts";

/** A sequencer that begins behind a snapshot of this one, after that was written and read. */
function behind(scene: Scene, runsMax?: number): Scene {
  const sessions = scene.sequencer.exportSessions(scene.nowMs, runsMax);
  const snapshot = {
    nextPosition: 0n,
    lastTimestampMs: 0,
    trimmedTo: 0n,
    generations: [],
    consumers: [],
    sessions,
  };
  const read = decodeSnapshot(encodeSnapshot(snapshot));
  assert(read !== undefined);
  const later = new Scene(scene.init);
  later.nowMs = scene.nowMs;
  later.sequencer.importSessions(read.sessions, scene.nowMs);
  return later;
}

test("a copy within the window is answered with its position, also where a snapshot is all that is left", () => {
  for (const order of [2, 5] as const) {
    const scene = new Scene({ order });
    for (const session of [1n, 2n]) scene.open(session);
    scene.commit();
    for (const batch of range(0, 20)) {
      for (const session of [1n, 2n]) scene.send(session, 1, batch, { count: 3 });
      scene.settle();
    }
    const later = behind(scene);
    assertEquals(later.open(2n, { epoch: 1, acknowledged: 12 }).kind, "resume");
    for (const batch of [12, 19]) assertEquals(later.send(2n, 1, batch), "duplicate");
    const { nextBatch, nextSyncedBatch, runs } = later.sequencer.takeAck(2n)!;
    assertEquals([nextBatch, nextSyncedBatch], [20, 20]);
    assertEquals(runs, [12, 19].map((batch) => ({ batch, batches: 1, position: BigInt(6 * batch + 3) })));
  }
});

test("a batch whose order entry stands before the snapshot and is not durable yet has its position there as well", () => {
  const scene = new Scene();
  for (const session of [1n, 2n]) scene.open(session);
  scene.commit();
  scene.sendAll(1n, 1, [0, 1]);
  scene.settle();
  scene.sendAll(2n, 1, [0]);
  scene.sendAll(1n, 1, [2]);
  scene.round();
  scene.sendAll(1n, 1, [3, 5]);
  scene.round();
  // In the middle of what becomes durable.
  scene.commit(1);
  const [one, two] = scene.sequencer.exportSessions(0);
  assertEquals(one!.nextBatch, 4);
  assertEquals(one!.runs, [
    { batch: 0, batches: 2, records: 2, position: 0n },
    { batch: 2, batches: 2, records: 2, position: 3n },
  ]);
  assertEquals(two!.runs, [{ batch: 0, batches: 1, records: 1, position: 2n }]);
  // The snapshot changed nothing.
  scene.commit();
  assertEquals(scene.sequencer.takeAck(1n)!.runs.length, 2);
  assertEquals(scene.sequencer.exportSessions(0)[0]!.runs, one!.runs);
});

test("a run goes on over a snapshot", () => {
  const scene = new Scene();
  scene.open(1n);
  scene.commit();
  scene.send(1n, 1, 0, { count: 7 });
  scene.settle();
  const later = behind(scene);
  later.open(1n, { epoch: 1 });
  later.sendAll(1n, 1, [1]);
  for (const batch of later.ring.splice(0)) later.sequencer.accept(batch, 0);
  for (const batch of later.sequencer.takeRound()) later.sequencer.committed(batch, 7n);
  assertEquals(later.sequencer.takeAck(1n)!.runs, [{ batch: 1, batches: 1, position: 7n }]);
  assertEquals(later.sequencer.takeRuns(1n), [{ batch: 0, batches: 2, position: 0n }]);
});

test("nothing is kept of batches of an earlier epoch, of an earlier life, or of an epoch that is over", () => {
  const scene = new Scene();
  scene.open(1n);
  scene.sendAll(1n, 1, [0, 1]);
  scene.round();
  scene.open(1n);
  assertEquals(scene.sequencer.exportSessions(0)[0]!.runs, undefined);
  scene.commit();
  scene.sendAll(1n, 2, [0, 2]);
  scene.settle();
  assertEquals(scene.sequencer.exportSessions(0)[0]!.runs?.length, 1);
  scene.expire(1_000);
  assertEquals(scene.sequencer.exportSessions(0)[0]!.runs, undefined, "from the decision on");
});

test("a snapshot without runs is read as well", () => {
  const scene = new Scene();
  scene.open(1n);
  scene.sendAll(1n, 1, [0]);
  scene.settle();
  const later = behind(scene, 0);
  assertEquals(later.open(1n, { epoch: 1 }).kind, "resume");
  assertEquals(later.send(1n, 1, 0), "duplicate");
  assertEquals(later.sequencer.takeAck(1n)!.runs, [], "the position is not known");
});

test("for any sessions: at most so many runs, the newest of each, and whoever needs few has all of them", () => {
  const batches = fc.array(fc.nat({ max: 12 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(batches, fc.nat({ max: 40 }), fc.boolean(), (each, runsMax, durable) => {
      const scene = new Scene();
      each.forEach((_, index) => scene.open(BigInt(index + 1)));
      scene.commit();
      // Of several sessions no two batches of one are neighbours in the log.
      for (const batch of range(0, 12)) {
        each.forEach((count, index) => {
          if (batch < count) scene.send(BigInt(index + 1), 1, batch);
        });
        scene.nowMs++;
        scene.round();
        if (durable) scene.commit();
      }
      const runsOf = (sessions: readonly SessionSnapshot[]) => sessions.map(({ runs }) => runs ?? []);
      const all = runsOf(scene.sequencer.exportSessions(0));
      const some = runsOf(scene.sequencer.exportSessions(0, runsMax));
      const total = all.reduce((sum, runs) => sum + runs.length, 0);
      assertEquals(some.reduce((sum, runs) => sum + runs.length, 0), Math.min(total, runsMax));
      const share = Math.floor(runsMax / each.length);
      some.forEach((runs, index) => {
        assertEquals(runs, runs.length === 0 ? [] : all[index]!.slice(-runs.length));
        assert(runs.length >= Math.min(share, all[index]!.length), "less than an equal share");
      });
    }),
  );
});
