/**
 * XSUB (RFC 29): subscriptions are messages (`01 topic`, `00 topic`), which a proxy passes on from others.
 * Other messages go upstream to all publishers.
 *
 * @module
 */

import { copyOf } from "../bytes/bytes.ts";
import { decodeLegacySubscription } from "../zmtp/commands.ts";
import type { SocketType } from "../zmtp/socket_type.ts";
import { FanOut } from "./distribution/fan_out.ts";
import type { PatternInit } from "./pattern.ts";
import type { Outgoing } from "./pipe/outbound_queue.ts";
import { SubscribingPattern } from "./subscribing.ts";
import { CountedSubscriptions } from "./subscriptions/counted_subscriptions.ts";

export class XSubPattern extends SubscribingPattern {
  override readonly type: SocketType = "XSUB";
  protected readonly topics: CountedSubscriptions;
  readonly #fanOut: FanOut = new FanOut();

  constructor(init: PatternInit) {
    super(init);
    this.topics = new CountedSubscriptions(init.random);
  }

  override get canSend(): boolean {
    return true;
  }

  override trySend(message: Outgoing): boolean {
    const only = message instanceof Uint8Array ? message : message.length === 1 ? message[0]! : undefined;
    const subscription = only === undefined ? undefined : decodeLegacySubscription(only);
    if (subscription !== undefined) {
      this.subscribe(copyOf(subscription.topic), subscription.name === "SUBSCRIBE");
      return true;
    }
    const pipes = [...this.pipes];
    this.#fanOut.write(pipes, pipes.length, message, (pipe) => {
      this.events.dropped(pipe, `the publisher is ${pipe.fullAt}`);
    });
    return true;
  }
}
