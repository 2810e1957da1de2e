/**
 * What a program publishes with.
 *
 * @module
 */

import type { PublisherInput, PublisherOptions } from "../configuration/publisher.ts";
import { MisuseError } from "../../errors.ts";
import { LogError, type LogErrorCode } from "../errors.ts";
import { showAs } from "../../inspect.ts";
import { formatProgress } from "../publisher/progress.ts";
import { PublisherSession } from "../publisher/publisher_session.ts";
import { FULL, type PublisherEvent, SEALED, STARTED, TAKEN } from "../publisher/publisher_types.ts";
import type { PublishedRecordOptions } from "../publisher/sealer.ts";
import type {
  AckMessage,
  BrokerMessage,
  Fenced,
  Grant,
  Refused,
  StoreState,
  TopicOpened,
  Welcome,
} from "../wire/messages.ts";
import type { ClientCore } from "./client_core.ts";
import { refusalOf } from "./connection.ts";
import { DeadlineTimer } from "./deadline_timer.ts";
import { PublishQueue, type PublishToken, settleTokens } from "./publish_queue.ts";
import type { ProgressReport, Published, PublisherOpened, PublishOptions } from "./publish_types.ts";
import { linkOf, logEventOf } from "./publisher_events.ts";
import { type LogWaitOptions, refusedWait, restOf, Waits } from "./waits.ts";

export type { PublisherInput };
export type * from "./publish_types.ts";

/**
 * Publishes records to one topic, in order. Made by {@link Log.publisher}. It opens in the background and survives lost links and
 * brokers that come again: what is not acknowledged goes out again, and none of it twice. Records are gathered in
 * batches of `batchBytes` at most; `windowBytes` of them may be on their way. Records that are not acknowledged keep the
 * process alive.
 *
 * With a `name` it is the only one of that name: a newcomer ends it with `ERR_LOG_SUPERSEDED`. A named one may give each record a
 * `sequence`, and finds the last one again as {@link LogPublisher.lastSequence}, so that a program that was restarted
 * goes on exactly where it was.
 *
 * ```ts
 * import { openLog } from "hawser/log";
 *
 * await using log = await openLog();
 * const orders = log.publisher("orders", { name: "importer", lingerMs: 5 });
 * const { lastSequence = -1n } = await orders.opened();
 * for (let sequence = lastSequence + 1n; sequence < 1_000n; sequence++) {
 *   while (!orders.tryPublish(`order ${sequence}`, { sequence })) await orders.waitWritable();
 * }
 * await orders.close();
 * ```
 */
export class LogPublisher implements AsyncDisposable {
  static {
    showAs(LogPublisher.prototype, "LogPublisher", (one) => {
      const { submitted, acknowledged, refused } = one.#session.progress;
      return {
        topic: one.topic,
        name: one.#options.name,
        state: one.#session.state,
        submitted,
        acknowledged,
        refused: refused === 0 ? undefined : refused,
        waiting: one.#queue.size === 0 ? undefined : one.#queue.size,
      };
    });
  }

  readonly topic: string;
  readonly #core: ClientCore;
  readonly #options: PublisherOptions;
  readonly #session: PublisherSession<PublishToken>;
  readonly #queue: PublishQueue;
  readonly #timer: DeadlineTimer;
  #callbackArranged = false;
  readonly #writable: Waits<undefined, void>;
  readonly #flushes: Waits<number, void>;
  readonly #openings: Waits<undefined, PublisherOpened>;
  readonly #ends: Waits<undefined, void>;
  #boundSession = 0n;
  #holding = false;
  /** The first refusal since the last flush told of one. */
  #refusal: LogError | undefined;

  /** @internal Made by a log. */
  static create(core: ClientCore, topic: string, options: PublisherOptions): LogPublisher {
    return new LogPublisher(core, topic, options);
  }

