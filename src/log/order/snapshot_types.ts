/**
 * What is remembered of a session between two runs: the shape that snapshots in the log carry and the sequencer takes.
 *
 * @module
 */

/** Consecutive batches of a session with consecutive positions. */
export interface KeptRun {
  readonly batch: number;
  readonly batches: number;
  /** Records of all of them. */
  readonly records: number;
  /** Of the first record. */
  readonly position: bigint;
}

/** One session, as far as the order log knows it. Speaks of what was assigned: its order entries precede the snapshot. */
export interface SessionSnapshot {
  /** u64, never 0. */
  readonly session: bigint;
  /** "": a session without a name. */
  readonly publisher: string;
  /** u32, all bits; the first one is 1. */
  readonly epoch: number;
  /** The epoch is over: a fence was stored. Only a higher one may go on. */
  readonly fenced: boolean;
  /** Every batch below was assigned. */
  readonly nextBatch: number;
  /** Orders 0 and 2: batches above `nextBatch` that were assigned, ascending. Empty in orders 4 and 5. */
  readonly ahead: readonly number[];
  /** The greatest assigned sequence of any of its epochs. */
  readonly lastSequence: bigint | undefined;
  /** Milliseconds since its last batch or link; 0 of one that has a link. */
  readonly ageMs: number;
  /**
   * Where its last batches are, for a publisher that asks again after a restart. As many as there is room for; absent: none is
   * known.
   */
  readonly runs?: readonly KeptRun[] | undefined;
}
