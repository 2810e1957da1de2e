/**
 * The receiving end of a publisher's connection: upstream messages and subscriptions.
 *
 * @module
 */

import { copyOf } from "../../bytes/bytes.ts";
import type { Inbound } from "../../engine/link.ts";
import { decodeLegacySubscription } from "../../zmtp/commands.ts";
import type { Pattern, ReceivingPipe } from "../pattern.ts";
import { type InboundEvents, InboundQueue } from "../pipe/inbound_queue.ts";
import type { HighWaterMark } from "../pipe/outbound_queue.ts";

const NO_MARK: HighWaterMark = { messages: 0, bytes: 0 };
const NO_EVENTS: InboundEvents = { readable(): void {}, drained(): void {} };

/** A subscription (`on`) or cancellation that the pattern has not seen yet. */
interface Request {
  readonly topic: Uint8Array;
  readonly on: boolean;
}

/**
 * Takes what a publisher's peer sends: upstream messages and subscriptions. A subscription is a command or,
 * from a 3.0 peer, a message whose only frame begins with 01 or 00. All keep their wire order. The pattern
 * gets them only on {@link announce}, because it may refuse the peer, and because its events run the
 * application's code.
 */
export class SubscriptionSink implements Inbound {
  readonly #pipe: ReceivingPipe;
  readonly #pattern: Pattern;
  /** Takes runs apart, which only messages come in: most peers of a publisher send none. */
  #queue: InboundQueue | undefined;
  /**
   * What arrived since the last {@link announce}, in order. `undefined` stands for a message, which is in the
   * pipe already.
   */
  #arrived: (Request | undefined)[] | undefined;

  constructor(pipe: ReceivingPipe, pattern: Pattern) {
    this.#pipe = pipe;
    this.#pattern = pattern;
  }

  get credit(): number {
    return this.#pipe.inbound.credit;
  }

  run(bytes: Uint8Array, start: number, end: number, messages: number): void {
    const queue = this.#queue ??= new InboundQueue({ mark: NO_MARK, events: NO_EVENTS });
    queue.run(bytes, start, end, messages);
    for (let message = queue.read(); message !== undefined; message = queue.read()) {
      let size = 0;
      for (const frame of message) size += frame.length;
      this.message(message, size);
    }
  }

  message(frames: Uint8Array[], bytes: number): void {
    const subscription = frames.length === 1 ? decodeLegacySubscription(frames[0]!) : undefined;
    if (subscription !== undefined) {
      this.subscription(copyOf(subscription.topic), subscription.name === "SUBSCRIBE");
    } else if (this.#pattern.type === "XPUB") {
      this.#pipe.inbound.message(frames, bytes);
      this.#arrive(undefined);
    }
  }

  subscription(topic: Uint8Array, on: boolean): void {
    this.#arrive({ topic, on });
  }

  announce(): void {
    const arrived = this.#arrived;
    if (arrived !== undefined) {
      this.#arrived = undefined;
      for (const request of arrived) {
        if (request === undefined) this.#pattern.upstream(this.#pipe);
        else this.#pattern.subscription(this.#pipe, request.topic, request.on);
      }
    }
    this.#pipe.inbound.announce();
  }

  hold(release: () => void): void {
    this.#pipe.inbound.hold?.(release);
  }

  #arrive(request: Request | undefined): void {
    if (this.#arrived === undefined) this.#arrived = [request];
    else this.#arrived.push(request);
  }
}
