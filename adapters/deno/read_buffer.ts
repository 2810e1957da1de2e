/**
 * The memory that a stream reads into. It is small while a stream is idle, because every open stream waits
 * with a buffer, and large under load, because one read then brings more. Memory that was handed out is never
 * used again.
 *
 * @module
 */

import { copyOf, viewOf } from "../../src/bytes/bytes.ts";

const BYTES_MIN = 1024;
const BYTES_MAX = 262_144;
/**
 * This many reads in a row must use less than a quarter before the buffer shrinks: one small read says
 * nothing.
 */
const SMALL_READS_MAX = 16;

/** A read buffer that sizes itself by what its reads bring. */
export class ReadBuffer {
  #bytes: Uint8Array | undefined = undefined;
  #size = BYTES_MIN;
  #smallReads = 0;
  /** Whether the read in flight may bring less than there is room for. */
  #limited = false;

  /** Where the next read goes, which brings at most `bytesMax`. */
  target(bytesMax: number = Infinity): Uint8Array {
    const bytes = this.#bytes ??= new Uint8Array(this.#size);
    this.#limited = bytesMax < bytes.length;
    return this.#limited ? viewOf(bytes, 0, bytesMax) : bytes;
  }

  /**
   * Returns the `length` bytes that a read put into `target`, in memory that the caller owns from here on.
   */
  take(length: number): Uint8Array {
    const bytes = this.#bytes!;
    if (length * 4 < bytes.length) {
      if (!this.#limited) this.#smallReads += 1;
      if (this.#smallReads >= SMALL_READS_MAX) this.#resize(bytes.length >> 2);
      // An exact copy pins nothing, and the buffer can be used for another read.
      return copyOf(viewOf(bytes, 0, length));
    }
    this.#bytes = undefined;
    this.#smallReads = 0;
    if (length < bytes.length) return bytes.subarray(0, length);
    this.#resize(bytes.length << 2);
    return bytes;
  }

  #resize(size: number): void {
    this.#size = Math.min(BYTES_MAX, Math.max(BYTES_MIN, size));
    this.#smallReads = 0;
    this.#bytes = undefined;
  }
}
