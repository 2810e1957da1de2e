/**
 * XPUB (RFC 29): sends every message to the peers that subscribed to a prefix of its first frame.
 * Subscriptions are passed to the application as messages (`01 topic`, `00 topic`), in order of arrival with
 * what peers send upstream. A peer at its high-water mark misses messages until half of its queue has
 * drained.
 *
 * @module
 */

import type { Inbound } from "../engine/link.ts";
import { copyOf } from "../bytes/bytes.ts";
import { PeerError } from "../errors.ts";
import { Arrivals } from "./subscriptions/arrivals.ts";
import { FanOut } from "./distribution/fan_out.ts";
import type { Outgoing } from "./pipe/outbound_queue.ts";
import { type InboundKind, Pattern, type PatternInit, type ReceivingPipe } from "./pattern.ts";
import { type Message, Pipe } from "./pipe/pipe.ts";
import type { Random } from "./subscriptions/record_table.ts";
import { type Retired, SubscriptionTree } from "./subscriptions/subscription_tree.ts";
import { SubscriptionSink } from "./subscriptions/subscription_sink.ts";
import { SubscriptionsTotal } from "./subscriptions/subscriptions_total.ts";
import type { SocketType } from "../zmtp/socket_type.ts";

/** The subscriptions of a peer that is gone, in both trees. */
interface Leaving {
  readonly pipe: Pipe;
  readonly asked: Retired<Pipe> | undefined;
  readonly held: Retired<Pipe> | undefined;
}

/** Topics of a lost peer that are freed in one turn of the event loop. It takes a few milliseconds. */
const RELEASED_PER_TURN = 1_000;

export class XPubPattern extends Pattern {
  override readonly type: SocketType = "XPUB";
  override readonly inbound: InboundKind = "subscriptions";
  readonly #fanOut: FanOut = new FanOut();
  readonly #pipes: Set<Pipe> = new Set();
  /** Which peer asked for what, and gets it, unless manual mode told the two apart. */
  readonly #asked: SubscriptionTree<Pipe>;
  /** Which peer gets what, once manual mode was on. */
  #granted: SubscriptionTree<Pipe> | undefined;
  readonly #matches: Pipe[] = [];
  /**
   * What can be received, in order of arrival: notifications and, for each message that waits in a pipe, that
   * pipe. The application must learn of a topic after what its peer sent before it, and of two peers'
   * requests for a topic in the order in which they took effect.
   */
  readonly #arrivals: Arrivals = new Arrivals((pipe) => this.#pipes.has(pipe));
  /** The peer whose request was read last. Manual mode's `subscribe` applies to it. */
  #lastAsker: Pipe | undefined;
  readonly #total: SubscriptionsTotal;
  readonly #random: Random;
  readonly #later: ((run: () => void) => void) | undefined;
  /** Oldest first. */
  #leaving: Leaving[] = [];

  constructor(init: PatternInit) {
    super(init);
    this.#random = init.random;
    this.#asked = new SubscriptionTree(init.random);
    this.#total = init.shared === undefined
      ? new SubscriptionsTotal(Infinity)
      : SubscriptionsTotal.of(init.shared);
    this.#later = init.later;
  }

  override sinkOf(pipe: ReceivingPipe): Inbound {
    return new SubscriptionSink(pipe, this);
  }

  attach(pipe: Pipe): void {
    this.#pipes.add(pipe);
  }

  detach(pipe: Pipe): void {
    this.#pipes.delete(pipe);
    this.#forget(pipe);
    this.#arrivals.detached(pipe);
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
    // Nothing else can reach the messages of a peer that is gone.
    for (let arrival = this.#arrivals.next(); arrival !== undefined; arrival = this.#arrivals.next()) {
      if (arrival instanceof Pipe) arrival.drop();
    }
    this.#arrivals.clear();
  }

