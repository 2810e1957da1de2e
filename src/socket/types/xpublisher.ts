/**
 * The socket type XPUB.
 *
 * @module
 */

import { MisuseError } from "../../errors.ts";
import { XPubPattern } from "../../pattern/xpub.ts";
import type { WaitOptions } from "../call_options.ts";
import {
  ownBytes,
  type PublishOptions,
  type ReceiveOptions,
  type SendOptions,
  type SocketOptions,
  type XPublishOptions,
} from "../options.ts";
import { type ContextOption, defineOptions, DuplexSocket } from "../socket.ts";
import { SubscriptionWaits } from "../subscription_waits.ts";

/** Options of {@link XPublisher}. */
export interface XPublisherOptions
  extends SocketOptions, SendOptions, ReceiveOptions, PublishOptions, XPublishOptions {}

/**
 * XPUB: a publisher that receives subscriptions as messages whose first byte is 1 (subscribed) or 0
 * (cancelled).
 */
export class XPublisher extends DuplexSocket {
  readonly #waits: SubscriptionWaits;

  constructor(options: XPublisherOptions & ContextOption = {}) {
    super("XPUB", XPubPattern, options);
    this.#waits = new SubscriptionWaits(this.core);
  }

  /** Resolves when a message that begins with `topic` would reach a subscriber. */
  subscribed(topic: string | Uint8Array, options?: WaitOptions): Promise<void> {
    return this.#waits.wait(topic, options);
  }

  /** In manual mode, subscribes the peer whose request was received last to these topics. */
  subscribe(...topics: readonly (string | Uint8Array)[]): void {
    this.#decide(topics, true);
  }

  /** In manual mode, cancels these topics for the peer whose request was received last. */
  unsubscribe(...topics: readonly (string | Uint8Array)[]): void {
    this.#decide(topics, false);
  }

  #decide(topics: readonly (string | Uint8Array)[], on: boolean): void {
    this.core.assertOpen();
    if (!this.core.options.manual) {
      throw new MisuseError("ERR_STATE", 'Cannot decide about subscriptions: the option "manual" is not set');
    }
    for (const topic of topics) (this.core.pattern as XPubPattern).decide(ownBytes(topic), on);
  }
}
export interface XPublisher extends Required<XPublisherOptions> {}
defineOptions(XPublisher.prototype, "XPublisher", "XPUB");
