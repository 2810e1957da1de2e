/**
 * A log as programs hold it: publishers, subscriptions, consumers and questions over one link to one broker.
 *
 * @module
 */

import { crc32Of } from "../../bytes/crc32.ts";
import { MisuseError } from "../../errors.ts";
import type { Context } from "../../socket/context.ts";
import type { BrokerStatus } from "../broker/status.ts";
import { checkSubscribeOptions, type SubscribeInput } from "../configuration/client.ts";
import type { PublisherInput } from "../configuration/publisher.ts";
import { isName, NAME_ALLOWED, show } from "../configuration/fields.ts";
import { checkTopicName, checkTopicRequest, type TopicInput } from "../configuration/topic.ts";
import { LogError } from "../errors.ts";
import { showAs } from "../../inspect.ts";
import type { Durability } from "../store/store.ts";
import type { TopicOptions } from "../topic_options.ts";
import type { Welcome } from "../wire/messages.ts";
import type { ClientCore, Closable, ClosableKind } from "./client_core.ts";
import type { ClientLinkEvents } from "./client_link.ts";
import { Connection, type RenewedLink } from "./connection.ts";
import type { Consumer, ConsumerInput } from "./consumer.ts";
import { LogEvents, type LogEventType, type LogListener } from "./log_events.ts";
import type { LogFeatures } from "./log_features.ts";
import type { LogPublisher } from "./publisher.ts";
import { TopicRequests } from "./requests.ts";
import { Subscription } from "./subscription.ts";
import { type LogWaitOptions, Waits } from "./waits.ts";

/** What is known of a topic. */
export interface TopicInfo {
  readonly topic: string;
  readonly options: TopicOptions;
  /** What its records survive that are acknowledged at the highest level. */
  readonly durability: Durability;
  /** Rises with every start after a crash. In memory: any number, another one with each start of the broker. */
  readonly generation: number;
  /** The first position that is kept, and the next one to be given. */
  readonly earliest: bigint;
  readonly tail: bigint;
}

/** See {@link BrokerStatus}. */
export type LogStatus = BrokerStatus;

/**
 * A log, embedded or on a broker elsewhere; see `openLog` and `connectLog`. Lost links are made again, and what was under way goes on.
 * The names of topics have 1 to 200 of the characters `A-Z a-z 0-9 . _ -` and begin with a letter or digit. `await using`
 * closes it.
 *
 * ```ts
 * import { openLog } from "hawser/log";
 *
 * await using log = await openLog();
 * log.on("storeFull", ({ topic }) => console.warn(`${topic} is full`));
 * const { tail } = await log.openTopic("orders", { order: 5, retention: { ageMsMax: 86_400_000 } });
 * console.log(tail); // 0n
 * ```
 */
export interface Log extends AsyncDisposable {
  /**
   * Makes a topic, or checks that the one that is there has these options (`order`, `ack`), and tells what it is. Other options of a
   * topic that is there stay as they are. Never resets anything.
   *
   * Rejects with `LogError`: `ERR_LOG_TOPIC`, `ERR_LOG_TIMEOUT`, `ERR_LOG_ABORTED`, `ERR_LOG_CLOSED`, or why the topic's
   * store cannot be used (`ERR_LOG_CORRUPT`, `ERR_LOG_STORE_FAILED`, `ERR_LOG_FORMAT`).
   *
   * @throws {MisuseError} `ERR_OPTION`
   */
  openTopic(topic: string, options?: TopicInput, wait?: LogWaitOptions): Promise<TopicInfo>;
  /**
   * A publisher. It opens in the background, and makes the topic if it is not there. What the topic does not allow (a lower `ack` than
   * its own, another `order` in `onTopic`) rejects everything that is published, with `ERR_LOG_TOPIC`.
   *
   * @throws {MisuseError} `ERR_OPTION`. @throws {LogError} `ERR_LOG_CLOSED`.
   */
  publisher(topic: string, options?: PublisherInput): LogPublisher;
  /**
   * A subscription, by default to what is committed from now on. Of a topic that is not there it waits until somebody makes it.
   *
   * @throws {MisuseError} `ERR_OPTION`. @throws {LogError} `ERR_LOG_CLOSED`.
   */
  subscribe(topic: string, options?: SubscribeInput): Subscription;
  /**
   * A named consumer of a topic that is there; of one that is not, reading and committing reject with `ERR_LOG_TOPIC`. The name has 1
   * to 255 bytes without control characters.
   *
   * @throws {MisuseError} `ERR_OPTION`. @throws {LogError} `ERR_LOG_CLOSED`.
   */
  consumer(topic: string, name: string, options?: ConsumerInput): Consumer;
  /**
   * Lets go of records below `before`, as far as whole segments and consumers in `keepFor` allow; resolves with the first position that
   * is kept. Readers that have not come so far get `ERR_LOG_TRIMMED`.
   *
   * Rejects with `LogError`: `ERR_LOG_TOPIC`, `ERR_LOG_TIMEOUT`, `ERR_LOG_ABORTED`, `ERR_LOG_CLOSED`; with `MisuseError` (`ERR_OPTION`).
   */
  trim(topic: string, before: bigint, wait?: LogWaitOptions): Promise<bigint>;
  /** What the broker is doing. Rejects with `LogError`: `ERR_LOG_TIMEOUT`, `ERR_LOG_ABORTED`, `ERR_LOG_CLOSED`. */
  status(wait?: LogWaitOptions): Promise<LogStatus>;
  /**
   * Calls `listener` with every event of a kind, in a callback of its own.
   *
   * @throws {MisuseError} `ERR_OPTION`
   */
  on<Type extends LogEventType>(type: Type, listener: LogListener<Type>): this;
  /** Calls it no more. @throws {MisuseError} `ERR_OPTION` */
  off<Type extends LogEventType>(type: Type, listener: LogListener<Type>): this;
  /**
   * Closes publishers, each when what it published is acknowledged or at the latest after `closeTimeoutMs`, then everything else: reading
   * ends in order, questions are rejected with `ERR_LOG_CLOSED`. Of an embedded log the stores are synced and closed. A second
   * call waits for the first.
   */
  close(): Promise<void>;
}

