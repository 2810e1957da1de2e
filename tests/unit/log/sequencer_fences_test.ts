/**
 * Fences, restarts and acknowledgements, at the level of the sequencer: what is credited, once, and what is never ordered again.
 *
 * @module
 */

import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "../../support/properties.ts";
import { Random } from "../../support/random.ts";
import type { Order } from "../../../src/log/topic_options.ts";
import { countOperations, range, requestOf, Scene } from "./sequencer_scene.ts";

function opened(init: ConstructorParameters<typeof Scene>[0] = {}): Scene {
  const scene = new Scene(init);
  scene.open(1n);
  scene.commit();
  return scene;
}

/** Batches of session 1 in the log, with their epochs. */
function logged(scene: Scene): string[] {
  return scene.log.map(({ epoch, batch }) => `${epoch}:${batch}`);
}

test("scenario 41: over any number of fences each record is credited once: the prefix by its epoch, the rest by a later one", () => {
  const random = new Random(41);
  const scene = opened();
  const { sequencer } = scene;
  // What the publisher has to say, numbered by itself: `first` is batch 0 of the epoch.
  const total = 60;
  const credited: number[] = [];
  let [epoch, first, acked] = [1, 0, 0];
  const credit = (next: number): void => {
    assert(next >= acked, "an ack that goes back");
    credited.push(...range(first + acked, first + next));
    acked = next;
  };
  while (first + acked < total) {
    const batches = range(0, Math.min(12, total - first));
    const lost = random.chance(0.7) ? random.integer(0, batches.length - 1) : -1;
    for (const batch of batches.filter((one) => one !== lost)) scene.send(1n, epoch, batch);
    for (const batch of batches.filter(() => random.chance(0.3))) {
      if (batch !== lost) scene.send(1n, epoch, batch);
    }
    scene.settle();
    credit(sequencer.takeAck(1n)?.nextBatch ?? acked);
    if (lost < 0) {
      first += batches.length;
      acked = 0;
    } else {
      const [fence] = scene.expire(scene.nowMs + 1_000);
      assertEquals(fence, { session: 1n, epoch, nextBatch: lost });
      scene.commit();
      credit(sequencer.takeAck(1n)?.nextBatch ?? acked);
      assertEquals(acked, fence!.nextBatch, "what the fence says is what was credited");
      first += fence!.nextBatch;
      acked = 0;
    }
    const decision = scene.open(1n);
    assert(decision.kind === "newEpoch");
    epoch = decision.epoch;
    scene.commit();
  }
  assertEquals(credited, range(0, total));
  assertEquals(scene.log.length, total);
});

type Move = { readonly do: "send"; readonly ahead: number } | {
  readonly do: "round" | "write" | "sync" | "ack" | "resume";
};

function moves(
  doings: readonly Exclude<Move["do"], "send">[],
  aheads: readonly number[],
): fc.Arbitrary<Move[]> {
  const move: fc.Arbitrary<Move> = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constant("send" as const), ahead: fc.constantFrom(...aheads) }),
    },
    { weight: 6, arbitrary: fc.record({ do: fc.constantFrom(...doings) }) },
  );
  return fc.array(move, { maxLength: 100, size: "max" });
}

