/**
 * Readers in a simulated log world: subscriptions and named consumers, with what they were given.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { crc32 } from "../../src/bytes/crc32.ts";
import {
  type ConsumerUser,
  type CursorHandler,
  type LinkUser,
  refusalOf,
} from "../../src/log/client/connection.ts";
import type { LogError } from "../../src/log/errors.ts";
import { ConsumerHandle } from "../../src/log/reader/consumer_handle.ts";
import {
  type CursorInit,
  type DeliveredBatch,
  SubscriberCursor,
} from "../../src/log/reader/subscriber_cursor.ts";
import type {
  BrokerMessage,
  ConsumerOpened,
  ConsumerSuperseded,
  CursorEnded,
  Records,
  Subscribed,
} from "../../src/log/wire/messages.ts";
import type { SimulatedClient } from "./log_client.ts";

/** A record as a reader got it. */
export interface ReadRecord {
  readonly position: bigint;
  readonly value: Uint8Array;
  readonly timestampMs: number;
}

/** Where a reader begins. */
export type ReaderStart = Partial<
  Pick<CursorInit, "start" | "from" | "generation" | "creditBytes" | "onTrimmed">
>;

/** See the module. */
export class SimulatedReader implements LinkUser, CursorHandler {
  readonly client: SimulatedClient;
  readonly topic: string;
  readonly cursor: SubscriberCursor;
  /** Everything that was delivered, in order. */
  readonly records: ReadRecord[] = [];
  readonly happened: { readonly type: "trimmed" | "logCut"; readonly error: LogError }[] = [];
  error: LogError | undefined;
  /** A stream broke its rules, so that it was asked for again. */
  readonly complaints: string[] = [];
  /** Streams that were asked for over this link, beyond those for which there was a reason. */
  #asked = 0;
  /** Milliseconds that each batch takes; batches wait meanwhile. */
  slowMs = 0;
  #reading = false;
  readonly #batches: DeliveredBatch[] = [];

  constructor(client: SimulatedClient, topic: string, start: ReaderStart = {}) {
    this.client = client;
    this.topic = topic;
    const { connection } = client;
    this.cursor = new SubscriberCursor({
      topic,
      start: "earliest",
      from: 0n,
      generation: 0,
      creditBytes: 1_000,
      onTrimmed: undefined,
      ...start,
      crc32,
      target: {
        nextRequest: () =>
          connection.nextRequest((message) => {
            if (message.type === "refused") this.cursor.refused(message);
            else this.cursor.fail(refusalOf(message, topic));
          }),
        nextCursor: () => connection.nextCursor(this),
        send: (message) => {
          if (message.type === "subscribe" && this.#asked++ > 0) {
            this.complaints.push(`the stream from position ${message.from} on broke`);
          }
          connection.send(message);
        },
        deliver: (batch) => this.#deliver(batch),
        happened: (type, error) => {
          this.happened.push({ type, error });
          this.#asked = 0;
        },
        ended: (error) => {
          assertEquals(this.error, undefined, "ended twice");
          this.error = error;
          connection.readers.delete(this);
        },
      },
    });
    connection.add(connection.readers, this);
  }

  /** The position behind the last record that was delivered. */
  get next(): bigint | undefined {
    return this.cursor.position;
  }

  toString(): string {
    const { state, position, tail } = this.cursor;
    return `reader ${state}, ${this.records.length} records, at ${position} of ${tail}, ${this.#batches.length} ` +
      `batches wait, ${this.complaints.join("; ")} ${this.error?.message ?? ""}`;
  }

  linked(): void {
    this.#asked = 0;
    this.cursor.linked();
  }

  unlinked(): void {
    this.cursor.unlinked();
  }

  cursorMessage(message: Subscribed | Records | CursorEnded, bodies: readonly Uint8Array[]): void {
    if (message.type === "records") this.cursor.records(message, bodies);
    else if (message.type === "subscribed") this.cursor.subscribed(message);
    else this.cursor.cursorEnded(message);
  }

  close(): void {
    this.client.connection.readers.delete(this);
    this.cursor.close();
  }

  #deliver(batch: DeliveredBatch): void {
    for (const { position, value, timestampMs } of batch.records.records(batch.skip)) {
      this.records.push({ position, value: value.slice(), timestampMs });
    }
    this.#batches.push(batch);
    this.#consumeLater();
  }

  /** Not from inside of the cursor's own call. */
  #consumeLater(): void {
    if (this.#reading || this.#batches.length === 0) return;
    this.#reading = true;
    const consume = (): void => {
      this.#reading = false;
      this.cursor.consumed(this.#batches.shift()!);
      this.#consumeLater();
    };
    const { host, around } = this.client.world;
    if (this.slowMs === 0) host.microtask(consume);
    else around.later(around.random.upTo(this.slowMs), consume);
  }
}

/** A commit, and what became of it. */
export interface CommitAttempt {
  readonly position: bigint;
  outcome: "pending" | "done" | LogError;
}

/** A consumer's name, beside a reader that the test makes. */
export class SimulatedConsumer implements ConsumerUser {
  readonly client: SimulatedClient;
  readonly handle: ConsumerHandle<CommitAttempt>;
  readonly commits: CommitAttempt[] = [];
  readonly opened: ConsumerOpened[] = [];
  error: LogError | undefined;

  constructor(client: SimulatedClient, topic: string, name: string) {
    this.client = client;
    const { connection } = client;
    this.handle = new ConsumerHandle<CommitAttempt>({
      topic,
      consumer: name,
      target: {
        nextRequest: () => connection.nextRequest((message) => this.#answered(message)),
        send: (message) => connection.send(message),
        opened: (message) => this.opened.push(message),
        settled: (attempts, error) => {
          for (const attempt of attempts) attempt.outcome = error ?? "done";
        },
        ended: (error) => {
          this.error = error;
          connection.consumers.delete(this);
        },
      },
    });
    connection.add(connection.consumers, this);
  }

  commit(position: bigint, generation: number): CommitAttempt {
    const attempt: CommitAttempt = { position, outcome: "pending" };
    this.commits.push(attempt);
    this.handle.commit(position, generation, attempt);
    return attempt;
  }

  linked(): void {
    this.handle.linked();
  }

  unlinked(): void {
    this.handle.unlinked();
  }

  superseded(message: ConsumerSuperseded): void {
    this.handle.superseded(message);
  }

  #answered(message: BrokerMessage): void {
    if (message.type === "consumerOpened") this.handle.opened(message);
    else if (message.type === "done") this.handle.done(message);
    else if (message.type === "refused") this.handle.refused(message);
    else this.handle.fail(refusalOf(message));
  }
}
