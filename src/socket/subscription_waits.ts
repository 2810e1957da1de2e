/**
 * Waiting for subscribers: the answer to slow joiners.
 *
 * @module
 */

import { copyOf } from "../bytes/bytes.ts";
import type { XPubPattern } from "../pattern/xpub.ts";
import type { Runtime } from "../session/runtime.ts";
import { closedError, WaitList, type WaitOptions } from "./wait_list.ts";

/** Who waits for a subscription to which topic. */
export class SubscriptionWaits {
  readonly #pattern: XPubPattern;
  readonly #waits: WaitList<Uint8Array, void>;
  #closed = false;

  constructor(runtime: Runtime, pattern: XPubPattern) {
    this.#pattern = pattern;
    this.#waits = new WaitList(runtime);
    pattern.subscribed = () => this.#review();
  }

  wait(topic: Uint8Array, options: WaitOptions): Promise<void> {
    if (this.#closed) return Promise.reject(closedError());
    if (this.#pattern.hasSubscribers(topic)) return Promise.resolve();
    return this.#waits.wait(copyOf(topic), options);
  }

  close(): void {
    this.#closed = true;
    this.#waits.rejectAll(closedError());
  }

  #review(): void {
    if (this.#waits.size === 0) return;
    for (const waiter of this.#waits) if (this.#pattern.hasSubscribers(waiter.task)) waiter.resolve();
  }
}
