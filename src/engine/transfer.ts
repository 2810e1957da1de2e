/**
 * How much of what was handed to the transport has reached the peer, and how fast it went. A PING stands in
 * line with the messages: it cannot be answered before everything ahead of it has arrived, and a transport, a
 * kernel or a relay may hold megabytes of that. So a PING behind many bytes carries a number as its context,
 * and the PONG that brings the number back confirms them.
 *
 * @module
 */

import { NO_BYTES, readU32, writeU32 } from "../bytes/bytes.ts";

const KIB = 1_024;
const MIB = 1_024 * KIB;

/**
 * Fewer bytes than this are neither confirmed nor measured: their time is that of the way, not of its width.
 */
const STRETCH_BYTES_MIN = 64 * KIB;
/** In a steady stream a PING follows so many bytes, at first after fewer, so that a rate is known early. */
const STRETCH_BYTES_MAX = 4 * MIB;
/**
 * And after what this part of the time-out carries at the rate last seen: a way that is ten times as slow all of a
 * sudden still brings an answer in time.
 */
const STRETCHES_IN_TIMEOUT = 16;
/** Bytes in a millisecond, as long as nothing was measured. */
const RATE_ASSUMED = MIB / 1_000;
/** A peer that stopped for an hour must not be waited for as if it were that slow. */
const RATE_MIN = 16 * KIB / 1_000;
/** Answers may come back in one piece; what they tell of shorter times is worth nothing. */
const SAMPLE_MS_MIN = 20;
/** A peer that talks, but confirms nothing for so long, does not send contexts back. */
const UNANSWERED_MS = 60_000;
/** Rates change: what was measured is not relied on to the full. */
const SLACK = 2;

/** A PING that was handed over, and the bytes since the one before it. */
interface Mark {
  readonly id: number;
  /** Bytes that were handed over up to here. */
  readonly offset: number;
  /** When the first byte since the last mark was handed over. */
  readonly firstMs: number;
  readonly handedMs: number;
}

/** See the module. */
export class Transfer {
  #handed = 0;
  #confirmed = 0;
  #marked = 0;
  #marks: Mark[] = [];
  #id = 0;
  /** The next write holds a PING with {@link #id}. */
  #marksNext = false;
  #stretchBytes = STRETCH_BYTES_MIN;
  /** When the first byte behind the last mark was handed over. */
  #firstMs: number | undefined;
  #beganMs = 0;
  #rate = RATE_ASSUMED;
  #sampledMs = -Infinity;
  #sampleBytes = 0;
  /** Time that writes were in flight since the last sample. */
  #blockedMs = 0;
  readonly #stretchMs: number;

  /** `timeoutMs`: how long the peer may say nothing. 0: for ever. */
  constructor(timeoutMs = 0) {
    this.#stretchMs = (timeoutMs || Infinity) / STRETCHES_IN_TIMEOUT;
  }

  /**
   * A write was handed to the transport: with it the PING that {@link nextContext} was asked for, if it was.
   */
  begin(bytes: number, nowMs: number): void {
    this.#handed += bytes;
    this.#beganMs = nowMs;
    if (this.#marksNext) this.#mark(nowMs);
    else this.#firstMs ??= nowMs;
  }

  /** The transport took all of it. */
  end(nowMs: number): void {
    this.#blockedMs += nowMs - this.#beganMs;
  }

  /** Whether so much was handed over that a PING should follow, whatever the time. */
  get wantsMark(): boolean {
    return this.#handed - this.#marked >= this.#stretchBytes;
  }

  /** The context of the PING in the next write. Empty: too little stands in front of it. */
  nextContext(): Uint8Array {
    if (this.#handed - this.#marked < STRETCH_BYTES_MIN) return NO_BYTES;
    this.#marksNext = true;
    this.#id = (this.#id + 1) >>> 0;
    const context = new Uint8Array(4);
    writeU32(context, 0, this.#id);
    return context;
  }

  /** A PONG came. One without a number of ours is a sign of life and no more. */
  answered(context: Uint8Array, nowMs: number): void {
    if (this.#marks.length === 0 || context.length !== 4) return;
    const id = readU32(context, 0);
    const index = this.#marks.findIndex((mark) => mark.id === id);
    if (index < 0) return;
    const { firstMs } = this.#marks[0]!;
    const { offset, handedMs } = this.#marks[index]!;
    const bytes = offset - this.#confirmed;
    this.#marks.splice(0, index + 1);
    this.#confirmed = offset;
    this.#measure(bytes, firstMs, handedMs, nowMs);
  }

  /**
   * The peer was last heard of then. What it could have confirmed long before counts as arrived: not every
   * peer sends contexts back, and one that is there must not be waited for ever longer.
   */
  heard(nowMs: number): void {
    while (this.#marks.length > 0 && this.#marks[0]!.handedMs + UNANSWERED_MS < nowMs) {
      this.#confirmed = this.#marks.shift()!.offset;
    }
  }

  /** How long what was handed over and not confirmed may take to arrive. */
  get allowanceMs(): number {
    return SLACK * (this.#handed - this.#confirmed) / this.#rate;
  }

  #mark(nowMs: number): void {
    this.#marksNext = false;
    this.#marked = this.#handed;
    const stretchBytesMax = Math.max(this.#rate * this.#stretchMs, STRETCH_BYTES_MIN);
    this.#stretchBytes = Math.min(this.#stretchBytes * 2, stretchBytesMax, STRETCH_BYTES_MAX);
    this.#marks.push({
      id: this.#id,
      offset: this.#handed,
      firstMs: this.#firstMs ?? nowMs,
      handedMs: nowMs,
    });
    this.#firstMs = undefined;
  }

  #measure(bytes: number, firstMs: number, handedMs: number, nowMs: number): void {
    if (firstMs > this.#sampledMs) this.#sampleBytes = 0;
    this.#sampleBytes += bytes;
    // Stretches that wait for each other: this one was on its way alone only since the last one had arrived.
    const waited = firstMs <= this.#sampledMs;
    const tookMs = nowMs - (waited ? this.#sampledMs : firstMs);
    if (waited && tookMs < SAMPLE_MS_MIN) return;
    const rate = this.#sampleBytes / Math.max(tookMs, 1);
    // A slow rate tells something of the way only if we waited for it, and not it for us.
    const waitedMs = nowMs - handedMs + this.#blockedMs;
    if (rate >= RATE_ASSUMED) this.#rate = rate;
    else if (waitedMs >= tookMs / 2) this.#rate = Math.max(rate, RATE_MIN);
    else this.#rate = Math.min(this.#rate, RATE_ASSUMED);
    this.#sampledMs = nowMs;
    this.#sampleBytes = 0;
    this.#blockedMs = 0;
  }
}
