/**
 * What of a publisher's batches is on its way: which one goes next, what of the granted window is left, what an
 * acknowledgement answers, and which one is to be sent again.
 *
 * Three numbers of the epoch in use: everything below `committed` is ordered; below `next` it was sent over this link; below
 * `high` it was sent at some time. `committed ≤ next ≤ high`, but for a link that is new.
 *
 * @module
 */

import type { LogError } from "../errors.ts";
import type { Ack, Order } from "../topic_options.ts";
import type { AckRun } from "../wire/messages.ts";
import { isDrained } from "./flight_gap.ts";
import type { FlightTarget, SessionFrontiers } from "./flight_types.ts";
import { ResendTimeout } from "./resend.ts";
import { type OutgoingBatch, Window } from "./window.ts";

export type * from "./flight_types.ts";

/** See the module. */
export class Flight<Token> {
  readonly window: Window<Token> = new Window<Token>();
  /** What `settled` waits for. Set before the first acknowledgement. */
  level: Ack = 1;
  order: Order = 5;
  /** Batches below may be sent. */
  limit = 0;
  /** Bytes that may be sent and not committed; one batch may always be. */
  windowBytes = 0;
  /** Batches in the window that were sent and will never be taken. */
  dropped = 0;
  readonly #target: FlightTarget<Token>;
  readonly #timeout: ResendTimeout;
  #committed = 0;
  #next = 0;
  #high = 0;
  #bytes = 0;
  /** The position behind the last batch of this epoch that left the window. */
  #retiredEnd: bigint | undefined;
  #progressMs = 0;
  /** When one was sent again last. */
  #resentMs = -Infinity;

  constructor(resendTimeoutMs: number, target: FlightTarget<Token>) {
    this.#timeout = new ResendTimeout(resendTimeoutMs);
    this.#target = target;
  }

  /** One more than the highest number that was sent in this epoch. */
  get high(): number {
    return this.#high;
  }

  /** The number of the first batch that is not known to be ordered. */
  get committed(): number {
    return this.#committed;
  }

  /** Whether one more batch, of so many bytes, may follow all that are in the window. */
  hasRoomFor(bytes: number): boolean {
    return this.#next === this.window.nextNumber && this.#mayFly(this.#next, bytes);
  }

