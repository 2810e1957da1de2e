/**
 * What a program reads with that remembers how far it came.
 *
 * @module
 */

import type { SubscribeInput, SubscribeOptions } from "../configuration/client.ts";
import { MisuseError } from "../../errors.ts";
import { show } from "../configuration/fields.ts";
import { LogError } from "../errors.ts";
import { showAs } from "../../inspect.ts";
import { ConsumerHandle } from "../reader/consumer_handle.ts";
import type { DeliveredBatch } from "../reader/subscriber_cursor.ts";
import type { BrokerMessage, ConsumerOpened, ConsumerSuperseded } from "../wire/messages.ts";
import type { ClientCore } from "./client_core.ts";
import { refusalOf } from "./connection.ts";
import { RecordStream } from "./record_stream.ts";
import type { TopicRequests } from "./requests.ts";
import { CursorUser, RecordSource, startOf } from "./subscription.ts";
import { abortedError, type LogWaiter, type LogWaitOptions, refusedWait, restOf, Waits } from "./waits.ts";

/** Options of a consumer. `from` is where it begins that has not committed yet; default "earliest". */
export type ConsumerInput = SubscribeInput;

type CommitToken = LogWaiter<undefined, void>;

const POSITION_MAX = 0xffff_ffff_ffff_ffffn;

/**
 * A reader with a name: it goes on where the last reader of that name committed. Made by {@link Log.consumer}. There is one at a time:
 * a newcomer ends the one before with `ERR_LOG_SUPERSEDED`. Records between what was committed and what was read come
 * again after a crash, so what is done with them is done at least once. A name in the topic's `retention.keepFor` holds
 * back what it has not committed.
 *
 * ```ts
 * import { openLog } from "hawser/log";
 *
 * await using log = await openLog();
 * await log.publisher("orders").publish("one pair of socks");
 * await using billing = log.consumer("orders", "billing");
 * for await (const record of billing) {
 *   console.log(new TextDecoder().decode(record.value));
 *   await billing.commit(record.position + 1n);
 *   break;
 * }
 * ```
 */
