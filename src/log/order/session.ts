/**
 * One publisher's session, as its broker knows it.
 *
 * @module
 */

import { next } from "../../state_table.ts";
import { AckSlot, type AckSource } from "./acks.ts";
import { Deadline } from "./deadlines.ts";
import { Grant } from "./grant.ts";
import { Prefix } from "./prefix.ts";
import type { SequencedBatch } from "./sequencer_types.ts";
import { SESSION_TRANSITIONS, type SessionInput, type SessionState } from "./states.ts";

/** The data of one session. What happens to it is decided by the sequencer and its parts. */
export class Session implements AckSource {
  readonly id: bigint;
  /** "": without a name. */
  readonly publisher: string;
  /** 0 as long as its first epoch is being opened. */
  epoch = 0;
  /** The greatest epoch that was given away. */
  openingEpoch = 0;
  /** Batches of the epoch that have a place in the order. `next` is what is expected. */
  assigned: Prefix = new Prefix();
  committed: Prefix = new Prefix();
  synced: Prefix = new Prefix();
  /** Batches that were told `take` and not accepted yet, with their bytes. */
  inFlight: Map<number, number> | undefined = undefined;
  /** Batches behind a gap. Kept by the hold. */
  held: Map<number, SequencedBatch> | undefined = undefined;
  /** Of batches that were taken and are not committed. */
  bytes = 0;
  /** Batches of any epoch that are assigned and not committed. */
  uncommitted = 0;
  /** Fences of any epoch that are being stored. */
  fences = 0;
  /** A fence of this epoch is stored, or is about to be. */
  over = false;
  /** Its publisher has closed it. Only told apart while a fence is being stored. */
  left = false;
  /** Of the first payload in the store that is assigned in this epoch. */
  firstOffset: number = Infinity;
  /** The greatest committed sequence of any epoch. */
  lastSequence: bigint | undefined = undefined;
  /** The greatest assigned one: it is in the log or about to be. */
  assignedSequence: bigint | undefined = undefined;
  lastActiveMs = 0;
  /** When the gap began before which batches are held. */
  gapSinceMs = 0;
  /** The gap has had its second chance. */
  spared = false;
  acks: AckSlot = new AckSlot();
  readonly grant: Grant<Session> = new Grant<Session>(this);
  readonly gap: Deadline<Session> = new Deadline<Session>(this);
  readonly idle: Deadline<Session> = new Deadline<Session>(this);
  #state: SessionState = "opening";

  constructor(id: bigint, publisher: string) {
    this.id = id;
    this.publisher = publisher;
  }

  get state(): SessionState {
    return this.#state;
  }

  /** Throws `BugError` where the table has no cell. */
  move(input: SessionInput): void {
    this.#state = next(SESSION_TRANSITIONS, this.#state, input);
  }

  /** Whether it has a link. */
  get attached(): boolean {
    return this.grant.attached;
  }

  get nextBatch(): number {
    return this.committed.next;
  }

  get nextSyncedBatch(): number {
    return this.synced.next;
  }

  get assignedEnd(): number {
    return this.assigned.next;
  }

  get limit(): number {
    return this.grant.tellable;
  }

  /** Something of it is on its way into the log, perhaps of an earlier epoch: it must not be forgotten, nor its id used again. */
  get pending(): boolean {
    return this.uncommitted > 0 || this.fences > 0 || (this.inFlight !== undefined && this.inFlight.size > 0);
  }

  /** Behind the greatest batch that was taken and is not assigned; at least what is expected. */
  get takenEnd(): number {
    let end = this.assigned.next;
    if (this.inFlight !== undefined) {
      for (const batch of this.inFlight.keys()) end = Math.max(end, batch + 1);
    }
    if (this.held !== undefined) { for (const batch of this.held.keys()) end = Math.max(end, batch + 1); }
    return end;
  }

  /** Begins `epoch` with nothing. What was held must have been discarded. */
  begin(epoch: number): void {
    this.epoch = epoch;
    this.assigned = new Prefix();
    this.committed = new Prefix();
    this.synced = new Prefix();
    this.inFlight = undefined;
    this.bytes = 0;
    this.over = false;
    this.left = false;
    this.firstOffset = Infinity;
    this.acks = new AckSlot();
  }
}

/** The greater of two sequences. */
export function laterSequence(one: bigint | undefined, other: bigint | undefined): bigint | undefined {
  return one === undefined || (other !== undefined && other > one) ? other : one;
}
