/**
 * How long to wait before the next attempt.
 *
 * @module
 */

/** A connection that lived so long was no failed attempt. Longer than the longest wait of {@link UNSTEADY_STEP_MS_MAX}. */
const STEADY_MS = 30_000;
/** Up to here the wait grows with connections that do not last, where no maximum says otherwise. */
const UNSTEADY_STEP_MS_MAX = 4_000;
/** So many in a row cost nothing: a server may be restarted a few times. */
const UNSTEADY_FREE = 3;
const DOUBLINGS_MAX = 30;

/**
 * A step, and chance on top of it, so that a thousand clients do not come back as one. The step is the base; it doubles
 *
 * - with every attempt, where there is a maximum, and
 * - with every connection that was made but did not last, after the first few, always. A peer that takes us in only to close again, as a
 *   Router with `handover` does when two sockets have one routing id, must not be asked ten times a second for ever.
 */
export class Backoff {
  /** Attempts since a peer was there last. */
  #attempts = 0;
  /** Connections in a row that did not last. */
  #unsteady = 0;
  #connectedMs: number | undefined;
  readonly #random: (into: Uint8Array) => void;

  constructor(random: (into: Uint8Array) => void) {
    this.#random = random;
  }

  /**
   * Milliseconds until the next attempt: at least `baseMs`, and at most `maxMs` where that is larger. The wait is the step and
   * up to as much again. A `maxMs` that is not larger than `baseMs` is none.
   */
  nextMs(baseMs: number, maxMs: number, nowMs: number): number {
    this.#endConnection(nowMs);
    const grows = maxMs > baseMs;
    // Half of the maximum: there is room for chance below it.
    const stepMax = Math.max(baseMs, grows ? maxMs / 2 : UNSTEADY_STEP_MS_MAX);
    const doublings = Math.max(grows ? this.#attempts : 0, this.#unsteady - UNSTEADY_FREE, 0);
    const step = Math.min(stepMax, baseMs * 2 ** Math.min(doublings, DOUBLINGS_MAX));
    const end = grows ? Math.min(maxMs, 2 * step) : 2 * step;
    this.#attempts++;
    return step + this.#chance() * (end - step);
  }

  /** A peer is there. Whether the connection lasts, the next wait tells. */
  connected(nowMs: number): void {
    this.#attempts = 0;
    this.#connectedMs = nowMs;
  }

  /** A peer did what it is there for: the next loss begins anew. */
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