/** Acks rise, and speak of nothing that was not sent, written, and synced where they say so. */
function checkAcks(order: Order, moves: readonly Move[]): void {
  const scene = opened({ order });
  const { sequencer } = scene;
  const sent = new Set<number>();
  let [next, written, synced] = [0, 0, 0];
  let told = [0, 0];
  for (const one of moves) {
    if (one.do === "send") {
      const batch = Math.max(0, next + one.ahead);
      if (scene.send(1n, 1, batch) === "take") sent.add(batch);
      while (sent.has(next)) next++;
    } else if (one.do === "round") scene.round();
    else if (one.do === "write") {
      const batch = scene.log[written];
      if (batch !== undefined) sequencer.committed(batch, BigInt(written++));
    } else if (one.do === "sync") {
      if (synced < written) sequencer.synced(scene.log[synced++]!);
    } else {
      if (one.do === "resume") scene.open(1n, { epoch: 1 });
      const ack = one.do === "ack" ? sequencer.takeAck(1n) : sequencer.view(1n);
      if (ack === undefined) continue;
      const { nextBatch, nextSyncedBatch } = ack;
      assert(nextBatch <= next, "committed above what was sent");
      assert(nextSyncedBatch <= nextBatch, "synced above committed");
      assert(nextBatch >= told[0]! && nextSyncedBatch >= told[1]!, "an ack that goes back");
      told = [nextBatch, nextSyncedBatch];
      const has = (list: typeof scene.log, below: number): boolean =>
        range(0, below).every((batch) => list.some((one) => one.batch === batch));
      assert(has(scene.log.slice(0, written), nextBatch), "told before it was written");
      assert(has(scene.log.slice(0, synced), nextSyncedBatch), "told as synced before it was");
    }
  }
}

const anyOrder = fc.constantFrom<Order>(0, 2, 4, 5);

test("scenario 42: acks never go back and never above what was sent, also over copies, gaps and resumes", () => {
  const some = moves(["round", "write", "ack", "resume"], [0, 0, 1, 3, -1, -5]);
  fc.assert(fc.property(anyOrder, some, checkAcks));
});

test("scenario 53: synced is never above committed, nor committed above ordered, whichever frontier moves when", () => {
  const some = moves(["round", "write", "sync", "sync", "ack"], [0, 0, 0, 1]);
  fc.assert(fc.property(anyOrder, some, checkAcks));
});

test("scenario 57: a session is found and resumed with as much work among 20 000 and after 50 000 batches as alone", () => {
  const work = (sessions: number, batches: number): number => {
    const scene = opened({ sessionsMax: sessions + 1 });
    const { sequencer } = scene;
    for (let session = 2n; session <= BigInt(sessions); session++) {
      const publisher = session % 2n === 0n ? "" : `publisher ${session}`;
      assertEquals(sequencer.open(requestOf(session, { publisher, windowBatches: 1 }), 0).kind, "newEpoch");
      sequencer.opened(session, 1, 0);
      sequencer.disconnected(session, 1, 0);
    }
    for (let batch = 0; batch < batches; batch++) {
      scene.sendAll(1n, 1, [batch]);
      for (const one of scene.ring.splice(0)) sequencer.accept(one, 0);
      for (const one of sequencer.takeRound()) {
        sequencer.committed(one, BigInt(2 * batch));
        sequencer.synced(one);
      }
    }
    return countOperations(() => {
      sequencer.disconnected(1n, 1, 0);
      assertEquals(sequencer.open(requestOf(1n, { epoch: 1 }), 0).kind, "resume");
      assertEquals(sequencer.view(1n)!.nextBatch, batches);
      assert(sequencer.takeRuns(1n).length <= 64);
      assertEquals(sequencer.open(requestOf(1n), 0).kind, "newEpoch");
      sequencer.opened(1n, 2, 0);
    });
  };
  const alone = work(1, 10);
  assert(alone < 60, `${alone} operations`);
  assertEquals(work(20_000, 10), alone);
  assertEquals(work(1, 50_000), alone);
});

test("scenario 61: a fence over nothing says 0, and batch 0 is taken again", () => {
  const scene = opened();
  scene.sendAll(1n, 1, [1, 2]);
  scene.round();
  assertEquals(scene.expire(1_000), [{ session: 1n, epoch: 1, nextBatch: 0 }]);
  scene.commit();
  for (const after of [scene, scene.restart()]) {
    assertEquals(after.sequencer.view(1n)!.nextBatch, 0);
    assertEquals(after.open(1n, { epoch: 1 }), { kind: "fenced", session: 1n, epoch: 1, nextBatch: 0 });
    assertEquals(after.open(1n).kind, "newEpoch");
    after.sendAll(1n, 2, [0, 1, 2]);
    after.settle();
    assertEquals(logged(after), ["2:0", "2:1", "2:2"]);
  }
});

