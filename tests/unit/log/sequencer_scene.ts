/**
 * A sequencer with what surrounds it in a topic: a ring, and a log whose entries become durable when a test says so.
 *
 * @module
 */

import {
  type Admission,
  type FenceDecision,
  type GrantChange,
  type OpenDecision,
  type OpenRequest,
  type SequencedBatch,
  Sequencer,
  type SequencerInit,
} from "../../../src/log/order/sequencer.ts";

export type Entry =
  | { readonly type: "order"; readonly batches: readonly SequencedBatch[]; readonly position: bigint }
  | { readonly type: "opened"; readonly session: bigint; readonly publisher: string; readonly epoch: number }
  | { readonly type: "ended"; readonly session: bigint; readonly epoch: number }
  | { readonly type: "fence"; readonly decision: FenceDecision };

export const INIT: SequencerInit = {
  order: 5,
  leaseMs: 1_000,
  sessionsMax: 100,
  sessionIdleMs: 60_000,
  holdBatchesMax: 1_024,
  holdBytesMax: 1 << 20,
  grantBatchesMax: 1_024,
  grantBytesMax: 1 << 20,
  batchBytesMax: 1_000,
  runsKept: 64,
  newSession: counter(),
};

/** Ids that nobody chooses. */
function counter(): () => bigint {
  let next = 1_000_000n;
  return () => next++;
}

export function batchOf(
  session: bigint,
  epoch: number,
  batch: number,
  more: Partial<SequencedBatch> = {},
): SequencedBatch {
  return { session, epoch, batch, count: 1, bytes: 10, crc: 0, lastSequence: undefined, offset: 0, ...more };
}

export function requestOf(session: bigint, more: Partial<OpenRequest> = {}): OpenRequest {
  return {
    session,
    publisher: "",
    epoch: 0,
    acknowledged: 0,
    windowBatches: 32,
    windowBytes: 10_000,
    ...more,
  };
}

/** See the module. */
export class Scene {
  readonly init: SequencerInit;
  readonly sequencer: Sequencer;
  nowMs = 0;
  /** Taken and not accepted yet. */
  readonly ring: SequencedBatch[] = [];
  readonly entries: (Entry & { readonly nowMs: number })[] = [];
  /** Entries below are durable. */
  durable = 0;
  /** What the last `accept` and `fenced` calls gave up. */
  readonly discarded: SequencedBatch[] = [];
  /** How often `onGrantFreed` was called. */
  freed = 0;
  #position = 0n;
  #offset = 0;

  constructor(init: Partial<SequencerInit> = {}) {
    this.init = { ...INIT, ...init };
    this.sequencer = new Sequencer(this.init);
    this.sequencer.onDiscarded = (batch) => this.discarded.push(batch);
    this.sequencer.onGrantFreed = () => this.freed++;
  }

  /** As a topic opens a session. The link is answered at once. */
  open(session: bigint, more: Partial<OpenRequest> = {}): OpenDecision {
    this.round();
    const decision = this.sequencer.open(requestOf(session, more), this.nowMs);
    if (decision.kind === "newEpoch") {
      const { session: id, epoch, publisher } = decision;
      this.#append({ type: "opened", session: id, epoch, publisher });
      this.sequencer.opened(id, epoch, this.nowMs);
      this.sequencer.takeRuns(id);
    } else if (decision.kind === "resume") this.sequencer.takeRuns(decision.session);
    return decision;
  }

