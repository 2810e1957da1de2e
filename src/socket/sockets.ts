/**
 * The socket types, as a user holds them. Options are constructor fields and properties of the same name.
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
import { optionBytes, ownBytes } from "./options.ts";
import { type ContextOption, defineOptions, DuplexSocket, ReceivingSocket, SendingSocket } from "./socket.ts";
import type { MessageLike } from "./message.ts";
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

/** PAIR: exactly one peer. */
export class Pair extends DuplexSocket {
  constructor(options: PairOptions & ContextOption = {}) {
    super("PAIR", options);
  }
}
export interface Pair extends Required<PairOptions> {}
defineOptions(Pair.prototype, "Pair", "PAIR");

/** PUSH: each message to one of the pulling peers, in turn. */
export class Push extends SendingSocket {
  constructor(options: PushOptions & ContextOption = {}) {
    super("PUSH", options);
  }
}
export interface Push extends Required<PushOptions> {}
defineOptions(Push.prototype, "Push", "PUSH");

/** PULL: messages from all pushing peers, one of each in turn. */
export class Pull extends ReceivingSocket {
  constructor(options: PullOptions & ContextOption = {}) {
    super("PULL", options);
  }
}
export interface Pull extends Required<PullOptions> {}
defineOptions(Pull.prototype, "Pull", "PULL");

/** DEALER: sends to peers in turn, receives from peers in turn. */
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

  /** Connects to a peer that is known here as `routingId`, whatever it calls itself, and even before it is there. */
  override connect(address: string, options?: { readonly routingId?: string | Uint8Array }): void {
    if (options !== undefined) {
      const fault = callFault("connect", options, CONNECT_OPTIONS);
      if (fault !== undefined) throw fault;
    }
    const routingId = options?.routingId;
    if (routingId === undefined) return super.connect(address);
    this.core.endpoints.connect(address, ownBytes(routingId));
  }

  /** Resolves when `trySend` is worth a try; with a `routingId`, to that peer. */
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

/** REP: takes a request, then sends its reply. */
export class Reply extends DuplexSocket {
  constructor(options: ReplyOptions & ContextOption = {}) {
    super("REP", options);
  }
}
export interface Reply extends Required<ReplyOptions> {}
defineOptions(Reply.prototype, "Reply", "REP");

/** PUB: every message to the peers that subscribed to a prefix of its first frame. */
export class Publisher extends SendingSocket {
  readonly #waits: SubscriptionWaits;

  constructor(options: PublisherOptions & ContextOption = {}) {
    super("PUB", options);
    this.#waits = new SubscriptionWaits(this.core);
  }

  /** Resolves when a message that begins with `topic` would reach somebody: no more lost first messages. */
  subscribed(topic: string | Uint8Array, options?: WaitOptions): Promise<void> {
    return this.#waits.wait(topic, options);
  }
}
export interface Publisher extends Required<PublisherOptions> {}
defineOptions(Publisher.prototype, "Publisher", "PUB");

/** SUB: messages whose first frame begins with a topic that was subscribed to. */
export class Subscriber extends ReceivingSocket {
  constructor(options: SubscriberOptions & ContextOption = {}) {
    super("SUB", options);
  }

  /** Adds topics (prefixes); without an argument: everything. Topics are counted. They are never dropped, and told again to every new peer. */
  subscribe(...topics: readonly (string | Uint8Array)[]): void {
    this.#change(topics, true);
  }

  /** Takes topics back. */
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

/** XPUB: a publisher that sees subscriptions, as messages whose first byte is 1 (subscribed) or 0 (cancelled). */
export class XPublisher extends DuplexSocket {
  readonly #waits: SubscriptionWaits;

  constructor(options: XPublisherOptions & ContextOption = {}) {
    super("XPUB", options);
    this.#waits = new SubscriptionWaits(this.core);
  }

  /** Resolves when a message that begins with `topic` would reach somebody. */
  subscribed(topic: string | Uint8Array, options?: WaitOptions): Promise<void> {
    return this.#waits.wait(topic, options);
  }

  /** In manual mode: lets the peer whose request was received last have these topics. */
  subscribe(...topics: readonly (string | Uint8Array)[]): void {
    this.#decide(topics, true);
  }

  /** In manual mode: takes topics from the peer whose request was received last. */
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

/** XSUB: a subscriber whose subscriptions are messages: `1` and the topic, `0` and the topic. */
export class XSubscriber extends DuplexSocket {
  constructor(options: XSubscriberOptions & ContextOption = {}) {
    super("XSUB", options);
  }

  /** Short for sending `1` and the topic. */
  subscribe(...topics: readonly (string | Uint8Array)[]): void {
    this.#change(topics, true);
  }

  /** Short for sending `0` and the topic. */
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

/** What can stand for a topic or a routing id. */
export type BytesLike = Extract<MessageLike, string | Uint8Array>;
