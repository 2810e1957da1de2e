/**
 * A broker: topics by name, connections, and the timers that both need. Pure: links, stores, time and chance are given.
 *
 * @module
 */

import type { Crc32 } from "../../bytes/crc32.ts";
import { crc32Of } from "../../bytes/crc32.ts";
import type { Host } from "../../ports.ts";
import { type BrokerInput, type BrokerOptions, checkBrokerOptions } from "../configuration/broker.ts";
import { LogError } from "../errors.ts";
import { IngestCounters } from "../ingest/counters.ts";
import { Ingest } from "../ingest/ingest.ts";
import type { IngestEvents, IngestTargets } from "../ingest/ingest_types.ts";
import { StagingPool } from "../ingest/staging_pool.ts";
import type { AcceptedLink, AcceptLink, FrameLink, InputControl } from "../link.ts";
import type { StoreFactory } from "../store/store.ts";
import { checkRecords } from "../wire/record.ts";
import { peekBatchHeader, WireError } from "../wire/codec.ts";
import type { OpenTopic } from "../wire/messages.ts";
import { BrokerConnection, type ConnectionBroker, type TopicDone } from "./broker_connection.ts";
import { type BrokerStatus, reportStatus } from "./status.ts";
import type { Topic } from "./topic.ts";
import { Topics } from "./topics.ts";

/** What a {@link Broker} is made of. */
export interface BrokerInit {
  readonly host: Host;
  readonly stores: StoreFactory;
  /** What is missing has its default. */
  readonly options?: BrokerInput | undefined;
  readonly brokerId?: number | undefined;
  /** Told of topics that were cut, stopped or reopened, for people. */
  readonly notice?: ((text: string, error?: LogError) => void) | undefined;
}

/** See the module. */
export class Broker implements ConnectionBroker {
  readonly options: BrokerOptions;
  readonly brokerId: number;
  readonly logId: bigint;
  readonly crc32: Crc32;
  readonly pool: StagingPool;
  readonly counters: IngestCounters = new IngestCounters();
  readonly topics: Topics;
  readonly #host: Host;
  readonly #startedMs: number;
  readonly #connections: Set<BrokerConnection> = new Set();
  readonly #due: Set<Topic> = new Set();
  #flushWaits = false;
  #cancelTimer: (() => void) | undefined;
  #timerAtMs = Infinity;
  #closed = false;
  /** Who waits for the end; `undefined`: it has come. */
  #closing: (() => void)[] | undefined = [];

  /** @throws {MisuseError} `ERR_OPTION` */
  constructor(init: BrokerInit) {
    const { host, stores, brokerId = 0 } = init;
    this.options = checkBrokerOptions(init.options, { durability: stores.durability });
    this.#host = host;
    this.#startedMs = host.nowMs();
    this.brokerId = brokerId;
    this.crc32 = crc32Of(host);
    this.logId = randomU64(host);
    this.pool = new StagingPool({
      buffers: this.options.stagingBuffers,
      bufferBytes: this.options.stagingBufferBytes,
      memory: host.memory?.bind(host),
    });
    this.topics = new Topics({
      host,
      stores,
      options: this.options,
      brokerId,
      crc32: this.crc32,
      newSession: () => randomU64(host),
      due: (topic) => this.#topicDue(topic),
      lost: (topic) => this.#topicLost(topic),
      notice: init.notice ?? ((): void => {}),
    });
  }

  get batchBytesMax(): number {
    return this.options.batchBytesMax;
  }

  get nowMs(): number {
    return this.#host.nowMs();
  }

