/**
 * The ring between ingest and sequencer: descriptors of stored batches, in the order in which their slots were reserved.
 *
 * Indices are absolute: they start at 0, only rise, and never wrap. `inFlight = next − consumed`, and the ring is full
 * exactly when that is its size, so there is no empty slot, no sentinel and no lap to get wrong.
 *
 * @module
 */

import { assert } from "../../assert.ts";
import { MisuseError } from "../../errors.ts";

/** Who waits for a slot. */
export interface SlotWaiter {
  /** Worth another try. Answers whether it is done with waiting; if not it keeps its place at the front. */
  slotFreed(): boolean;
}

/** What a {@link Ring} is made of. */
export interface RingInit {
  /** Slots. At least 1. */
  readonly size: number;
  /** A slot that was reserved so long ago and is not published may be retired. Default `Infinity`. */
  readonly claimTimeoutMs?: number | undefined;
}

const FREE = 0;
const CLAIMED = 1;
const PUBLISHED = 2;
const RETIRED = 3;

const HIGH_PERCENT = 80;
const LOW_PERCENT = 50;

/** See the module. */
export class Ring<Value> {
  readonly size: number;
  /** Reservations that were refused since the ring was full. */
  fullCount = 0;
  /** Publications into slots that were not, or no longer, the caller's. */
  stalePublishes = 0;
  /** Slots that were given up. */
  retired = 0;
  /** The most slots that were ever in flight. */
  highWater = 0;
  readonly #claimTimeoutMs: number;
  readonly #values: (Value | undefined)[];
  readonly #states: Uint8Array;
  readonly #claimedAtMs: Float64Array;
  readonly #waiters: Set<SlotWaiter> = new Set();
  #next = 0;
  #consumed = 0;
  /** No slot below is claimed. */
  #oldestClaim = 0;
  #congested = false;
  #waking = false;

  /** @throws {MisuseError} `ERR_OPTION`: a size below 1. */
  constructor(init: RingInit) {
    const { size, claimTimeoutMs = Infinity } = init;
    if (!Number.isSafeInteger(size) || size < 1) {
      throw new MisuseError("ERR_OPTION", `size is ${size}: it must be an integer of at least 1`);
    }
    this.size = size;
    this.#claimTimeoutMs = claimTimeoutMs;
    this.#values = new Array<Value | undefined>(size).fill(undefined);
    this.#states = new Uint8Array(size);
    this.#claimedAtMs = new Float64Array(size);
  }

  /** Index that the next reservation gets. */
  get next(): number {
    return this.#next;
  }

  /** Slots below were consumed or passed over. Rises only. */
  get consumed(): number {
    return this.#consumed;
  }

  /** Slots that are reserved, published or retired, and not passed yet. */
  get inFlight(): number {
    return this.#next - this.#consumed;
  }

  get full(): boolean {
    return this.#next - this.#consumed === this.size;
  }

  /** Set at 80 % in flight, cleared at 50 %. A sign for people and metrics: the flow control is the granted window. */
  get congested(): boolean {
    return this.#congested;
  }

  /** How many wait for a slot. */
  get waiting(): number {
    return this.#waiters.size;
  }

  /** The index of a slot that is the caller's to {@link Ring.publish} or {@link Ring.retire}; −1: the ring is full. */
  reserve(nowMs: number): number {
    const index = this.#next;
    const inFlight = index + 1 - this.#consumed;
    if (inFlight > this.size) {
      this.fullCount++;
      return -1;
    }
    const slot = index % this.size;
    assert(this.#states[slot] === FREE, "Ring: a slot in use was given away");
    this.#states[slot] = CLAIMED;
    this.#claimedAtMs[slot] = nowMs;
    this.#next = index + 1;
    if (inFlight > this.highWater) this.highWater = inFlight;
    if (inFlight * 100 >= this.size * HIGH_PERCENT) this.#congested = true;
    return index;
  }

  /** Fills a reserved slot. False, and counted: the index was published, retired or consumed before, or never reserved. */
  publish(index: number, value: Value): boolean {
    if (!this.#isClaimed(index)) {
      this.stalePublishes++;
      return false;
    }
    const slot = index % this.size;
    this.#values[slot] = value;
    this.#states[slot] = PUBLISHED;
    return true;
  }

  /** Gives up a reserved slot: it is passed over. False: it is not reserved any more. */
  retire(index: number): boolean {
    if (!this.#isClaimed(index)) return false;
    this.#states[index % this.size] = RETIRED;
    this.retired++;
    this.#passRetired();
    return true;
  }

  /** Retires what was reserved `claimTimeoutMs` ago or earlier and is not published, and answers how many that were. */
  retireOlder(nowMs: number): number {
    let count = 0;
    for (let index = this.#firstClaim(); index < this.#next; index++) {
      const slot = index % this.size;
      if (this.#states[slot] !== CLAIMED) continue;
      if (nowMs - this.#claimedAtMs[slot]! < this.#claimTimeoutMs) break;
      this.#states[slot] = RETIRED;
      count++;
    }
    this.retired += count;
    this.#passRetired();
    return count;
  }

  /** When {@link Ring.retireOlder} has something to do; `Infinity`: nothing is reserved that is not published. */
  get nextTimeoutMs(): number {
    const index = this.#firstClaim();
    return index === this.#next ? Infinity : this.#claimedAtMs[index % this.size]! + this.#claimTimeoutMs;
  }

  /**
   * The next value in order, whose slot is free from here on; `undefined`: there is none, or the next slot is reserved and not
   * published. Wakes nobody: call {@link Ring.wake} when the round is over.
   */
  consume(): Value | undefined {
    this.#passRetired();
    if (this.#consumed === this.#next) return undefined;
    const slot = this.#consumed % this.size;
    if (this.#states[slot] !== PUBLISHED) return undefined;
    const value = this.#values[slot];
    this.#pass(slot);
    this.#passRetired();
    return value;
  }

  /** Queues who found no slot, once, first come first served. */
  wait(waiter: SlotWaiter): void {
    this.#waiters.add(waiter);
  }

  forget(waiter: SlotWaiter): void {
    this.#waiters.delete(waiter);
  }

  /**
   * Lets who waits try again, from the front, until one is not done. Call it after every round, and whenever the store has
   * room again or has failed.
   */
  wake(): void {
    if (this.#waking) return;
    this.#waking = true;
    try {
      for (const waiter of this.#waiters) {
        if (!waiter.slotFreed()) break;
        this.#waiters.delete(waiter);
      }
    } finally {
      this.#waking = false;
    }
  }

  #isClaimed(index: number): boolean {
    return index >= this.#consumed && index < this.#next && this.#states[index % this.size] === CLAIMED;
  }

  #firstClaim(): number {
    let index = Math.max(this.#oldestClaim, this.#consumed);
    while (index < this.#next && this.#states[index % this.size] !== CLAIMED) index++;
    this.#oldestClaim = index;
    return index;
  }

  #passRetired(): void {
    while (this.#consumed < this.#next) {
      const slot = this.#consumed % this.size;
      if (this.#states[slot] !== RETIRED) return;
      this.#pass(slot);
    }
  }

  #pass(slot: number): void {
    this.#states[slot] = FREE;
    this.#values[slot] = undefined;
    this.#consumed++;
    if (this.#congested && this.inFlight * 100 <= this.size * LOW_PERCENT) this.#congested = false;
  }
}