  /** The next batch to send, if there is one and the window allows it. `again`: of those alone that were sent before. */
  peek(again: boolean): OutgoingBatch<Token> | undefined {
    const end = again ? this.#high : this.window.nextNumber;
    // What was committed out of turn needs no second copy.
    while (this.#next < end && this.#at(this.#next).committed) this.#next++;
    if (this.#next >= end) return undefined;
    const batch = this.#at(this.#next);
    if (batch.error === undefined) return this.#mayFly(this.#next, batch.body.length) ? batch : undefined;
    // From order 4 on nothing is taken behind a gap.
    if (this.order >= 4) return undefined;
    this.#next++;
    return this.peek(again);
  }

  /** The number of what {@link peek} answered. */
  get next(): number {
    return this.#next;
  }

  /** What {@link peek} answered was sent. */
  sent(nowMs: number): void {
    const batch = this.#at(this.#next++);
    this.#bytes += batch.body.length;
    this.#high = Math.max(this.#high, this.#next);
    batch.markSent(nowMs);
  }

  /** When the first batch without an answer is sent again; `Infinity`: none is on its way. */
  get resendAtMs(): number {
    const first = this.unanswered;
    if (first === undefined) return Infinity;
    return Math.max(this.#at(first).sentMs, this.#progressMs) + this.#timeout.timeoutMs;
  }

  /** The number of the first batch without an answer. */
  get unanswered(): number | undefined {
    for (let number = this.#committed; number < this.#next; number++) {
      const batch = this.#at(number);
      if (batch.error !== undefined && this.order >= 4) return undefined;
      if (!batch.committed && batch.error === undefined) return number;
    }
    return undefined;
  }

  /** The batch with such a number went out once more: because time ran out, or because it arrived damaged. */
  resent(number: number, nowMs: number): void {
    this.#at(number).markSent(nowMs);
    this.#resentMs = nowMs;
    this.#timeout.resent();
  }

  /** Batches from this number on were not taken: they are sent again when there is room. */
  rewind(number: number): void {
    if (number >= this.#next || number < this.#committed) return;
    this.#next = number;
    this.#countBytes();
  }

  /** The link is gone: what was sent may have arrived or not, and its transport may hold its memory. */
  unlinked(): void {
    for (let index = 0; index < this.window.length; index++) {
      const batch = this.window.at(index);
      if (batch.sends > 0) batch.shared = true;
    }
    this.#next = this.#committed;
    this.#bytes = 0;
  }

  /** The link did not take the batch that was to be sent again: it waits as long once more. */
  postponed(nowMs: number): void {
    this.#progressMs = nowMs;
  }

  /** An epoch is open. `synced`: a new one, and whatever stands before it in the log is synced. */
  opened(nowMs: number, synced: boolean): void {
    this.#progressMs = nowMs;
    this.#timeout.progressed();
    if (!synced) return;
    this.#settleOlder();
    this.#retire();
  }

  /**
   * The epoch goes on over a new link. Answers how many acknowledged batches the broker does not have any more; or a
   * sentence for a broker that has more than was ever sent. In both cases the epoch cannot go on.
   */
  resumed(frontiers: SessionFrontiers, nowMs: number): number | string {
    const { nextBatch } = frontiers;
    const base = this.window.baseNumber;
    if (nextBatch < base) return this.#lost(frontiers, nowMs);
    if (nextBatch > this.#high) return this.#tooFar(nextBatch);
    for (let number = nextBatch; number < this.window.nextNumber; number++) {
      const batch = this.#at(number);
      // A crash of the machine may have taken back what was ordered and not synced.
      batch.committed = false;
      batch.position = undefined;
    }
    this.#next = nextBatch;
    this.#committed = Math.min(this.#committed, nextBatch);
    const fault = this.acknowledged(frontiers, nowMs);
    this.#countBytes();
    this.opened(nowMs, false);
    return fault ?? 0;
  }

  /** Takes an acknowledgement. Answers what is wrong with one that speaks of batches that were never sent. */
  acknowledged({ nextBatch, nextSyncedBatch, runs }: SessionFrontiers, nowMs: number): string | undefined {
    if (nextBatch > this.#high) return this.#tooFar(nextBatch);
    for (const run of runs) {
      if (run.batch + run.batches > this.#high) return this.#tooFar(run.batch + run.batches);
    }
    for (const run of runs) this.#place(run, nowMs);
    this.commitBelow(nextBatch, nowMs);
    if (this.level === 2) this.syncBelow(Math.min(nextSyncedBatch, nextBatch));
    this.#retire();
    return undefined;
  }

  /** Batches below are ordered. */
  commitBelow(number: number, nowMs: number): void {
    const end = Math.min(number, this.#high);
    for (let at = Math.max(this.#committed, this.window.baseNumber); at < end; at++) this.#commit(at, nowMs);
    this.#committed = Math.max(this.#committed, end);
    while (this.#committed < this.#high && this.#at(this.#committed).committed) this.#committed++;
    if (this.#next < this.#committed) this.#next = this.#committed;
  }

  /** Batches below are synced, and all of older epochs with the first of this one. */
  syncBelow(number: number): void {
    if (number > 0) this.#settleOlder();
    const end = Math.min(number, this.#committed);
    for (let at = this.window.baseNumber; at < end; at++) this.#settle(this.#at(at));
  }

  /** The epoch is over: batches below `number` are ordered, and synced if `synced`; none of the others ever will be. */
  ended(number: number, synced: boolean, nowMs: number): void {
    this.commitBelow(number, nowMs);
    if (synced) this.syncBelow(number);
    this.#retire();
  }

  /** Nothing is in the log of what was sent: what was ordered and not synced begins anew, too. Followed by {@link renumber}. */
  forget(): void {
    for (let index = 0; index < this.window.length; index++) {
      const batch = this.window.at(index);
      batch.committed = false;
      batch.position = undefined;
    }
    this.window.older = 0;
    this.window.olderBytes = 0;
  }

  /** Nothing will be answered any more: who waits is told. */
  clear(error: LogError): void {
    for (let index = 0; index < this.window.length; index++) {
      const batch = this.window.at(index);
      if (batch.settled) continue;
      batch.error = error;
      this.#settle(batch);
    }
    while (this.window.length > 0) this.window.shift();
    this.#committed = this.#next = this.#high = this.window.nextNumber;
    this.dropped = 0;
  }

  /**
   * A batch will never be taken. Answers whether it stood among those that were sent; otherwise it is gone already, and
   * those behind it have moved up.
   */
  drop(number: number, error: LogError): boolean {
    const batch = this.#at(number);
    batch.error = error;
    this.#settle(batch);
    if (number < this.#high) {
      this.dropped++;
      return true;
    }
    this.#target.retired(this.window.remove(this.window.indexOf(number)));
    return false;
  }

  /** Whether the window holds such a batch, unanswered. */
  holds(number: number): boolean {
    if (number < this.window.baseNumber || number >= this.window.nextNumber) return false;
    const batch = this.#at(number);
    return !batch.committed && batch.error === undefined;
  }

  /** The batch with such a number, which the window {@link holds}. */
  get(number: number): OutgoingBatch<Token> {
    return this.#at(number);
  }

  /**
   * How the gap stands that a dropped batch has left. "closed": it was the last one that was sent, and its number is free again.
   * "drained": whatever else was sent of this epoch and can be committed is.
   */
  gap(): "closed" | "drained" | "waiting" {
    const last = this.#high - 1;
    if (last >= this.window.baseNumber) {
      const batch = this.#at(last);
      // A second copy of it may still be under way, and must not be mistaken for its successor.
      if (batch.error !== undefined && batch.sends === 1 && this.#firstDropped() === last) {
        this.#high = last;
        this.#next = Math.min(this.#next, last);
        this.#countBytes();
        this.dropped--;
        this.#target.retired(this.window.remove(this.window.indexOf(last)));
        return "closed";
      }
    }
    return isDrained(this.window, this.#firstDropped(), this.#high, this.order) ? "drained" : "waiting";
  }

  /** The epoch is over, and nothing of it will be committed that is not. The others are numbered from 0 for the next one. */
  renumber(): void {
    const gone = this.window.renumber((batch) => {
      if (batch.error !== undefined) return "gone";
      if (!batch.committed) return "keep";
      return batch.settled ? "gone" : "older";
    });
    for (const batch of gone) this.#target.retired(batch);
    for (let index = this.window.older; index < this.window.length; index++) {
      const batch = this.window.at(index);
      if (batch.sends > 0) batch.shared = true;
      batch.sends = 0;
      batch.damages = 0;
    }
    this.#committed = this.#next = this.#high = 0;
    this.limit = this.#bytes = 0;
    this.#retiredEnd = undefined;
    this.dropped = 0;
  }

  /** How many acknowledged batches are gone: at most so many. What the broker names beyond them needs no second copy. */
  #lost({ nextBatch, runs }: SessionFrontiers, nowMs: number): number {
    const base = this.window.baseNumber;
    const high = Math.max(base, this.#high);
    const there = runs.filter((run) => run.batch + run.batches <= high);
    let lost = base - nextBatch;
    // Where batches overtake each other, some that were acknowledged out of turn are gone, and some behind others are not.
    for (let number = base; number < this.window.nextNumber; number++) {
      if (!this.#at(number).settled) continue;
      if (!there.some((run) => run.batch <= number && number < run.batch + run.batches)) lost++;
    }
    for (const run of there) {
      lost -= Math.max(0, Math.min(base, run.batch + run.batches) - Math.max(nextBatch, run.batch));
      this.#place(run, nowMs);
    }
    return lost;
  }

  #tooFar(number: number): string {
    return `the broker speaks of batches below ${number}, and ${this.#high} were sent`;
  }

  #at(number: number): OutgoingBatch<Token> {
    return this.window.at(this.window.indexOf(number));
  }

  #mayFly(number: number, bytes: number): boolean {
    if (number >= this.limit) return false;
    return this.#bytes === 0 || this.#bytes + bytes <= this.windowBytes;
  }

  #firstDropped(): number {
    let number = this.#committed;
    while (number < this.#high && this.#at(number).error === undefined) number++;
    return number;
  }

  /** Bytes between `committed` and `next` that are not committed. */
  #countBytes(): void {
    this.#bytes = 0;
    for (let number = this.#committed; number < this.#next; number++) {
      const batch = this.#at(number);
      if (!batch.committed) this.#bytes += batch.body.length;
    }
  }

  /** Takes down positions; what stands behind a gap and has one is committed, too. */
  #place(run: AckRun, nowMs: number): void {
    const base = this.window.baseNumber;
    const end = run.batch + run.batches;
    let position: bigint | undefined = run.position;
    // The first batches of the run are gone, and with them their counts, but not the position where the last one ended.
    if (run.batch < base) position = this.#retiredEnd;
    if (position === undefined) return;
    for (let number = Math.max(base, run.batch); number < end; number++) {
      const batch = this.#at(number);
      batch.position = position;
      position += BigInt(batch.count);
      this.#commit(number, nowMs);
    }
  }

  #commit(number: number, nowMs: number): void {
    const batch = this.#at(number);
    if (batch.committed || batch.error !== undefined) return;
    batch.committed = true;
    if (number < this.#next) this.#bytes -= batch.body.length;
    // What stood behind one that was lost has waited for that one's second copy, not for its own answer.
    if (batch.sends === 1 && batch.sentMs > this.#resentMs) this.#timeout.sample(nowMs - batch.sentMs);
    this.#timeout.progressed();
    this.#progressMs = nowMs;
    if (this.level < 2) this.#settle(batch);
  }

  #settle(batch: OutgoingBatch<Token>): void {
    if (batch.settled) return;
    batch.settled = true;
    this.#target.settled(batch);
  }

  #settleOlder(): void {
    for (let index = 0; index < this.window.older; index++) this.#settle(this.window.at(index));
  }

  #retire(): void {
    while (this.window.length > 0) {
      const batch = this.window.at(0);
      if (!batch.committed || !batch.settled) return;
      const { older } = this.window;
      this.#target.retired(this.window.shift());
      if (older > 0) continue;
      this.#retiredEnd = batch.position === undefined ? undefined : batch.position + BigInt(batch.count);
    }
  }
}
