/**
 * Chunks that cannot be decoded yet, in order. Backing memory is counted, not the length of views.
 *
 * @module
 */

import { copyOf } from "../bytes/bytes.ts";
import { PeerError } from "../errors.ts";

/** A connection that has received a message in part. */
export interface HalfReceived {
  /** When its last bytes arrived, or when it was last seen paused. */
  readonly heardMs: number;
  /** Bytes that have arrived since the connection was made. */
  readonly heardBytes: number;
  /** `heardMs` as it was when the connection was first found stalled. */
  suspectedMs: number;
  /** Ends the connection. */
  giveUp(why: PeerError): void;
}

/** A half-received message that gets no bytes for this long is given up when others need its memory. */
const STALLED_MS = 1_000;
/** A stalled connection is checked twice, this far apart, before it goes: perhaps we were not running. */
const REVIEW_MS = 50;
/** The one that is read on while others wait must bring this much in each such time. */
const PROGRESS_MS = 1_000;
const PROGRESS_BYTES_MIN = 65_536;

/**
 * The pending memory of all connections of a context: undecoded chunks and half-received messages.
 *
 * At the bound, connections with undecoded chunks are paused, which is harmless: they resume when the
 * application reads. A half-received message is different, since only its remainder frees its memory. So the
 * oldest of them is still read while the others are paused, and one that stalls, or is read on and only
 * drips, loses its connection. Half-received messages may use what undecoded chunks leave, and half of the
 * bound in any case: an application that does not read does not stop others.
 */
export class PendingTotal {
  bytes = 0;
  readonly bytesMax: number;
  /** The part of `bytes` that half-received messages take up. */
  #halfBytes = 0;
  /** Those that may be paused, oldest first. */
  readonly #halves: Set<HalfReceived> = new Set();
  #reviewedMs = -Infinity;
  /** The one that is read on, and how much of it had come at the beginning of the time that is measured. */
  #readOn: HalfReceived | undefined;
  #measuredMs = 0;
  #measuredBytes = 0;
  #tooSlow = false;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** @internal Whether decoders must be sparing with so many bytes: one function for all of them. */
  readonly sparing: (bytes: number) => boolean = (bytes) => !this.hasRoomFor(bytes);

  /** Adds `bytes` to what is held; negative to subtract. */
  count(bytes: number): void {
    this.bytes += bytes;
  }

  get hasRoom(): boolean {
    return this.bytes < this.bytesMax;
  }

  /** Whether there would still be room with `bytes` more. */
  hasRoomFor(bytes: number): boolean {
    return this.bytes + bytes < this.bytesMax;
  }

  /** The memory of a half-received message changed by `bytes`. `large`: it is one that may be paused. */
  countHalf(half: HalfReceived, bytes: number, large: boolean): void {
    this.bytes += bytes;
    this.#halfBytes += bytes;
    if (large) this.#halves.add(half);
    else this.#halves.delete(half);
  }

  /** Whether `half` must wait until others are done. */
  mustWait(half: HalfReceived): boolean {
    if (!this.#isTight || !this.#halves.has(half)) return false;
    const [oldest] = this.#halves;
    return oldest !== half;
  }

  /**
   * Gives up those that have stalled, oldest first, until there is room, and the one that is read on if it
   * only drips.
   */
  review(nowMs: number): void {
    if (!this.#isTight || nowMs < this.#reviewedMs + REVIEW_MS) return;
    // No connection waited for a while, so what arrived in that time proves nothing.
    if (nowMs > this.#reviewedMs + PROGRESS_MS) this.#readOn = undefined;
    this.#reviewedMs = nowMs;
    this.#giveUpStopped(nowMs);
    if (this.#isTight) this.#demandProgress(nowMs);
  }

  #giveUpStopped(nowMs: number): void {
    for (const half of this.#halves) {
      if (nowMs - half.heardMs < STALLED_MS) continue;
      if (half.suspectedMs === half.heardMs) {
        this.#giveUp(half, `none of it arrived for ${STALLED_MS} ms`);
        if (!this.#isTight) return;
      }
      half.suspectedMs = half.heardMs;
    }
  }

  #demandProgress(nowMs: number): void {
    const [oldest] = this.#halves;
    if (oldest === undefined) return;
    if (oldest !== this.#readOn) return this.#measure(oldest, nowMs);
    if (nowMs < this.#measuredMs + PROGRESS_MS) return;
    if (oldest.heardBytes - this.#measuredBytes >= PROGRESS_BYTES_MIN) return this.#measure(oldest, nowMs);
    if (this.#tooSlow) {
      this.#giveUp(oldest, `less than ${PROGRESS_BYTES_MIN} bytes of it came in ${PROGRESS_MS} ms`);
    }
    this.#tooSlow = true;
  }

  #measure(half: HalfReceived, nowMs: number): void {
    this.#readOn = half;
    this.#measuredMs = nowMs;
    this.#measuredBytes = half.heardBytes;
    this.#tooSlow = false;
  }

  #giveUp(half: HalfReceived, why: string): void {
    half.giveUp(
      new PeerError(
        "ERR_PEER_PENDING",
        `Gave up a half-received message: ${why}, and all connections together hold the limit of ` +
          `${this.bytesMax} bytes`,
      ),
    );
  }

  get #isTight(): boolean {
    return this.bytes >= this.bytesMax && this.#halfBytes * 2 >= this.bytesMax;
  }
}

/** Chunks up to this size are joined: a slow trickle must not cost a buffer each. */
const JOIN_BYTES_MAX = 2_048;
const JOIN_BUFFER_BYTES = 16_384;

/** A queue of undecoded chunks, bounded by its owner. */
export class PendingChunks {
  /** Bytes of backing memory held. */
  bytes = 0;
  readonly total: PendingTotal;
  readonly #chunks: Uint8Array[] = [];
  readonly #costs: number[] = [];
  /** The buffer of the last chunk, if that is a joined one. */
  #join: Uint8Array | undefined;
  #joined = 0;

  constructor(total: PendingTotal) {
    this.total = total;
  }

  get length(): number {
    return this.#chunks.length;
  }

  /** Adds a chunk at the end. One that fills less than a quarter of its buffer is copied, to pin nothing. */
  push(chunk: Uint8Array): void {
    if (chunk.length <= JOIN_BYTES_MAX) return this.#pushJoined(chunk);
    this.#join = undefined;
    const wasteful = chunk.length * 4 < chunk.buffer.byteLength;
    const kept = wasteful ? copyOf(chunk) : chunk;
    this.#add(kept, kept.buffer.byteLength);
  }

  /**
   * Puts the rest of the chunk that {@link shift} returned back at the front. It is counted with all of its
   * memory and not copied: it is decoded next.
   */
  unshift(rest: Uint8Array): void {
    this.#chunks.unshift(rest);
    this.#costs.unshift(rest.buffer.byteLength);
    this.#count(rest.buffer.byteLength);
  }

  /** Removes and returns the oldest chunk, which is no longer counted. */
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
