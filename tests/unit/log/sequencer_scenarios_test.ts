/**
 * What went wrong in a system that ordered before this one, at the level of the sequencer: order, gaps, leases and load.
 *
 * @module
 */

import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "../../support/properties.ts";
import { Random } from "../../support/random.ts";
import type { AckMessage } from "../../../src/log/wire/messages.ts";
import { batchOf, range, requestOf, Scene } from "./sequencer_scene.ts";

function opened(sessions: number, init: ConstructorParameters<typeof Scene>[0] = {}): Scene {
  const scene = new Scene(init);
  for (let session = 1; session <= sessions; session++) scene.open(BigInt(session));
  scene.commit();
  return scene;
}

/** Numbers of a session's batches in the log, in order. */
function logged(scene: Scene, session: bigint, epoch: number): number[] {
  return scene.log.filter((one) => one.session === session && one.epoch === epoch).map(({ batch }) => batch);
}

test("scenario 20: clients that are shuffled and doubled on several connections keep their order, and copies are ignored", () => {
  for (const order of [4, 5] as const) {
    const random = new Random(20);
    const scene = opened(3, { order });
    // Three clients, each over three connections that are not in step with each other.
    const sent = [1n, 2n, 3n].flatMap((session) =>
      range(0, 90).map((batch) => ({ session, batch, at: batch + random.integer(0, 12) }))
    );
    const copies = sent.filter(() => random.chance(0.4)).map((one) => ({
      ...one,
      at: one.at + random.integer(0, 20),
    }));
    const arrivals = [...sent, ...copies].sort((a, b) => a.at - b.at);
    for (const { session, batch } of arrivals) {
      const admission = scene.send(session, 1, batch);
      assert(admission === "take" || admission === "duplicate", admission);
      if (random.chance(0.5)) scene.settle();
    }
    scene.settle();
    for (const session of [1n, 2n, 3n]) assertEquals(logged(scene, session, 1), range(0, 90));
    assertEquals(scene.log.length, 270);
    assert(scene.sequencer.counters.duplicates >= copies.length && scene.sequencer.counters.held > 0);
  }
});

test("scenario 21: nobody is told of a batch before its entry is durable, and everybody at the very next look after", () => {
  const scene = opened(1);
  const { sequencer } = scene;
  for (const batch of range(0, 20)) {
    scene.sendAll(1n, 1, [batch]);
    scene.round();
    assertEquals(sequencer.view(1n)!.assigned, batch + 1, "it has its place");
    assertEquals(sequencer.view(1n)!.nextBatch, batch);
    assertEquals(sequencer.takeMarked(), []);
    assertEquals(sequencer.takeAck(1n), undefined);
    // A copy is answered with what is committed, and not with what is only assigned.
    assertEquals(scene.send(1n, 1, batch), "duplicate");
    const early = sequencer.takeAck(1n)!;
    assertEquals([early.nextBatch, early.runs], [batch, []]);
    scene.commit();
    assertEquals(sequencer.view(1n)!.nextBatch, batch + 1);
    assertEquals(sequencer.takeMarked(), [1n]);
    const ack = sequencer.takeAck(1n)!;
    assertEquals([ack.nextBatch, ack.runs], [batch + 1, [{ batch, batches: 1, position: BigInt(batch) }]]);
  }
});

