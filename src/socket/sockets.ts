/**
 * The public socket types. Options are passed to the constructor and are properties of the same name.
 *
 * @module
 */

import { MisuseError } from "../errors.ts";
import { copyOf } from "../bytes/bytes.ts";
import type { RouterPattern } from "../pattern/router.ts";
import type { SubPattern } from "../pattern/sub.ts";
import type { XPubPattern } from "../pattern/xpub.ts";
import type { XSubPattern } from "../pattern/xsub.ts";
import type {
  ConflateOptions,
  PublishOptions,
  ReceiveOptions,
  RouterOptions,
  RoutingIdOptions,
  SendOptions,
  SocketOptions,
  SubscribeOptions,
  XPublishOptions,
} from "./options.ts";
import { type BytesLike, optionBytes, ownBytes } from "./options.ts";
import { type ContextOption, defineOptions, DuplexSocket, ReceivingSocket, SendingSocket } from "./socket.ts";
import { BYTES, callFault, type CallOptions, WAIT_OPTIONS, type WaitOptions } from "./call_options.ts";
import { SubscriptionWaits } from "./subscription_waits.ts";

/** Options of {@link Pair}. */
export interface PairOptions extends SocketOptions, SendOptions, ReceiveOptions {}
/** Options of {@link Push}. */
export interface PushOptions extends SocketOptions, SendOptions, ConflateOptions {}
/** Options of {@link Pull}. */
export interface PullOptions extends SocketOptions, ReceiveOptions, ConflateOptions {}
/** Options of {@link Dealer}. */
export interface DealerOptions
  extends SocketOptions, SendOptions, ReceiveOptions, ConflateOptions, RoutingIdOptions {}
/** Options of {@link Router}. */
export interface RouterSocketOptions
  extends SocketOptions, SendOptions, ReceiveOptions, RoutingIdOptions, RouterOptions {}
/** Options of {@link Reply}. */
export interface ReplyOptions extends SocketOptions, SendOptions, ReceiveOptions {}
/** Options of {@link Publisher}. */
export interface PublisherOptions extends SocketOptions, SendOptions, PublishOptions, ConflateOptions {}
/** Options of {@link Subscriber}. */
export interface SubscriberOptions extends SocketOptions, ReceiveOptions, ConflateOptions, SubscribeOptions {}
/** Options of {@link XPublisher}. */
export interface XPublisherOptions
  extends SocketOptions, SendOptions, ReceiveOptions, PublishOptions, XPublishOptions {}
/** Options of {@link XSubscriber}. */
export interface XSubscriberOptions extends SocketOptions, SendOptions, ReceiveOptions {}

const CONNECT_OPTIONS: CallOptions<"routingId"> = {
  routingId: {
    allowed: "a string or Uint8Array of 1 to 255 bytes",
    allows: (value) => BYTES.allows(value) && isRoutingIdLength(optionBytes(value as BytesLike).length),
  },
};
const WRITABLE_OPTIONS: CallOptions<"routingId" | keyof WaitOptions> = {
  ...WAIT_OPTIONS,
  routingId: { allowed: "a Uint8Array", allows: (value) => value instanceof Uint8Array },
};

function isRoutingIdLength(bytes: number): boolean {
  return bytes >= 1 && bytes <= 255;
}

/** PAIR: exchanges messages with exactly one peer. */
export class Pair extends DuplexSocket {
  constructor(options: PairOptions & ContextOption = {}) {
    super("PAIR", options);
  }
}
export interface Pair extends Required<PairOptions> {}
defineOptions(Pair.prototype, "Pair", "PAIR");

/** PUSH: sends each message to one of its Pull peers, in turn. */
export class Push extends SendingSocket {
  constructor(options: PushOptions & ContextOption = {}) {
    super("PUSH", options);
  }
}
export interface Push extends Required<PushOptions> {}
defineOptions(Push.prototype, "Push", "PUSH");

/** PULL: receives messages from all its Push peers, one from each in turn. */
export class Pull extends ReceivingSocket {
  constructor(options: PullOptions & ContextOption = {}) {
    super("PULL", options);
  }
}
export interface Pull extends Required<PullOptions> {}
defineOptions(Pull.prototype, "Pull", "PULL");

/** DEALER: sends to its peers in turn and receives from them in turn. */
export class Dealer extends DuplexSocket {
  constructor(options: DealerOptions & ContextOption = {}) {
    super("DEALER", options);
  }
}
export interface Dealer extends Required<DealerOptions> {}
defineOptions(Dealer.prototype, "Dealer", "DEALER");

/** ROUTER: the first frame of every message names the peer. */
export class Router extends DuplexSocket {
  constructor(options: RouterSocketOptions & ContextOption = {}) {
    super("ROUTER", options);
  }

  /**
   * Connects to an endpoint. With `routingId`, this socket knows the peer by that id, whatever id the peer
   * announces, and even before it is connected.
   */
  override connect(address: string, options?: { readonly routingId?: string | Uint8Array }): void {
    if (options !== undefined) {
      const fault = callFault("connect", options, CONNECT_OPTIONS);
      if (fault !== undefined) throw fault;
    }
    const routingId = options?.routingId;
    if (routingId === undefined) return super.connect(address);
    this.core.endpoints.connect(address, ownBytes(routingId));
  }

  /** Resolves when `trySend` is worth a try; with `routingId`, when it is for that peer. */
  override waitWritable(options?: WaitOptions & { readonly routingId?: Uint8Array }): Promise<void> {
    const routingId = options?.routingId;
    const pattern = this.core.pattern as RouterPattern;
    // Anything else is refused below, as a rejection.
    const id = routingId instanceof Uint8Array ? copyOf(routingId) : undefined;
    const ask = id === undefined ? undefined : (): boolean => pattern.canSendTo(id);
    return this.core.sender.waitWritable(options, ask, WRITABLE_OPTIONS);
  }
}
export interface Router extends Required<RouterSocketOptions> {}
defineOptions(Router.prototype, "Router", "ROUTER");

/** REP: receives a request, then sends its reply. */
export class Reply extends DuplexSocket {
  constructor(options: ReplyOptions & ContextOption = {}) {
    super("REP", options);
  }
}
export interface Reply extends Required<ReplyOptions> {}
defineOptions(Reply.prototype, "Reply", "REP");

/** PUB: sends every message to the peers that subscribed to a prefix of its first frame. */
export class Publisher extends SendingSocket {
  readonly #waits: SubscriptionWaits;

  constructor(options: PublisherOptions & ContextOption = {}) {
    super("PUB", options);
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

/** SUB: receives messages whose first frame begins with a subscribed topic. */
export class Subscriber extends ReceivingSocket {
  constructor(options: SubscriberOptions & ContextOption = {}) {
    super("SUB", options);
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

/**
 * XPUB: a publisher that receives subscriptions as messages whose first byte is 1 (subscribed) or 0
 * (cancelled).
 */
export class XPublisher extends DuplexSocket {
  readonly #waits: SubscriptionWaits;

  constructor(options: XPublisherOptions & ContextOption = {}) {
    super("XPUB", options);
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

/**
 * XSUB: a subscriber that subscribes by sending messages: a byte 1 and the topic, or a byte 0 and the topic
 * to cancel.
 */
export class XSubscriber extends DuplexSocket {
  constructor(options: XSubscriberOptions & ContextOption = {}) {
    super("XSUB", options);
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
