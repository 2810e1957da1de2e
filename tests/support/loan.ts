/**
 * Memory that the code under test lent to a simulated transport.
 *
 * @module
 */

/** Memory that a write lent. The snapshot proves that its owner leaves it alone. */
export class Loan {
  readonly #chunks: readonly Uint8Array[];
  readonly #lengths: readonly number[];
  #snapshots: readonly Uint8Array[] = [];
  #index = 0;
  #offset = 0;
  left: number;

  constructor(chunks: readonly Uint8Array[]) {
    // The array itself is the caller's too, and it may be used again.
    this.#chunks = chunks.slice();
    this.#lengths = chunks.map((chunk) => chunk.length);
    this.left = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  }

  /** From here on the owner may not touch the memory. */
  begin(): void {
    this.#snapshots = this.#chunks.map((chunk) => new Uint8Array(chunk));
  }

  /** Copies the next `length` bytes out of the lent memory, as a transport that never made a copy would. */
  take(length: number): Uint8Array {
    const taken = new Uint8Array(length);
    let at = 0;
    while (at < length) {
      const chunk = this.#chunks[this.#index]!;
      // The owner resized it or gave it away. `findChange` will say so.
      if (chunk.length !== this.#lengths[this.#index]) break;
      const part = chunk.subarray(this.#offset, this.#offset + length - at);
      taken.set(part, at);
      at += part.length;
      this.#offset += part.length;
      if (this.#offset < chunk.length) break;
      this.#index++;
      this.#offset = 0;
    }
    this.left -= length;
    return taken;
  }

  /** Says how the memory differs from what was lent; `undefined` when it does not. */
  findChange(): string | undefined {
    for (let index = 0; index < this.#chunks.length; index++) {
      const chunk = this.#chunks[index]!;
      const snapshot = this.#snapshots[index]!;
      if (chunk.length !== snapshot.length) {
        return `Lent memory was resized from ${snapshot.length} to ${chunk.length} bytes`;
      }
      for (let at = 0; at < chunk.length; at++) {
        if (chunk[at] !== snapshot[at]) return `Lent memory was changed at byte ${at} of ${chunk.length}`;
      }
    }
    return undefined;
  }
}