test("scenario 24: what is held, fenced or given up takes no position: those of what is ordered leave no hole", () => {
  const random = new Random(24);
  const scene = opened(2);
  const given = new Map<bigint, number>();
  const note = (
    { runs }: AckMessage,
    epoch: number,
    counts: ReadonlyMap<string, number>,
    session: bigint,
  ): void => {
    for (const { batch, batches, position } of runs) {
      let at = position;
      for (const one of range(batch, batch + batches)) {
        const count = counts.get(`${session}:${epoch}:${one}`)!;
        assert(!given.has(at), `position ${at} was given twice`);
        given.set(at, count);
        at += BigInt(count);
      }
    }
  };
  const counts = new Map<string, number>();
  for (let epoch = 1; epoch <= 20; epoch++) {
    // Session 1 loses batch 3 in every epoch; session 2 is whole.
    for (const batch of [0, 1, 2, 4, 5, 6]) {
      const count = random.integer(1, 4);
      counts.set(`1:${epoch}:${batch}`, count);
      assertEquals(scene.send(1n, epoch, batch, { count }), "take");
      const other = (epoch - 1) * 6 + (batch < 3 ? batch : batch - 1);
      counts.set(`2:1:${other}`, count);
      assertEquals(scene.send(2n, 1, other, { count }), "take");
    }
    scene.settle();
    note(scene.sequencer.takeAck(2n)!, 1, counts, 2n);
    assertEquals(scene.expire(scene.nowMs + 1_000).length, 1);
    scene.commit();
    note(scene.sequencer.takeAck(1n)!, epoch, counts, 1n);
    scene.open(1n);
    scene.commit();
  }
  assertEquals(scene.discarded.length, 60, "three held batches of each epoch");
  let next = 0n;
  for (const [position, count] of [...given].sort(([a], [b]) => Number(a - b))) {
    assertEquals(position, next, "a hole");
    next += BigInt(count);
  }
  assertEquals(next, BigInt(scene.sequencer.counters.assignedRecords));
});

type Push = { readonly do: "send"; readonly session: bigint; readonly ahead: number } | {
  readonly do: "round" | "commit" | "newEpoch" | "abandon" | "take";
};

const push: fc.Arbitrary<Push> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constant("send" as const),
      session: fc.constantFrom(1n, 2n),
      ahead: fc.constantFrom(0, 0, 0, 1, 2),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("round" as const, "take" as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom("commit" as const, "newEpoch" as const, "abandon" as const),
    }),
  },
);

/** Every batch that is accepted leaves exactly once: ordered, held or given up. */
function checkInterleaving(pushes: readonly Push[]): void {
  const scene = opened(2);
  const { sequencer } = scene;
  const names = (list: readonly { session: bigint; epoch: number; batch: number }[]): string[] =>
    list.map(({ session, epoch, batch }) => `${session}:${epoch}:${batch}`);
  const accepted: string[] = [];
  const drained: string[] = [];
  let epoch = 1;
  const accept = (): void => {
    for (const batch of scene.ring.splice(0)) {
      accepted.push(...names([batch]));
      sequencer.accept(batch, 0);
    }
  };
  const take = (): void => {
    const round = sequencer.takeRound();
    drained.push(...names(round));
    // A round that was taken does not change any more.
    const copy = names(round);
    queueRounds.push(() => assertEquals(names(round), copy));
    waiting.push(...round);
  };
  const queueRounds: (() => void)[] = [];
  const waiting: ReturnType<typeof sequencer.takeRound> = [];
  let position = 0n;
  for (const one of pushes) {
    if (one.do === "send") {
      const own = one.session === 1n ? epoch : 1;
      scene.send(one.session, own, sequencer.view(one.session)!.assigned + one.ahead);
    } else if (one.do === "round") accept();
    else if (one.do === "take") take();
    else if (one.do === "commit") {
      for (const batch of waiting.splice(0)) sequencer.committed(batch, position++);
    } else if (one.do === "abandon") {
      const lost = scene.ring.pop();
      if (lost !== undefined) sequencer.abandon(lost.session, lost.epoch, lost.batch);
    } else {
      take();
      const decision = sequencer.open(requestOf(1n), 0);
      assert(decision.kind === "newEpoch");
      sequencer.opened(1n, epoch = decision.epoch, 0);
    }
  }
  accept();
  take();
  for (const check of queueRounds) check();
  const { heldNow } = sequencer.counters;
  const gone = [...drained, ...names(scene.discarded)];
  assertEquals(new Set(gone).size, gone.length, "nothing leaves twice");
  assertEquals(gone.length + heldNow, accepted.length, "nothing is lost");
  assert(gone.every((one) => accepted.includes(one)));
  assertEquals(sequencer.takeRound(), [], "there is no rest");
}

test("scenario 25: however pushes, seals and resets interleave, nothing is lost", () => {
  fc.assert(fc.property(fc.array(push, { maxLength: 120, size: "max" }), checkInterleaving));
});

