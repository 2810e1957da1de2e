/**
 * The deadlines of all connections of a host, behind one of its timers. A connection without a deadline costs
 * nothing here, and what an event costs does not grow with the number of connections that only wait.
 *
 * @module
 */

import type { Host } from "../ports.ts";

/** Something that waits for at most one deadline. */
export interface Timed {
  /** Its place among the deadlines; -1: it has none. Belongs to {@link Deadlines}; -1 at first. */
  deadlineIndex: number;
  /** The deadline has passed, and is no longer set. */
  deadlineReached(): void;
}

/** A binary heap: its root is the earliest deadline, for which the host's timer is set. */
export class Deadlines {
  readonly #host: Host;
  readonly #items: Timed[] = [];
  /** The deadlines of `#items`, apart from them, so that none of these numbers is an object of its own. */
  readonly #times: number[] = [];
  /** When the host's timer fires; `Infinity`: none is set. */
  #armedMs = Infinity;
  #cancelTimer: (() => void) | undefined;
  readonly #fired = (): void => this.#fire();

  constructor(host: Host) {
    this.#host = host;
  }

  /** The deadline of `item`; `Infinity`: none. */
  of(item: Timed): number {
    return item.deadlineIndex < 0 ? Infinity : this.#times[item.deadlineIndex]!;
  }

  /** Sets the deadline of `item`, on the host's clock, whether or not it had one. `Infinity`: none. */
  set(item: Timed, atMs: number): void {
    if (atMs === Infinity) return this.remove(item);
    if (item.deadlineIndex < 0) {
      item.deadlineIndex = this.#items.push(item) - 1;
      this.#times.push(atMs);
    }
    this.#place(item, atMs, item.deadlineIndex);
    this.#arm();
  }

  remove(item: Timed): void {
    const index = item.deadlineIndex;
    if (index < 0) return;
    item.deadlineIndex = -1;
    const last = this.#items.pop()!;
    const lastMs = this.#times.pop()!;
    if (last !== item) this.#place(last, lastMs, index);
    // When everything is closed, no timer is left.
    if (this.#items.length === 0) this.#disarm();
  }

  /** A later deadline needs no new timer: the current one fires early, does nothing, and is set again. */
  #arm(): void {
    const earliestMs = this.#items.length === 0 ? Infinity : this.#times[0]!;
    if (earliestMs >= this.#armedMs) return;
    this.#disarm();
    this.#armedMs = earliestMs;
    // Whole milliseconds: a timer that fires slightly early must not be set again and again for a fraction.
    const delayMs = Math.ceil(Math.max(0, earliestMs - this.#host.nowMs()));
    this.#cancelTimer = this.#host.schedule(delayMs, this.#fired, false);
  }

  #disarm(): void {
    this.#armedMs = Infinity;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #fire(): void {
    this.#armedMs = Infinity;
    this.#cancelTimer = undefined;
    const nowMs = this.#host.nowMs();
    // Those that set a deadline that has passed already have their turn with the next timer.
    let left = this.#items.length;
    try {
      while (left-- > 0 && this.#items.length > 0 && this.#times[0]! <= nowMs) {
        const item = this.#items[0]!;
        this.remove(item);
        item.deadlineReached();
      }
    } finally {
      this.#arm();
    }
  }

  /** Puts `item` where it belongs, beginning at `from`, whose content is known elsewhere. */
  #place(item: Timed, atMs: number, from: number): void {
    const items = this.#items;
    const times = this.#times;
    let index = from;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (times[parent]! <= atMs) break;
      this.#put(items[parent]!, times[parent]!, index);
      index = parent;
    }
    for (;;) {
      let child = 2 * index + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && times[child + 1]! < times[child]!) child++;
      if (times[child]! >= atMs) break;
      this.#put(items[child]!, times[child]!, index);
      index = child;
    }
    this.#put(item, atMs, index);
  }

  #put(item: Timed, atMs: number, index: number): void {
    this.#items[index] = item;
    this.#times[index] = atMs;
    item.deadlineIndex = index;
  }
}
