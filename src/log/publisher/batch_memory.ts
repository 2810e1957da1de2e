/**
 * Memory in which batches are built, used again: fresh memory costs a page fault for every 4 KiB.
 *
 * @module
 */

/** Buffers of one size. */
export class BatchMemory {
  readonly bufferBytes: number;
  readonly #keep: number;
  readonly #memory: (bytes: number) => Uint8Array;
  readonly #free: Uint8Array[] = [];
  /** Buffers that were made. */
  made = 0;

  /** Keeps at most `keep` free buffers. `memory` may answer memory with any content. */
  constructor(bufferBytes: number, keep: number, memory: (bytes: number) => Uint8Array) {
    this.bufferBytes = bufferBytes;
    this.#keep = keep;
    this.#memory = memory;
  }

  take(): Uint8Array {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    this.made++;
    return this.#memory(this.bufferBytes);
  }

  /** Nobody holds `buffer` any more, not even a transport. */
  give(buffer: Uint8Array): void {
    if (buffer.length === this.bufferBytes && this.#free.length < this.#keep) this.#free.push(buffer);
  }
}