test("scenario 26: a push that was accepted is drained exactly once, whenever rounds are taken between stragglers", () => {
  const often = fc.oneof({ weight: 3, arbitrary: fc.constant({ do: "take" } as const) }, {
    weight: 3,
    arbitrary: push,
  });
  fc.assert(fc.property(fc.array(often, { maxLength: 120, size: "max" }), checkInterleaving));
});

test("scenario 27: under steady load of others a gap is fenced when its lease ends, not when there is time for it", () => {
  const scene = opened(2);
  scene.sendAll(1n, 1, [0, 2]);
  scene.round();
  let fences = 0;
  for (let nowMs = 1; fences === 0; nowMs++) {
    scene.nowMs = nowMs;
    scene.sendAll(2n, 1, [nowMs - 1]);
    assertEquals(scene.settle(), [nowMs - 1]);
    scene.grants();
    // As a broker does it: asked when it is due, and never otherwise.
    if (nowMs < scene.sequencer.nextTimeoutMs) continue;
    fences += scene.expire(nowMs).length;
    assert(nowMs <= 1_000, "the lease is over");
  }
  assertEquals(scene.nowMs, 1_000);
});

test("scenario 28: a process that stood still for any time after a gap began skips and fences nothing that then arrives", () => {
  for (const stoodMs of [1_500, 1_750, 2_000, 10_000, 3_600_000]) {
    const scene = opened(1);
    scene.sendAll(1n, 1, [0, 2, 3]);
    scene.settle();
    scene.nowMs = stoodMs;
    assertEquals(scene.expire(), [], "what fills the gap may wait in a socket");
    assert(scene.sequencer.nextTimeoutMs > stoodMs && scene.sequencer.nextTimeoutMs < Infinity);
    scene.sendAll(1n, 1, [1]);
    assertEquals(scene.settle(), [1, 2, 3]);
    assertEquals(logged(scene, 1n, 1), range(0, 4));
  }
  // What does not arrive then either is fenced: a second chance is not a third one.
  const scene = opened(1);
  scene.sendAll(1n, 1, [1]);
  scene.round();
  scene.expire(1_600);
  assertEquals(scene.expire(2_599).length + scene.expire(4_000).length, 1);
});

test("scenario 28: a gap is spared while what fills it is in the ring, however long the sequencer stands still", () => {
  const scene = opened(1);
  scene.sendAll(1n, 1, [1]);
  scene.round();
  scene.sendAll(1n, 1, [0]);
  for (const nowMs of range(1, 30)) assertEquals(scene.expire(nowMs * 500), []);
  assertEquals(scene.settle(), [0, 1]);
});

test("scenario 29: with all places for held batches taken by gaps, nobody is fenced before its own lease, and others get on", () => {
  const limits = { grantBatchesMax: 24, holdBatchesMax: 24, leaseMs: 1_000 };
  const scene = new Scene(limits);
  // Two sessions fill what they were granted behind gaps of their own, a third one has a batch of its own.
  for (const session of [1n, 2n, 3n]) scene.open(session, { windowBatches: 24 });
  scene.commit();
  for (const session of [1n, 2n]) {
    scene.nowMs += 100;
    let batch = 1;
    while (scene.send(session, 1, batch) === "take") batch++;
    assert(batch > 2);
    scene.round();
    assertEquals(scene.send(session, 1, batch), "beyondWindow", "its own sender is told to wait");
  }
  scene.grants();
  const { heldNow, grantedBatches } = scene.sequencer.counters;
  assert(heldNow >= 18 && grantedBatches >= 22, `${heldNow} held, ${grantedBatches} granted`);
  for (const batch of range(0, 50)) {
    scene.sendAll(3n, 1, [batch]);
    assertEquals(scene.settle(), [batch], "the third one is never in their way, nor they in its");
    scene.grants();
  }
  // The batch that fills a gap always has room.
  scene.sendAll(1n, 1, [0]);
  assertEquals(scene.settle().length, logged(scene, 1n, 1).length);
  assertEquals(scene.expire(1_199).length, 0);
  assertEquals(scene.expire(1_200), [{ session: 2n, epoch: 1, nextBatch: 0 }], "after its own lease");
});

