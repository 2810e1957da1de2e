/**
 * XPUB (RFC 29): sends every message to the peers that subscribed to a prefix of its first frame.
 * Subscriptions are passed to the application as messages (`01 topic`, `00 topic`), in order of arrival with
 * what peers send upstream. A peer at its high-water mark misses messages until half of its queue has
 * drained.
 *
 * @module
 */

import { copyOf } from "../bytes/bytes.ts";
import { PeerError } from "../errors.ts";
import { FanOut } from "./fan_out.ts";
import type { Outgoing } from "./outbound_queue.ts";
import { type InboundKind, Pattern, type PatternInit } from "./pattern.ts";
import { type Message, Pipe } from "./pipe.ts";
import { type Retired, SubscriptionTree } from "./subscriptions.ts";
import { SubscriptionsTotal } from "./subscriptions_total.ts";
import type { SocketType } from "../zmtp/socket_type.ts";

interface Notification {
  readonly pipe: Pipe;
  readonly message: Message;
}

/** The subscriptions of a peer that is gone, in both trees. */
interface Leaving {
  readonly pipe: Pipe;
  readonly asked: Retired<Pipe> | undefined;
  readonly held: Retired<Pipe> | undefined;
}

/** Topics of a lost peer that are freed in one turn of the event loop. It takes a few milliseconds. */
const RELEASED_PER_TURN = 1_000;

const NOTHING_UNREAD = { messages: 0, topicBytes: 0 };

export class XPubPattern extends Pattern {
  override readonly type: SocketType = "XPUB";
  override readonly inbound: InboundKind = "subscriptions";
  readonly #fanOut: FanOut = new FanOut();
  readonly #pipes: Set<Pipe> = new Set();
  /** Which peer gets which messages. */
  readonly #tree: SubscriptionTree<Pipe> = new SubscriptionTree();
  /** Which peer asked for what. Differs from `#tree` in manual mode only. */
  readonly #asked: SubscriptionTree<Pipe> = new SubscriptionTree();
  readonly #matches: Pipe[] = [];
  /**
   * What can be received, in order of arrival: notifications and, for each message that waits in a pipe, that
   * pipe. The application must learn of a topic after what its peer sent before it, and of two peers'
   * requests for a topic in the order in which they took effect.
   */
  #arrivals: (Notification | Pipe)[] = [];
  /** Number of arrivals at the front that were received already. */
  #head = 0;
  /** Unread notifications, by the peer that caused them. */
  readonly #unread: Map<Pipe, { messages: number; topicBytes: number }> = new Map();
  /** The peer whose request was read last. Manual mode's `subscribe` applies to it. */
  #lastAsker: Pipe | undefined;
  readonly #total: SubscriptionsTotal;
  readonly #later: ((run: () => void) => void) | undefined;
  /** Oldest first. */
  #leaving: Leaving[] = [];

  constructor(init: PatternInit) {
    super(init);
    this.#total = init.subscriptionsTotal ?? new SubscriptionsTotal(Infinity);
    this.#later = init.later;
  }

  attach(pipe: Pipe): void {
    this.#pipes.add(pipe);
  }

