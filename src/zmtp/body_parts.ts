/**
 * Collects the parts of a body that is too large to allocate before much of it has arrived. Large parts are
 * kept as views of their chunks; small ones are joined, so that a trickle does not cost an object and a
 * buffer per byte.
 *
 * @module
 */

import { NO_BYTES, viewOf } from "../bytes/bytes.ts";

/** Smaller parts are joined, and so are those that would pin more than four times their size. */
const PART_BYTES_MIN = 4_096;
const JOIN_BYTES = 65_536;

/** The parts of one body, collected until there is memory for all of it. */
export class BodyParts {
  readonly #memory: (bytes: number) => Uint8Array;
  #parts: Uint8Array[] = [];
  /** The memory of the last part, if that is a joined one. */
  #join: Uint8Array = NO_BYTES;
  #joined = 0;
  /** Bytes of memory that all parts hold. */
  memoryBytes = 0;

  constructor(memory: (bytes: number) => Uint8Array) {
    this.#memory = memory;
  }

  /**
   * Adds `chunk[at, at + bytes)`. Returns `true` if a view of the chunk is kept, `false` if it was copied.
   */
  add(chunk: Uint8Array, at: number, bytes: number): boolean {
    if (bytes >= PART_BYTES_MIN && bytes * 4 >= chunk.buffer.byteLength) {
      this.#parts.push(viewOf(chunk, at, at + bytes));
      this.memoryBytes += chunk.buffer.byteLength;
      this.#join = NO_BYTES;
      this.#joined = 0;
      return true;
    }
    for (let from = at, end = at + bytes; from < end;) {
      if (this.#joined === this.#join.length) {
        this.#join = this.#memory(JOIN_BYTES);
        this.memoryBytes += JOIN_BYTES;
        this.#joined = 0;
        this.#parts.push(NO_BYTES);
      }
      const to = Math.min(end, from + this.#join.length - this.#joined);
      this.#join.set(chunk.subarray(from, to), this.#joined);
      this.#joined += to - from;
      this.#parts[this.#parts.length - 1] = viewOf(this.#join, 0, this.#joined);
      from = to;
    }
    return false;
  }

  /**
   * Returns memory of `bytes` bytes that begins with all parts, in one piece, and no longer holds them. The
   * rest of it has arbitrary content.
   */
  take(bytes: number): Uint8Array {
    const body = this.#memory(bytes);
    let at = 0;
    for (const part of this.#parts) {
      body.set(part, at);
      at += part.length;
    }
    this.clear();
    return body;
  }

  clear(): void {
    this.#parts = [];
    this.#join = NO_BYTES;
    this.#joined = 0;
    this.memoryBytes = 0;
  }
}
