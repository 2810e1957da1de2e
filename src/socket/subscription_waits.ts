/**
 * Waiting for subscribers, which solves the slow-joiner problem.
 *
 * @module
 */

import { copyOf } from "../bytes/bytes.ts";
import type { XPubPattern } from "../pattern/xpub.ts";
import { refusedWait, type WaitOptions } from "./call_options.ts";
import { optionBytes } from "./options.ts";
import type { SocketCore } from "./socket_core.ts";
import { closedError, WaitList } from "./wait_list.ts";

/** The callers that wait until a topic has a subscriber. */
export class SubscriptionWaits {
  readonly #pattern: XPubPattern;
  readonly #waits: WaitList<Uint8Array, void>;
  #closed = false;

  constructor(core: SocketCore) {
    this.#pattern = core.pattern as XPubPattern;
    this.#waits = new WaitList(core.runtime);
    this.#pattern.subscribed = () => this.#review();
    core.whenClosed(() => this.#close());
  }

  async wait(topic: string | Uint8Array, options: WaitOptions | undefined): Promise<void> {
    if (this.#closed) throw closedError();
    const refused = refusedWait("subscribed", options);
    if (refused !== undefined) throw refused;
    const bytes = optionBytes(topic);
    if (!this.#pattern.hasSubscribers(bytes)) await this.#waits.wait(copyOf(bytes), options);
  }

  #close(): void {
    this.#closed = true;
    this.#waits.rejectAll(closedError());
  }

  #review(): void {
    if (this.#waits.size === 0) return;
    for (const waiter of this.#waits) if (this.#pattern.hasSubscribers(waiter.task)) waiter.resolve();
  }
}