/** What a {@link LogClient} is made of. */
export interface LogClientInit {
  readonly context: Context;
  readonly link: (events: ClientLinkEvents) => RenewedLink;
  /** Where it is, for people. Missing: in this process. */
  readonly at?: readonly string[] | undefined;
  /** Topics are memory of this process: what is read cannot have been damaged on its way. */
  readonly inMemory?: boolean | undefined;
  /** Within which a question is answered. */
  readonly requestTimeoutMs: number;
  /** Within which publishers are done when the log is closed. */
  readonly closeTimeoutMs: number;
  /** What it can do besides subscribing. */
  readonly features: LogFeatures;
  /** Called last. */
  readonly closed: () => Promise<void>;
}

/** Bytes of the largest batch, until a broker has said otherwise. */
const BATCH_BYTES_MAX = 1_048_576;

/** See the module. */
export class LogClient implements Log, ClientCore {
  static {
    showAs(LogClient.prototype, "Log", (one) => {
      const open = (["publishers", "subscriptions", "consumers"] as const).map((name) => {
        const count = [...one.#open.values()].filter((kind) => kind === name).length;
        return [name, count === 0 ? undefined : count] as const;
      });
      const state = one.#closing === undefined ? one.connection.state : "closed";
      return { at: one.#init.at ?? "this process", state, ...Object.fromEntries(open) };
    });
  }

  readonly host: ClientCore["host"];
  readonly scheduler: ClientCore["scheduler"];
  readonly holds: ClientCore["holds"];
  readonly crc32: ClientCore["crc32"];
  readonly bodyCrc32: ClientCore["bodyCrc32"];
  readonly connection: Connection;
  readonly events: LogEvents;
  readonly memory: ClientCore["memory"];
  readonly newSession: () => bigint;
  batchBytesMax: number = BATCH_BYTES_MAX;
  readonly #init: LogClientInit;
  readonly #requests: TopicRequests;
  readonly #connects: Waits<undefined, void>;
  readonly #open: Map<Closable, ClosableKind> = new Map();
  #error: LogError | undefined;
  #closing: Promise<void> | undefined;
  #lastFailure: Error | undefined;

  constructor(init: LogClientInit) {
    this.#init = init;
    const { host, scheduler, keepAlive } = init.context.runtime;
    this.host = host;
    this.scheduler = scheduler;
    this.holds = {
      hold: () => keepAlive.hold(),
      release: () => keepAlive.release(),
      after: (delayMs, run) => host.schedule(delayMs, run, false),
    };
    this.crc32 = crc32Of(host);
    this.bodyCrc32 = init.inMemory === true ? undefined : this.crc32;
    this.events = new LogEvents(host);
    this.memory = host.memory?.bind(host) ?? ((bytes) => new Uint8Array(bytes));
    this.newSession = () => randomU64((into) => host.random(into));
    this.#connects = new Waits(this.holds);
    this.connection = new Connection({
      host,
      crc32: this.crc32,
      link: init.link,
      connected: (broker) => this.#connected(broker),
      disconnected: (error, retryMs) => {
        this.#lastFailure = error;
        this.events.emit({ type: "disconnected", error, retryMs: Math.round(retryMs) });
      },
      failed: (error) => this.#failed(error),
    });
    this.#requests = new TopicRequests(host, this.connection, this.holds, init.requestTimeoutMs);
    init.context.add(this.#contextMember);
  }

  /** Resolves when the broker is there for the first time. `timeoutMs`: `undefined` is no limit. */
  async connected(timeoutMs: number | undefined, wait: LogWaitOptions = {}): Promise<void> {
    if (this.connection.broker !== undefined) return;
    const cancel = timeoutMs === undefined ? undefined : this.host.schedule(timeoutMs, () => {
      const cause = this.#lastFailure;
      const why = cause === undefined ? "" : `: ${cause.message}`;
      const text = `Cannot reach the broker within ${timeoutMs} ms${why}`;
      this.#connects.rejectAll(new LogError("ERR_LOG_DISCONNECTED", text, { cause }));
    }, false);
    try {
      await this.#connects.wait(undefined, wait);
    } finally {
      cancel?.();
    }
  }

  async openTopic(topic: string, options: TopicInput = {}, wait: LogWaitOptions = {}): Promise<TopicInfo> {
    const request = checkTopicRequest(options);
    const opened = await this.#requests.openTopic(checkTopicName(topic), request, wait);
    const { type: _type, request: _request, ...info } = opened;
    return info;
  }

  publisher(topic: string, options: PublisherInput = {}): LogPublisher {
    const { publishing = missing("publishing") } = this.#init.features;
    const checked = publishing.check(options, this.batchBytesMax);
    this.#assertOpen();
    return publishing.publisher(this, checkTopicName(topic), checked);
  }

  subscribe(topic: string, options: SubscribeInput = {}): Subscription {
    const checked = checkSubscribeOptions(options);
    this.#assertOpen();
    return Subscription.create(this, checkTopicName(topic), checked);
  }

  consumer(topic: string, name: string, options: ConsumerInput = {}): Consumer {
    const { consuming = missing("consuming") } = this.#init.features;
    const checked = checkSubscribeOptions(options, "earliest");
    if (typeof name !== "string" || !isName(name)) {
      throw new MisuseError("ERR_OPTION", `Cannot name a consumer ${show(name)}: allowed is ${NAME_ALLOWED}`);
    }
    this.#assertOpen();
    return consuming.consumer(this, this.#requests, checkTopicName(topic), name, checked);
  }

  async trim(topic: string, before: bigint, wait: LogWaitOptions = {}): Promise<bigint> {
    if (typeof before !== "bigint" || before < 0n || before > POSITION_MAX) {
      throw new MisuseError(
        "ERR_OPTION",
        `Cannot trim before ${show(before)}: a position is a bigint from 0n`,
      );
    }
    return (await this.#requests.trim(checkTopicName(topic), before, wait)).position;
  }

  async status(wait: LogWaitOptions = {}): Promise<LogStatus> {
    return (await this.#requests.status(wait)).report as LogStatus;
  }

  on<Type extends LogEventType>(type: Type, listener: LogListener<Type>): this {
    this.events.on(type, listener);
    return this;
  }

  off<Type extends LogEventType>(type: Type, listener: LogListener<Type>): this {
    this.events.off(type, listener);
    return this;
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  remember(closable: Closable, kind: ClosableKind): void {
    this.#open.set(closable, kind);
  }

  forget(closable: Closable): void {
    this.#open.delete(closable);
  }

  #assertOpen(): void {
    if (this.#error !== undefined) throw this.#error;
    if (this.#closing !== undefined) throw closedError();
  }

  #connected(broker: Welcome): void {
    this.batchBytesMax = broker.batchBytesMax;
    this.#lastFailure = undefined;
    this.events.emit({ type: "connected" });
    this.#connects.resolveAll();
  }

  #failed(error: LogError): void {
    this.#error = error;
    this.#connects.rejectAll(error);
    this.events.emit({ type: "disconnected", error, retryMs: Infinity });
    this.#abandon(error);
  }

  async #close(): Promise<void> {
    const cancel = this.host.schedule(this.#init.closeTimeoutMs, () => this.#abandon(closedError()), false);
    try {
      await Promise.all([...this.#open.keys()].map((one) => one.close()));
    } finally {
      cancel();
    }
    await this.#end();
  }

  readonly #contextMember = {
    // A context that closes has closed the sockets already: nothing can be waited for.
    close: (): void => {
      this.#abandon(closedError());
      this.close().catch(() => {});
    },
  };

  #abandon(error: LogError): void {
    for (const one of [...this.#open.keys()]) one.abandon(error);
    this.#requests.fail(error);
    this.#connects.rejectAll(error);
  }

  async #end(): Promise<void> {
    this.#abandon(closedError());
    this.connection.close();
    await this.connection.ended;
    await this.#init.closed();
    this.#init.context.remove(this.#contextMember);
  }
}

const POSITION_MAX = 0xffff_ffff_ffff_ffffn;

/** A browser's build leaves out what few pages need. */
function missing(feature: keyof LogFeatures): never {
  throw new MisuseError(
    "ERR_STATE",
    `This log has no ${feature}: in a browser it must be given that, features: { ${feature} } among its options`,
  );
}

function closedError(): LogError {
  return new LogError("ERR_LOG_CLOSED", "The log is closed");
}

/** Never 0: that means "none". */
function randomU64(random: (into: Uint8Array) => void): bigint {
  const bytes = new Uint8Array(8);
  while (true) {
    random(bytes);
    const value = new DataView(bytes.buffer).getBigUint64(0, true);
    if (value !== 0n) return value;
  }
}
