/**
 * What a program reads with.
 *
 * @module
 */

import { MisuseError } from "../../errors.ts";
import type { From, SubscribeInput, SubscribeOptions } from "../configuration/client.ts";
import type { LogError } from "../errors.ts";
import { showAs } from "../../inspect.ts";
import { type DeliveredBatch, SubscriberCursor } from "../reader/subscriber_cursor.ts";
import type { CursorEnded, Records, StartKind, Subscribed } from "../wire/messages.ts";
import type { LogRecord } from "../wire/record.ts";
import type { ClientCore } from "./client_core.ts";
import { type CursorHandler, type LinkUser, refusalOf } from "./connection.ts";
import { RecordStream } from "./record_stream.ts";
import { abortedError } from "./waits.ts";

export type { SubscribeInput };

/** Where a subscription begins, as messages have it. */
export interface CursorStart {
  readonly start: StartKind;
  readonly from: bigint;
  /** Of the position; 0: not known. */
  readonly generation: number;
}

/** Where `from` begins. */
export function startOf(from: From): CursorStart {
  if (typeof from === "bigint") return { start: "position", from, generation: 0 };
  if (typeof from === "string") return { start: from, from: 0n, generation: 0 };
  return { start: "timestamp", from: BigInt(from.timestampMs), generation: 0 };
}

/** The stream of a subscription or consumer over whatever links there are. */
export class CursorUser implements LinkUser, CursorHandler {
  readonly stream: RecordStream;
  readonly cursor: SubscriberCursor;
  readonly #core: ClientCore;
  #request = 0;

  /** `ended`: nothing will come any more, for this reason. */
  constructor(
    core: ClientCore,
    stream: RecordStream,
    topic: string,
    name: string | undefined,
    start: CursorStart,
    { creditBytes, onTrimmed }: Pick<SubscribeOptions, "creditBytes" | "onTrimmed">,
    ended: (error: LogError) => void,
  ) {
    this.#core = core;
    this.stream = stream;
    const { connection } = core;
    this.cursor = new SubscriberCursor({
      topic,
      ...start,
      creditBytes,
      onTrimmed,
      crc32: core.bodyCrc32,
      target: {
        nextRequest: () => {
          // A stream that ended before it began has left its request without an answer.
          connection.forgetRequest(this.#request);
          this.#request = connection.nextRequest((message) => {
            if (message.type === "refused") this.cursor.refused(message);
            else this.cursor.fail(refusalOf(message, topic));
          });
          return this.#request;
        },
        nextCursor: () => connection.nextCursor(this),
        send: (message) => connection.send(message),
        deliver: (batch) => stream.deliver(batch),
        happened: (type, error) => core.events.emit({ type, topic, name, error }),
        ended: (error) => {
          connection.forgetRequest(this.#request);
          connection.readers.delete(this);
          stream.end(error);
          ended(error);
        },
      },
    });
    connection.add(connection.readers, this);
  }

  linked(): void {
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
    this.#core.connection.readers.delete(this);
    this.cursor.close();
  }
}

/** Records that can be iterated: what a {@link Subscription} and a {@link Consumer} have in common. A pending `next` keeps the process alive. */
export abstract class RecordSource implements AsyncIterable<LogRecord>, AsyncDisposable {
  /** @internal */
  protected abstract readonly stream: RecordStream;
  /** Ends it. Iterations end in order, and records that were not read are dropped. A second call does nothing. */
  abstract close(): Promise<void>;

