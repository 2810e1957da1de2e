/**
 * Tracks how much of what was handed to the transport has reached the peer, and how fast it went. A PING
 * queues with the messages: it cannot be answered before everything ahead of it has arrived, and a transport,
 * a kernel or a relay may hold megabytes of that. So a PING after many bytes carries a number as its context,
 * and the PONG that returns the number confirms them.
 *
 * @module
 */

import { NO_BYTES, readU32, writeU32 } from "../bytes/bytes.ts";

const KIB = 1_024;
const MIB = 1_024 * KIB;

/** Fewer bytes than this are neither confirmed nor measured: their time shows latency, not bandwidth. */
const STRETCH_BYTES_MIN = 64 * KIB;
/** Bytes between two PINGs of a steady stream; fewer at first, so that a rate is known early. */
const STRETCH_BYTES_MAX = 4 * MIB;
/**
 * A PING also follows what this part of the time-out carries at the last measured rate, so that a path that
 * suddenly becomes ten times slower still brings a PONG in time.
 */
const STRETCHES_IN_TIMEOUT = 16;
/** Bytes per millisecond, until something was measured. */
const RATE_ASSUMED = MIB / 1_000;
/** The lowest rate: a peer that stopped for an hour must not be waited for as if it were that slow. */
const RATE_MIN = 16 * KIB / 1_000;
/** PONGs may arrive in one batch, so shorter times mean nothing. */
const SAMPLE_MS_MIN = 20;
/** A peer that sends but confirms nothing for this long does not return contexts. */
const UNANSWERED_MS = 60_000;
/** Rates change, so the measured one is divided by this. */
const SLACK = 2;

/** A PING that was handed over, and the bytes since the previous one. */
interface Mark {
  readonly id: number;
  /** Bytes handed over in total, up to and including this PING. */
  readonly offset: number;
  /** When the first byte since the previous mark was handed over. */
  readonly firstMs: number;
  readonly handedMs: number;
}

/** Tracks what one connection has handed over and what of it has arrived. */
export class Transfer {
  #handed = 0;
  #confirmed = 0;
  #marked = 0;
  #marks: Mark[] = [];
  #id = 0;
  /** The next write holds a PING with {@link #id}. */
  #marksNext = false;
  #stretchBytes = STRETCH_BYTES_MIN;
  /** When the first byte after the last mark was handed over. */
  #firstMs: number | undefined;
  #beganMs = 0;
  #rate = RATE_ASSUMED;
  #sampledMs = -Infinity;
  #sampleBytes = 0;
  /** How long writes were in flight since the last sample. */
  #blockedMs = 0;
  readonly #stretchMs: number;

  /** `timeoutMs`: how long the peer may be silent. 0: forever. */
  constructor(timeoutMs = 0) {
    this.#stretchMs = (timeoutMs || Infinity) / STRETCHES_IN_TIMEOUT;
  }

  /** A write was handed to the transport, with the PING that {@link nextContext} was called for, if any. */
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

  /** Whether enough was handed over that a PING should follow, whatever the time. */
  get wantsMark(): boolean {
    return this.#handed - this.#marked >= this.#stretchBytes;
  }

  /** The context of the PING in the next write. Empty when too little precedes it. */
  nextContext(): Uint8Array {
    if (this.#handed - this.#marked < STRETCH_BYTES_MIN) return NO_BYTES;
    this.#marksNext = true;
    this.#id = (this.#id + 1) >>> 0;
    const context = new Uint8Array(4);
    writeU32(context, 0, this.#id);
    return context;
  }

  /** A PONG arrived. One without a number of ours is only a sign of life. */
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
   * The peer was last heard from at `nowMs`. What it could have confirmed long before counts as arrived: not
   * every peer returns contexts, and the wait for a live one must not grow forever.
   */
  heard(nowMs: number): void {
    while (this.#marks.length > 0 && this.#marks[0]!.handedMs + UNANSWERED_MS < nowMs) {
      this.#confirmed = this.#marks.shift()!.offset;
    }
  }

  /** How long what was handed over and not confirmed may take to arrive, in milliseconds. */
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
    // Stretches that wait for each other: this one was alone on its way only after the last one had arrived.
    const waited = firstMs <= this.#sampledMs;
    const tookMs = nowMs - (waited ? this.#sampledMs : firstMs);
    if (waited && tookMs < SAMPLE_MS_MIN) return;
    const rate = this.#sampleBytes / Math.max(tookMs, 1);
    // A slow rate says something about the path only if we waited for it, and not it for us.
    const waitedMs = nowMs - handedMs + this.#blockedMs;
    if (rate >= RATE_ASSUMED) this.#rate = rate;
    else if (waitedMs >= tookMs / 2) this.#rate = Math.max(rate, RATE_MIN);
    else this.#rate = Math.min(this.#rate, RATE_ASSUMED);
    this.#sampledMs = nowMs;
    this.#sampleBytes = 0;
    this.#blockedMs = 0;
  }
}
