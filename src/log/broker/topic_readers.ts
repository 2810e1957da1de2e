/**
 * Who reads a topic: subscriptions, single reads that wait for records, and named consumers.
 *
 * @module
 */

import { encodeUtf8 } from "../../bytes/utf8.ts";
import { LogError } from "../errors.ts";
import type { StoreFailure } from "../store/store.ts";
import type {
  BrokerMessage,
  Commit,
  ConsumerOpened,
  OpenConsumer,
  Read,
  Records,
  Subscribe,
} from "../wire/messages.ts";
import { readBatches } from "./batch_reader.ts";
import { Feed, type FeedTarget } from "./feed.ts";
import { refusal } from "./refusal.ts";
import type { Topic } from "./topic.ts";

/** A reader's link, for single reads and consumers. */
export interface ReaderClient {
  readonly local: boolean;
  tell(message: BrokerMessage): void;
  /** As `tell`, with bodies that are the callee's. */
  tellRecords(records: Records, bodies: readonly Uint8Array[]): void;
}

/** A single read that found nothing yet. */
interface WaitingRead {
  readonly read: Read;
  readonly client: ReaderClient;
  readonly untilMs: number;
}

interface ConsumerHandle {
  readonly name: string;
  readonly epoch: number;
  readonly handle: number;
  readonly client: ReaderClient;
}

/** See the module. */
export class TopicReaders {
  readonly #topic: Topic;
  readonly #feeds: Set<Feed> = new Set();
  #reads: WaitingRead[] = [];
  /** The active reader of each name. */
  readonly #active: Map<string, ConsumerHandle> = new Map();

  constructor(topic: Topic) {
    this.#topic = topic;
  }

  get feeds(): number {
    return this.#feeds.size;
  }

  get nextTimeoutMs(): number {
    return this.#reads.reduce((least, { untilMs }) => Math.min(least, untilMs), Infinity);
  }

