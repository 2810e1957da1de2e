/**
 * The receiving half of a socket.
 *
 * @module
 */

import { MisuseError } from "../errors.ts";
import type { Pattern } from "../pattern/pattern.ts";
import type { Message } from "../pattern/pipe/pipe.ts";
import type { Host } from "../ports.ts";
import type { Runtime } from "../session/runtime.ts";
import { checkValue, refusedWait, type WaitOptions, wholeNumber } from "./call_options.ts";
import type { OptionValues } from "./options.ts";
import { closedError, WaitList } from "./wait_list.ts";

const DONE: Promise<void> = Promise.resolve();
const MANY = wholeNumber("messages", 0);
const BATCH = wholeNumber("messages", 1);

/** The receiving half of a socket, with its waiting calls. */
export class Receiver {
  readonly #pattern: Pattern;
  readonly #options: OptionValues;
  /** Resolved with `undefined` when the socket closes: iteration then ends and `receive` rejects. */
  readonly #receives: WaitList<undefined, Message | undefined>;
  readonly #readables: WaitList<undefined, boolean>;
  readonly #host: Host;
  #closed = false;
  #stranded: Error | undefined;

  constructor(pattern: Pattern, options: OptionValues, runtime: Runtime) {
    this.#host = runtime.host;
    this.#pattern = pattern;
    this.#options = options;
    this.#receives = new WaitList(runtime);
    this.#readables = new WaitList(runtime);
  }

  /** Returns the next message, now or when it arrives. */
  receive(options?: WaitOptions): Promise<Message> {
    try {
      if (this.#closed) throw closedError();
      const refused = refusedWait("receive", options);
      if (refused !== undefined) throw refused;
      const message = this.#receives.size === 0 ? this.#pattern.tryReceive() : undefined;
      if (message !== undefined) return Promise.resolve(message);
    } catch (error) {
      return Promise.reject(error);
    }
    if (this.#stranded !== undefined) return Promise.reject(this.#stranded);
    const timeoutMs = options?.timeoutMs ?? this.#options.receiveTimeout;
    if (timeoutMs === 0) return Promise.reject(nothingNow());
    return this.#receives.wait(undefined, { signal: options?.signal, timeoutMs }).then(
      (message) => {
        if (message === undefined) throw closedError();
        return message;
      },
    );
  }

  /** Returns the next message, or `undefined` when there is none now. */
  tryReceive(): Message | undefined {
    if (this.#closed) throw closedError();
    return this.#pattern.tryReceive();
  }

  /** Returns the messages that have arrived, at most `max`. */
  receiveMany(max: number): Message[] {
    if (this.#closed) throw closedError();
    checkValue("max", max, MANY);
    const messages: Message[] = [];
    try {
      while (messages.length < max) {
        const message = this.#pattern.tryReceive();
        if (message === undefined) break;
        messages.push(message);
      }
    } catch (error) {
      // A Reply has one request at a time and a Request one reply, so a second call throws: keep what was
      // taken.
      if (messages.length === 0) throw error;
    }
    return messages;
  }

  /** Resolves when `tryReceive` is worth a try. */
  waitReadable(options?: WaitOptions): Promise<void> {
    if (this.#closed) return Promise.reject(closedError());
    const refused = refusedWait("waitReadable", options);
    if (refused !== undefined) return Promise.reject(refused);
    if (this.#pattern.canReceive) return DONE;
    if (this.#stranded !== undefined) return Promise.reject(this.#stranded);
    return this.#readables.wait(undefined, options).then((there) => {
      if (!there) throw closedError();
    });
  }

  /** Iterates over messages until the socket closes. */
  messages(): AsyncIterableIterator<Message> {
    return iterate(() => this.#nextMessage());
  }

  /**
   * Iterates over what has arrived, in arrays of 1 to `max` messages, until the socket closes. What is not
   * taken is not lost.
   */
  batches(max: number): AsyncIterableIterator<Message[]> {
    checkValue("max", max, BATCH);
    return iterate(() => this.#nextBatch(max, undefined));
  }

  /** `endMs`: when the call times out, if it has waited before and other calls took what arrived. */
  #nextBatch(max: number, endMs: number | undefined): Promise<IteratorResult<Message[]>> {
    if (this.#closed) return Promise.resolve({ value: undefined, done: true });
    let batch: Message[];
    try {
      batch = this.receiveMany(max);
    } catch (error) {
      return Promise.reject(error);
    }
    if (batch.length > 0) return Promise.resolve({ value: batch, done: false });
    if (this.#stranded !== undefined) return Promise.reject(this.#stranded);
    const { receiveTimeout } = this.#options;
    if (receiveTimeout < 0) {
      return this.#readables.wait(undefined, {}).then(() => this.#nextBatch(max, undefined));
    }
    const nowMs = this.#host.nowMs();
    const end = endMs ?? nowMs + receiveTimeout;
    if (end <= nowMs) return Promise.reject(nothingNow());
    return this.#readables.wait(undefined, { timeoutMs: end - nowMs }).then(() => this.#nextBatch(max, end));
  }

  /** Serves waiting calls: messages have arrived, or the socket's state allows receiving again. */
  pump(): void {
    while (this.#receives.size > 0 && this.#pattern.canReceive) {
      const message = this.#pattern.tryReceive();
      if (message === undefined) break;
      this.#receives.first()!.resolve(message);
    }
    if (this.#readables.size > 0 && this.#pattern.canReceive) this.#readables.resolveAll(true);
  }

  #nextMessage(): Promise<IteratorResult<Message>> {
    if (this.#closed) return Promise.resolve({ value: undefined, done: true });
    let message: Message | undefined;
    try {
      message = this.#receives.size === 0 ? this.#pattern.tryReceive() : undefined;
    } catch (error) {
      return Promise.reject(error);
    }
    if (message !== undefined) return Promise.resolve({ value: message, done: false });
    if (this.#stranded !== undefined) return Promise.reject(this.#stranded);
    const { receiveTimeout } = this.#options;
    if (receiveTimeout === 0) return Promise.reject(nothingNow());
    return this.#receives.wait(undefined, { timeoutMs: receiveTimeout }).then(asResult);
  }

  /**
   * Rejects waiting and later calls with `failure`, because no message will ever arrive. `undefined` lifts
   * this.
   */
  strand(failure: Error | undefined): void {
    this.#stranded = failure;
    if (failure === undefined) return;
    this.#receives.rejectAll(failure);
    this.#readables.rejectAll(failure);
  }

  close(): void {
    this.#closed = true;
    this.#receives.resolveAll(undefined);
    this.#readables.resolveAll(false);
  }
}

/** Returns an iterator that can be left without losing anything: it takes a message only on request. */
function iterate<Value>(next: () => Promise<IteratorResult<Value>>): AsyncIterableIterator<Value> {
  return {
    next,
    return: () => Promise.resolve({ value: undefined, done: true }),
    [Symbol.asyncIterator](): AsyncIterableIterator<Value> {
      return this;
    },
  };
}

function nothingNow(): MisuseError {
  return new MisuseError("ERR_AGAIN", "Cannot receive now: there is no message");
}

function asResult(message: Message | undefined): IteratorResult<Message> {
  return message === undefined ? { value: undefined, done: true } : { value: message, done: false };
}
