/**
 * Who reads a topic: subscriptions, single reads that wait for records, and named consumers.
 *
 * @module
 */

import { copyOf } from "../../bytes/bytes.ts";
import { encodeUtf8 } from "../../bytes/utf8.ts";
import { isName, NAME_ALLOWED } from "../configuration/fields.ts";
import { LogError } from "../errors.ts";
import { consumerSnapshotBytes } from "../order/consumers.ts";
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
  readonly untilMs: number;
}

/** So many reads of one link wait; another one is answered at once. */
const READS_WAITING_MAX = 1_024;
/** Bytes of a segment's snapshot that consumers may take up: a share of the segment, and at least so many. */
const CONSUMER_BYTES_SHARE = 32;
const CONSUMER_BYTES_MIN = 4_096;

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
  /** By link; none is empty. */
  readonly #reads: Map<ReaderClient, WaitingRead[]> = new Map();
  /** The active reader of each name. */
  readonly #active: Map<string, ConsumerHandle> = new Map();

  constructor(topic: Topic) {
    this.#topic = topic;
  }

  get feeds(): number {
    return this.#feeds.size;
  }

  get nextTimeoutMs(): number {
    let least = Infinity;
    for (const waiting of this.#reads.values()) {
      for (const { untilMs } of waiting) least = Math.min(least, untilMs);
    }
    return least;
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
    const waiting = this.#reads.get(client) ?? [];
    if (read.waitMs === 0 || waiting.length >= READS_WAITING_MAX) return this.#answerNothing(read, client);
    waiting.push({ read, untilMs: nowMs + read.waitMs });
    this.#reads.set(client, waiting);
  }

  /** Something may have become visible, or a feed's link may have room. */
  pump(): void {
    for (const feed of this.#feeds) feed.pump();
    if (this.#reads.size === 0) return;
    const { visibleTail } = this.#topic;
    this.#take(({ read }) => read.from < visibleTail, (read, client) => this.read(read, client, 0));
  }

  handleTimeout(nowMs: number): void {
    this.#take(({ untilMs }) => untilMs <= nowMs, (read, client) => this.#answerNothing(read, client));
  }

  /** Answers the reads that are `ready`: they wait no longer. */
  #take(ready: (one: WaitingRead) => boolean, answer: (read: Read, client: ReaderClient) => void): void {
    for (const [client, waiting] of [...this.#reads]) {
      const taken = waiting.filter(ready);
      if (taken.length === 0) continue;
      const left = waiting.filter((one) => !taken.includes(one));
      if (left.length > 0) this.#reads.set(client, left);
      else this.#reads.delete(client);
      for (const { read } of taken) answer(read, client);
    }
  }

  openConsumer(request: OpenConsumer, handle: number, client: ReaderClient): void {
    const { state, journal } = this.#topic;
    const name = request.consumer;
    const fault = this.#consumerFault(name);
    if (fault !== undefined) return client.tell(refusal(request.request, fault.code, fault.message));
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
      this.#topic.retention.apply(0);
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
    this.#reads.delete(client);
    for (const consumer of this.#active.values()) {
      if (consumer.client === client) this.#active.delete(consumer.name);
    }
  }

  close(): void {
    for (const feed of this.#feeds) feed.close();
    this.#feeds.clear();
    this.#reads.clear();
  }

  /** Why nobody can be a consumer of this name. All of them stand at the beginning of every segment. */
  #consumerFault(name: string): LogError | undefined {
    if (!isName(name)) return new LogError("ERR_LOG_TOPIC", `A consumer's name is ${NAME_ALLOWED}`);
    const { state: { consumers }, options, name: topic } = this.#topic;
    if (consumers.get(name) !== undefined) return undefined;
    const bytesMax = Math.max(options.segmentBytes / CONSUMER_BYTES_SHARE, CONSUMER_BYTES_MIN);
    if (consumers.snapshotBytes + consumerSnapshotBytes(name) <= bytesMax) return undefined;
    return new LogError("ERR_LOG_SESSIONS", `Topic "${topic}" remembers as many consumers as it may`);
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
        // It was there and is not any more: retention took it while it was being read.
        if (read.from < topic.earliest) return this.read(read, client, topic.nowMs);
        return client.tell(refusal(read.request, "ERR_LOG_CORRUPT", `Cannot read: ${run.message}`));
      }
      // Nobody says when these have been sent: the link gets memory of its own.
      const bodies = run.bodies.map((body) => run.read.pinned ? copyOf(body) : body);
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

  /** A cursor that had read further than what is left of its generation; of another log nothing is left. */
  #cutOf({ start, from, generation }: Subscribe): LogError | undefined {
    if (start !== "position" || generation === 0) return undefined;
    const { generations } = this.#topic.state;
    const next = generations.find((one) => one.generation > generation);
    const known = next !== undefined || generations.some((one) => one.generation === generation);
    const left = known ? next?.firstPosition : 0n;
    if (left === undefined || from <= left) return undefined;
    const text = `A crash removed positions from ${left} on; the cursor was at ${from}`;
    return new LogError("ERR_LOG_CUT", text, { from: left, to: from });
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
    const { index, visibleTail } = this.#topic;
    const { segments } = index;
    // The last segment that began before: no record of an earlier one is as young.
    let at = segments.length - 1;
    while (at > 0 && segments[at]!.startedMs >= timestampMs) at--;
    const segment = segments[at];
    if (segment === undefined) return done(visibleTail);
    const search = (rows: typeof segment.index | StoreFailure): void => {
      if (rows === undefined || "kind" in rows) {
        if (!index.segments.includes(segment)) return this.#findTime(timestampMs, done);
        return done(new LogError("ERR_LOG_CORRUPT", `Cannot read: ${rows?.message ?? "no rows"}`));
      }
      const row = rows.findTime(timestampMs);
      const position = row < rows.rows ? rows.positionOf(row) : rows.endPosition;
      const { earliest } = this.#topic;
      done(position < earliest ? earliest : position);
    };
    if (segment.index !== undefined) search(segment.index);
    else this.#topic.loadRows(segment, search);
  }
}
