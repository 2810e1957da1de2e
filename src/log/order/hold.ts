/**
 * Batches that wait behind a gap of their session. They have left the ring; grants see to it that there is always room.
 *
 * @module
 */

import { assert } from "../../assert.ts";
import { Deadlines } from "./deadlines.ts";
import type { SequencedBatch } from "./sequencer_types.ts";
import type { Session } from "./session.ts";

/** The held batches of all sessions: how many, and whose gap is the oldest. What is held is kept by each session. */
export class Hold {
  /** Batches that ever had to wait. */
  held = 0;
  #batches = 0;
  #bytes = 0;
  readonly #batchesMax: number;
  readonly #bytesMax: number;
  readonly #leaseMs: number;
  /**
   * At most one for each session, set when its gap begins and never moved: a gap that has begun anew, or is gone, is noticed
   * when its old time comes. So progress costs nothing.
   */
  readonly #gaps = new Deadlines<Session>();

  constructor(batchesMax: number, bytesMax: number, leaseMs: number) {
    this.#batchesMax = batchesMax;
    this.#bytesMax = bytesMax;
    this.#leaseMs = leaseMs;
  }

  /** Batches that wait now. */
  get batches(): number {
    return this.#batches;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** When {@link expired} wants to be asked. */
  get nextMs(): number {
    return this.#gaps.nextMs;
  }

  /** Keeps a batch above what its session expects. The first one starts the session's clock; others leave it alone. */
  put(session: Session, batch: SequencedBatch, nowMs: number): void {
    const held = session.held ??= new Map();
    if (held.size === 0) this.#begin(session, nowMs);
    held.set(batch.batch, batch);
    this.held++;
    this.#batches++;
    this.#bytes += batch.bytes;
    assert(
      this.#batches <= this.#batchesMax && this.#bytes <= this.#bytesMax,
      "more is held than was granted",
    );
  }

  /** Takes out the batch that the session expects now; `undefined`: it is not there. */
  takeNext(session: Session): SequencedBatch | undefined {
    const held = session.held;
    if (held === undefined || held.size === 0) return undefined;
    const batch = held.get(session.assigned.next);
    if (batch === undefined) return undefined;
    held.delete(batch.batch);
    this.#batches--;
    this.#bytes -= batch.bytes;
    return batch;
  }

  /** The session got ahead: what it waits for now has a whole lease. */
  progressed(session: Session, nowMs: number): void {
    if (session.held !== undefined && session.held.size > 0) this.#begin(session, nowMs);
  }

  /** Forgets everything that is held of a session; answers with it, ascending. */
  discard(session: Session): SequencedBatch[] {
    this.#gaps.clear(session.gap);
    const held = session.held;
    if (held === undefined || held.size === 0) return [];
    session.held = undefined;
    const batches = [...held.values()].sort((a, b) => a.batch - b.batch);
    for (const batch of batches) this.#bytes -= batch.bytes;
    this.#batches -= batches.length;
    return batches;
  }

  /** What was to fill the gap does not come: the gap is looked at when its lease ends, or at once. */
  check(session: Session): void {
    if (!session.gap.isSet) return;
    const dueMs = session.gapSinceMs + this.#leaseMs;
    // It was looked at after its lease, and spared for what does not come.
    if (session.gap.dueMs > dueMs) session.spared = true;
    this.#gaps.set(session.gap, dueMs);
  }

  /** One session whose gap is older than the lease; `undefined`: none is. */
  expired(nowMs: number): Session | undefined {
    for (
      let first = this.#gaps.first;
      first !== undefined && first.dueMs <= nowMs;
      first = this.#gaps.first
    ) {
      const session = first.owner;
      // Only where batches are admitted can a gap be filled, and be anybody's fault.
      if (session.state !== "open" || session.held === undefined || session.held.size === 0) {
        this.#gaps.clear(first);
      } else if (!this.#postpone(session, nowMs)) {
        this.#gaps.clear(first);
        return session;
      }
    }
    return undefined;
  }

  /** Whether a session whose time has come is to be spared. */
  #postpone(session: Session, nowMs: number): boolean {
    const dueMs = session.gapSinceMs + this.#leaseMs;
    if (dueMs > nowMs) {
      this.#gaps.set(session.gap, dueMs);
      return true;
    }
    // What fills the gap is being received or in the ring. If it does not come, `check` is called.
    if (session.inFlight !== undefined && session.inFlight.has(session.assigned.next)) {
      this.#gaps.set(session.gap, nowMs + this.#leaseMs);
      return true;
    }
    // Nobody looked for half a lease: the process stood still, and what fills the gap may wait in its sockets.
    const lateMs = nowMs - dueMs;
    if (session.spared || lateMs < this.#leaseMs / 2) return false;
    session.spared = true;
    this.#gaps.set(session.gap, nowMs + Math.min(lateMs, this.#leaseMs));
    return true;
  }

  #begin(session: Session, nowMs: number): void {
    session.gapSinceMs = nowMs;
    session.spared = false;
    if (!session.gap.isSet) this.#gaps.set(session.gap, nowMs + this.#leaseMs);
  }
}
