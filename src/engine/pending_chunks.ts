/**
 * Chunks that cannot be decoded yet, in order. What is counted is backing memory, not the length of views.
 *
 * @module
 */

import { copyOf } from "../bytes/bytes.ts";

/** The pending memory of all connections of a context. */
export class PendingTotal {
  bytes = 0;
  readonly bytesMax: number;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** Adds to what is held, or takes away. */
  count(bytes: number): void {
    this.bytes += bytes;
  }

  get hasRoom(): boolean {
    return this.bytes < this.bytesMax;
  }
}

/** Chunks below this size are joined: a slow trickle must not cost a buffer each. */
const JOIN_BYTES_MAX = 2_048;
const JOIN_BUFFER_BYTES = 16_384;

/** A bounded-by-its-owner queue of chunks. */
export class PendingChunks {
  /** Bytes of backing memory held. */
  bytes = 0;
  readonly total: PendingTotal;
  readonly #chunks: Uint8Array[] = [];
  readonly #costs: number[] = [];
  /** The buffer behind the last chunk, where that is a joined one. */
  #join: Uint8Array | undefined;
  #joined = 0;

  constructor(total: PendingTotal) {
    this.total = total;
  }

  get length(): number {
    return this.#chunks.length;
  }

  /** Adds a chunk at the end. One that fills less than a quarter of its buffer is copied, so that it pins nothing. */
  push(chunk: Uint8Array): void {
    if (chunk.length <= JOIN_BYTES_MAX) return this.#pushJoined(chunk);
    this.#join = undefined;
    const wasteful = chunk.length * 4 < chunk.buffer.byteLength;
    const kept = wasteful ? copyOf(chunk) : chunk;
    this.#add(kept, kept.buffer.byteLength);
  }

  /**
   * Puts the rest of the chunk that {@link shift} gave back in front. It is counted with all of its memory and not copied:
   * it is the next to be decoded.
   */
  unshift(rest: Uint8Array): void {
    this.#chunks.unshift(rest);
    this.#costs.unshift(rest.buffer.byteLength);
    this.#count(rest.buffer.byteLength);
  }

  /** The oldest chunk, no longer counted. */
  shift(): Uint8Array | undefined {
    const chunk = this.#chunks.shift();
    if (chunk === undefined) return undefined;
    this.#count(-this.#costs.shift()!);
    if (this.#chunks.length === 0) this.#join = undefined;
    return chunk;
  }

  clear(): void {
    this.#chunks.length = 0;
    this.#costs.length = 0;
    this.#join = undefined;
    this.#count(-this.bytes);
  }

  #pushJoined(chunk: Uint8Array): void {
    const join = this.#join;
    if (join !== undefined && this.#joined + chunk.length <= join.length) {
      join.set(chunk, this.#joined);
      this.#joined += chunk.length;
      const last = this.#chunks[this.#chunks.length - 1]!;
      this.#chunks[this.#chunks.length - 1] = join.subarray(last.byteOffset, this.#joined);
      return;
    }
    const buffer = new Uint8Array(JOIN_BUFFER_BYTES);
    buffer.set(chunk, 0);
    this.#join = buffer;
    this.#joined = chunk.length;
    this.#add(buffer.subarray(0, chunk.length), JOIN_BUFFER_BYTES);
  }

  #add(chunk: Uint8Array, cost: number): void {
    this.#chunks.push(chunk);
    this.#costs.push(cost);
    this.#count(cost);
  }

  #count(bytes: number): void {
    this.bytes += bytes;
    this.total.count(bytes);
  }
}
