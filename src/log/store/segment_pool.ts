/**
 * Memory of segments that nobody needs any more, kept for the next ones. Memory that was used before is preferred:
 * to touch fresh memory for the first time costs as much as to fill it.
 *
 * @module
 */

import { assert } from "../../assert.ts";

/** What a {@link SegmentPool} is made of. */
export interface SegmentPoolInit {
  /** Idle memory that is kept, in bytes. Default: 256 MiB. 0: nothing is recycled. */
  readonly idleBytesMax?: number | undefined;
  /** Memory with any content: it is overwritten before anybody sees it. Default: zeroed memory. */
  readonly memory?: ((bytes: number) => Uint8Array) | undefined;
}

const IDLE_BYTES_MAX = 268_435_456;

/** See the module. One serves segments of any size, but recycles only between those of the same. */
export class SegmentPool {
  /** Pieces of memory that were made, used again, and left to the garbage collector because enough were idle. */
  fresh = 0;
  recycled = 0;
  dropped = 0;
  readonly #idleBytesMax: number;
  readonly #memory: (bytes: number) => Uint8Array;
  readonly #idle: Map<number, Uint8Array[]> = new Map();
  #idleBytes = 0;

  constructor(init: SegmentPoolInit = {}) {
    this.#idleBytesMax = init.idleBytesMax ?? IDLE_BYTES_MAX;
    this.#memory = init.memory ?? ((bytes): Uint8Array => new Uint8Array(bytes));
  }

  /** Bytes that wait for the next segment. */
  get idleBytes(): number {
    return this.#idleBytes;
  }

  /** Memory of exactly so many bytes, with any content. What was given back last comes first: it is still in the caches. */
  take(bytes: number): Uint8Array {
    const idle = this.#idle.get(bytes)?.pop();
    if (idle === undefined) {
      this.fresh++;
      return this.#memory(bytes);
    }
    this.recycled++;
    this.#idleBytes -= bytes;
    return idle;
  }

  /** Takes back what {@link SegmentPool.take} gave. Nobody may look at it any more. */
  give(memory: Uint8Array): void {
    if (this.#idleBytes + memory.length > this.#idleBytesMax) {
      this.dropped++;
      return;
    }
    let idle = this.#idle.get(memory.length);
    if (idle === undefined) this.#idle.set(memory.length, idle = []);
    assert(!idle.includes(memory), "memory is given back once");
    idle.push(memory);
    this.#idleBytes += memory.length;
  }

  /** Lets go of everything that is idle. */
  clear(): void {
    this.#idle.clear();
    this.#idleBytes = 0;
  }
}
