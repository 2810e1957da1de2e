/**
 * The readers that live through every death of the broker: a subscription, and a named consumer that is closed and opened
 * again and must go on where it committed.
 *
 * @module
 */

import type { Consumer, Log, Subscription } from "../../log.ts";
import type { Random } from "../support/random.ts";
import { Faulty } from "./faulty.ts";
import { Judge, type Promised } from "./judge.ts";
import { publishersOf, SYNCED, WRITTEN } from "./kill_topics.ts";
import type { RecordSource } from "./records.ts";

const CONSUMER = "auditor";
/** Batches between two commits, and until the consumer is closed, at most. */
const COMMIT_BATCHES_MAX = 20;
const LIFE_BATCHES_MAX = 400;

/** See the module. */
export class KillReaders {
  readonly #log: Log;
  readonly #random: Random;
  readonly #written: Judge;
  readonly #synced: Judge;
  readonly #subscription: Subscription;
  #consumer: Consumer | undefined;
  /** Of the consumer: at least this was committed, at most that. */
  #committed = 0n;
  #requested = 0n;
  /** Where topics end; `undefined`: not known yet. */
  #tails: ReadonlyMap<string, bigint> | undefined;

  constructor(log: Log, source: RecordSource, random: Random) {
    this.#log = log;
    this.#random = random;
    this.#written = new Judge("the subscription", source, publishersOf(WRITTEN));
    this.#synced = new Judge("the consumer", source, publishersOf(SYNCED));
    this.#subscription = log.subscribe(WRITTEN, { from: "earliest" });
  }

  /** How far it is, in words. */
  get progress(): string {
    return `read ${this.#written.position} and ${this.#synced.position}`;
  }

  /** Reads until everything is there. Rejects with what is wrong. */
  async read(): Promise<void> {
    await Promise.all([this.#subscribe(), this.#consume()]);
  }

  /** Nothing more will be published: resolves, with the topics' tails, when everything was read and is right. */
  async finish(promises: readonly Promised[], reading: Promise<void>): Promise<ReadonlyMap<string, bigint>> {
    const tails = new Map<string, bigint>();
    for (const topic of [WRITTEN, SYNCED]) tails.set(topic, (await this.#log.openTopic(topic)).tail);
    this.#tails = tails;
    // What was read before nobody has looked at with this in mind.
    if (this.#isComplete(WRITTEN, this.#written)) await this.#subscription.close();
    if (this.#isComplete(SYNCED, this.#synced)) await this.#consumer?.close();
    await reading;
    this.#written.finish(promises);
    this.#synced.finish(promises);
    return tails;
  }

  #isComplete(topic: string, judge: Judge): boolean {
    const tail = this.#tails?.get(topic);
    return tail !== undefined && judge.position >= tail;
  }

  async #subscribe(): Promise<void> {
    for await (const records of this.#subscription.batches()) {
      this.#written.check(records);
      if (this.#isComplete(WRITTEN, this.#written)) break;
    }
  }

  async #consume(): Promise<void> {
    while (!this.#isComplete(SYNCED, this.#synced)) {
      await this.#consumeOnce(this.#random.size(LIFE_BATCHES_MAX));
    }
    await this.#consumer?.close();
  }

  /** Opens the consumer, reads so many batches, and closes it. */
  async #consumeOnce(batches: number): Promise<void> {
    const consumer = this.#log.consumer(SYNCED, CONSUMER);
    this.#consumer = consumer;
    let first = true;
    let left = batches;
    let untilCommit = this.#random.size(COMMIT_BATCHES_MAX);
    for await (const records of consumer.batches()) {
      if (first) this.#checkStart(records[0]!.position);
      first = false;
      // It may begin with what was read before it was opened, and not committed.
      this.#synced.check(records.filter(({ position }) => position >= this.#synced.position));
      if (this.#isComplete(SYNCED, this.#synced) || --left <= 0) break;
      if (--untilCommit > 0) continue;
      untilCommit = this.#random.size(COMMIT_BATCHES_MAX);
      const committing = this.#commit(consumer);
      if (this.#random.chance(0.5)) await committing;
    }
  }

  async #commit(consumer: Consumer): Promise<void> {
    const position = this.#synced.position;
    this.#requested = position;
    try {
      await consumer.commit(position);
    } catch (error) {
      // It was closed before the answer came.
      if ((error as { code?: string }).code === "ERR_LOG_CLOSED") return;
      throw error;
    }
    if (position > this.#committed) this.#committed = position;
  }

  #checkStart(position: bigint): void {
    if (position >= this.#committed && position <= this.#requested) return;
    throw new Faulty(
      `the consumer had committed ${this.#committed} and was about to commit ${this.#requested}, and began at ${position}`,
    );
  }
}