export class Consumer extends RecordSource {
  static {
    showAs(Consumer.prototype, "Consumer", (one) => {
      const { topic, name, position, committed } = one;
      return { topic, name, position, committed, state: one.#handle.state };
    });
  }

  readonly topic: string;
  readonly name: string;
  /** @internal */
  protected readonly stream: RecordStream;
  readonly #core: ClientCore;
  readonly #requests: TopicRequests;
  readonly #options: SubscribeOptions;
  readonly #handle: ConsumerHandle<CommitToken>;
  /** Whoever waits until the name was ours. */
  readonly #openings: Waits<undefined, void>;
  readonly #commits: Waits<undefined, void>;
  #opened = false;
  #error: LogError | undefined;
  #user: CursorUser | undefined;
  /** The log's generation in which reading began. */
  #generation = 0;
  readonly #onAbort = (): void => this.#end(abortedError(this.#options.signal!));

  /** @internal Made by a log. */
  static create(
    core: ClientCore,
    requests: TopicRequests,
    topic: string,
    name: string,
    options: SubscribeOptions,
  ): Consumer {
    return new Consumer(core, requests, topic, name, options);
  }

  private constructor(
    core: ClientCore,
    requests: TopicRequests,
    topic: string,
    name: string,
    options: SubscribeOptions,
  ) {
    super();
    this.topic = topic;
    this.name = name;
    this.#core = core;
    this.#requests = requests;
    this.#options = options;
    this.stream = new RecordStream(core.holds, (batch: DeliveredBatch) => this.#user?.cursor.consumed(batch));
    this.#openings = new Waits(core.holds);
    this.#commits = new Waits(core.holds);
    const { connection } = core;
    this.#handle = new ConsumerHandle<CommitToken>({
      topic,
      consumer: name,
      target: {
        nextRequest: () => connection.nextRequest((message) => this.#answered(message)),
        send: (message) => connection.send(message),
        opened: (message) => this.#begin(message),
        settled: (tokens, error) => {
          for (const token of tokens) error === undefined ? token.resolve() : token.reject(error);
        },
        ended: (error) => this.#lost(error),
      },
    });
    core.remember(this, "consumers");
    connection.add(connection.consumers, this);
    const { signal } = options;
    if (signal?.aborted === true) this.#onAbort();
    else signal?.addEventListener("abort", this.#onAbort);
  }

  /** The position of the next record to be read; `undefined`: not known yet. */
  get position(): bigint | undefined {
    return this.stream.position ?? this.#user?.cursor.position;
  }

  /** The position that was committed last; `undefined`: none was, or it is not known yet. */
  get committed(): bigint | undefined {
    return this.#handle.committed;
  }

  /**
   * Remembers where to go on: the position of the next record to be read, `record.position + 1n` for what is done with. By default
   * {@link position}; where that is not known yet, nothing happens. A lower one than before counts too. Resolves when that
   * is stored as durably as the topic's records. Of several that are under way only the last needs to be stored; all resolve.
   *
   * Rejects with `LogError`: `ERR_LOG_SUPERSEDED`, `ERR_LOG_CUT` for a position behind the log's end, `ERR_LOG_CLOSED`,
   * `ERR_LOG_TOPIC`, `ERR_LOG_ABORTED` (the wait is over, the commit goes on); with `MisuseError` (`ERR_OPTION`).
   */
  async commit(position: bigint | undefined = this.position, options: LogWaitOptions = {}): Promise<void> {
    const refused = refusedWait(options) ?? refusedPosition(position);
    if (refused !== undefined) throw refused;
    if (this.#error !== undefined) throw this.#error;
    if (position === undefined) return;
    const generation = this.#user?.cursor.generation ?? this.#generation;
    await this.#commits.wait(
      undefined,
      options,
      (waiter) => this.#handle.commit(position, generation, waiter),
    );
  }

  /**
   * How many records the topic has behind what was committed, or all that are kept where nothing was. Waits until the name is this
   * consumer's, and asks the broker. Rejects with `LogError`: why the consumer has ended, `ERR_LOG_TIMEOUT`, `ERR_LOG_ABORTED`.
   */
  async lag(options: LogWaitOptions = {}): Promise<bigint> {
    const refused = refusedWait(options);
    if (refused !== undefined) throw refused;
    if (this.#error !== undefined) throw this.#error;
    const beganMs = this.#core.host.nowMs();
    // Before, nobody knows what was committed, or whether there is such a topic.
    if (!this.#opened) await this.#openings.wait(undefined, options);
    const rest = restOf(options, beganMs, this.#core.host.nowMs());
    const { tail, earliest } = await this.#requests.openTopic(this.topic, {}, rest);
    const committed = this.#handle.committed ?? earliest;
    return tail > committed ? tail - committed : 0n;
  }

  /**
   * Gives the name back; what was committed stays. Iterations end in order; commits that were not confirmed are rejected with
   * `ERR_LOG_CLOSED`. A second call does nothing.
   */
  close(): Promise<void> {
    this.#end(undefined);
    return Promise.resolve();
  }

  /** @internal */
  abandon(error: LogError): void {
    this.#end(error.code === "ERR_LOG_CLOSED" ? undefined : error);
  }

  // What the link tells.

  /** @internal */
  linked(): void {
    this.#handle.linked();
  }

  /** @internal */
  unlinked(): void {
    this.#handle.unlinked();
  }

  /** @internal */
  superseded(message: ConsumerSuperseded): void {
    this.#handle.superseded(message);
  }

  #answered(message: BrokerMessage): void {
    if (message.type === "consumerOpened") this.#handle.opened(message);
    else if (message.type === "done") this.#handle.done(message);
    else if (message.type === "refused") this.#handle.refused(message);
    else this.#handle.fail(refusalOf(message, this.topic));
  }

  /** The name is ours: reading begins, if it has not yet. */
  #begin({ position, committedGeneration, generation }: ConsumerOpened): void {
    this.#opened = true;
    this.#openings.resolveAll();
    if (this.#user !== undefined) return;
    this.#generation = generation;
    const start = position === undefined
      ? startOf(this.#options.from)
      : { start: "position" as const, from: position, generation: committedGeneration };
    this.#user = new CursorUser(
      this.#core,
      this.stream,
      this.topic,
      this.name,
      start,
      this.#options,
      // What was read can be committed all the same.
      () => {},
    );
  }

  /** The name is not ours any more, or never was. */
  #lost(error: LogError): void {
    if (error.code === "ERR_LOG_SUPERSEDED") {
      this.#core.events.emit({ type: "superseded", topic: this.topic, name: this.name, error });
    }
    this.#forget(error);
    this.#user?.close();
    this.stream.end(error);
  }

  #end(error: LogError | undefined): void {
    this.#forget(error ?? new LogError("ERR_LOG_CLOSED", "The consumer is closed", { topic: this.topic }));
    this.#handle.close();
    this.#user?.close();
    this.stream.close(error);
  }

  #forget(error: LogError): void {
    this.#error ??= error;
    this.#openings.rejectAll(this.#error);
    this.#core.connection.consumers.delete(this);
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.#core.forget(this);
  }
}

/** `undefined`: a position, or none. */
function refusedPosition(position: unknown): MisuseError | undefined {
  if (position === undefined) return undefined;
  if (typeof position === "bigint" && position >= 0n && position <= POSITION_MAX) return undefined;
  const text = `Cannot commit position ${show(position)}: allowed is a bigint from 0n to 2n**64n-1n`;
  return new MisuseError("ERR_OPTION", text);
}
