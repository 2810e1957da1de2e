/**
 * What the parts of a sequencer share.
 *
 * @module
 */

import { MisuseError } from "../../errors.ts";
import { Acks } from "./acks.ts";
import { Grants } from "./grants.ts";
import { Hold } from "./hold.ts";
import { PlacedRounds } from "./placed_rounds.ts";
import type { EndedSession, SequencedBatch, SequencerCounters, SequencerInit } from "./sequencer_types.ts";
import type { Session } from "./session.ts";
import { SessionTable } from "./session_table.ts";

/** The counters that only rise. The others are read off. */
export type Counts = {
  -readonly [
    Name in Exclude<
      keyof SequencerCounters,
      | "held"
      | "heldNow"
      | "heldNowBytes"
      | "sessions"
      | "waiting"
      | "grantedBatches"
      | "grantedBytes"
    >
  ]: number;
};

/** See the module. */
export class SequencerParts {
  readonly init: SequencerInit;
  readonly table: SessionTable;
  readonly grants: Grants<Session>;
  readonly hold: Hold;
  readonly acks: Acks<Session> = new Acks<Session>();
  readonly placed: PlacedRounds = new PlacedRounds();
  /** Forgotten, and not told yet. */
  readonly ended: EndedSession[] = [];
  /** Batches wait for those before them. */
  readonly keepsOrder: boolean;
  readonly counts: Counts = {
    accepted: 0,
    assigned: 0,
    assignedRecords: 0,
    assignedBytes: 0,
    duplicates: 0,
    fences: 0,
    discarded: 0,
    beyondWindow: 0,
    stale: 0,
    unknown: 0,
    fencedArrivals: 0,
    expired: 0,
    attached: 0,
  };
  onDiscarded: ((batch: SequencedBatch) => void) | undefined = undefined;
  onGrantFreed: (() => void) | undefined = undefined;

  /** @throws {MisuseError} `ERR_OPTION`: bounds that contradict each other. */
  constructor(init: SequencerInit) {
    check(init.grantBatchesMax >= 1, `grantBatchesMax is ${init.grantBatchesMax}: at least 1`);
    check(init.holdBatchesMax >= init.grantBatchesMax, "holdBatchesMax is below grantBatchesMax");
    check(init.holdBytesMax >= init.grantBytesMax, "holdBytesMax is below grantBytesMax");
    check(init.grantBytesMax >= init.batchBytesMax, "grantBytesMax is below batchBytesMax");
    const { leaseMs } = init;
    this.init = init;
    this.keepsOrder = init.order === 4 || init.order === 5;
    this.table = new SessionTable(init.sessionIdleMs);
    this.hold = new Hold(init.holdBatchesMax, init.holdBytesMax, leaseMs);
    this.grants = new Grants<Session>({
      batchesMax: init.grantBatchesMax,
      bytesMax: init.grantBytesMax,
      batchBytesMax: init.batchBytesMax,
      leaseMs,
    });
  }

  /** Takes out what a session holds: it will never be ordered. */
  discardHeld(session: Session): SequencedBatch[] {
    const held = this.hold.discard(session);
    for (const batch of held) session.bytes -= batch.bytes;
    this.counts.discarded += held.length;
    this.grants.block(session.grant, false);
    return held;
  }

  /** As {@link discardHeld}, and tells. */
  dropHeld(session: Session): void {
    for (const batch of this.discardHeld(session)) this.onDiscarded?.(batch);
  }

  /** An accepted batch will never be ordered. */
  drop(batch: SequencedBatch): void {
    this.counts.discarded++;
    this.onDiscarded?.(batch);
  }

  /** The session has no link from here on, or has nothing in flight any more that it had. */
  detach(session: Session): void {
    if (session.attached) this.counts.attached--;
    this.grants.detach(session.grant, session.takenEnd);
  }

  /** Forgets a session and everything that it holds. */
  forget(session: Session): void {
    this.ended.push({ session: session.id, epoch: session.epoch });
    this.erase(session);
  }

  /** As {@link forget}, where the log says so already. */
  erase(session: Session): void {
    this.dropHeld(session);
    session.inFlight = undefined;
    if (session.attached) this.counts.attached--;
    this.grants.release(session.grant);
    this.table.remove(session);
  }

  get counters(): SequencerCounters {
    const { counts, hold, grants, table } = this;
    return {
      ...counts,
      held: hold.held,
      heldNow: hold.batches,
      heldNowBytes: hold.bytes,
      sessions: table.size,
      waiting: grants.waiting,
      grantedBatches: grants.batches,
      grantedBytes: grants.bytes,
    };
  }

  /** Last of all in a call: requests that wait may be worth another try. */
  tellFreed(): void {
    if (!this.grants.freed) return;
    this.grants.freed = false;
    this.onGrantFreed?.();
  }
}

function check(ok: boolean, what: string): void {
  if (!ok) throw new MisuseError("ERR_OPTION", `Sequencer: ${what}`);
}
