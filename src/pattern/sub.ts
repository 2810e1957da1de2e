/**
 * SUB (RFC 29): filters what it receives and cannot send upstream. Publishers filter as well, but a
 * cancelled topic's last messages may still be on their way.
 *
 * @module
 */

import type { SocketType } from "../zmtp/socket_type.ts";
import type { Message } from "./pipe/pipe.ts";
import { SubscribingPattern } from "./subscribing.ts";
import { OwnSubscriptions } from "./subscriptions/own_subscriptions.ts";

export class SubPattern extends SubscribingPattern {
  override readonly type: SocketType = "SUB";
  protected readonly topics: OwnSubscriptions = new OwnSubscriptions();

  override tryReceive(): Message | undefined {
    const { invertMatching } = this.options;
    for (let message = super.tryReceive(); message !== undefined; message = super.tryReceive()) {
      if (this.topics.matches(message[0]!) !== invertMatching) return message;
    }
    return undefined;
  }
}
