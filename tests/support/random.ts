/**
 * Repeatable chance: everything random in a test comes from a seed, so that a failure can be run again.
 *
 * @module
 */

/** A seeded generator (sfc32). The same seed gives the same numbers on every runtime. Not for secrets. */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number | string) {
    const words = scramble(String(seed));
    this.#a = words();
    this.#b = words();
    this.#c = words();
    for (let round = 0; round < 12; round++) this.uint32();
  }

  /** 0 to 2^32 - 1. */
  uint32(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** 0 up to, but not including, 1. */
  unit(): number {
    return this.uint32() / 0x1_0000_0000;
  }

  /** A whole number from `min` to `max`, both included. */
  integer(min: number, max: number): number {
    return min + Math.floor(this.unit() * (max - min + 1));
  }

  /** A number from 0 up to `max`. Draws nothing for 0, so that a feature that is off costs no randomness. */
  upTo(max: number): number {
    return max === 0 ? 0 : this.unit() * max;
  }

  /** `true` in a share of `chance` (0 to 1) of all calls. Draws nothing when the answer is certain. */
  chance(chance: number): boolean {
    if (chance <= 0) return false;
    return chance >= 1 || this.unit() < chance;
  }

  /**
   * 1 to `max`, every order of magnitude equally often: small sizes hurt most and big ones still occur. Whole
   * numbers throughout, because engines differ in the last digit of `Math.log`. `max` stays below 2^31.
   */
  size(max: number): number {
    const bits = this.integer(1, Math.max(1, 32 - Math.clz32(max)));
    const low = 2 ** (bits - 1);
    return this.integer(low, Math.max(low, Math.min(max, 2 * low - 1)));
  }

  pick<Item>(items: readonly Item[]): Item {
    if (items.length === 0) throw new RangeError("Cannot pick from nothing");
    return items[this.integer(0, items.length - 1)]!;
  }

  /** Shuffles in place and answers the same array. */
  shuffle<Item>(items: Item[]): Item[] {
    for (let last = items.length - 1; last > 0; last--) {
      const other = this.integer(0, last);
      const kept = items[last]!;
      items[last] = items[other]!;
      items[other] = kept;
    }
    return items;
  }

  bytes(length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    this.fill(bytes);
    return bytes;
  }

  fill(into: Uint8Array): void {
    let word = 0;
    for (let index = 0; index < into.length; index++) {
      if ((index & 3) === 0) word = this.uint32();
      into[index] = word;
      word >>>= 8;
    }
  }

  /** A generator of its own: drawing more from one does not shift what the other gives. */
  fork(label: string): Random {
    return new Random(`${label}:${this.uint32()}`);
  }
}

/** Turns text into an endless row of well mixed words (xmur3). */
function scramble(text: string): () => number {
  let hash = 1_779_033_703 ^ text.length;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 3_432_918_353);
    hash = (hash << 13) | (hash >>> 19);
  }
  return () => {
    hash = Math.imul(hash ^ (hash >>> 16), 2_246_822_507);
    hash = Math.imul(hash ^ (hash >>> 13), 3_266_489_909);
    hash ^= hash >>> 16;
    return hash >>> 0;
  };
}
