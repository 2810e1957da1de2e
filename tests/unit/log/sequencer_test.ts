import { test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { MisuseError } from "../../../src/errors.ts";
import { Sequencer, type SequencerInit } from "../../../src/log/order/sequencer.ts";
import { batchOf, countOperations, INIT, range, Scene } from "./sequencer_scene.ts";

function opened(init: Partial<SequencerInit> = {}): Scene {
  const scene = new Scene(init);
  scene.open(1n);
  return scene;
}

test("orders 4 and 5: the expected batch is assigned, higher ones wait for it, lower ones are duplicates", () => {
  for (const order of [4, 5] as const) {
    const scene = opened({ order });
    const { sequencer } = scene;
    scene.sendAll(1n, 1, [2, 0, 3]);
    assertEquals(scene.round(), [0]);
    assertEquals(sequencer.view(1n)!.held, 2);
    scene.sendAll(1n, 1, [1]);
    assertEquals(scene.round(), [1, 2, 3]);
    assertEquals(sequencer.view(1n)!.held, 0);
    for (const batch of range(0, 4)) assertEquals(scene.send(1n, 1, batch), "duplicate");
    const { accepted, assigned, held, heldNow, duplicates } = sequencer.counters;
    assertEquals([accepted, assigned, held, heldNow, duplicates], [4, 4, 2, 0, 4]);
  }
});

test("orders 0 and 2: a batch is assigned when it arrives, and never twice", () => {
  for (const order of [0, 2] as const) {
    const scene = opened({ order });
    const { sequencer } = scene;
    scene.sendAll(1n, 1, [2, 0, 3]);
    assertEquals(scene.round(), [2, 0, 3]);
    for (const batch of [2, 0, 3]) assertEquals(scene.send(1n, 1, batch), "duplicate");
    assertEquals(sequencer.view(1n)!.assigned, 1);
    assertEquals(sequencer.exportSessions(0)[0]!.ahead, [2, 3]);
    scene.sendAll(1n, 1, [1]);
    assertEquals(scene.round(), [1]);
    assertEquals([sequencer.view(1n)!.assigned, sequencer.exportSessions(0)[0]!.ahead], [4, []]);
    scene.commit();
    assertEquals(sequencer.view(1n)!.nextBatch, 4);
    assertEquals(sequencer.nextTimeoutMs, Infinity, "nothing waits for anything");
  }
});

test("orders 0 and 2: only the prefix is acknowledged, the runs tell the rest", () => {
  const scene = opened({ order: 2 });
  scene.sendAll(1n, 1, [1, 2]);
  scene.settle();
  const ack = scene.sequencer.takeAck(1n)!;
  assertEquals([ack.nextBatch, ack.nextSyncedBatch], [0, 0]);
  assertEquals(ack.runs, [{ batch: 1, batches: 2, position: 0n }]);
  scene.sendAll(1n, 1, [0]);
  scene.settle();
  const { nextBatch, runs } = scene.sequencer.takeAck(1n)!;
  assertEquals([nextBatch, runs], [3, [{ batch: 0, batches: 1, position: 2n }]]);
});

test("a copy is a duplicate while the first one is in flight, in the ring, held, assigned or committed", () => {
  const scene = opened();
  const { sequencer } = scene;
  assertEquals(sequencer.admit(1n, 1, 1, 10), "take");
  assertEquals(sequencer.admit(1n, 1, 1, 10), "duplicate", "in flight");
  sequencer.accept(batchOf(1n, 1, 1), 0);
  assertEquals(sequencer.admit(1n, 1, 1, 10), "duplicate", "held");
  scene.sendAll(1n, 1, [0]);
  assertEquals(sequencer.admit(1n, 1, 0, 10), "duplicate", "in the ring");
  scene.round();
  assertEquals(sequencer.admit(1n, 1, 0, 10), "duplicate", "assigned");
  assertEquals(sequencer.admit(1n, 1, 1, 10), "duplicate", "assigned");
  scene.commit();
  assertEquals(sequencer.admit(1n, 1, 1, 10), "duplicate", "committed");
  assertEquals(sequencer.counters.duplicates, 6);
});

test("what was abandoned is taken again, and the window's bytes are free again", () => {
  const scene = new Scene();
  scene.open(1n, { windowBytes: 1_000 });
  const { sequencer } = scene;
  assertEquals(sequencer.admit(1n, 1, 0, 600), "take");
  assertEquals(sequencer.admit(1n, 1, 1, 600), "beyondWindow");
  sequencer.abandon(1n, 1, 0);
  assertEquals(sequencer.admit(1n, 1, 1, 600), "take");
  assertEquals(sequencer.admit(1n, 1, 0, 600), "take", "the expected one never waits for bytes");
  // Nobody has claimed these.
  sequencer.abandon(1n, 1, 5);
  sequencer.abandon(1n, 7, 0);
  sequencer.abandon(9n, 1, 0);
  sequencer.accept(batchOf(1n, 1, 0, { bytes: 600 }), 0);
  sequencer.accept(batchOf(1n, 1, 1, { bytes: 600 }), 0);
  assertEquals(sequencer.takeRound().length, 2);
});

test("every refusal has its name and its counter", () => {
  const scene = opened();
  const { sequencer } = scene;
  assertEquals(scene.send(2n, 1, 0), "unknownSession");
  assertEquals(scene.send(1n, 2, 0), "unknownSession", "an epoch that was never given");
  assertEquals(scene.send(1n, 1, 32), "beyondWindow", "the limit is exclusive");
  assertEquals(scene.send(1n, 1, 31), "take");
  assertEquals(scene.send(1n, 1, 0, { bytes: 1_001 }), "beyondWindow", "larger than any batch may be");
  scene.open(1n);
  assertEquals(scene.send(1n, 1, 0), "staleEpoch");
  assertEquals(scene.send(1n, 2, 0), "take");
  const { unknown, stale, beyondWindow, fencedArrivals } = sequencer.counters;
  assertEquals([unknown, stale, beyondWindow, fencedArrivals], [2, 1, 2, 0]);
  assertEquals(scene.discarded.map(({ epoch, batch }) => [epoch, batch]), [[1, 31]]);
});

test("acknowledgements speak of what is committed, openings too, fences of what is assigned", () => {
  const scene = opened();
  scene.sendAll(1n, 1, [0, 1, 2, 4]);
  scene.round();
  let view = scene.sequencer.view(1n)!;
  assertEquals([view.assigned, view.nextBatch, view.nextSyncedBatch], [3, 0, 0]);
  assertEquals(scene.sequencer.takeAck(1n), undefined);
  assertEquals(scene.expire(1_000), [{ session: 1n, epoch: 1, nextBatch: 3 }]);
  assertEquals(scene.discarded, [], "nothing is given up before the fence is stored");
  scene.commit();
  assertEquals(scene.discarded.map(({ batch }) => batch), [4]);
  view = scene.sequencer.view(1n)!;
  assertEquals([view.assigned, view.nextBatch, view.nextSyncedBatch], [3, 3, 3]);
  assertEquals(scene.sequencer.takeAck(1n)!.nextBatch, 3, "the last ack of a fenced session");
});

test("written and synced are told apart", () => {
  const scene = opened();
  scene.sendAll(1n, 1, [0, 1]);
  scene.round();
  const batches = scene.log;
  scene.sequencer.committed(batches[0]!, 0n);
  scene.sequencer.committed(batches[1]!, 1n);
  scene.sequencer.synced(batches[0]!);
  const { nextBatch, nextSyncedBatch } = scene.sequencer.takeAck(1n)!;
  assertEquals([nextBatch, nextSyncedBatch], [2, 1]);
  scene.sequencer.synced(batches[1]!);
  const later = scene.sequencer.takeAck(1n)!;
  assertEquals([later.nextBatch, later.nextSyncedBatch, later.runs], [2, 2, []]);
});

test("a sequence is told when it is committed, and only rises", () => {
  const scene = new Scene();
  const opening = scene.open(0n, { publisher: "p" });
  assert(opening.kind === "newEpoch");
  const { session } = opening;
  assertEquals(scene.sequencer.view(session)!.lastSequence, undefined);
  scene.send(session, 1, 0, { lastSequence: 7n });
  scene.send(session, 1, 1, { lastSequence: 5n });
  scene.send(session, 1, 2);
  scene.round();
  assertEquals(scene.sequencer.view(session)!.lastSequence, undefined, "not before it is committed");
  scene.commit();
  assertEquals(scene.sequencer.view(session)!.lastSequence, 7n);
  scene.open(0n, { publisher: "p" });
  assertEquals(scene.sequencer.view(session)!.lastSequence, 7n, "of any epoch");
});

test("a round that was assigned before a newcomer came still counts for its sequence", () => {
  const scene = new Scene();
  const opening = scene.open(0n, { publisher: "p" });
  assert(opening.kind === "newEpoch");
  scene.send(opening.session, 1, 0, { lastSequence: 9n });
  scene.open(0n, { publisher: "p" });
  assertEquals(scene.sequencer.view(opening.session)!.nextBatch, 0);
  scene.commit();
  const { epoch, nextBatch, lastSequence } = scene.sequencer.view(opening.session)!;
  assertEquals([epoch, nextBatch, lastSequence], [2, 0, 9n], "the new epoch has nothing of its own");
});

test("bounds that contradict each other are refused", () => {
  const wrong: readonly Partial<SequencerInit>[] = [
    { grantBatchesMax: 0 },
    { holdBatchesMax: 1_023 },
    { holdBytesMax: (1 << 20) - 1 },
    { batchBytesMax: (1 << 20) + 1 },
  ];
  for (const part of wrong) {
    assertThrows(() => new Sequencer({ ...INIT, ...part }), MisuseError, "Sequencer:");
  }
});

/** So many batches, in rounds of 500, each session's in order; answers with the work that each batch cost. */
function measure(batches: number, sessions: number, idle: number): number {
  const init = { sessionsMax: sessions + idle, grantBatchesMax: 16_384, holdBatchesMax: 16_384 };
  const sequencer = new Sequencer({ ...INIT, ...init });
  const ids = range(1, sessions + 1).map(BigInt);
  for (const session of [...ids, ...range(1, idle + 1).map((index) => BigInt(1_000_000 + index))]) {
    const request = {
      session,
      publisher: "",
      epoch: 0,
      acknowledged: 0,
      windowBatches: 8,
      windowBytes: 1_000,
    };
    const decision = sequencer.open(request, 0);
    assertEquals(decision.kind, "newEpoch");
    sequencer.opened(session, 1, 0);
    sequencer.takeRuns(session);
    if (session > 1_000_000n) sequencer.disconnected(session, 1, 0);
  }
  // Everything that goes in is looked at a bounded number of times as well.
  let looks = 0;
  class Counted {
    readonly session: bigint;
    readonly epoch = 1;
    readonly count = 1;
    readonly bytes = 10;
    readonly crc = 0;
    readonly offset = 0;
    readonly lastSequence = undefined;
    readonly #batch: number;
    constructor(session: bigint, batch: number) {
      this.session = session;
      this.#batch = batch;
    }
    get batch(): number {
      looks++;
      return this.#batch;
    }
  }
  let position = 0n;
  const operations = countOperations(() => {
    for (let first = 0; first < batches; first += 500) {
      for (let i = first; i < first + 500; i++) {
        const session = ids[i % sessions]!;
        const batch = Math.floor(i / sessions);
        if (sequencer.admit(session, 1, batch, 10) !== "take") {
          throw new Error(`batch ${batch} of ${session}`);
        }
        sequencer.accept(new Counted(session, batch), i);
      }
      for (const batch of sequencer.takeRound()) sequencer.committed(batch, position++);
      for (const session of sequencer.takeMarked()) sequencer.takeAck(session);
      sequencer.takeGrants();
      if (sequencer.nextTimeoutMs < first) sequencer.expire(first);
    }
  });
  assertEquals(sequencer.counters.assigned, batches);
  return (operations + looks) / batches;
}

test("200 000 batches of 1 000 sessions cost each as much as 20 000 do, also among 20 000 idle sessions", () => {
  const few = measure(20_000, 1_000, 0);
  const many = measure(200_000, 1_000, 0);
  const among = measure(20_000, 1_000, 20_000);
  assert(few < 40, `${few} operations`);
  assert(many <= few * 1.01, `${many} operations for each of many, ${few} for each of few`);
  assert(among <= few * 1.01, `${among} operations among idle sessions, ${few} alone`);
});
