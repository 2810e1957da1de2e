/**
 * What publishers are told of their batches. One slot per session holds the latest value, not a queue: a link that is slow to
 * write loses nothing and costs nothing, because a later ack says all that an earlier one did.
 *
 * @module
 */

import { assert } from "../../assert.ts";
import type { AckMessage, AckRun } from "../wire/messages.ts";
import type { KeptRun } from "./snapshot_types.ts";

/** Duplicates of one session that are answered with their run in one ack. The others learn the prefix. */
const AGAIN_MAX = 16;
/** Below so many forgotten runs the array is left as it is. */
const COMPACT_RUNS_MIN = 32;

/** Consecutive batches with consecutive positions. */
interface Run {
  readonly batch: number;
  batches: number;
  readonly position: bigint;
  /** Behind the last record. */
  end: bigint;
}

/** The committed batches of one session's epoch, as far as they are still known, and how much of that was told. */
export class AckSlot {
  /** Something is to be told. */
  marked = false;
  /** It waits to be named by {@link Acks.takeMarked}. */
  listed = false;
  /** It was named, and its ack was not taken since. */
  named = false;
  #runs: Run[] = [];
  /** Runs before this one are forgotten. */
  #first = 0;
  /** The first run with something untold, and what of it was told. */
  #untold = 0;
  #toldBatches = 0;
  #toldEnd = 0n;
  #again: number[] | undefined = undefined;

  /** A batch is committed at `position`. At most `keep` runs are remembered. */
  add(batch: number, count: number, position: bigint, keep: number): void {
    const runs = this.#runs;
    const last = runs[runs.length - 1];
    if (last !== undefined && last.batch + last.batches === batch && last.end === position) {
      if (this.#untold === runs.length) {
        this.#untold--;
        this.#toldBatches = last.batches;
        this.#toldEnd = last.end;
      }
      last.batches++;
      last.end += BigInt(count);
      return;
    }
    runs.push({ batch, batches: 1, position, end: position + BigInt(count) });
    if (runs.length - this.#first > keep) this.#forget();
  }

  /** As of a snapshot: what `runs` says is known, and nothing was told. */
  restore(runs: readonly KeptRun[]): void {
    for (const { batch, batches, records, position } of runs) {
      this.#runs.push({ batch, batches, position, end: position + BigInt(records) });
    }
  }

  /** For a snapshot: the newest `most` of everything that is known. */
  kept(most: number): KeptRun[] {
    const kept: KeptRun[] = [];
    for (let i = Math.max(this.#first, this.#runs.length - most); i < this.#runs.length; i++) {
      const { batch, batches, position, end } = this.#runs[i]!;
      kept.push({ batch, batches, records: Number(end - position), position });
    }
    return kept;
  }

  /** Runs that are known. */
  get size(): number {
    return this.#runs.length - this.#first;
  }

  /** A copy of `batch` arrived: the next ack says again where it is. */
  again(batch: number): void {
    this.#again ??= [];
    if (this.#again.length < AGAIN_MAX) this.#again.push(batch);
  }

  /** What was not told yet, and what is to be told again. All of it counts as told. */
  takeNews(): AckRun[] {
    const news = this.#takeAgain();
    for (let i = this.#untold; i < this.#runs.length; i++) {
      const { batch, batches, position } = this.#runs[i]!;
      const told = this.#toldBatches;
      news.push(
        told === 0
          ? { batch, batches, position }
          : { batch: batch + told, batches: batches - told, position: this.#toldEnd },
      );
      this.#toldBatches = 0;
    }
    this.#untold = this.#runs.length;
    return news;
  }

  /** Everything that is known. All of it counts as told. */
  takeAll(): AckRun[] {
    this.#untold = this.#runs.length;
    this.#toldBatches = 0;
    this.#again = undefined;
    this.marked = false;
    this.named = false;
    return this.known;
  }

  /** Everything that is known. */
  get known(): AckRun[] {
    const known: AckRun[] = [];
    for (let i = this.#first; i < this.#runs.length; i++) {
      const { batch, batches, position } = this.#runs[i]!;
      known.push({ batch, batches, position });
    }
    return known;
  }

  #takeAgain(): AckRun[] {
    const again: AckRun[] = [];
    if (this.#again === undefined) return again;
    const repeated = new Set<number>();
    for (const wanted of this.#again) {
      const place = this.#find(wanted);
      if (place < 0 || repeated.has(place)) continue;
      const { batch, batches, position } = this.#runs[place]!;
      const told = place < this.#untold ? batches : place === this.#untold ? this.#toldBatches : 0;
      // What is untold comes as news anyway.
      if (wanted >= batch + told) continue;
      repeated.add(place);
      again.push({ batch, batches: told, position });
    }
    this.#again = undefined;
    return again;
  }

  /** The newest are the likeliest. */
  #find(batch: number): number {
    for (let i = this.#runs.length - 1; i >= this.#first; i--) {
      const run = this.#runs[i]!;
      if (batch >= run.batch && batch < run.batch + run.batches) return i;
    }
    return -1;
  }

  #forget(): void {
    if (this.#untold === this.#first) {
      this.#untold++;
      this.#toldBatches = 0;
    }
    this.#first++;
    if (this.#first < COMPACT_RUNS_MIN || 2 * this.#first < this.#runs.length) return;
    this.#runs.splice(0, this.#first);
    this.#untold -= this.#first;
    this.#first = 0;
  }
}

/** What an ack is made of. */
export interface AckSource {
  readonly id: bigint;
  readonly epoch: number;
  readonly attached: boolean;
  readonly acks: AckSlot;
  /** Exclusive bounds. */
  readonly assignedEnd: number;
  readonly nextBatch: number;
  readonly nextSyncedBatch: number;
  readonly limit: number;
}

/** The sessions whose slots have something to tell. */
export class Acks<Source extends AckSource> {
  #marked: Source[] = [];

  /** There is something to tell. Nobody is named who has no link: a link that resumes is told everything. */
  mark(source: Source): void {
    const slot = source.acks;
    slot.marked = true;
    if (slot.listed || slot.named || !source.attached) return;
    slot.listed = true;
    this.#marked.push(source);
  }

  /** Sessions that were marked since the last call; each once until its ack is taken. */
  takeMarked(): bigint[] {
    const ids: bigint[] = [];
    const marked = this.#marked;
    if (marked.length === 0) return ids;
    this.#marked = [];
    for (const source of marked) {
      const slot = source.acks;
      slot.listed = false;
      // A slot may have been replaced by that of a new epoch, which is in the list as well.
      if (!slot.marked || slot.named || !source.attached) continue;
      slot.named = true;
      ids.push(source.id);
    }
    return ids;
  }

  /** Everything since the last take in one message; `undefined`: nothing. */
  take(source: Source): AckMessage | undefined {
    const slot = source.acks;
    if (!slot.marked) return undefined;
    slot.marked = false;
    slot.named = false;
    const { id: session, epoch, nextBatch, nextSyncedBatch, limit } = source;
    assert(nextBatch <= source.assignedEnd, "an ack above what was assigned");
    assert(nextSyncedBatch <= nextBatch, "synced is above committed");
    return { type: "ack", session, epoch, nextBatch, nextSyncedBatch, limit, runs: slot.takeNews() };
  }
}
