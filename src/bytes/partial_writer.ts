/**
 * Adapts a stream whose native call takes *part* of a chunk to the taken-or-lent contract of a transport. For
 * adapters, and for authors of custom transports. Does no I/O of its own.
 *
 * @module
 */

import { assert } from "../assert.ts";

/**
 * Offers `chunk[offset, offset + length)` to the stream, `length` > 0, and returns how many bytes it took. 0:
 * no room now. Negative: the stream has failed. `chunk` must not be kept after the call.
 */
export type WriteSome = (chunk: Uint8Array, offset: number, length: number) => number;

/** Keeps what a stream did not take at once. At most one write is in flight. */
export interface PartialWriter {
  /** The transport's `write`. `false`: the chunk is lent until `resume` returns `true`. */
  write(chunk: Uint8Array): boolean;
  /** The transport's `writev`: one chunk after the other. `false`: whatever is left of them is lent. */
  writev(chunks: readonly Uint8Array[]): boolean;
  /**
   * The stream has room again: continues with what is lent. Returns `true` once for each lent write, when its
   * last byte was taken: the caller then calls `handlers.drain()`. Calling it at any other time is harmless.
   */
  resume(): boolean;
  /** Forgets what is lent, for a stream that is being aborted. */
  release(): void;
  /** Whether memory is lent. */
  readonly lent: boolean;
}

/**
 * Creates a writer on top of `writeSome`. Once `writeSome` returns a negative number the writer has failed:
 * every write returns `false`, and the transport must close.
 */
export function partialWriter(writeSome: WriteSome): PartialWriter {
  return new Writer(writeSome);
}

const NOTHING: readonly Uint8Array[] = [];

class Writer implements PartialWriter {
  readonly #writeSome: WriteSome;
  #chunk: Uint8Array | undefined = undefined;
  #offset = 0;
  #rest: readonly Uint8Array[] = NOTHING;
  #restIndex = 0;
  #failed = false;
  /** Set by `resume`, so that room announced during `writeSome` is not missed. */
  #roomAnnounced = false;
  #writing = false;

  constructor(writeSome: WriteSome) {
    this.#writeSome = writeSome;
  }

  get lent(): boolean {
    return this.#chunk !== undefined && !this.#writing;
  }

  write(chunk: Uint8Array): boolean {
    if (this.#failed) return false;
    this.#begin(chunk);
    return this.#push();
  }

  writev(chunks: readonly Uint8Array[]): boolean {
    if (this.#failed) return false;
    const first = chunks[0];
    if (first === undefined) return true;
    this.#begin(first);
    this.#rest = chunks;
    this.#restIndex = 1;
    return this.#push();
  }

  resume(): boolean {
    this.#roomAnnounced = true;
    if (this.#writing || this.#chunk === undefined) return false;
    return this.#push();
  }

  release(): void {
    this.#chunk = undefined;
    this.#rest = NOTHING;
  }

  #begin(chunk: Uint8Array): void {
    assert(this.#chunk === undefined, "a transport was written to while a chunk is lent");
    this.#chunk = chunk;
    this.#offset = 0;
  }

  /** Offers bytes until all are taken or the stream has no room. */
  #push(): boolean {
    if (this.#failed) return false;
    this.#writing = true;
    try {
      while (this.#chunk !== undefined) {
        const length = this.#chunk.length - this.#offset;
        if (length === 0) {
          this.#next();
          continue;
        }
        this.#roomAnnounced = false;
        const taken = this.#writeSome(this.#chunk, this.#offset, length);
        assert(taken <= length, "writeSome returned more bytes than it was offered");
        if (taken < 0) {
          this.#failed = true;
          return false;
        }
        if (taken === 0 && !this.#roomAnnounced) return false;
        this.#offset += taken;
      }
      return true;
    } finally {
      this.#writing = false;
    }
  }

  #next(): void {
    this.#chunk = this.#rest[this.#restIndex];
    this.#restIndex += 1;
    this.#offset = 0;
    if (this.#chunk === undefined) this.#rest = NOTHING;
  }
}