  get uptimeMs(): number {
    return Math.round(this.#host.nowMs() - this.#startedMs);
  }

  /** Nothing is taken any more. */
  get closed(): boolean {
    return this.#closed;
  }

  get connections(): ReadonlySet<BrokerConnection> {
    return this.#connections;
  }

  /** A door for link servers and local links. */
  get accept(): AcceptLink {
    return (link, input, peer) => this.connect(link, input, peer);
  }

  /** A link was made. */
  connect(link: FrameLink, input: InputControl | undefined, peer: string): AcceptedLink {
    const connection = new BrokerConnection(this, link, input, peer);
    this.#connections.add(connection);
    this.#armTimer();
    return { events: connection, allocator: input === undefined ? undefined : connection.ingest };
  }

  /** Behind a burst of messages: orders what came, and tells everybody. */
  readonly endOfBurst = (): void => {
    const nowMs = this.#host.nowMs();
    while (this.#due.size > 0) {
      const due = [...this.#due];
      this.#due.clear();
      for (const topic of due) topic.run(nowMs);
    }
    this.#armTimer();
  };

  status(): BrokerStatus {
    return reportStatus(this);
  }

  /**
   * Stops taking anything, orders and syncs what was taken, and lets go of the stores. Links end when they were told. Called
   * again it waits for the same end.
   */
  close(done: () => void): void {
    if (this.#closing === undefined) return done();
    this.#closing.push(done);
    if (this.#closed) return;
    this.endOfBurst();
    this.#closed = true;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.topics.close(() => {
      for (const connection of [...this.#connections]) connection.end("The broker was closed");
      const waiting = this.#closing!;
      this.#closing = undefined;
      for (const tell of waiting) tell();
    });
  }

  // What connections need.

  makeIngest(
    events: IngestEvents,
    targets: IngestTargets,
    input: InputControl | undefined,
    local: boolean,
  ): Ingest {
    const { payloadTimeoutMs, batchBytesMax } = this.options;
    return new Ingest({
      pool: this.pool,
      targets,
      events,
      counters: this.counters,
      crc32: this.crc32,
      peekBatch: (header) => {
        const batch = peekBatchHeader(header, this.crc32);
        return batch instanceof WireError ? undefined : batch;
      },
      checkBody: (batch, body) => checkRecords(body, batch.count) === undefined,
      batchBytesMax,
      payloadTimeoutMs,
      input,
      trusted: local,
      nowMs: this.nowMs,
    });
  }

  openTopic(name: string, message: OpenTopic, done: TopicDone): void {
    if (this.#closed) return done(closed());
    this.topics.open(name, message.options, done);
  }

  findTopic(name: string, wait: boolean, done: TopicDone): () => void {
    if (this.#closed) {
      done(closed());
      return () => {};
    }
    return this.topics.find(name, wait, done);
  }

  report(): BrokerStatus {
    return this.status();
  }

  gone(connection: BrokerConnection): void {
    this.#connections.delete(connection);
  }

  #topicDue(topic: Topic): void {
    this.#due.add(topic);
    if (this.#flushWaits) return;
    // A burst ends with a flush of its own; what happens outside of one (a write is done, a timer) needs this.
    this.#flushWaits = true;
    this.#host.microtask(() => {
      this.#flushWaits = false;
      this.endOfBurst();
    });
  }

  /** Its store is gone. Who used it comes again when its link has ended. */
  #topicLost(topic: Topic): void {
    for (const connection of [...this.#connections]) {
      if (connection.uses(topic)) connection.end(`The store of topic "${topic.name}" had to be reopened`);
    }
    this.#due.delete(topic);
  }

  #armTimer(): void {
    if (this.#closed) return;
    let atMs = this.topics.nextTimeoutMs;
    for (const { ingest } of this.#connections) atMs = Math.min(atMs, ingest.nextTimeoutMs);
    if (atMs >= this.#timerAtMs) return;
    this.#cancelTimer?.();
    this.#timerAtMs = atMs;
    const delayMs = Math.max(0, Math.min(atMs - this.#host.nowMs(), TIMER_MAX_MS));
    this.#cancelTimer = this.#host.schedule(Math.ceil(delayMs), () => this.#timeout(), false);
  }

  #timeout(): void {
    this.#timerAtMs = Infinity;
    this.#cancelTimer = undefined;
    const nowMs = this.#host.nowMs();
    for (const { ingest } of [...this.#connections]) {
      if (nowMs >= ingest.nextTimeoutMs) ingest.handleTimeout(nowMs);
    }
    this.topics.handleTimeout(nowMs);
    this.endOfBurst();
  }
}

const TIMER_MAX_MS = 2_147_483_647;

function closed(): LogError {
  return new LogError("ERR_LOG_CLOSED", "The broker was closed");
}

/** Never 0: that means "none". */
function randomU64(host: Host): bigint {
  const bytes = new Uint8Array(8);
  for (;;) {
    host.random(bytes);
    const value = new DataView(bytes.buffer).getBigUint64(0, true);
    if (value !== 0n) return value;
  }
}
