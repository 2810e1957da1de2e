/**
 * Rounds that have their place in the log and are not durable yet: a snapshot that stands behind them says where their batches are.
 *
 * @module
 */

import type { SequencedBatch } from "./sequencer_types.ts";

interface PlacedRound {
  readonly batches: readonly SequencedBatch[];
  readonly position: bigint;
}

/** In the order of the log. */
export class PlacedRounds {
  readonly #rounds: PlacedRound[] = [];
  /** Batches of the first round that are committed. */
  #committed = 0;

  /** The first record of a round gets `position`. */
  add(batches: readonly SequencedBatch[], position: bigint): void {
    if (batches.length > 0) this.#rounds.push({ batches, position });
  }

  /** The next batch is committed. One whose round nobody placed is ignored. */
  committed(batch: SequencedBatch): void {
    const first = this.#rounds[0];
    if (first === undefined || first.batches[this.#committed] !== batch) return;
    this.#committed++;
    if (this.#committed < first.batches.length) return;
    this.#rounds.shift();
    this.#committed = 0;
  }

  /** Calls `tell` for every batch that is not committed. */
  each(tell: (batch: SequencedBatch, position: bigint) => void): void {
    let skip = this.#committed;
    for (const { batches, position } of this.#rounds) {
      let at = position;
      for (const batch of batches) {
        if (skip > 0) skip--;
        else tell(batch, at);
        at += BigInt(batch.count);
      }
    }
  }
}