  /** A batch arrives whole: in the ring if it is taken. */
  send(session: bigint, epoch: number, batch: number, more: Partial<SequencedBatch> = {}): Admission {
    const one = batchOf(session, epoch, batch, { offset: this.#offset++, ...more });
    const admission = this.sequencer.admit(session, epoch, batch, one.bytes);
    if (admission === "take") this.ring.push(one);
    return admission;
  }

  /** Several, all of which must be taken. */
  sendAll(session: bigint, epoch: number, batches: readonly number[]): void {
    for (const batch of batches) {
      const admission = this.send(session, epoch, batch);
      if (admission !== "take") throw new Error(`batch ${batch} of ${session}: ${admission}`);
    }
  }

  /** Orders what is in the ring; answers with the numbers of the batches. */
  round(): number[] {
    for (const batch of this.ring.splice(0)) this.sequencer.accept(batch, this.nowMs);
    const batches = this.sequencer.takeRound();
    if (batches.length > 0) {
      this.sequencer.placed(batches, this.#position);
      this.#append({ type: "order", batches, position: this.#position });
      for (const { count } of batches) this.#position += BigInt(count);
    }
    return batches.map(({ batch }) => batch);
  }

  /** The next entries become durable; all of them by default. */
  commit(entries: number = Infinity): void {
    for (let left = entries; left > 0 && this.durable < this.entries.length; left--) {
      const entry = this.entries[this.durable++]!;
      if (entry.type === "order") {
        let { position } = entry;
        for (const batch of entry.batches) {
          this.sequencer.committed(batch, position);
          position += BigInt(batch.count);
        }
        for (const batch of entry.batches) this.sequencer.synced(batch);
      } else if (entry.type === "fence") {
        const { session, epoch } = entry.decision;
        this.discarded.push(...this.sequencer.fenced(session, epoch));
      }
    }
  }

  /** {@link round} and {@link commit}. */
  settle(): number[] {
    const batches = this.round();
    this.commit();
    return batches;
  }

  expire(nowMs: number = this.nowMs): readonly FenceDecision[] {
    this.nowMs = nowMs;
    const decisions = this.sequencer.expire(nowMs);
    for (const decision of decisions) this.#append({ type: "fence", decision });
    return decisions;
  }

  /** Every grant that publishers are told now; acks are taken first, as a topic does. */
  grants(): GrantChange[] {
    for (const session of this.sequencer.takeMarked()) this.sequencer.takeAck(session);
    return this.sequencer.takeGrants();
  }

  /** All batches in the log, in order. */
  get log(): SequencedBatch[] {
    return this.entries.flatMap((entry) => entry.type === "order" ? entry.batches : []);
  }

  /** A sequencer that knows nothing but the entries from `from` on, after what `before` does to it. */
  replay(before: (sequencer: Sequencer) => void = () => {}, from = 0): Sequencer {
    const twin = new Sequencer(this.init);
    before(twin);
    for (const entry of this.entries.slice(from)) replayEntry(twin, entry);
    return twin;
  }

  /** The process dies, and another one finds the first `kept` entries: by default those that are durable. */
  restart(kept: number = this.durable): Scene {
    const later = new Scene(this.init);
    later.nowMs = this.nowMs;
    for (const entry of this.entries.slice(0, kept)) {
      later.entries.push(entry);
      replayEntry(later.sequencer, entry);
      if (entry.type !== "order") continue;
      for (const { count } of entry.batches) later.#position += BigInt(count);
    }
    later.durable = kept;
    later.#offset = this.#offset;
    return later;
  }

  /** Sessions that were forgotten leave entries. */
  noteEnded(): void {
    for (const { session, epoch } of this.sequencer.takeEnded()) {
      this.entries.push({ type: "ended", session, epoch, nowMs: this.nowMs });
    }
  }

  #append(entry: Entry): void {
    this.noteEnded();
    this.entries.push({ ...entry, nowMs: this.nowMs });
  }
}

function replayEntry(sequencer: Sequencer, entry: Entry & { readonly nowMs: number }): void {
  if (entry.type === "opened") {
    return sequencer.replaySessionOpened(entry.session, entry.publisher, entry.epoch, entry.nowMs);
  }
  if (entry.type === "ended") return sequencer.replayEnded(entry.session, entry.epoch);
  if (entry.type === "fence") {
    const { session, epoch, nextBatch } = entry.decision;
    return sequencer.replayFence(session, epoch, nextBatch, entry.nowMs);
  }
  let { position } = entry;
  for (const batch of entry.batches) {
    sequencer.replayOrder(batch, position, entry.nowMs);
    position += BigInt(batch.count);
  }
}

/** Counts the work that maps and sets do while `run` runs. */
export function countOperations(run: () => void): number {
  let operations = 0;
  const restore: (() => void)[] = [];
  for (const type of [Map.prototype, Set.prototype] as const) {
    for (const name of ["get", "set", "has", "add", "delete", "keys", "values"] as const) {
      const original: unknown = Reflect.get(type, name);
      if (typeof original !== "function") continue;
      Reflect.set(type, name, function (this: unknown, ...given: unknown[]): unknown {
        operations++;
        return Reflect.apply(original, this, given);
      });
      restore.push(() => Reflect.set(type, name, original));
    }
  }
  try {
    run();
  } finally {
    for (const one of restore) one();
  }
  return operations;
}

/** Numbers from `from` up to `to`, which is not among them. */
export function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, index) => from + index);
}
