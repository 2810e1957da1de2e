/**
 * What happens to a log, for listeners. They are called in a callback of their own, so that they may call anything.
 *
 * @module
 */

import { MisuseError } from "../../errors.ts";
import type { Host } from "../../ports.ts";
import { show } from "../configuration/fields.ts";
import { nearest } from "../../nearest.ts";
import type { LogError } from "../errors.ts";
import { reportError } from "../../socket/report_error.ts";

/** What concerns one topic. */
export interface TopicEvent<Type extends string> {
  readonly type: Type;
  readonly topic: string;
  /** The publisher's or consumer's name, where it has one. */
  readonly name: string | undefined;
}

/** The same, and why. */
export interface TopicErrorEvent<Type extends string> extends TopicEvent<Type> {
  readonly error: LogError;
}

/** Every kind of event, and what its listeners are given. */
export interface LogEventMap {
  /** The broker is there. */
  readonly connected: { readonly type: "connected" };
  /** The broker is gone, or could not be reached. */
  readonly disconnected: {
    readonly type: "disconnected";
    /** `undefined`: it was closed in order. */
    readonly error: Error | undefined;
    /** Whole milliseconds until the next attempt. `Infinity`: none is made. */
    readonly retryMs: number;
  };
  /** A publisher's epoch is over; what was not committed goes out again in the next one. */
  readonly fenced: TopicErrorEvent<"fenced">;
  /** A crash of the broker's machine took `batches` that were acknowledged to a publisher. */
  readonly acknowledgedLost: TopicErrorEvent<"acknowledgedLost"> & { readonly batches: number };
  /** Records were refused for good: `error` says why, `records` how many. */
  readonly refused: TopicErrorEvent<"refused"> & { readonly records: number };
  /** A topic's store has no room; its publishers wait. */
  readonly storeFull: TopicErrorEvent<"storeFull">;
  readonly storeResumed: TopicEvent<"storeResumed">;
  /** A crash of the broker's machine took records that a subscription had read. */
  readonly logCut: TopicErrorEvent<"logCut">;
  /** Records were removed before a subscription came to them. */
  readonly trimmed: TopicErrorEvent<"trimmed">;
  /** A newcomer took over the name of a publisher or consumer. */
  readonly superseded: TopicErrorEvent<"superseded">;
}

/** The kinds of events. */
export type LogEventType = keyof LogEventMap;

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

/** One event; its `type` tells which. */
export type LogEvent<Type extends LogEventType = LogEventType> = LogEventMap[Type];

/** Hears of one kind of events. What it throws surfaces as an error that nobody caught; the log goes on. */
export type LogListener<Type extends LogEventType = LogEventType> = (event: LogEventMap[Type]) => void;

type AnyListener = (event: never) => void;

/** See the module. */
export class LogEvents {
  readonly #host: Host;
  readonly #listeners: Map<LogEventType, Set<AnyListener>> = new Map();
  #queue: LogEvent[] = [];

  constructor(host: Host) {
    this.#host = host;
  }

  /** @throws {MisuseError} `ERR_OPTION`: there are no such events, or the listener cannot be called. */
  on<Type extends LogEventType>(type: Type, listener: LogListener<Type>): void {
    checkListener(type, listener);
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners.add(listener));
  }

  /** @throws {MisuseError} as {@link on}. */
  off<Type extends LogEventType>(type: Type, listener: LogListener<Type>): void {
    checkListener(type, listener);
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
          listener(event as never);
        } catch (error) {
          // A listener's fault must not reach those that come after it, nor be passed over in silence.
          reportError(this.#host, error);
        }
      }
    }
  }
}

function checkListener(type: unknown, listener: unknown): void {
  if (typeof type !== "string" || !Object.hasOwn(TYPES, type)) {
    const names = Object.keys(TYPES);
    const near = typeof type === "string" ? nearest(type, names) : undefined;
    const meant = near === undefined ? "" : `; did you mean ${show(near)}?`;
    const text = `Cannot listen to events ${show(type)}: there are ${names.join(", ")}${meant}`;
    throw new MisuseError("ERR_OPTION", text);
  }
  if (typeof listener !== "function") {
    throw new MisuseError("ERR_OPTION", `Cannot listen with ${show(listener)}: a function is expected`);
  }
}