  /**
   * Every record from here on. Leaving the loop closes the source. When nothing more can come, iteration rejects once with the reason,
   * behind all records that came before. Calls of `next` are answered in their order; several iterators share the records.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<LogRecord> {
    return this.#iterate(() => this.stream.next());
  }

  /**
   * The same records in arrays of 1 to `max` (default: no bound), as they come in batches. The fastest way to read.
   *
   * ```ts
   * import { openLog } from "hawser/log";
   *
   * await using log = await openLog();
   * await log.publisher("orders").publish("one pair of socks");
   * for await (const records of log.subscribe("orders", { from: "earliest" }).batches()) {
   *   console.log(records.length); // 1
   *   break;
   * }
   * ```
   *
   * @throws {MisuseError} `ERR_OPTION`
   */
  batches(max: number = Infinity): AsyncIterableIterator<LogRecord[]> {
    if (max !== Infinity && !(Number.isSafeInteger(max) && max >= 1)) {
      throw new MisuseError("ERR_OPTION", `Cannot iterate batches of ${max} records: 1 or more are allowed`);
    }
    return this.#iterate(() => this.stream.nextBatch(max));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #iterate<T>(next: () => Promise<IteratorResult<T>>): AsyncIterableIterator<T> {
    return {
      next,
      return: async (): Promise<IteratorResult<T>> => {
        await this.close();
        return { value: undefined, done: true };
      },
      [Symbol.asyncIterator](): AsyncIterableIterator<T> {
        return this;
      },
    };
  }
}

/**
 * Records of one topic from some position on, each once and in order, over lost links. Made by {@link Log.subscribe}. The broker sends
 * `creditBytes` ahead of the reader, and waits for a slow one. What is missing is never passed over in silence:
 * iteration rejects with `ERR_LOG_TRIMMED` (retention has removed it) or `ERR_LOG_CUT` (a crash has, or it is not there
 * yet), which have `from` and `to`; also with `ERR_LOG_STORE_FAILED`, `ERR_LOG_CORRUPT`, or `ERR_LOG_ABORTED` by `signal`.
 *
 * ```ts
 * import { openLog } from "hawser/log";
 *
 * await using log = await openLog();
 * await log.publisher("orders").publish("one pair of socks");
 * for await (const record of log.subscribe("orders", { from: "earliest" })) {
 *   console.log(record.position); // 0n
 *   break;
 * }
 * ```
 */
export class Subscription extends RecordSource {
  static {
    showAs(Subscription.prototype, "Subscription", (one) => {
      const { topic, position } = one;
      return { topic, position, state: one.#user.cursor.state };
    });
  }

  readonly topic: string;
  /** @internal */
  protected readonly stream: RecordStream;
  readonly #core: ClientCore;
  readonly #user: CursorUser;
  readonly #options: SubscribeOptions;
  readonly #onAbort = (): void => this.#end(abortedError(this.#options.signal!));

  /** @internal Made by a log. */
  static create(core: ClientCore, topic: string, options: SubscribeOptions): Subscription {
    return new Subscription(core, topic, options);
  }

  private constructor(core: ClientCore, topic: string, options: SubscribeOptions) {
    super();
    this.topic = topic;
    this.#core = core;
    this.#options = options;
    core.remember(this, "subscriptions");
    this.stream = new RecordStream(core.holds, (batch: DeliveredBatch) => this.#user.cursor.consumed(batch));
    this.#user = new CursorUser(
      core,
      this.stream,
      topic,
      undefined,
      startOf(options.from),
      options,
      () => this.#forget(),
    );
    const { signal } = options;
    if (signal?.aborted === true) this.#onAbort();
    else signal?.addEventListener("abort", this.#onAbort);
  }

  /** The position of the next record to be read; `undefined`: not known yet. */
  get position(): bigint | undefined {
    return this.stream.position ?? this.#user.cursor.position;
  }

  /** Ends it. Iterations end in order, and records that were not read are dropped. A second call does nothing. */
  close(): Promise<void> {
    this.#end(undefined);
    return Promise.resolve();
  }

  /** @internal */
  abandon(error: LogError): void {
    this.#end(error.code === "ERR_LOG_CLOSED" ? undefined : error);
  }

  #end(error: LogError | undefined): void {
    this.#forget();
    this.#user.close();
    this.stream.close(error);
  }

  #forget(): void {
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.#core.forget(this);
  }
}
