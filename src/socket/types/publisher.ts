/**
 * The socket type PUB.
 *
 * @module
 */

import { PubPattern } from "../../pattern/pub.ts";
import type { WaitOptions } from "../call_options.ts";
import type { ConflateOptions, PublishOptions, SendOptions, SocketOptions } from "../options.ts";
import { type ContextOption, defineOptions, SendingSocket } from "../socket.ts";
import { SubscriptionWaits } from "../subscription_waits.ts";

/** Options of {@link Publisher}. */
export interface PublisherOptions extends SocketOptions, SendOptions, PublishOptions, ConflateOptions {}

/** PUB: sends every message to the peers that subscribed to a prefix of its first frame. */
export class Publisher extends SendingSocket {
  readonly #waits: SubscriptionWaits;

  constructor(options: PublisherOptions & ContextOption = {}) {
    super("PUB", PubPattern, options);
    this.#waits = new SubscriptionWaits(this.core);
  }

  /**
   * Resolves when a message that begins with `topic` would reach a subscriber, so that the first messages are
   * not lost.
   */
  subscribed(topic: string | Uint8Array, options?: WaitOptions): Promise<void> {
    return this.#waits.wait(topic, options);
  }
}
export interface Publisher extends Required<PublisherOptions> {}
defineOptions(Publisher.prototype, "Publisher", "PUB");
