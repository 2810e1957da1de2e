/**
 * How long to wait before the next attempt.
 *
 * @module
 */

/** Grows from the base to the maximum by doubling, always with jitter, so that a thousand clients do not come back as one. */
export class Backoff {
  #attempts = 0;
  readonly #random: (into: Uint8Array) => void;

  constructor(random: (into: Uint8Array) => void) {
    this.#random = random;
  }

  /**
   * Milliseconds until the next attempt. Without a maximum (0): the base plus up to as much again, as libzmq does. With
   * one: the doubled base, at most `maxMs`, of which the second half is chance.
   */
  nextMs(baseMs: number, maxMs: number): number {
    const chance = this.#chance();
    if (maxMs === 0) return baseMs + chance * baseMs;
    const grown = Math.min(maxMs, baseMs * 2 ** Math.min(this.#attempts, 30));
    this.#attempts++;
    return grown / 2 + chance * grown / 2;
  }

  /** A peer was there: the next loss begins anew. */
  reset(): void {
    this.#attempts = 0;
  }

  #chance(): number {
    const bytes = new Uint8Array(2);
    this.#random(bytes);
    return (bytes[0]! * 256 + bytes[1]!) / 65_536;
  }
}
