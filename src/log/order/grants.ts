/**
 * How much publishers may have on their way. A grant is an absolute limit: batches below it may be sent. What all grants
 * reserve never exceeds what ring and hold can take, so the batch that fills a gap always has room.
 *
 * A publisher gets what it asks for, but no more than one batch and half of what is free then; where it uses up its window it
 * gets more. Where nothing is free, the ones that are idle are asked to shrink to one batch, then the largest to half.
 *
 * @module
 */

import { FatIndex } from "./fat_index.ts";
import { type Grant, GrantPool } from "./grant.ts";
import { GrantChanges } from "./grant_changes.ts";
import { LinkedList, ListNode } from "./linked_list.ts";
import { Waiters } from "./waiters.ts";

/** A publisher that does not answer for so long is still asked, but others are asked as well. */
const PATIENCE_MS = 1_000;

/** Bounds. */
export interface GrantBounds {
  readonly batchesMax: number;
  readonly bytesMax: number;
  /** What one batch may weigh. */
  readonly batchBytesMax: number;
  /** A publisher that does not answer for so long is lowered all the same. */
  readonly leaseMs: number;
}

/** Shares the pool out. Costs the same however many sessions there are. */
export class Grants<Owner> {
  /** A waiting request is worth another try. For the caller to reset. */
  freed = false;
  readonly #pool: GrantPool<Owner>;
  readonly #fat: FatIndex<Owner>;
  readonly #waiters: Waiters<Owner>;
  readonly #hungry = new LinkedList<Grant<Owner>>();
  /** Were asked to shrink, and are believed to do it; have let too much time pass. */
  readonly #asked = new LinkedList<Grant<Owner>>();
  readonly #overdue = new LinkedList<Grant<Owner>>();
  readonly #patienceMs: number;
  readonly #leaseMs: number;
  readonly #changes = new GrantChanges<Owner>();
  #nowMs = -Infinity;

  constructor(bounds: GrantBounds) {
    this.#pool = new GrantPool(bounds.batchesMax, bounds.bytesMax, bounds.batchBytesMax);
    this.#fat = new FatIndex(this.#pool);
    this.#waiters = new Waiters(this.#pool, bounds.leaseMs);
    this.#leaseMs = bounds.leaseMs;
    this.#patienceMs = Math.min(PATIENCE_MS, bounds.leaseMs);
  }

  /** What is reserved now. */
  get batches(): number {
    return this.#pool.batches;
  }

  get bytes(): number {
    return this.#pool.bytes;
  }

  /** Requests in the queue. */
  get waiting(): number {
    return this.#waiters.size;
  }

