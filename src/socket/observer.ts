/**
 * A socket's events, as an async iterator or by callback.
 *
 * @module
 */

import type { Host } from "../ports.ts";
import type { SocketEvent, SocketEventType } from "../session/events.ts";
import type { Runtime } from "../session/runtime.ts";
import { reportError } from "./report_error.ts";
import { closedError, WaitList, type WaitOptions } from "./wait_list.ts";

/** Events that wait for an iterating reader; beyond it the oldest are dropped. */
const EVENTS_MAX = 1_000;

/** Hears of one kind of events. What it throws surfaces as an error that nobody caught; the socket goes on. */
export type EventListener = (event: SocketEvent) => void;

/**
 * What happens to a socket. Events are kept for {@link receive} and iteration only once either was used.
 *
 * ```ts
 * import { Pull } from "hawser";
 *
 * const pull = new Pull();
 * pull.events.on("handshake", ({ peer }) => console.log("hello", peer?.remoteAddress));
 * pull.close();
 * ```
 */
export class Observer {
  readonly #listeners: Map<SocketEventType, Set<EventListener>> = new Map();
  readonly #waits: WaitList<undefined, SocketEvent | undefined>;
  readonly #host: Host;
  #queue: SocketEvent[] = [];
  #reading = false;
  #closed = false;

  constructor(runtime: Runtime) {
    this.#waits = new WaitList(runtime);
    this.#host = runtime.host;
  }

  /** Whether the `end` event has happened. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Calls `listener` with every event of a kind. */
  on(type: SocketEventType, listener: EventListener): this {
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners.add(listener));
    return this;
  }

  /** Calls it no more. */
  off(type: SocketEventType, listener: EventListener): this {
    this.#listeners.get(type)?.delete(listener);
    return this;
  }

  /** The next event. Rejects with `ERR_CLOSED` after the last. */
  async receive(options: WaitOptions = {}): Promise<SocketEvent> {
    const event = await this.#next(options);
    if (event === undefined) throw closedError();
    return event;
  }

  /** Every event from now on; ends behind `end`. */
  [Symbol.asyncIterator](): AsyncIterableIterator<SocketEvent> {
    this.#reading = true;
    return {
      next: async (): Promise<IteratorResult<SocketEvent>> => {
        const event = await this.#next({});
        return event === undefined ? { value: undefined, done: true } : { value: event, done: false };
      },
      return: (): Promise<IteratorResult<SocketEvent>> => Promise.resolve({ value: undefined, done: true }),
      [Symbol.asyncIterator](): AsyncIterableIterator<SocketEvent> {
        return this;
      },
    };
  }

  /** Tells an event. Called by the socket. */
  emit(event: SocketEvent): void {
    if (this.#closed) return;
    const waiter = this.#waits.first();
    if (waiter !== undefined) waiter.resolve(event);
    else if (this.#reading && this.#queue.push(event) > EVENTS_MAX) this.#queue.shift();
    for (const listener of this.#listeners.get(event.type) ?? []) {
      try {
        listener(event);
      } catch (error) {
        // A listener's fault must not reach the connection that is being served here.
        reportError(this.#host, error);
      }
    }
    if (event.type !== "end") return;
    this.#closed = true;
    this.#waits.resolveAll(undefined);
  }

  #next(options: WaitOptions): Promise<SocketEvent | undefined> {
    this.#reading = true;
    const event = this.#queue.shift();
    if (event !== undefined) return Promise.resolve(event);
    if (this.#closed) return Promise.resolve(undefined);
    return this.#waits.wait(undefined, options);
  }
}
