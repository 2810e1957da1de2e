/**
 * Memory for bodies that are arriving: a fixed number of buffers of one size. Asking for one never waits. Who got none
 * is queued, first come first served, and hears when one is kept for it.
 *
 * A buffer that becomes free is *kept* for the first in the queue until it asks again: a newcomer cannot take it away,
 * so nobody starves, and a pool of one buffer serves any number of connections.
 *
 * @module
 */

import { assert } from "../../assert.ts";
import { viewOf } from "../../bytes/bytes.ts";
import { BugError, MisuseError } from "../../errors.ts";

/** Who waits for a buffer: one per connection. */
export interface StagingWaiter {
  /**
   * A buffer is kept for this waiter until it calls {@link StagingPool.allocate} or {@link StagingPool.forget}: one of them
   * must follow, now or later. Called from inside `release` or `forget` of others.
   */
  resume(): void;
}

/** What a {@link StagingPool} is made of. */
export interface StagingPoolInit {
  /** How many there are. At least 1. */
  readonly buffers: number;
  /** Bytes of each one. At least 1. */
  readonly bufferBytes: number;
  /** Who waits is resumed while less than this much of the pool is in use, in percent from 1 to 100. Default 70. */
  readonly resumePercent?: number | undefined;
  /** Memory with any content: it is overwritten before anybody sees it. Default: zeroed memory. */
  readonly memory?: ((bytes: number) => Uint8Array) | undefined;
}

const RESUME_PERCENT = 70;

/** See the module. */
export class StagingPool {
  readonly buffers: number;
  readonly bufferBytes: number;
  /**
   * How full the pool was after each allocation: below 10 %, below 20 %, … below 100 %, and 100 %.
   */
  readonly histogram: number[] = new Array<number>(11).fill(0);
  /** Asks that found nothing free. A waiter that asks again while it is queued is not counted again. */
  exhausted = 0;
  /** Waiters that were queued, that were resumed, and that left the queue before. `pauses` = the others + `waiting`. */
  pauses = 0;
  resumes = 0;
  forgotten = 0;
  readonly #resumePercent: number;
  readonly #memory: (bytes: number) => Uint8Array;
  readonly #free: Uint8Array[] = [];
  /** View that was given away → its whole buffer. A view is never used twice, so a late release cannot hit the next user. */
  readonly #lent: Map<Uint8Array, Uint8Array> = new Map();
  /** In the order of their coming. */
  readonly #queue: Set<StagingWaiter> = new Set();
  /** Resumed, and not back yet. */
  readonly #kept: Set<StagingWaiter> = new Set();
  #resuming = false;

  /** @throws {MisuseError} `ERR_OPTION`: a number outside its range. */
  constructor(init: StagingPoolInit) {
    const { buffers, bufferBytes, resumePercent = RESUME_PERCENT } = init;
    checkRange("buffers", buffers, Number.MAX_SAFE_INTEGER);
    checkRange("bufferBytes", bufferBytes, Number.MAX_SAFE_INTEGER);
    checkRange("resumePercent", resumePercent, 100);
    this.buffers = buffers;
    this.bufferBytes = bufferBytes;
    this.#resumePercent = resumePercent;
    this.#memory = init.memory ?? ((bytes): Uint8Array => new Uint8Array(bytes));
  }

  /** Buffers that were given away. */
  get inUse(): number {
    return this.#lent.size;
  }

  /** How much of the pool was given away, from 0 to 100. */
  get utilisationPercent(): number {
    return this.#lent.size * 100 / this.buffers;
  }

  /** How many are queued. */
  get waiting(): number {
    return this.#queue.size;
  }

  /**
   * Memory of exactly `bytes`, with any content, or `undefined`: none is free, or others were here before. Then `waiter`,
   * if there is one, is queued, once. `bytes` must not be more than {@link StagingPool.bufferBytes}: `BugError`.
   */
  allocate(bytes: number, waiter?: StagingWaiter): Uint8Array | undefined {
    assert(bytes <= this.bufferBytes, "StagingPool: more bytes than a buffer has");
    const kept = waiter !== undefined && this.#kept.delete(waiter);
    if (!kept && (this.#queue.size > 0 || this.#lent.size + this.#kept.size >= this.buffers)) {
      if (waiter === undefined) {
        this.exhausted++;
      } else if (!this.#queue.has(waiter)) {
        this.exhausted++;
        this.pauses++;
        this.#queue.add(waiter);
      }
      return undefined;
    }
    const whole = this.#free.pop() ?? this.#memory(this.bufferBytes);
    const view = viewOf(whole, 0, bytes);
    this.#lent.set(view, whole);
    const tenth = Math.floor(this.#lent.size * 10 / this.buffers);
    this.histogram[tenth] = this.histogram[tenth]! + 1;
    return view;
  }

  /** Whether this very view was given away and not released. */
  owns(view: Uint8Array): boolean {
    return this.#lent.has(view);
  }

  /**
   * Takes a view back that {@link StagingPool.allocate} gave, and resumes who waits. `recycle` false: somebody may still write
   * to it, so the memory is left to the garbage collector and another one takes its place. Throws `BugError` for any other memory.
   */
  release(view: Uint8Array, recycle = true): void {
    const whole = this.#lent.get(view);
    if (whole === undefined) throw new BugError("StagingPool: release of memory that it did not give");
    this.#lent.delete(view);
    // A faulty transport that read a body in place may have given its memory away.
    if (recycle && whole.length === this.bufferBytes) this.#free.push(whole);
    this.#resume();
  }

  /** Takes a waiter out: its connection ended, or it wants nothing any more. What is kept for it goes to the next one. */
  forget(waiter: StagingWaiter): void {
    if (this.#queue.delete(waiter)) this.forgotten++;
    if (this.#kept.delete(waiter)) this.#resume();
  }

  /** One loop for all, however the calls are nested: a resumed waiter may take, fill and release its buffer at once. */
  #resume(): void {
    if (this.#resuming) return;
    this.#resuming = true;
    try {
      for (const waiter of this.#queue) {
        const used = this.#lent.size + this.#kept.size;
        if (used * 100 >= this.#resumePercent * this.buffers) break;
        this.#queue.delete(waiter);
        this.#kept.add(waiter);
        this.resumes++;
        waiter.resume();
      }
    } finally {
      this.#resuming = false;
    }
  }
}

function checkRange(name: string, value: number, max: number): void {
  if (Number.isSafeInteger(value) && value >= 1 && value <= max) return;
  throw new MisuseError("ERR_OPTION", `${name} is ${value}: it must be an integer from 1 to ${max}`);
}
