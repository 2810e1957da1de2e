/**
 * Repeatable randomness.
 *
 * @module
 */

/** Numbers that follow from a seed. */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A number from 0 up to, but not including, 1. */
  next(): number {
    // mulberry32
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** A whole number from 1 to `max`. */
  upTo(max: number): number {
    return 1 + Math.floor(this.next() * max);
  }

  chance(share: number): boolean {
    return this.next() < share;
  }

  /** A whole number that is `mean` on average, from 1 on; small ones are the most likely. */
  around(mean: number): number {
    return 1 + Math.floor(-Math.log(1 - this.next()) * (mean - 1));
  }

  /** Another sequence, which goes its own way from here. */
  fork(): SeededRandom {
    return new SeededRandom(Math.floor(this.next() * 4_294_967_296));
  }
}