  /** Begins a subscription, or answers why it cannot. */
  subscribe(request: Subscribe, target: FeedTarget, done: (feed: Feed | LogError) => void): void {
    const cut = this.#cutOf(request);
    if (cut !== undefined) return done(cut);
    this.#startOf(request, (position) => {
      if (typeof position !== "bigint") return done(position);
      const feed = new Feed(request.cursor, position, request.creditBytes, this.#topic, target);
      this.#feeds.add(feed);
      done(feed);
    });
  }

  unsubscribe(feed: Feed): void {
    feed.close();
    this.#feeds.delete(feed);
  }

  /** Answers with at least one batch, or at the latest after `waitMs` with none. */
  read(read: Read, client: ReaderClient, nowMs: number): void {
    const { earliest, visibleTail, name } = this.#topic;
    if (read.from < earliest) {
      const text = `Positions ${read.from} to ${earliest} of topic "${name}" were removed by retention`;
      const gap = { from: read.from, to: earliest };
      return client.tell(refusal(read.request, "ERR_LOG_TRIMMED", text, gap));
    }
    if (read.from < visibleTail) return this.#answer(read, client);
    if (read.waitMs === 0) return this.#answerNothing(read, client);
    this.#reads.push({ read, client, untilMs: nowMs + read.waitMs });
  }

  /** Something may have become visible, or a feed's link may have room. */
  pump(): void {
    for (const feed of this.#feeds) feed.pump();
    if (this.#reads.length === 0) return;
    const { visibleTail } = this.#topic;
    const ready = this.#reads.filter(({ read }) => read.from < visibleTail);
    this.#reads = this.#reads.filter(({ read }) => read.from >= visibleTail);
    for (const { read, client } of ready) this.read(read, client, 0);
  }

  handleTimeout(nowMs: number): void {
    const late = this.#reads.filter(({ untilMs }) => untilMs <= nowMs);
    this.#reads = this.#reads.filter(({ untilMs }) => untilMs > nowMs);
    for (const { read, client } of late) this.#answerNothing(read, client);
  }

  openConsumer(request: OpenConsumer, handle: number, client: ReaderClient): void {
    const { state, journal } = this.#topic;
    const name = request.consumer;
    const epoch = state.consumers.nextEpoch(name);
    journal.append("consumerOpened", { epoch }, encodeUtf8(name));
    state.consumers.opened(name, epoch);
    const older = this.#active.get(name);
    this.#active.set(name, { name, epoch, handle, client });
    journal.whenDurable(() => {
      older?.client.tell({ type: "consumerSuperseded", handle: older.handle, epoch: older.epoch });
      const consumer = state.consumers.get(name)!;
      const opened: ConsumerOpened = {
        type: "consumerOpened",
        request: request.request,
        handle,
        epoch,
        position: consumer.position,
        committedGeneration: consumer.generation,
        tail: this.#topic.visibleTail,
        generation: this.#topic.generation,
      };
      client.tell(opened);
    });
  }

  commit({ request, handle, epoch, position, generation }: Commit, client: ReaderClient): void {
    const consumer = [...this.#active.values()].find((one) => one.client === client && one.handle === handle);
    if (consumer === undefined || consumer.epoch !== epoch) {
      return client.tell(
        refusal(request, "ERR_LOG_SUPERSEDED", "A newcomer with the same consumer's name took over"),
      );
    }
    const { state, journal, visibleTail } = this.#topic;
    if (position > visibleTail) {
      const text = `Cannot commit position ${position}: the log ends at ${visibleTail}`;
      return client.tell(refusal(request, "ERR_LOG_CUT", text, { from: visibleTail, to: position }));
    }
    journal.append("commit", { number: position, epoch: generation }, encodeUtf8(consumer.name));
    state.consumers.committed(consumer.name, position, generation);
    journal.whenDurable(() => {
      this.#topic.applyRetention(0);
      client.tell({ type: "done", request, position });
    });
  }

  closeConsumer(handle: number, client: ReaderClient): void {
    for (const consumer of this.#active.values()) {
      if (consumer.client === client && consumer.handle === handle) this.#active.delete(consumer.name);
    }
  }

  /** A link is gone. */
  forget(client: ReaderClient): void {
    this.#reads = this.#reads.filter((one) => one.client !== client);
    for (const consumer of this.#active.values()) {
      if (consumer.client === client) this.#active.delete(consumer.name);
    }
  }

  close(): void {
    for (const feed of this.#feeds) feed.close();
    this.#feeds.clear();
  }

  #answerNothing({ request, from }: Read, client: ReaderClient): void {
    const { visibleTail, generation } = this.#topic;
    const records: Records = {
      type: "records",
      request,
      cursor: 0,
      position: from,
      tail: visibleTail,
      generation,
      entries: [],
    };
    client.tellRecords(records, []);
  }

  #answer(read: Read, client: ReaderClient): void {
    const topic = this.#topic;
    readBatches(topic, read.from, topic.visibleTail, read.bytesMax, (run) => {
      if ("kind" in run) {
        return client.tell(refusal(read.request, "ERR_LOG_CORRUPT", `Cannot read: ${run.message}`));
      }
      // Nobody says when these have been sent: the link gets memory of its own.
      const bodies = run.bodies.map((body) => run.read.pinned ? body.slice() : body);
      run.read.release(true);
      const records: Records = {
        type: "records",
        request: read.request,
        cursor: 0,
        position: run.entries[0]!.position,
        tail: topic.visibleTail,
        generation: topic.generation,
        entries: run.entries,
      };
      client.tellRecords(records, bodies);
    });
  }

  /** A cursor of an earlier generation that had read further than what is left. */
  #cutOf({ start, from, generation }: Subscribe): LogError | undefined {
    if (start !== "position" || generation === 0) return undefined;
    const next = this.#topic.state.generations.find((one) => one.generation > generation);
    if (next === undefined || from <= next.firstPosition) return undefined;
    const text = `A crash removed positions from ${next.firstPosition} on; the cursor was at ${from}`;
    return new LogError("ERR_LOG_CUT", text, { from: next.firstPosition, to: from });
  }

  #startOf({ start, from }: Subscribe, done: (position: bigint | LogError) => void): void {
    const { earliest, visibleTail } = this.#topic;
    if (start === "earliest") return done(earliest);
    if (start === "latest") return done(visibleTail);
    if (start === "timestamp") return this.#findTime(Number(from), done);
    if (from > visibleTail) {
      const text = `Position ${from} is not there yet: the log ends at ${visibleTail}`;
      return done(new LogError("ERR_LOG_CUT", text, { from: visibleTail, to: from }));
    }
    done(from);
  }

  /** The first record that is not older. Time never falls as positions rise. */
  #findTime(timestampMs: number, done: (position: bigint | LogError) => void): void {
    const { index, earliest, visibleTail } = this.#topic;
    const { segments } = index;
    // The last segment that began before: no record of an earlier one is as young.
    let at = segments.length - 1;
    while (at > 0 && segments[at]!.startedMs >= timestampMs) at--;
    const segment = segments[at];
    if (segment === undefined) return done(visibleTail);
    const search = (rows: typeof segment.index | StoreFailure): void => {
      if (rows === undefined || "kind" in rows) {
        return done(new LogError("ERR_LOG_CORRUPT", `Cannot read: ${rows?.message ?? "no rows"}`));
      }
      const row = rows.findTime(timestampMs);
      const position = row < rows.rows ? rows.positionOf(row) : rows.endPosition;
      done(position < earliest ? earliest : position);
    };
    if (segment.index !== undefined) search(segment.index);
    else this.#topic.loadRows(segment, search);
  }
}
