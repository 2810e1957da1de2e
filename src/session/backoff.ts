/**
 * How long to wait before the next attempt.
 *
 * @module
 */

import type { Host } from "../ports.ts";

/** A connection that lasted this long was no failure. Exceeds any wait with {@link UNSTEADY_STEP_MS_MAX}. */
const STEADY_MS = 30_000;
/** Where no maximum is set, the step grows up to this with connections that do not last. */
const UNSTEADY_STEP_MS_MAX = 4_000;
/** This many short connections in a row do not lengthen the wait: a server may be restarted a few times. */
const UNSTEADY_FREE = 3;
const DOUBLINGS_MAX = 30;

/**
 * Computes waits: a step plus a random part, so that a thousand clients do not come back all at once. The
 * step starts at the base and doubles
 *
 * - with every attempt, if there is a maximum, and
 * - with every connection that was made but did not last, after the first few, with or without a maximum. A
 *   peer that accepts us only to close again, as a Router with `handover` does when two sockets have the same
 *   routing id, must not be tried ten times a second forever.
 */
export class Backoff {
  /** Attempts since a peer was last connected. */
  #attempts = 0;
  /** Connections in a row that did not last. */
  #unsteady = 0;
  #connectedMs: number | undefined;
  readonly #random: (into: Uint8Array) => void;

  constructor(random: (into: Uint8Array) => void) {
    this.#random = random;
  }

  /**
   * Returns the milliseconds until the next attempt: at least `baseMs` and, if `maxMs` is larger, at most
   * `maxMs`. The wait is the step and up to as much again. A `maxMs` that is not larger than `baseMs` is
   * ignored.
   */
  nextMs(baseMs: number, maxMs: number, nowMs: number): number {
    this.#endConnection(nowMs);
    const grows = maxMs > baseMs;
    // Half of the maximum leaves room for the random part.
    const stepMax = Math.max(baseMs, grows ? maxMs / 2 : UNSTEADY_STEP_MS_MAX);
    const doublings = Math.max(grows ? this.#attempts : 0, this.#unsteady - UNSTEADY_FREE, 0);
    const step = Math.min(stepMax, baseMs * 2 ** Math.min(doublings, DOUBLINGS_MAX));
    const end = grows ? Math.min(maxMs, 2 * step) : 2 * step;
    this.#attempts++;
    return step + this.#chance() * (end - step);
  }

  /** A peer is connected. The next {@link nextMs} decides whether the connection lasted. */
  connected(nowMs: number): void {
    this.#attempts = 0;
    this.#connectedMs = nowMs;
  }

  /** The peer proved useful: the next loss starts again from the base. */
  reset(): void {
    this.#attempts = 0;
    this.#unsteady = 0;
  }

  #endConnection(nowMs: number): void {
    if (this.#connectedMs === undefined) return;
    this.#unsteady = nowMs - this.#connectedMs < STEADY_MS ? this.#unsteady + 1 : 0;
    this.#connectedMs = undefined;
  }

  #chance(): number {
    const bytes = new Uint8Array(2);
    this.#random(bytes);
    return (bytes[0]! * 256 + bytes[1]!) / 65_536;
  }
}

/**
 * Runs `run` once: after `delayMs`, or as soon as the host says that the machine is back. The returned
 * function prevents it.
 */
export function waitToRetry(host: Host, delayMs: number, run: () => void): () => void {
  const cancel = (): void => {
    cancelTimer();
    stopListening?.();
  };
  const once = (): void => {
    cancel();
    run();
  };
  const cancelTimer = host.schedule(delayMs, once, false);
  const stopListening = host.wakes?.(once);
  return cancel;
}
