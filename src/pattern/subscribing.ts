/**
 * What SUB and XSUB have in common (RFC 29): they receive from all publishers what the application subscribed
 * to. Subscriptions are counted, sent to every publisher, and sent again to each new one.
 *
 * @module
 */

import { FairQueue } from "./distribution/fair_queue.ts";
import { Pattern } from "./pattern.ts";
import type { Message, Pipe } from "./pipe/pipe.ts";

/** The topics of a SUB or XSUB, each with the number of times it was subscribed to. Iterates over copies. */
export interface Topics extends Iterable<Uint8Array> {
  /** Adds a reference. Returns `true` if it is the first, so publishers must be told. `topic` is copied. */
  add(topic: Uint8Array): boolean;
  /** Drops a reference. Returns `true` if it was the last, `false` if others are left or there was none. */
  remove(topic: Uint8Array): boolean;
  /** Whether any topic is a prefix of `frame`. */
  matches(frame: Uint8Array): boolean;
}

export abstract class SubscribingPattern extends Pattern {
  protected abstract readonly topics: Topics;
  protected readonly pipes: Set<Pipe> = new Set();
  readonly #queue: FairQueue = new FairQueue();

  attach(pipe: Pipe): void {
    this.pipes.add(pipe);
    this.events.writable();
  }

  detach(pipe: Pipe): void {
    this.pipes.delete(pipe);
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

  override get canReceive(): boolean {
    return this.#queue.hasMessages;
  }

  /** Adds a reference to a topic (`on`) or takes one away. Publishers are told of the first and the last. */
  subscribe(topic: Uint8Array, on: boolean): void {
    const changed = on ? this.topics.add(topic) : this.topics.remove(topic);
    if (!changed) return;
    for (const pipe of this.pipes) if (pipe.connected) pipe.subscribe(topic, on);
  }

  override tryReceive(): Message | undefined {
    return this.#queue.read();
  }
}