test("scenario 30: after a fence the next epoch's first gap has a whole lease, as has every gap after progress", () => {
  const scene = opened(1);
  let nowMs = 0;
  for (const epoch of [1, 2, 3, 4]) {
    scene.sendAll(1n, epoch, [1, 3]);
    scene.round();
    scene.expire(nowMs += 999);
    scene.sendAll(1n, epoch, [0]);
    assertEquals(scene.round(), [0, 1], "progress: what is missing now has a lease of its own");
    assertEquals(scene.expire(nowMs += 999), []);
    assertEquals(scene.expire(nowMs += 1), [{ session: 1n, epoch, nextBatch: 2 }]);
    scene.commit();
    scene.open(1n);
    scene.commit();
    assertEquals(scene.expire(nowMs), [], "no storm");
  }
});

test("scenario 31: a gap's age survives copies: of what is below it, of what is held, and of what comes later", () => {
  const scene = opened(1);
  scene.sendAll(1n, 1, [0, 1, 3]);
  scene.settle();
  for (const nowMs of range(1, 10)) {
    scene.expire(nowMs * 100);
    for (const batch of [0, 1, 3]) assertEquals(scene.send(1n, 1, batch), "duplicate");
    // Something new above the gap does not make it younger either.
    scene.sendAll(1n, 1, [3 + nowMs]);
    scene.settle();
    scene.sequencer.disconnected(1n, 1, scene.nowMs);
    assertEquals(scene.open(1n, { epoch: 1 }).kind, "resume");
  }
  assertEquals(scene.expire(999), []);
  assertEquals(scene.expire(1_000), [{ session: 1n, epoch: 1, nextBatch: 2 }]);
});

test("scenario 34: whatever order batches are committed in, an ack tells the contiguous prefix", () => {
  const random = new Random(34);
  const scene = opened(1, { order: 2 });
  const { sequencer } = scene;
  for (let first = 0; first < 320; first += 16) {
    const left = range(first, first + 16);
    const done = new Set(range(0, first));
    while (left.length > 0) {
      const [batch] = left.splice(random.integer(0, left.length - 1), 1);
      scene.sendAll(1n, 1, [batch!]);
      scene.settle();
      done.add(batch!);
      const next = range(0, 321).find((one) => !done.has(one))!;
      const ack = sequencer.takeAck(1n)!;
      assertEquals([ack.nextBatch, ack.nextSyncedBatch, ack.runs.length], [next, next, 1]);
      assertEquals(ack.runs[0]!.batch, batch);
    }
  }
});

test("scenario 60: epochs are 32 bits: 1 and 65537 are two, and there is an end, by name", () => {
  const scene = new Scene();
  const { sequencer } = scene;
  const session = {
    publisher: "",
    fenced: false,
    nextBatch: 7,
    ahead: [],
    lastSequence: undefined,
    ageMs: 0,
  };
  sequencer.importSessions([
    { ...session, session: 1n, epoch: 65_536 },
    { ...session, session: 2n, epoch: 0xffff_fffe },
  ], 0);
  const decision = scene.open(1n);
  assert(decision.kind === "newEpoch");
  assertEquals(decision.epoch, 65_537);
  scene.sendAll(1n, 65_537, [0]);
  for (const epoch of [1, 2, 65_536]) assertEquals(scene.send(1n, epoch, 0), "staleEpoch");
  assertEquals(scene.open(1n, { epoch: 1 }).kind, "superseded");
  scene.settle();
  const ack = sequencer.takeAck(1n)!;
  assertEquals([ack.epoch, ack.nextBatch], [65_537, 1]);
  sequencer.accept(batchOf(1n, 1, 1), 0);
  assertEquals(sequencer.takeRound(), [], "of another epoch");
  assertEquals(scene.open(1n, { epoch: 65_537 }).kind, "resume");
  assertEquals(scene.restart().open(1n, { epoch: 1 }).kind, "superseded");

  assertEquals(scene.open(2n).kind, "newEpoch");
  assertEquals(sequencer.view(2n)!.epoch, 0xffff_ffff);
  assertEquals(scene.open(2n), { kind: "full" }, "no epoch begins anew at 0");
});
