/**
 * Subscriptions that a connection still has to tell its peer. They are state, not messages: the latest word on a
 * topic wins, opposite words that were never sent cancel out, and nothing is ever dropped at a high-water mark.
 *
 * @module
 */

import { binaryKey } from "../bytes/bytes.ts";
import type { Subscription } from "../zmtp/commands.ts";

/** The words still unsaid, by topic. Bounded by the distinct topics of the socket. */
export class SubscriptionFeed {
  #words: Map<string, Subscription> | undefined;
  /** Goes on where it was: a walk from the start would pass by everything that was said before, each time anew. */
  #walk: IterableIterator<[string, Subscription]> | undefined;

  get size(): number {
    return this.#words?.size ?? 0;
  }

  /** Queues SUBSCRIBE (`on`) or CANCEL of `topic`. */
  push(topic: Uint8Array, on: boolean): void {
    const key = binaryKey(topic);
    const name = on ? "SUBSCRIBE" : "CANCEL";
    const words = this.#words ??= new Map();
    const unsaid = words.get(key);
    if (unsaid === undefined) words.set(key, { name, topic });
    else if (unsaid.name !== name) words.delete(key);
  }

  /** The next word; `undefined`: all is said. */
  shift(): Subscription | undefined {
    const words = this.#words;
    if (words === undefined || words.size === 0) {
      this.#walk = undefined;
      return undefined;
    }
    let { value, done } = (this.#walk ??= words.entries()).next();
    if (done) ({ value } = (this.#walk = words.entries()).next());
    const [key, word] = value!;
    words.delete(key);
    return word;
  }
}
