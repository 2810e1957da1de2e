/**
 * Ids that are counted from a random start, so that two programs, or two runs of one, do not begin with the same.
 *
 * @module
 */

import { readU32 } from "../bytes/bytes.ts";

/** A 32-bit counter that wraps. */
export class RandomCounter {
  #next: number;

  constructor(random: (into: Uint8Array) => void) {
    const start = new Uint8Array(4);
    random(start);
    this.#next = readU32(start, 0);
  }

  /** What {@link take} will answer. */
  get next(): number {
    return this.#next;
  }

  /** The next number, used up. */
  take(): number {
    const taken = this.#next;
    this.#next = (taken + 1) % 0x1_0000_0000;
    return taken;
  }
}