  detach(pipe: Pipe): void {
    this.#pipes.delete(pipe);
    this.#forget(pipe);
    this.#unread.delete(pipe);
    if (this.#lastAsker === pipe) this.#lastAsker = undefined;
    this.events.writable();
  }

  override ready(pipe: Pipe): void {
    const { welcomeMessage } = this.options;
    // A copy: over inproc the receiver may write into what it gets.
    if (welcomeMessage !== undefined) pipe.write(copyOf(welcomeMessage));
  }

  override lost(pipe: Pipe): void {
    // The peer sends all its subscriptions again when it is back.
    this.#forget(pipe);
    this.events.writable();
  }

  override close(): void {
    this.#arrivals = [];
    this.#head = 0;
  }

  override upstream(pipe: Pipe): void {
    this.#arrivals.push(pipe);
  }

  override readable(_pipe: Pipe): void {
    this.events.readable();
  }

  override writable(_pipe: Pipe): void {
    this.events.writable();
  }

  override subscription(pipe: Pipe, topic: Uint8Array, on: boolean): void {
    if (!this.#pipes.has(pipe)) return;
    const { verbosity, manual } = this.options;
    if (this.#leaving.length > 0) this.#finishLeaving(pipe);
    if (!this.#withinLimits(pipe, topic, on)) return;
    let news: boolean;
    if (on) {
      if (!this.#asked.holds(topic, pipe) && !this.#total.take(pipe, topic.length)) return;
      const added = this.#asked.add(topic, pipe);
      news = added === "first" || verbosity !== null;
    } else {
      const removed = this.#asked.remove(topic, pipe);
      if (removed !== "absent") this.#total.give(pipe, topic.length);
      // Cancelling an unknown topic is passed on too, as in libzmq's verbose mode.
      news = removed === "last" || verbosity === "allSubsUnsubs";
    }
    if (!manual) {
      if (on) this.#tree.add(topic, pipe);
      else this.#tree.remove(topic, pipe);
      if (on) this.subscribed(topic);
      // A send that waits for a full subscriber can go on if that one has cancelled.
      else if (this.options.noDrop) this.events.writable();
    }
    if (news || manual) this.#notify(pipe, topic, on);
  }

  /** In manual mode: adds `topic` for the peer whose request was read last (`on`), or removes it. */
  decide(topic: Uint8Array, on: boolean): void {
    const pipe = this.#lastAsker;
    if (pipe === undefined) return;
    if (on) {
      this.#tree.add(topic, pipe);
      this.subscribed(topic);
    } else {
      this.#tree.remove(topic, pipe);
    }
  }

  /** Called with every topic that takes effect. */
  subscribed: (topic: Uint8Array) => void = () => {};

  /** Whether a message with this first frame would reach a peer. */
  hasSubscribers(frame: Uint8Array): boolean {
    return this.#tree.match(frame, this.#matches) > 0;
  }

  /** Whether any peer subscribed to exactly this topic. */
  hasTopic(topic: Uint8Array): boolean {
    return this.#tree.has(topic);
  }

  /** Number of attached peers, whatever they subscribed to. */
  get peerCount(): number {
    return this.#pipes.size;
  }

  override get canSend(): boolean {
    if (!this.options.noDrop) return true;
    for (const pipe of this.#pipes) if (!pipe.canWrite) return false;
    return true;
  }

  override get canReceive(): boolean {
    return this.#head < this.#arrivals.length;
  }

  override trySend(message: Outgoing): boolean {
    const first = message instanceof Uint8Array ? message : message[0]!;
    let count = this.#tree.match(first, this.#matches);
    if (this.options.invertMatching) count = this.#invert(count);
    if (count === 0) return true;
    if (this.options.noDrop) {
      for (let i = 0; i < count; i++) if (!this.#matches[i]!.canWrite) return false;
    }
    this.#fanOut.write(this.#matches, count, message, this.#refused);
    return true;
  }

  override tryReceive(): Message | undefined {
    for (let arrival = this.#nextArrival(); arrival !== undefined; arrival = this.#nextArrival()) {
      const message = arrival instanceof Pipe ? arrival.read() : this.#takeNotification(arrival);
      if (message !== undefined) return message;
    }
    return undefined;
  }

  #nextArrival(): Notification | Pipe | undefined {
    if (this.#head === this.#arrivals.length) return undefined;
    const arrival = this.#arrivals[this.#head++]!;
    if (this.#head === this.#arrivals.length) {
      this.#arrivals.length = 0;
      this.#head = 0;
    } else if (this.#head >= 1_024 && this.#head * 2 > this.#arrivals.length) {
      // Received ones are dropped in large steps: moving the rest up each time would cost more than it frees.
      this.#arrivals.splice(0, this.#head);
      this.#head = 0;
    }
    return arrival;
  }

  #takeNotification({ pipe, message }: Notification): Message {
    this.#lastAsker = this.#pipes.has(pipe) ? pipe : undefined;
    const unread = this.#unread.get(pipe);
    if (unread !== undefined) {
      unread.messages--;
      unread.topicBytes -= message[0]!.length - 1;
    }
    return message;
  }

  readonly #refused = (pipe: Pipe): void =>
    this.events.dropped(pipe, "the subscriber is at its high-water mark");

  /** Turns `#matches` into its complement among all peers. */
  #invert(count: number): number {
    const matched = new Set(this.#matches.slice(0, count));
    let rest = 0;
    for (const pipe of this.#pipes) if (!matched.has(pipe)) this.#matches[rest++] = pipe;
    return rest;
  }

  /** From now on the peer gets nothing. Freeing its subscriptions may take several event-loop turns. */
  #forget(pipe: Pipe): void {
    this.#total.forget(pipe);
    const asked = this.#asked.retire(pipe);
    const held = this.#tree.retire(pipe);
    if (asked === undefined && held === undefined) return;
    this.#leaving.push({ pipe, asked, held });
    if (this.#leaving.length === 1) this.#releaseSome();
  }

  #releaseSome(): void {
    let left = this.#later === undefined ? Infinity : RELEASED_PER_TURN;
    while (left > 0 && this.#leaving.length > 0) {
      left -= this.#release(this.#leaving[0]!, left);
      if (left > 0) this.#leaving.shift();
    }
    if (this.#leaving.length > 0) this.#later!(() => this.#releaseSome());
  }

  /** Frees up to `topicsMax` topics and returns how many. */
  #release({ pipe, asked, held }: Leaving, topicsMax: number): number {
    const { verbosity, manual } = this.options;
    let released = 0;
    if (asked !== undefined) {
      released = this.#asked.release(asked, topicsMax, (topic, last) => {
        // In manual mode every request was reported, so the end of each one must be, too.
        if (last || manual || verbosity === "allSubsUnsubs") this.#notify(pipe, topic, false);
      });
    }
    return held === undefined ? released : released + this.#tree.release(held, topicsMax - released);
  }

  /** A peer that is back sends its subscriptions again: the end of the old ones comes first. */
  #finishLeaving(pipe: Pipe): void {
    for (const leaving of this.#leaving) if (leaving.pipe === pipe) this.#release(leaving, Infinity);
  }

  #withinLimits(pipe: Pipe, topic: Uint8Array, on: boolean): boolean {
    const { subscriptionsMax, subscriptionBytesMax } = this.options;
    const heldBytes = this.#asked.topicBytes(pipe) + topic.length;
    const mayHold = !on || (this.#asked.count(pipe) < subscriptionsMax && heldBytes <= subscriptionBytesMax);
    const { messages, topicBytes } = this.#unread.get(pipe) ?? NOTHING_UNREAD;
    // Room for every topic that a peer may hold, and for its cancellation.
    const mayTell = messages < 2 * subscriptionsMax && topicBytes + topic.length <= 2 * subscriptionBytesMax;
    if (mayHold && mayTell) return true;
    pipe.refuse(
      new PeerError(
        "ERR_PEER_SUBSCRIPTIONS",
        `Cannot accept subscription: the limit is ${subscriptionsMax} topics ` +
          `and ${subscriptionBytesMax} bytes`,
      ),
    );
    return false;
  }

  /** Whether notifications are queued. PUB overrides it: its application reads none. */
  protected get notifies(): boolean {
    return true;
  }

  #notify(pipe: Pipe, topic: Uint8Array, on: boolean): void {
    if (!this.notifies) return;
    const frame = new Uint8Array(1 + topic.length);
    frame[0] = on ? 1 : 0;
    frame.set(topic, 1);
    this.#arrivals.push({ pipe, message: [frame] });
    const unread = this.#unread.get(pipe);
    if (!this.#pipes.has(pipe)) {
      // The peer is gone, and its count with it.
    } else if (unread === undefined) {
      this.#unread.set(pipe, { messages: 1, topicBytes: topic.length });
    } else {
      unread.messages++;
      unread.topicBytes += topic.length;
    }
    this.events.readable();
  }
}
