/**
 * Subscriptions that a connection still has to send to its peer. They are state, not messages: the latest
 * word on a topic wins, opposite words that were never sent cancel out, and nothing is ever dropped at a
 * high-water mark.
 *
 * @module
 */

import { binaryKey } from "../bytes/bytes.ts";
import type { Subscription } from "../zmtp/commands.ts";

/** A subscription or cancellation, and how many segments of the pipe go out before it. */
interface Word extends Subscription {
  readonly after: number;
}

/** The words that were not sent yet, by topic. Bounded by the distinct topics of the socket. */
export class SubscriptionFeed {
  #words: Map<string, Word> | undefined;
  /** Continues where it stopped: a walk from the start would pass everything already sent each time. */
  #walk: IterableIterator<[string, Word]> | undefined;
  /** The word at which the walk stands. */
  #next: [string, Word] | undefined;

  get size(): number {
    return this.#words?.size ?? 0;
  }

  /** Queues SUBSCRIBE (`on`) or CANCEL of `topic`, to be sent after `after` segments, which never falls. */
  push(topic: Uint8Array, on: boolean, after = 0): void {
    const key = binaryKey(topic);
    const name = on ? "SUBSCRIBE" : "CANCEL";
    const words = this.#words ??= new Map();
    const unsaid = words.get(key);
    if (unsaid === undefined) words.set(key, { name, topic, after });
    else if (unsaid.name !== name) words.delete(key);
  }

  /** After how many segments the next word is sent; `Infinity` when none is left. */
  get nextAfter(): number {
    return this.#peek()?.[1].after ?? Infinity;
  }

  /** Removes and returns the next word, or `undefined` when none is left. */
  shift(): Subscription | undefined {
    const next = this.#peek();
    if (next === undefined) return undefined;
    this.#next = undefined;
    this.#words!.delete(next[0]);
    return next[1];
  }

  /** The oldest word that was not cancelled out. */
  #peek(): [string, Word] | undefined {
    const words = this.#words;
    if (words === undefined || words.size === 0) {
      this.#walk = undefined;
      return this.#next = undefined;
    }
    while (this.#next === undefined || words.get(this.#next[0]) !== this.#next[1]) {
      let { value, done } = (this.#walk ??= words.entries()).next();
      if (done) ({ value } = (this.#walk = words.entries()).next());
      this.#next = value!;
    }
    return this.#next;
  }
}
