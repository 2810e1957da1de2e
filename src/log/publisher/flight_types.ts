/**
 * What goes into a flight of batches and what comes out of it.
 *
 * @module
 */

import type { AckRun } from "../wire/messages.ts";
import type { OutgoingBatch } from "./window.ts";

/** What a broker says of a session's epoch. */
export interface SessionFrontiers {
  readonly nextBatch: number;
  readonly nextSyncedBatch: number;
  readonly runs: readonly AckRun[];
}

/** How a flight tells what became of batches. */
export interface FlightTarget<Token> {
  /** Acknowledged at the publisher's level: those who wait are to be told, once. */
  settled(batch: OutgoingBatch<Token>): void;
  /** Left the window; its memory is free unless `shared`. */
  retired(batch: OutgoingBatch<Token>): void;
}
