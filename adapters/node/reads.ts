/**
 * Where a socket's reads go. Node reads into memory of ours, which saves an allocation for every read and,
 * for large bodies, a copy.
 *
 * libuv fills the memory that it was given inside the very call that reports it, on one thread. So all
 * sockets that wait share one buffer, whose content is copied out at once, and an idle socket holds nothing.
 * A socket whose read filled its memory probably has more, which goes into memory of its own. Memory that was
 * handed out is never used again.
 *
 * @module
 */

import { viewOf } from "../../src/bytes/bytes.ts";
import type { TransportHandlers } from "../../src/ports.ts";
import { HEADER_BYTES, placeIn } from "../body_reads.ts";
import { keepFreedMemory } from "./freed_memory.ts";
import { host } from "../shared_host.ts";

/** What waiting sockets share: one read of libuv's usual size. */
const SHARED_BYTES = 65_536;
/** A socket under load reads this much at a time. */
const OWN_BYTES = 65_536;
/** So many reads after the last large body count as a time of large bodies. */
const LARGE_READS = 16;
/** Chunks up to this size are cut from a pool: a kept one pins all of its piece of the pool. */
const POOLED_BYTES_MAX = 1_024;
const POOL_BYTES = 8_192;

const memory = host.memory ?? ((bytes: number): Uint8Array => new Uint8Array(bytes));

/** How much is read at a time while bodies are large. 0: there was none yet. */
let largeBytes = 0;

/** Made for the first socket. */
let shared: Uint8Array | undefined;
let sharedHeader: Uint8Array | undefined;
let pool: Uint8Array = new Uint8Array(0);
let poolAt = 0;

function copied(bytes: Uint8Array): Uint8Array {
  const copy = memory(bytes.length);
  copy.set(bytes);
  return copy;
}

/** Copies what a socket read into the shared buffer. */
function copyShared(length: number): Uint8Array {
  const bytes = viewOf(shared!, 0, length);
  if (length > POOLED_BYTES_MAX) return copied(bytes);
  if (poolAt + length > pool.length) {
    pool = memory(POOL_BYTES);
    poolAt = 0;
  }
  const copy = viewOf(pool, poolAt, poolAt + length);
  copy.set(bytes);
  poolAt += length;
  return copy;
}

/** The option `onread` of one socket. */
export class SocketReads {
  #handlers: TransportHandlers | undefined = undefined;
  #target: Uint8Array;
  /** Whether Node has asked for memory, as a runtime that does not know the option never would. */
  asked = false;
  /** Whether a body was the last target. */
  #placed = false;
  /** Whether the last read filled its target. */
  #filled = false;
  #largeReads = 0;

  constructor() {
    this.#target = shared ??= memory(SHARED_BYTES);
  }

  /** From here on what is read goes to `handlers`; to nobody without. */
  deliverTo(handlers: TransportHandlers | undefined): void {
    this.#handlers = handlers;
  }

  /** Node asks before each read. */
  readonly buffer = (): Uint8Array => {
    this.asked = true;
    return this.#target = this.#nextTarget();
  };

  /** Node reports a read. */
  readonly callback = (length: number): boolean => {
    const handlers = this.#handlers;
    this.#filled = length === this.#target.length;
    if (handlers !== undefined) handlers.data(this.#take(length));
    return true;
  };

  #take(length: number): Uint8Array {
    const target = this.#target;
    if (target.buffer === shared!.buffer) return copyShared(length);
    if (this.#filled) return target;
    const chunk = viewOf(target, 0, length);
    // A small part must not pin all of the block.
    return this.#placed || length * 4 >= target.length ? chunk : copied(chunk);
  }

  #nextTarget(): Uint8Array {
    const rest = this.#handlers?.bodyMemory?.();
    if (rest !== undefined) {
      this.#largeReads = LARGE_READS;
      if (largeBytes === 0) largeBytes = keepFreedMemory(memory) ? 262_144 : 122_880;
      const place = placeIn(rest);
      if (place !== undefined) {
        this.#placed = true;
        return place;
      }
    } else if (this.#largeReads > 0) {
      this.#largeReads -= 1;
    }
    if (this.#placed) {
      this.#placed = false;
      return sharedHeader ??= viewOf(shared!, 0, HEADER_BYTES);
    }
    if (!this.#filled) return shared!;
    return memory(this.#largeReads > 0 ? largeBytes : OWN_BYTES);
  }
}
