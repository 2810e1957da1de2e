/**
 * Writes to the stream below a bridge and keeps the core's side of its contract: one write in flight, none
 * while memory is lent, none from inside a write, none after its close.
 *
 * @module
 */

import type { Transport } from "../ports.ts";

const NOTHING: readonly Uint8Array[] = [];

/** One stream's writer. */
export class RawWriter {
  readonly #stream: Transport;
  /** What a stream without `writev` still has to take. */
  #rest: readonly Uint8Array[] = NOTHING;
  #restAt = 0;
  #lent = false;
  #writing = false;
  #closed = false;

  constructor(stream: Transport) {
    this.#stream = stream;
  }

  /** Whether something may be written now. */
  get free(): boolean {
    return !this.#lent && !this.#writing && !this.#closed;
  }

  /** Whether memory is with the stream. */
  get lent(): boolean {
    return this.#lent;
  }

  /** Hands over all chunks. `false`: they are lent until {@link drained} returns `true`. */
  write(chunks: readonly Uint8Array[]): boolean {
    this.#rest = chunks;
    this.#restAt = 0;
    return this.#push();
  }

  /** The stream took what was lent. Returns whether all of the last write was taken. */
  drained(): boolean {
    if (!this.#lent) return false;
    this.#lent = false;
    return this.#push();
  }

  /** Nothing is written any longer. */
  close(): void {
    this.#closed = true;
  }

  #push(): boolean {
    const stream = this.#stream;
    this.#writing = true;
    while (this.#restAt < this.#rest.length && !this.#lent && !this.#closed) {
      let taken: boolean;
      if (this.#rest.length - this.#restAt > 1 && stream.writev !== undefined) {
        const chunks = this.#rest;
        this.#restAt = chunks.length;
        taken = stream.writev(chunks);
      } else taken = stream.write(this.#rest[this.#restAt++]!);
      if (!taken) this.#lent = true;
    }
    this.#writing = false;
    if (this.#lent || this.#closed) return false;
    this.#rest = NOTHING;
    return true;
  }
}
