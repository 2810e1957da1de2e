/**
 * The readers that live through every death of the broker: a subscription, and named consumers that are closed and opened
 * again and must go on where they committed.
 *
 * @module
 */

import type { Consumer, Log, Subscription, TopicInfo } from "../../log.ts";
import type { Random } from "../support/random.ts";
import { Faulty } from "./faulty.ts";
import { Judge, type Promised } from "./judge.ts";
import { CONSUMER, publishersOf, RECYCLED, SYNCED, WRITTEN } from "./kill_topics.ts";
import type { RecordSource } from "./records.ts";

/** Batches between two commits, and until a consumer is closed, at most. */
const COMMIT_BATCHES_MAX = 20;
const LIFE_BATCHES_MAX = 400;

/** All of them. */
export class KillReaders {
  readonly #log: Log;
  readonly #readers: readonly Reader[];

  constructor(log: Log, source: RecordSource, random: Random) {
    this.#log = log;
    this.#readers = [
      new Subscriber(log, WRITTEN, source),
      new Committer(log, SYNCED, source, random.fork(SYNCED)),
      new Committer(log, RECYCLED, source, random.fork(RECYCLED)),
    ];
  }

  /** How far they are, in words. */
  get progress(): string {
    return `read ${this.#readers.map(({ topic, judge }) => `${judge.position} ${topic}`).join(", ")}`;
  }

  /** Reads until everything is there. Rejects with what is wrong. */
  async read(): Promise<void> {
    await Promise.all(this.#readers.map((reader) => reader.read()));
  }

  /** Nothing more will be published: resolves, with what the topics are then, when everything was read and is right. */
  async finish(promises: readonly Promised[], reading: Promise<void>): Promise<readonly TopicInfo[]> {
    for (const reader of this.#readers) await reader.endAt((await this.#log.openTopic(reader.topic)).tail);
    await reading;
    for (const { judge } of this.#readers) judge.finish(promises);
    return await Promise.all(this.#readers.map(({ topic }) => this.#log.openTopic(topic)));
  }
}

abstract class Reader {
  readonly topic: string;
  readonly judge: Judge;
  /** Where the topic ends; `undefined`: not known yet. */
  #tail: bigint | undefined;

  constructor(what: string, topic: string, source: RecordSource) {
    this.topic = topic;
    this.judge = new Judge(`${what} of topic ${topic}`, source, publishersOf(topic));
  }

  /** Whether everything was read. */
  get isComplete(): boolean {
    return this.#tail !== undefined && this.judge.position >= this.#tail;
  }

  async endAt(tail: bigint): Promise<void> {
    this.#tail = tail;
    // What was read before nobody has looked at with this in mind.
    if (this.isComplete) await this.close();
  }

  abstract read(): Promise<void>;
  abstract close(): Promise<void>;
}

class Subscriber extends Reader {
  readonly #subscription: Subscription;

  constructor(log: Log, topic: string, source: RecordSource) {
    super("the subscription", topic, source);
    this.#subscription = log.subscribe(topic, { from: "earliest" });
  }

  async read(): Promise<void> {
    for await (const records of this.#subscription.batches()) {
      this.judge.check(records);
      if (this.isComplete) break;
    }
  }

  close(): Promise<void> {
    return this.#subscription.close();
  }
}

class Committer extends Reader {
  readonly #log: Log;
  readonly #random: Random;
  #consumer: Consumer | undefined;
  /** At least this was committed, at most that. */
  #committed = 0n;
  #requested = 0n;

  constructor(log: Log, topic: string, source: RecordSource, random: Random) {
    super("the consumer", topic, source);
    this.#log = log;
    this.#random = random;
  }

  async read(): Promise<void> {
    while (!this.isComplete) await this.#readSome(this.#random.size(LIFE_BATCHES_MAX));
  }

  async close(): Promise<void> {
    await this.#consumer?.close();
  }

  /** Opens the consumer, reads so many batches, and closes it. */
  async #readSome(batches: number): Promise<void> {
    const { judge } = this;
    const consumer = this.#log.consumer(this.topic, CONSUMER);
    this.#consumer = consumer;
    let first = true;
    let left = batches;
    let untilCommit = this.#random.size(COMMIT_BATCHES_MAX);
    for await (const records of consumer.batches()) {
      if (first) this.#checkStart(records[0]!.position);
      first = false;
      // It may begin with what was read before it was opened, and not committed.
      judge.check(records.filter(({ position }) => position >= judge.position));
      if (this.isComplete || --left <= 0) break;
      if (--untilCommit > 0) continue;
      untilCommit = this.#random.size(COMMIT_BATCHES_MAX);
      const committing = this.#commit(consumer);
      if (this.#random.chance(0.5)) await committing;
    }
  }

  async #commit(consumer: Consumer): Promise<void> {
    const { position } = this.judge;
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
      `the consumer of topic ${this.topic} had committed ${this.#committed} and was about to commit ` +
        `${this.#requested}, and began at ${position}`,
    );
  }
}