  get nextTimeoutMs(): number {
    let nextMs = this.#waiters.nextTimeoutMs;
    const asked = this.#asked.first;
    if (asked !== undefined) nextMs = Math.min(nextMs, asked.askedMs + this.#patienceMs);
    const overdue = this.#overdue.first;
    if (overdue !== undefined) nextMs = Math.min(nextMs, overdue.askedMs + this.#leaseMs);
    return nextMs;
  }

  /**
   * A link takes up this grant. What was promised to a link before it is void. `taken`: what of the session is in ring and hold. Answers false where nothing is left: the request with this `key` is in the queue from then on.
   */
  attach(
    grant: Grant<Owner>,
    key: string,
    wish: { readonly batches: number; readonly bytes: number },
    taken: { readonly end: number; readonly bytes: number },
    nowMs: number,
  ): boolean {
    this.#nowMs = nowMs;
    const pool = this.#pool;
    const wanted = Math.min(Math.max(wish.batches, 1), pool.batchesMax);
    const windowBytes = Math.min(Math.max(wish.bytes, 1), pool.bytesMax);
    if (grant.reserve === 0) {
      if (!this.#waiters.enter(key)) {
        this.#balance();
        // Links that know no limit yet have shrunk at once.
        if (!this.#waiters.enter(key)) return false;
      }
      grant.windowBytes = windowBytes;
    } else {
      this.#waiters.cancel(key);
      this.#reweigh(grant, Math.max(windowBytes, Math.min(grant.windowBytes, taken.bytes)));
    }
    const reserve = grant.reserve;
    // Where batches need not wait for each other, some may be assigned far above what is expected.
    this.#settle(grant, Math.min(taken.end, grant.committed + reserve));
    grant.attached = true;
    grant.answered = false;
    grant.wanted = wanted;
    grant.touchedMs = nowMs;
    grant.window = Math.max(1, Math.min(wanted, reserve));
    this.#extend(grant);
    this.#count(grant);
    if (this.#waiters.waiting === 0) this.#raise(grant, wanted);
    this.#fat.place(grant);
    this.#balance();
    return true;
  }

  /** Its link is gone, or its publisher is done: it keeps what is in ring and hold, up to `takenEnd`. */
  detach(grant: Grant<Owner>, takenEnd: number): void {
    grant.attached = false;
    grant.answered = false;
    grant.window = 0;
    this.#settle(grant, takenEnd);
    this.#count(grant);
    this.#fat.remove(grant);
    this.#balance();
  }

  /** A new epoch begins: its batches are counted from 0. */
  restart(grant: Grant<Owner>): void {
    grant.committed = 0;
    grant.blocked = false;
    this.#settle(grant, 0);
    this.#extend(grant);
    this.#count(grant);
    this.#fat.place(grant);
    this.#balance();
  }

  /** A session out of the log, without a link: batches below `committed` are known, none is on its way. */
  restore(grant: Grant<Owner>, committed: number): void {
    grant.committed = committed;
    this.detach(grant, committed);
  }

  /** The session is forgotten: it keeps nothing. */
  release(grant: Grant<Owner>): void {
    this.detach(grant, grant.committed);
  }

  /** Forgets the queue's request. Another link may have asked for the same: it has to ask again to be in the queue. */
  cancel(key: string): void {
    if (this.#waiters.cancel(key)) this.freed = true;
    this.#balance();
  }

  /** A batch arrived, and `end` is behind it. */
  claim(grant: Grant<Owner>, end: number): void {
    if (end <= grant.claimed) return;
    grant.claimed = end;
    if (grant.lowerTo !== undefined) {
      if (grant.blocked) this.#count(grant);
    } else if (end >= grant.limit && grant.window < grant.wanted) this.#want(grant);
  }

  /** A batch arrived in ring order: the session is in use. */
  touch(grant: Grant<Owner>, nowMs: number): void {
    this.#nowMs = Math.max(this.#nowMs, nowMs);
    if (grant.window > 1) this.#fat.touch(grant, nowMs);
  }

  /** Whether some of what arrived waits behind a gap. */
  block(grant: Grant<Owner>, blocked: boolean): void {
    if (grant.blocked === blocked) return;
    grant.blocked = blocked;
    if (grant.asked?.list === undefined) return;
    this.#count(grant);
    this.#balance();
  }

  /** Batches below `committed` are committed: the limit moves on. The ack tells it. */
  commit(grant: Grant<Owner>, committed: number): void {
    const before = grant.counted.batches;
    grant.committed = committed;
    this.#extend(grant);
    this.#count(grant);
    if (grant.counted.batches < before) this.#balance();
  }

  /** The publisher's answer to a lowered grant: `limit` is the lowest it can keep. One that was not asked for is ignored. */
  yielded(grant: Grant<Owner>, limit: number): void {
    const lowest = grant.lowerTo;
    if (lowest === undefined) return;
    grant.lowerTo = undefined;
    grant.told = Math.min(grant.told, limit);
    grant.limit = Math.min(grant.limit, Math.max(limit, lowest, grant.claimed));
    this.#extend(grant);
    if (grant.limit > grant.told) this.#changes.add(grant, "raised");
    this.#count(grant);
    this.#fat.place(grant);
    this.#balance();
  }

  /** The link was told the limit when its session opened. */
  answered(grant: Grant<Owner>): void {
    this.#changes.answered(grant);
  }

  /** An ack told the limit. */
  told(grant: Grant<Owner>): void {
    this.#changes.told(grant);
  }

  /** Calls `tell` for every limit that changed and was not told yet. */
  takeChanges(tell: (owner: Owner, limit: number, lowered: boolean) => void): void {
    this.#changes.take(tell);
  }

  /** Loses patience with those who do not answer. */
  expire(nowMs: number): void {
    if (this.nextTimeoutMs > nowMs) return;
    this.#nowMs = nowMs;
    for (let first = this.#asked.first; first !== undefined; first = this.#asked.first) {
      if (first.askedMs + this.#patienceMs > nowMs) break;
      this.#overdue.append(first.asked!);
      this.#count(first);
    }
    for (let first = this.#overdue.first; first !== undefined; first = this.#overdue.first) {
      const lateMs = nowMs - first.askedMs - this.#leaseMs;
      if (lateMs < 0) break;
      if (lateMs < this.#leaseMs / 2) this.#force(first);
      else {
        // Nobody looked for half a lease: the process stood still, and the answer may wait in its sockets.
        first.askedMs = nowMs;
        this.#overdue.append(first.asked!);
      }
    }
    this.#waiters.expire(nowMs);
    this.#balance();
  }

  /** Whoever asks for more than half of what is free gets half. `undefined`: not even one batch more is there. */
  #raise(grant: Grant<Owner>, most: number): boolean {
    if (grant.window >= most || grant.lowerTo !== undefined) return false;
    const pool = this.#pool;
    const half = grant.counted.batches + Math.ceil(pool.freeBatches / 2);
    const halfBytes = grant.counted.bytes + Math.ceil(pool.freeBytes / 2);
    const byBytes = halfBytes >= grant.windowBytes
      ? Infinity
      : Math.floor(halfBytes / pool.batchBytesMax) + 1;
    const window = Math.min(most, Math.max(grant.window + 1, Math.min(half, byBytes)));
    if (!pool.fits(grant, Math.max(window, grant.reserve))) return false;
    grant.window = window;
    grant.touchedMs = this.#nowMs;
    this.#extend(grant);
    if (grant.limit > grant.told) this.#changes.add(grant, "raised");
    this.#count(grant);
    this.#fat.place(grant);
    return true;
  }

  /** The grant is used up, and less than its publisher would like. */
  #want(grant: Grant<Owner>): void {
    if (!grant.attached) return;
    grant.hungry ??= new ListNode(grant);
    if (grant.hungry.list === undefined) this.#hungry.append(grant.hungry);
    // Also where it was hungry before: others may have become idle since.
    this.#balance();
  }

  /** Gives what is free to those who wait, and asks others to shrink where that is not enough. */
  #balance(): void {
    const waiters = this.#waiters;
    if (waiters.waiting > 0) {
      if (waiters.serve(this.#nowMs)) this.freed = true;
      // Links that were not answered yet shrink at once.
      if (this.#reclaim() && waiters.serve(this.#nowMs)) this.freed = true;
    } else if (this.#hungry.size > 0) this.#feed();
  }

  /** Asks until enough is coming for everyone in the queue, or nobody is left to ask. Answers whether it asked. */
  #reclaim(): boolean {
    const pool = this.#pool;
    const waiters = this.#waiters;
    let asked = false;
    while (pool.freeBatches + pool.comingBatches < waiters.waiting) {
      const idle = this.#fat.idle(this.#nowMs);
      const grant = idle ?? this.#fat.fattest();
      if (grant === undefined) break;
      this.#shrink(grant, idle === undefined ? grant.window >> 1 : 1);
      asked = true;
    }
    return asked;
  }

  /** So many batches as weigh half of its window. */
  #halfBytes(grant: Grant<Owner>): number {
    const pool = this.#pool;
    return Math.floor(pool.weigh(grant, grant.window) / 2 / pool.batchBytesMax) + 1;
  }

  /** Sessions that use all they have get twice as much. One that has more than that gives half of it. */
  #feed(): void {
    for (let grant = this.#hungry.first; grant !== undefined; grant = this.#hungry.first) {
      if (!this.#raise(grant, Math.min(grant.wanted, 2 * grant.window)) && grant.window < grant.wanted) break;
      this.#hungry.remove(grant.hungry!);
    }
    const grant = this.#hungry.first;
    if (grant === undefined) return;
    const pool = this.#pool;
    if (pool.freeBatches + pool.comingBatches < 1) {
      const idle = this.#fat.idle(this.#nowMs);
      const fat = idle ?? this.#fat.fattest();
      if (fat !== undefined && (idle !== undefined || fat.window > 2 * grant.window)) {
        this.#shrink(fat, idle === undefined ? fat.window >> 1 : 1);
      }
    } else if (!pool.fits(grant, grant.reserve + 1) && pool.comingBytes === 0) {
      const fat = this.#fat.fattestByBytes();
      if (fat !== undefined && pool.weigh(fat, fat.window) > 2 * pool.weigh(grant, grant.window)) {
        this.#shrink(fat, this.#halfBytes(fat));
      }
    }
  }

  /** Asks for a smaller window. */
  #shrink(grant: Grant<Owner>, window: number): void {
    grant.window = window;
    grant.hungry?.list?.remove(grant.hungry);
    const limit = Math.max(grant.committed + grant.window, grant.claimed);
    if (!grant.answered) grant.limit = Math.min(grant.limit, limit);
    else if (limit < grant.limit) {
      grant.lowerTo = limit;
      this.#changes.add(grant, "lowered");
    }
    grant.askedMs = this.#nowMs;
    this.#asked.append(grant.asked ??= new ListNode(grant));
    this.#count(grant);
    this.#fat.place(grant);
  }

  /** Takes back what was asked for and not given. What is sent all the same is refused. */
  #force(grant: Grant<Owner>): void {
    this.#overdue.remove(grant.asked!);
    const limit = Math.max(grant.committed + grant.window, grant.claimed);
    grant.lowerTo = undefined;
    if (limit < grant.limit) {
      grant.limit = limit;
      grant.told = Math.min(grant.told, limit);
      this.#changes.add(grant, "lowered");
    } else {
      // It was used up meanwhile, and what moved it on while an answer was awaited was not given.
      this.#extend(grant);
      if (grant.limit > grant.told) this.#changes.add(grant, "raised");
    }
    this.#count(grant);
    this.#fat.place(grant);
  }

  /** Nothing is promised beyond `takenEnd` and nothing is asked. */
  #settle(grant: Grant<Owner>, takenEnd: number): void {
    grant.limit = takenEnd;
    grant.claimed = takenEnd;
    grant.lowerTo = undefined;
    grant.change = "none";
    grant.asked?.list?.remove(grant.asked);
    grant.hungry?.list?.remove(grant.hungry);
  }

  #extend(grant: Grant<Owner>): void {
    if (grant.lowerTo !== undefined || !grant.attached) return;
    grant.limit = Math.max(grant.limit, grant.committed + grant.window);
  }

  /** The same reserve weighs something else. Where that is too much, it weighs as much as there is. */
  #reweigh(grant: Grant<Owner>, windowBytes: number): void {
    const most = grant.counted.bytes + this.#pool.freeBytes;
    grant.windowBytes = windowBytes;
    if (this.#pool.weigh(grant, grant.reserve) > most) grant.windowBytes = most;
    this.#count(grant);
  }

  #count(grant: Grant<Owner>): void {
    const node = grant.asked;
    if (node?.list !== undefined && grant.lowerTo === undefined && grant.reserve === grant.window) {
      node.list.remove(node);
    }
    this.#pool.count(grant, node?.list === this.#asked);
  }
}