  override upstream(pipe: Pipe): void {
    this.#arrivals.upstream(pipe);
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
    if (manual) this.#grantApart();
    if (!this.#withinLimits(pipe, topic, on)) return;
    let news: boolean;
    // Whether the application, where it hears of topics, or of each peer, was told of nothing that this
    // changes.
    let first = false;
    let beginsForPeer: boolean;
    if (on) {
      if (!this.#asked.holds(topic, pipe) && !this.#total.take(pipe, topic.length)) return;
      const added = this.#asked.add(topic, pipe);
      first = added === "first";
      beginsForPeer = added !== "present";
      news = first || verbosity !== null;
    } else {
      const removed = this.#asked.remove(topic, pipe);
      if (removed !== "absent") this.#total.give(pipe, topic.length);
      beginsForPeer = removed === "absent";
      // Cancelling an unknown topic is passed on too, as in libzmq's verbose mode.
      news = removed === "last" || verbosity === "allSubsUnsubs";
    }
    if (!manual) {
      if (on) this.#granted?.add(topic, pipe);
      else this.#granted?.remove(topic, pipe);
      if (on) this.subscribed(topic);
      // A send that waits for a full subscriber can go on if that one has cancelled.
      else if (this.options.noDrop) this.events.writable();
    }
    const tellsPeers = manual || verbosity === "allSubsUnsubs";
    if (news || manual) this.#notify(pipe, topic, on, tellsPeers ? beginsForPeer : first);
  }

  /** In manual mode: adds `topic` for the peer whose request was read last (`on`), or removes it. */
  decide(topic: Uint8Array, on: boolean): void {
    const pipe = this.#lastAsker;
    if (pipe === undefined) return;
    const granted = this.#grantApart();
    if (on) {
      granted.add(topic, pipe);
      this.subscribed(topic);
    } else {
      granted.remove(topic, pipe);
    }
  }

  get #tree(): SubscriptionTree<Pipe> {
    return this.#granted ?? this.#asked;
  }

  /** From now on the application decides which peer gets what; what took effect by itself stays. */
  #grantApart(): SubscriptionTree<Pipe> {
    if (this.#granted !== undefined) return this.#granted;
    const granted = new SubscriptionTree<Pipe>(this.#random);
    for (const pipe of this.#pipes) for (const topic of this.#asked.topicsOf(pipe)) granted.add(topic, pipe);
    return this.#granted = granted;
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
    return !this.#arrivals.isEmpty;
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
    for (let arrival = this.#arrivals.next(); arrival !== undefined; arrival = this.#arrivals.next()) {
      if (arrival instanceof Pipe) {
        const message = arrival.read();
        if (message !== undefined) return message;
      } else {
        this.#lastAsker = this.#pipes.has(arrival.pipe) ? arrival.pipe : undefined;
        return arrival.message;
      }
    }
    return undefined;
  }

  readonly #refused = (pipe: Pipe): void => this.events.dropped(pipe, `the subscriber is ${pipe.fullAt}`);

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
    const held = this.#granted?.retire(pipe);
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
        if (last || manual || verbosity === "allSubsUnsubs") this.#notify(pipe, topic, false, false);
      });
    }
    return held === undefined ? released : released + this.#granted!.release(held, topicsMax - released);
  }

  /** A peer that is back sends its subscriptions again: the end of the old ones comes first. */
  #finishLeaving(pipe: Pipe): void {
    for (const leaving of this.#leaving) if (leaving.pipe === pipe) this.#release(leaving, Infinity);
  }

  #withinLimits(pipe: Pipe, topic: Uint8Array, on: boolean): boolean {
    const { subscriptionsMax, subscriptionBytesMax } = this.options;
    const heldBytes = this.#asked.topicBytes(pipe) + topic.length;
    const mayHold = !on || (this.#asked.count(pipe) < subscriptionsMax && heldBytes <= subscriptionBytesMax);
    const { messages, topicBytes } = this.#arrivals.unreadOf(pipe);
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

  #notify(pipe: Pipe, topic: Uint8Array, on: boolean, begins: boolean): void {
    if (!this.notifies) return;
    const { verbosity, manual } = this.options;
    const kind = manual || verbosity === "allSubsUnsubs"
      ? "peers"
      : verbosity === "allSubs"
      ? "subscriptions"
      : "topic";
    this.#arrivals.notify(pipe, topic, on, begins, kind);
    this.events.readable();
  }
}
