/**
 * A set of batch numbers that grows mostly at its lower end: everything below `next`, and a few above.
 *
 * @module
 */

/** Numbers from 0. What it remembers above the prefix is bounded by the window of who adds. */
export class Prefix {
  /** Every number below is in. */
  next: number;
  #ahead: Set<number> | undefined = undefined;

  constructor(next = 0, ahead: Iterable<number> = []) {
    this.next = next;
    for (const number of ahead) this.add(number);
  }

  has(number: number): boolean {
    return number < this.next || (this.#ahead !== undefined && this.#ahead.has(number));
  }

  /** Answers whether it was not in. */
  add(number: number): boolean {
    if (number !== this.next) {
      if (this.has(number)) return false;
      (this.#ahead ??= new Set()).add(number);
      return true;
    }
    this.next++;
    const ahead = this.#ahead;
    if (ahead === undefined) return true;
    while (ahead.delete(this.next)) this.next++;
    if (ahead.size === 0) this.#ahead = undefined;
    return true;
  }

  /** Everything below `next` is in, whatever it was. */
  raise(next: number): void {
    if (next <= this.next) return;
    this.next = next;
    const ahead = this.#ahead;
    if (ahead === undefined) return;
    for (const number of ahead) if (number < next) ahead.delete(number);
    while (ahead.delete(this.next)) this.next++;
    if (ahead.size === 0) this.#ahead = undefined;
  }

  /** What is above the prefix, ascending. */
  get ahead(): number[] {
    return this.#ahead === undefined ? [] : [...this.#ahead].sort((a, b) => a - b);
  }
}
