/**
 * The socket type XSUB.
 *
 * @module
 */

import { XSubPattern } from "../../pattern/xsub.ts";
import { ownBytes, type ReceiveOptions, type SendOptions, type SocketOptions } from "../options.ts";
import { type ContextOption, defineOptions, DuplexSocket } from "../socket.ts";

/** Options of {@link XSubscriber}. */
export interface XSubscriberOptions extends SocketOptions, SendOptions, ReceiveOptions {}

/**
 * XSUB: a subscriber that subscribes by sending messages: a byte 1 and the topic, or a byte 0 and the topic
 * to cancel.
 */
export class XSubscriber extends DuplexSocket {
  constructor(options: XSubscriberOptions & ContextOption = {}) {
    super("XSUB", XSubPattern, options);
  }

  /** Shorthand for sending a byte 1 and the topic. */
  subscribe(...topics: readonly (string | Uint8Array)[]): void {
    this.#change(topics, true);
  }

  /** Shorthand for sending a byte 0 and the topic. */
  unsubscribe(...topics: readonly (string | Uint8Array)[]): void {
    this.#change(topics, false);
  }

  #change(topics: readonly (string | Uint8Array)[], on: boolean): void {
    this.core.assertOpen();
    for (const topic of topics) (this.core.pattern as XSubPattern).subscribe(ownBytes(topic), on);
  }
}
export interface XSubscriber extends Required<XSubscriberOptions> {}
defineOptions(XSubscriber.prototype, "XSubscriber", "XSUB");
