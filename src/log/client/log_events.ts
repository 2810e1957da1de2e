/**
 * What happens to a log, for listeners. They are called in a callback of their own, so that they may call anything.
 *
 * @module
 */

import { MisuseError } from "../../errors.ts";
import type { Host } from "../../ports.ts";
import { show } from "../configuration/fields.ts";
import type { LogError } from "../errors.ts";
import { reportError } from "../../socket/report_error.ts";

/** The kinds of events. */
export type LogEventType =
  /** The broker is there. */
  | "connected"
  /** The broker is gone, or could not be reached; `retryMs` until the next attempt. */
  | "disconnected"
  /** A publisher's epoch is over; what was not committed goes out again in the next one. */
  | "fenced"
  /** A crash of the broker's machine took `batches` that were acknowledged to a publisher. */
  | "acknowledgedLost"
  /** Records were refused for good: `error` says why, `records` how many. */
  | "refused"
  /** A topic's store has no room; its publishers wait. */
  | "storeFull"
  | "storeResumed"
  /** A crash of the broker's machine took records that a subscription had read. */
  | "logCut"
  /** Records were removed before a subscription came to them. */
  | "trimmed"
  /** A newcomer took over the name of a publisher or consumer. */
  | "superseded";

const TYPES: Readonly<Record<LogEventType, true>> = {
  connected: true,
  disconnected: true,
  fenced: true,
  acknowledgedLost: true,
  refused: true,
  storeFull: true,
  storeResumed: true,
  logCut: true,
  trimmed: true,
  superseded: true,
};

/** One event. */
export interface LogEvent {
  readonly type: LogEventType;
  readonly topic?: string | undefined;
  /** The publisher's or consumer's name, where it has one. */
  readonly name?: string | undefined;
  readonly error?: Error | LogError | undefined;
  readonly batches?: number | undefined;
  readonly records?: number | undefined;
  /** `Infinity`: no other attempt is made. */
  readonly retryMs?: number | undefined;
}

/** Hears of one kind of events. What it throws surfaces as an error that nobody caught; the log goes on. */
export type LogListener = (event: LogEvent) => void;

/** See the module. */
export class LogEvents {
  readonly #host: Host;
  readonly #listeners: Map<LogEventType, Set<LogListener>> = new Map();
  #queue: LogEvent[] = [];

  constructor(host: Host) {
    this.#host = host;
  }

  /** @throws {MisuseError} `ERR_OPTION`: there are no such events, or the listener cannot be called. */
  on(type: LogEventType, listener: LogListener): void {
    if (!Object.hasOwn(TYPES, type)) {
      const text = `Cannot listen to events ${show(type)}: there are ${Object.keys(TYPES).join(", ")}`;
      throw new MisuseError("ERR_OPTION", text);
    }
    if (typeof listener !== "function") {
      throw new MisuseError("ERR_OPTION", `Cannot listen with ${show(listener)}: a function is expected`);
    }
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners.add(listener));
  }

  off(type: LogEventType, listener: LogListener): void {
    this.#listeners.get(type)?.delete(listener);
  }

  emit(event: LogEvent): void {
    if ((this.#listeners.get(event.type)?.size ?? 0) === 0) return;
    if (this.#queue.push(event) === 1) this.#host.microtask(() => this.#tell());
  }

  #tell(): void {
    const queue = this.#queue;
    this.#queue = [];
    for (const event of queue) {
      for (const listener of [...this.#listeners.get(event.type) ?? []]) {
        try {
          listener(event);
        } catch (error) {
          // A listener's fault must not reach those that come behind it.
          reportError(this.#host, error);
        }
      }
    }
  }
}
