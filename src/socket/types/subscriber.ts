/**
 * The socket type SUB.
 *
 * @module
 */

import { SubPattern } from "../../pattern/sub.ts";
import {
  type ConflateOptions,
  ownBytes,
  type ReceiveOptions,
  type SocketOptions,
  type SubscribeOptions,
} from "../options.ts";
import { type ContextOption, defineOptions, ReceivingSocket } from "../socket.ts";

/** Options of {@link Subscriber}. */
export interface SubscriberOptions extends SocketOptions, ReceiveOptions, ConflateOptions, SubscribeOptions {}

/** SUB: receives messages whose first frame begins with a subscribed topic. */
export class Subscriber extends ReceivingSocket {
  constructor(options: SubscriberOptions & ContextOption = {}) {
    super("SUB", SubPattern, options);
  }

  /**
   * Subscribes to topics (prefixes); without an argument, to everything. Subscriptions are counted: each
   * needs its own `unsubscribe`. They are never dropped, and every new peer gets them again.
   */
  subscribe(...topics: readonly (string | Uint8Array)[]): void {
    this.#change(topics, true);
  }

  /** Cancels subscriptions to topics; without an argument, one to everything. */
  unsubscribe(...topics: readonly (string | Uint8Array)[]): void {
    this.#change(topics, false);
  }

  #change(topics: readonly (string | Uint8Array)[], on: boolean): void {
    this.core.assertOpen();
    const pattern = this.core.pattern as SubPattern;
    for (const topic of topics.length === 0 ? [""] : topics) {
      pattern.subscribe(ownBytes(topic), on);
    }
  }
}
export interface Subscriber extends Required<SubscriberOptions> {}
defineOptions(Subscriber.prototype, "Subscriber", "SUB");