  private constructor(core: ClientCore, topic: string, options: PublisherOptions) {
    this.topic = topic;
    this.#core = core;
    this.#options = options;
    const { holds, host, connection, crc32, newSession } = core;
    this.#writable = new Waits(holds);
    this.#flushes = new Waits(holds);
    this.#openings = new Waits(holds);
    this.#ends = new Waits(holds);
    this.#timer = new DeadlineTimer(host, (nowMs) => {
      this.#session.handleTimeout(nowMs);
      this.#moved(nowMs);
    });
    const { batchBytes, windowBytes } = options;
    this.#session = new PublisherSession<PublishToken>({
      ...options,
      topic,
      publisher: options.name ?? "",
      newSession,
      batchBytesMax: core.batchBytesMax,
      // As many as the window holds, and the one that is being filled.
      buffersKept: Math.ceil(windowBytes / batchBytes) + 1,
      crc32,
      memory: core.memory,
      target: {
        nextRequest: () => connection.nextRequest((message, nowMs) => this.#answered(message, nowMs)),
        send: (message) => connection.send(message),
        trySendBatch: (message, body) => connection.trySendBatch(message, body),
        settled: (batch) => settleTokens(batch, this.#session.level),
        happened: (event) => this.#happened(event),
        violated: (error) => connection.violated(error),
      },
    });
    this.#queue = new PublishQueue(holds, {
      append: (value, given, token) => this.#append(value, given, token),
      resolvesAtOnce: () => this.#options.ack === 0 || this.#session.level === 0,
    });
    this.#bind();
    core.remember(this, "publishers");
    connection.add(connection.publishers, this);
  }

  /**
   * Publishes a record: bytes, or text as UTF-8, of at most the broker's `batchBytesMax` (1 MiB by default) with its key and
   * headers. Memory that is given is the caller's again at once. Resolves with the position when the record is acknowledged at
   * the publisher's level; at ack 0 as soon as the window takes it, without a position. While the window is full the record
   * waits, in order, in a copy; 65 536 records of 64 MiB may wait, two bytes for each UTF-16 unit of text, and one more is
   * rejected with `ERR_WAITERS`.
   *
   * Rejects with `LogError`: `ERR_LOG_CLOSED`, `ERR_LOG_SUPERSEDED`, `ERR_LOG_SEQUENCE`, `ERR_LOG_BATCH_TOO_LARGE`,
   * `ERR_LOG_TOPIC` (the topic cannot be had, or not with such options), `ERR_LOG_SESSION_UNKNOWN` (nobody can tell whether the
   * record is in the log), `ERR_LOG_ABORTED` and `ERR_LOG_TIMEOUT` (the wait is over, the record goes on); with
   * `MisuseError`: `ERR_MESSAGE` for a value that is no record, `ERR_OPTION`, `ERR_WAITERS`. After `ERR_MESSAGE`, `ERR_OPTION`, `ERR_LOG_SEQUENCE` and
   * `ERR_LOG_BATCH_TOO_LARGE` the publisher goes on.
   *
   * ```ts
   * import { openLog } from "hawser/log";
   *
   * await using log = await openLog();
   * const orders = log.publisher("orders");
   * const { position } = await orders.publish("socks", { key: "customer 7", headers: { currency: "EUR" } });
   * console.log(position); // 0n
   * ```
   */
  publish(value: Uint8Array | string, options?: PublishOptions): Promise<Published> {
    return this.#queue.publish(value, options);
  }

  /**
   * Publishes a record that nobody waits for, without a promise: the fastest way. Copies it. `false`: the window is full, or records
   * of {@link publish} wait for room; nothing changed, see {@link waitWritable}. What becomes of the record tell
   * {@link flush} and the event `refused`.
   *
   * @throws {LogError} why nothing can be published any more; `ERR_LOG_SEQUENCE`, `ERR_LOG_BATCH_TOO_LARGE`.
   * @throws {MisuseError} `ERR_MESSAGE`: the value is no record; `ERR_OPTION`.
   */
  tryPublish(value: Uint8Array | string, options?: PublishedRecordOptions): boolean {
    if (options !== undefined) refuseEnd(options);
    if (this.#queue.size > 0) return false;
    const answer = this.#session.append(value, options);
    if (answer > TAKEN) this.#follow(answer);
    return answer !== FULL;
  }

  /**
   * Resolves when {@link tryPublish} is worth another try: with the record that it refused last. Rejects with why nothing can be
   * published any more, or with `ERR_LOG_ABORTED`. Changes nothing.
   */
  waitWritable(options: LogWaitOptions = {}): Promise<void> {
    const error = refusedWait(options) ?? this.#session.error;
    if (error !== undefined) return Promise.reject(error);
    if (this.#queue.size === 0 && this.#session.isWritable) return Promise.resolve();
    return this.#writable.wait(undefined, options);
  }

  /**
   * Sends what is gathered, and resolves when everything that was published before this call is acknowledged, at ack 0 too. Rejects
   * with the first refusal of a record since the last flush, with why nothing can be acknowledged any more, or with
   * `ERR_LOG_ABORTED`, which ends the wait alone.
   */
  async flush(options: LogWaitOptions = {}): Promise<void> {
    const refused = refusedWait(options);
    if (refused !== undefined) throw refused;
    const beganMs = this.#core.host.nowMs();
    await this.#queue.drained(options);
    const { error, endedClean } = this.#session;
    if (error !== undefined && !endedClean) throw error;
    this.#session.due(this.#core.host.nowMs());
    const through = this.#session.submitted;
    if (this.#session.settledThrough < through) {
      this.#arm();
      await this.#flushes.wait(through, restOf(options, beganMs, this.#core.host.nowMs()));
    }
    const refusal = this.#refusal;
    this.#refusal = undefined;
    if (refusal !== undefined) throw refusal;
  }

  /**
   * Resolves when the session is open: with its epoch, and the last sequence of its name. Publishing needs not wait for this. Rejects
   * with why it cannot be opened (`ERR_LOG_TOPIC`, `ERR_LOG_SESSIONS`, `ERR_LOG_SUPERSEDED`, …) or with `ERR_LOG_ABORTED`.
   */
  opened(options: LogWaitOptions = {}): Promise<PublisherOpened> {
    const { everOpened, lastSequence, epoch } = this.#session;
    const error = refusedWait(options) ?? this.#session.error;
    if (error !== undefined) return Promise.reject(error);
    if (everOpened && epoch !== 0) return Promise.resolve({ lastSequence, epoch });
    return this.#openings.wait(undefined, options);
  }

  /**
   * The greatest sequence of this name that is in the log or was published here. `undefined`: there is none, or it is not known yet;
   * see {@link opened}.
   */
  get lastSequence(): bigint | undefined {
    return this.#session.lastSequence;
  }

  /** How far it is: records submitted, acknowledged by each broker and refused, as numbers and as a line for people. */
  progress(): ProgressReport {
    const { progress } = this.#session;
    return { ...progress, text: formatProgress(progress) };
  }

  /**
   * Publishes what is left, waits until it is acknowledged, for as long as that takes, and closes. On `signal`, and when
   * `timeoutMs` are over, it closes at once, and what is not acknowledged is rejected with `ERR_LOG_CLOSED`, though it may be
   * in the log. Resolves in either case, also for a publisher that has failed. A name is free again afterwards, and its
   * last sequence kept. Rejects with `MisuseError` (`ERR_OPTION`) alone, and changes nothing then.
   */
  async close(options: LogWaitOptions = {}): Promise<void> {
    const refused = refusedWait(options);
    if (refused instanceof MisuseError) throw refused;
    const beganMs = this.#core.host.nowMs();
    try {
      await this.#queue.drained(options);
      const nowMs = this.#core.host.nowMs();
      this.#session.close(nowMs);
      this.#moved(nowMs);
      if (this.#session.error !== undefined) return;
      await this.#ends.wait(undefined, restOf(options, beganMs, this.#core.host.nowMs()));
    } catch (error) {
      if (!(error instanceof LogError) || !WAIT_ENDS.includes(error.code)) throw error;
      this.abandon(new LogError("ERR_LOG_CLOSED", "The publisher is closed", { topic: this.topic }));
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @internal Closes at once: what is not acknowledged is rejected with `error`. */
  abandon(error: LogError): void {
    this.#session.abandon(error);
    this.#moved(this.#core.host.nowMs());
  }

  // What the link tells.

  /** @internal */
  linked(broker: Welcome): void {
    const { connection } = this.#core;
    const request = connection.nextRequest((message) => this.#topicAnswered(message, broker));
    const { onTopic = {} } = this.#options;
    connection.send({
      type: "openTopic",
      request,
      topic: this.topic,
      options: onTopic as Partial<TopicOpened["options"]>,
    });
  }

  /** @internal */
  unlinked(): void {
    this.#session.unlinked();
    this.#moved(this.#core.host.nowMs());
  }

  /** @internal */
  writable(nowMs: number): void {
    this.#session.pump(nowMs);
    this.#moved(nowMs);
  }

  /** @internal */
  sessionMessage(message: AckMessage | Grant | Fenced | StoreState | Refused, nowMs: number): void {
    const session = this.#session;
    switch (message.type) {
      case "ack":
        session.ack(message, nowMs);
        break;
      case "grant":
        session.grant(message, nowMs);
        break;
      case "fenced":
        session.fenced(message, nowMs);
        break;
      case "storeState":
        session.storeState(message, nowMs);
        break;
      case "refused":
        session.refused(message, nowMs);
    }
    this.#moved(nowMs);
  }

  #due(): void {
    const nowMs = this.#core.host.nowMs();
    this.#session.due(nowMs);
    this.#arm(nowMs);
  }

  /** Takes a record for the queue. False: there is no room. */
  #append(value: Uint8Array | string, options: PublishOptions | undefined, token: PublishToken): boolean {
    const answer = this.#session.append(value, options, token);
    if (answer > TAKEN) this.#follow(answer);
    return answer !== FULL;
  }

  /** What is to be done behind a record that began or filled a batch. */
  #follow(answer: number): void {
    const nowMs = this.#core.host.nowMs();
    if (!this.#holding) this.#hold(true);
    if ((answer & SEALED) !== 0) this.#session.pump(nowMs);
    if ((answer & STARTED) !== 0 && this.#session.started(nowMs) === "callback") this.#sendBehindCallback();
    this.#arm(nowMs);
  }

  /** What was begun leaves at the end of the current callback. */
  #sendBehindCallback(): void {
    if (this.#callbackArranged) return;
    this.#callbackArranged = true;
    this.#core.host.microtask(() => {
      this.#callbackArranged = false;
      this.#due();
    });
  }

  #arm(nowMs?: number): void {
    this.#timer.set(this.#session.nextTimeoutMs, nowMs);
  }

  #topicAnswered(message: BrokerMessage, broker: Welcome): void {
    const link = linkOf(message, broker, this.#options, this.topic);
    // A broker that closes ends its links; the next one is asked again.
    if (link instanceof LogError && link.code === "ERR_LOG_CLOSED") return;
    if (link instanceof LogError) this.#session.fail(link);
    else this.#session.linked(link);
    this.#moved(this.#core.host.nowMs());
  }

  #answered(message: BrokerMessage, nowMs: number): void {
    if (message.type === "sessionOpened") this.#session.sessionOpened(message, nowMs);
    else if (message.type === "refused") this.#session.refused(message, nowMs);
    else this.#session.fail(refusalOf(message, this.topic));
    this.#moved(nowMs);
  }

  #happened(event: PublisherEvent): void {
    if (event.type === "opened") {
      const { epoch } = event;
      return this.#openings.resolveAll({ lastSequence: this.#session.lastSequence, epoch });
    }
    if (event.type === "refused") this.#refusal ??= event.error;
    const told = logEventOf(event, this.topic, this.#options.name);
    if (told !== undefined) this.#core.events.emit(told);
  }

  /** Something changed: whoever waits for it is told. */
  #moved(nowMs: number): void {
    this.#bind();
    const { error, settledThrough } = this.#session;
    if (error !== undefined) return this.#ended(error);
    this.#queue.drain();
    for (const waiter of this.#flushes) if (settledThrough >= waiter.task) waiter.resolve();
    if (this.#writable.size > 0 && this.#queue.size === 0 && this.#session.isWritable) {
      this.#writable.resolveAll();
    }
    if (this.#holding && this.#session.settledThrough >= this.#session.submitted) this.#hold(false);
    this.#arm(nowMs);
  }

  #ended(error: LogError): void {
    const { connection } = this.#core;
    connection.publishers.delete(this);
    connection.bindSession(0n, this.#boundSession, this);
    this.#timer.stop();
    if (this.#holding) this.#hold(false);
    this.#core.forget(this);
    // Whoever flushes later is told of those, too.
    if (this.#queue.size > 0) this.#refusal ??= error;
    this.#queue.fail(error);
    this.#writable.rejectAll(error);
    this.#openings.rejectAll(error);
    for (const waiter of this.#flushes) {
      if (this.#session.endedClean) waiter.resolve();
      else waiter.reject(error);
    }
    this.#ends.resolveAll();
  }

  /** Unacknowledged records keep the process alive. */
  #hold(on: boolean): void {
    this.#holding = on;
    if (on) this.#core.holds.hold();
    else this.#core.holds.release();
  }

  #bind(): void {
    const { session } = this.#session;
    if (session === this.#boundSession) return;
    this.#core.connection.bindSession(session, this.#boundSession, this);
    this.#boundSession = session;
  }
}

/** How the wait of {@link LogPublisher.close} ends early. */
const WAIT_ENDS: readonly LogErrorCode[] = ["ERR_LOG_ABORTED", "ERR_LOG_TIMEOUT"];

/** A record that nobody waits for has no wait to be ended. */
function refuseEnd(options: PublishOptions | null): void {
  const signal = options?.signal;
  if (signal === undefined && options?.timeoutMs === undefined) return;
  const name = signal === undefined ? "timeoutMs" : "signal";
  throw new MisuseError("ERR_OPTION", `Cannot publish with option "${name}": tryPublish waits for nothing`);
}
