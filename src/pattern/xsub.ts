/**
 * XSUB (RFC 29): receives from all publishers what the application subscribed to. Subscriptions are messages
 * (`01 topic`, `00 topic`). They are counted, sent to every publisher, and sent again to each new one. Other
 * messages go upstream to all publishers.
 *
 * @module
 */

import { copyOf } from "../bytes/bytes.ts";
import { decodeLegacySubscription } from "../zmtp/commands.ts";
import type { SocketType } from "../zmtp/socket_type.ts";
import { FairQueue } from "./distribution/fair_queue.ts";
import { FanOut } from "./distribution/fan_out.ts";
import type { Outgoing } from "./pipe/outbound_queue.ts";
import { Pattern, type PatternInit } from "./pattern.ts";
import type { Message, Pipe } from "./pipe/pipe.ts";
import { CountedSubscriptions } from "./subscriptions/counted_subscriptions.ts";

export class XSubPattern extends Pattern {
  override readonly type: SocketType = "XSUB";
  protected readonly topics: CountedSubscriptions;
  readonly #queue: FairQueue = new FairQueue();
  readonly #fanOut: FanOut = new FanOut();
  readonly #pipes: Set<Pipe> = new Set();

  constructor(init: PatternInit) {
    super(init);
    this.topics = new CountedSubscriptions(init.random);
  }

  attach(pipe: Pipe): void {
    this.#pipes.add(pipe);
    this.events.writable();
  }

  detach(pipe: Pipe): void {
    this.#pipes.delete(pipe);
  }

  override ready(pipe: Pipe): void {
    for (const topic of this.topics) pipe.subscribe(topic, true);
  }

  override close(): void {
    this.#queue.clear();
  }

  override readable(pipe: Pipe): void {
    this.#queue.add(pipe);
    this.events.readable();
  }

  override get canSend(): boolean {
    return true;
  }

  override get canReceive(): boolean {
    return this.#queue.hasMessages;
  }

  /** Adds a reference to a topic (`on`) or takes one away. Publishers are told of the first and the last. */
  subscribe(topic: Uint8Array, on: boolean): void {
    const changed = on ? this.topics.add(topic) : this.topics.remove(topic);
    if (!changed) return;
    for (const pipe of this.#pipes) if (pipe.connected) pipe.subscribe(topic, on);
  }

  override trySend(message: Outgoing): boolean {
    const only = message instanceof Uint8Array ? message : message.length === 1 ? message[0]! : undefined;
    const subscription = only === undefined ? undefined : decodeLegacySubscription(only);
    if (subscription !== undefined) {
      this.subscribe(copyOf(subscription.topic), subscription.name === "SUBSCRIBE");
      return true;
    }
    const pipes = [...this.#pipes];
    this.#fanOut.write(pipes, pipes.length, message, (pipe) => {
      this.events.dropped(pipe, `the publisher is ${pipe.fullAt}`);
    });
    return true;
  }

  override tryReceive(): Message | undefined {
    return this.#queue.read();
  }
}
