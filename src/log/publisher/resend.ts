/**
 * When the first batch without an answer is sent again: a smoothed round trip with its variation, as TCP measures it,
 * never less than a floor, doubled with each try.
 *
 * @module
 */

/** Milliseconds that no wait exceeds, unless the floor does. */
export const RESEND_TIMEOUT_MS_MAX = 60_000;
/** Doublings after which the wait stays as it is. */
const DOUBLINGS_MAX = 10;
/** The weight of a new sample in the average and in the variation. */
const AVERAGE_WEIGHT = 1 / 8;
const VARIATION_WEIGHT = 1 / 4;

/** See the module. */
export class ResendTimeout {
  readonly #floorMs: number;
  #averageMs: number | undefined;
  #variationMs = 0;
  #attempts = 0;

  constructor(floorMs: number) {
    this.#floorMs = floorMs;
  }

  /** The smoothed round trip; `undefined`: nothing was measured yet. */
  get averageMs(): number | undefined {
    return this.#averageMs;
  }

  /** Milliseconds to wait for an answer now. */
  get timeoutMs(): number {
    const measuredMs = (this.#averageMs ?? 0) + 4 * this.#variationMs;
    const onceMs = Math.max(this.#floorMs, measuredMs);
    return Math.min(onceMs * 2 ** this.#attempts, Math.max(RESEND_TIMEOUT_MS_MAX, this.#floorMs));
  }

  /** A batch that was sent exactly once was acknowledged after `ms`. Of one that was sent again nobody knows which copy was answered. */
  sample(ms: number): void {
    if (this.#averageMs === undefined) {
      this.#averageMs = ms;
      this.#variationMs = ms / 2;
      return;
    }
    this.#variationMs += (Math.abs(ms - this.#averageMs) - this.#variationMs) * VARIATION_WEIGHT;
    this.#averageMs += (ms - this.#averageMs) * AVERAGE_WEIGHT;
  }

  /** The first batch was sent again. */
  resent(): void {
    if (this.#attempts < DOUBLINGS_MAX) this.#attempts++;
  }

  /** Something was acknowledged, or there is a new link: the next wait is a short one. */
  progressed(): void {
    this.#attempts = 0;
  }
}
