/**
 * What ingest counts. One of these is shared by all connections of a broker; a ring's own counters are its topic's.
 *
 * @module
 */

import { assert } from "../../assert.ts";
import type { IngestRefusal } from "./states.ts";

/** All of them only rise, except `arriving` and `waitingForSlot`. */
export class IngestCounters {
  /** Headers of batches that were judged. */
  batches = 0;
  /** Batches that the sequencer admitted; each one is stored, refused, lost or still under way. */
  admitted = 0;
  /** Batches that were stored, and bytes of their bodies. */
  stored = 0;
  storedBytes = 0;
  /** Batches that were refused after they had been admitted. */
  refusedAdmitted = 0;
  /** Admitted batches whose connection ended before they were whole. */
  lost = 0;
  /** Admitted batches that are not whole, and whole ones that wait for a slot. */
  arriving = 0;
  waitingForSlot = 0;
  /** Batches that found no slot or no room, and tries of theirs that found none again. */
  slotWaits = 0;
  slotRetries = 0;
  /** Headers and bodies that did not come in one piece. */
  partialHeaders = 0;
  partialPayloads = 0;
  /** Connections that were paused in front of a body, that went on, and that ended meanwhile. */
  pauses = 0;
  resumes = 0;
  pausesEnded = 0;
  /** Bytes of bodies that were consumed and thrown away. */
  discardedBytes = 0;
  /** Connections that were ended because a body made no progress. */
  payloadTimeouts = 0;
  /** Batches that were not taken, by reason. */
  readonly refusals: Record<IngestRefusal, number> = {
    duplicate: 0,
    staleEpoch: 0,
    unknownSession: 0,
    fenced: 0,
    beyondWindow: 0,
    tooLarge: 0,
    malformed: 0,
    checksum: 0,
    storeFull: 0,
    storeStopped: 0,
  };

  /** Admitted batches of which nobody knows what became of them: always 0, or a bug. */
  get drops(): number {
    const known = this.stored + this.refusedAdmitted + this.lost + this.arriving + this.waitingForSlot;
    const drops = this.admitted - known;
    assert(drops === 0, "IngestCounters: an admitted batch was dropped, or counted twice");
    return drops;
  }
}