test("scenario 66: a copy that is older than anything remembered is still a copy, also after a restart and behind a snapshot", () => {
  for (const order of [2, 5] as const) {
    const scene = opened({ order, runsKept: 2 });
    for (const first of range(0, 200).map((index) => index * 10)) {
      scene.sendAll(1n, 1, range(first, first + 10));
      scene.settle();
      scene.sequencer.takeAck(1n);
    }
    const imported = new Scene(scene.init);
    imported.sequencer.importSessions(scene.sequencer.exportSessions(0), 0);
    for (const after of [scene, scene.restart(), imported]) {
      const { sequencer } = after;
      for (const batch of [0, 1, 999, 1_990, 1_999]) assertEquals(after.send(1n, 1, batch), "duplicate");
      assertEquals(sequencer.exportSessions(0)[0]!.ahead, [], "nothing is remembered of each");
      const { nextBatch, limit } = sequencer.view(1n)!;
      assertEquals(nextBatch, 2_000);
      if (after === scene) assertEquals(after.send(1n, 1, limit), "beyondWindow");
    }
    assertEquals(scene.log.length, 2_000);
  }
});

test("a fence survives a restart: what was held never commits, what is resubmitted commits once", () => {
  const scene = opened();
  scene.sendAll(1n, 1, [0, 1, 3, 4]);
  scene.settle();
  scene.expire(1_000);
  scene.commit();
  let after = scene.restart();
  // Anything of the old epoch, from wherever it comes now.
  const straggle = (): void => {
    for (const batch of range(0, 6)) {
      const admission = after.send(1n, 1, batch);
      assert(admission === "fenced" || admission === "staleEpoch", admission);
    }
    assertEquals(after.settle(), []);
  };
  straggle();
  assertEquals(after.open(1n, { epoch: 1, acknowledged: 1 }), {
    kind: "fenced",
    session: 1n,
    epoch: 1,
    nextBatch: 2,
  });
  after = after.restart();
  assertEquals(after.open(1n).kind, "newEpoch");
  straggle();
  after.sendAll(1n, 2, [0, 1]);
  after.settle();
  after = after.restart();
  straggle();
  assertEquals(after.open(1n, { epoch: 2 }).kind, "resume");
  for (const batch of [0, 1]) assertEquals(after.send(1n, 2, batch), "duplicate");
  after.sendAll(1n, 2, [2]);
  after.settle();
  assertEquals(logged(after), ["1:0", "1:1", "2:0", "2:1", "2:2"]);
});

test("a fence that was decided and not stored when the process died never was: the epoch goes on from its prefix", () => {
  const scene = opened();
  scene.sendAll(1n, 1, [0, 1, 3, 4]);
  scene.settle();
  assertEquals(scene.expire(1_000).length, 1);
  const after = scene.restart();
  assertEquals(scene.discarded, [], "nobody was told, nothing was given up");
  assertEquals(after.open(1n, { epoch: 1, acknowledged: 2 }).kind, "resume");
  assertEquals(after.sequencer.view(1n)!.nextBatch, 2);
  after.sendAll(1n, 1, [2, 3, 4]);
  after.settle();
  assertEquals(logged(after), range(0, 5).map((batch) => `1:${batch}`));
});

test("a fence of a log that was cut behind it by a snapshot survives as well, with its epoch's prefix", () => {
  const scene = opened();
  scene.sendAll(1n, 1, [0, 2]);
  scene.settle();
  scene.expire(1_000);
  // The fence entry begins a segment: the snapshot before it speaks of a fence that is about to be stored.
  for (const stored of [false, true]) {
    if (stored) scene.commit();
    const after = new Scene(scene.init);
    after.sequencer.importSessions(scene.sequencer.exportSessions(1_000), 1_000);
    assertEquals(after.send(1n, 1, 1), "fenced");
    assertEquals(after.open(1n, { epoch: 1 }), { kind: "fenced", session: 1n, epoch: 1, nextBatch: 1 });
    assertEquals(after.open(1n).kind, "newEpoch");
    after.sendAll(1n, 2, [0]);
    assertEquals(after.settle(), [0]);
  }
});
