/**
 * A socket's events, as an async iterator or by callback.
 *
 * @module
 */

import { MisuseError } from "../errors.ts";
import type { Host } from "../ports.ts";
import { SOCKET_EVENT_TYPES, type SocketEvent, type SocketEventType } from "../session/events.ts";
import type { Runtime } from "../session/runtime.ts";
import { refusedWait, show, type WaitOptions } from "./call_options.ts";
import { showAs } from "../inspect.ts";
import { reportError } from "./report_error.ts";
import { closedError, WaitList } from "./wait_list.ts";

/** Events kept for a reader; beyond this the oldest are dropped. */
const EVENTS_MAX = 1_000;

/** A callback for one kind of event. What it throws surfaces as an uncaught error; the socket continues. */
export type EventListener<Type extends SocketEventType = SocketEventType> = (
  event: SocketEvent<Type>,
) => void;

/**
 * The events of a socket. They are kept for {@link receive} and iteration only once either has been used.
 *
 * ```ts
 * import { Pull } from "hawser";
 *
 * const pull = new Pull();
 * pull.events.on("handshake", ({ peer }) => console.log("hello", peer.remoteAddress));
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

  /** @internal Called by a socket. */
  static create(runtime: Runtime): Observer {
    return new Observer(runtime);
  }

  private constructor(runtime: Runtime) {
    this.#waits = new WaitList(runtime);
    this.#host = runtime.host;
  }

  /** Whether the `end` event has happened. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * The fields that `JSON.stringify` shows; `console.log` shows them on one line. `waiting` counts events not
   * yet received.
   */
  toJSON(): Readonly<Record<string, unknown>> {
    const listeners = [...this.#listeners].flatMap(([type, { size }]) => size > 0 ? [type] : []);
    return { listeners, waiting: this.#queue.length, closed: this.#closed };
  }

  /**
   * Calls `listener` with every event of one kind. The kind determines the fields of the event.
   *
   * @throws {MisuseError} `ERR_OPTION`: there is no such kind of event, or `listener` is not a function.
   */
  on<Type extends SocketEventType>(type: Type, listener: EventListener<Type>): this {
    checkListener(type, listener);
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners.add(listener as EventListener));
    return this;
  }

  /** Stops calling `listener`. @throws {MisuseError} `ERR_OPTION`, as {@link on} does */
  off<Type extends SocketEventType>(type: Type, listener: EventListener<Type>): this {
    checkListener(type, listener);
    this.#listeners.get(type)?.delete(listener as EventListener);
    return this;
  }

  /**
   * Returns the next event, now or when it happens.
   *
   * @throws {MisuseError} (rejects) `ERR_CLOSED` after the last, `ERR_AGAIN`, `ERR_ABORTED`, `ERR_OPTION`
   */
  async receive(options?: WaitOptions): Promise<SocketEvent> {
    const refused = refusedWait("receive", options);
    if (refused !== undefined) throw refused;
    const event = await this.#next(options);
    if (event === undefined) throw closedError();
    return event;
  }

  /** Iterates over every event from now on; the last is `end`. */
  [Symbol.asyncIterator](): AsyncIterableIterator<SocketEvent> {
    this.#reading = true;
    return {
      next: async (): Promise<IteratorResult<SocketEvent>> => {
        const event = await this.#next(undefined);
        return event === undefined ? { value: undefined, done: true } : { value: event, done: false };
      },
      return: (): Promise<IteratorResult<SocketEvent>> => Promise.resolve({ value: undefined, done: true }),
      [Symbol.asyncIterator](): AsyncIterableIterator<SocketEvent> {
        return this;
      },
    };
  }

  /** @internal Whether an event of this kind would be kept, or reach a listener. */
  wants(type: SocketEventType): boolean {
    if (this.#closed) return false;
    return this.#reading || (this.#listeners.get(type)?.size ?? 0) > 0;
  }

  /** @internal Emits an event. Called by the socket. */
  emit(event: SocketEvent): void {
    if (this.#closed) return;
    const waiter = this.#waits.first();
    if (waiter !== undefined) waiter.resolve(event);
    else if (this.#reading && this.#queue.push(event) > EVENTS_MAX) this.#queue.shift();
    for (const listener of this.#listeners.get(event.type) ?? []) {
      try {
        listener(event);
      } catch (error) {
        // A listener's error must not reach the connection that is being served here.
        reportError(this.#host, error);
      }
    }
    if (event.type !== "end") return;
    this.#closed = true;
    this.#waits.resolveAll(undefined);
  }

  #next(options: WaitOptions | undefined): Promise<SocketEvent | undefined> {
    this.#reading = true;
    const event = this.#queue.shift();
    if (event !== undefined) return Promise.resolve(event);
    if (this.#closed) return Promise.resolve(undefined);
    return this.#waits.wait(undefined, options);
  }
}

showAs(Observer.prototype, "Observer", (observer) => observer.toJSON());

function checkListener(type: unknown, listener: unknown): void {
  if (!SOCKET_EVENT_TYPES.includes(type as SocketEventType)) {
    throw new MisuseError(
      "ERR_OPTION",
      `There is no event ${show(type)}; a socket has ${SOCKET_EVENT_TYPES.join(", ")}`,
    );
  }
  if (typeof listener !== "function") {
    throw new MisuseError(
      "ERR_OPTION",
      `Cannot listen for "${type as string}" with ${show(listener)}: allowed is a function`,
    );
  }
}
