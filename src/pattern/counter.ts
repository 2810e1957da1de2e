/**
 * Ids counted from a random start, so that two programs, or two runs of one, do not start with the same id.
 *
 * @module
 */

import { readU32 } from "../bytes/bytes.ts";

/** A 32-bit counter with a random start. It wraps. */
export class RandomCounter {
  #next: number;

  constructor(random: (into: Uint8Array) => void) {
    const start = new Uint8Array(4);
    random(start);
    this.#next = readU32(start, 0);
  }

  /** The number that {@link take} will return. */
  get next(): number {
    return this.#next;
  }

  /** Returns the next number and uses it up. */
  take(): number {
    const taken = this.#next;
    this.#next = (taken + 1) % 0x1_0000_0000;
    return taken;
  }
}
