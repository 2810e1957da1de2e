/**
 * Handlers that write down what a transport reports, and check that it keeps the order of `ports.ts`. For tests of
 * adapters, real or simulated.
 *
 * @module
 */

import type { Transport, TransportHandlers, TransportInfo } from "../../src/ports.ts";

export class RecordingHandlers implements TransportHandlers {
  /** What was called, in order: `open`, `data 5`, `drain`, `end`, `close`. */
  readonly events: string[] = [];
  readonly chunks: Uint8Array[] = [];
  /** Promises of `ports.ts` that the transport broke. */
  readonly problems: string[] = [];
  /** Set by whoever dialled. Handlers that run before are a problem. */
  transport: Transport | undefined = undefined;
  /** Called after each report, for tests that answer from inside handlers. */
  onEvent: ((event: "open" | "data" | "drain" | "end" | "close") => void) | undefined = undefined;
  info: TransportInfo | undefined = undefined;
  byteCount = 0;
  drains = 0;
  ended = false;
  closed = false;
  cause: unknown = undefined;
  #waiting: { readonly until: (handlers: RecordingHandlers) => boolean; readonly resolve: () => void }[] = [];

  get opened(): boolean {
    return this.info !== undefined;
  }

  open(info: TransportInfo): void {
    if (this.opened) this.#problem("open twice");
    if (this.events.length > 0) this.#problem(`open after ${this.events[0]}`);
    this.info = info;
    this.#record("open", "open");
  }

  data(chunk: Uint8Array): void {
    this.#mustBeOpen("data");
    if (this.ended) this.#problem("data after end");
    this.chunks.push(chunk);
    this.byteCount += chunk.length;
    this.#record("data", `data ${chunk.length}`);
  }

  drain(): void {
    this.#mustBeOpen("drain");
    this.drains++;
    this.#record("drain", "drain");
  }

  end(): void {
    this.#mustBeOpen("end");
    if (this.ended) this.#problem("end twice");
    this.ended = true;
    this.#record("end", "end");
  }

  close(cause?: unknown): void {
    if (this.closed) this.#problem("close twice");
    this.closed = true;
    this.cause = cause;
    this.#record("close", "close");
  }

  /** All that was received, joined. */
  bytes(): Uint8Array {
    const joined = new Uint8Array(this.byteCount);
    let at = 0;
    for (const chunk of this.chunks) {
      joined.set(chunk, at);
      at += chunk.length;
    }
    return joined;
  }

  /** Resolves at the first report after which `condition` holds; at once when it does already. */
  until(condition: (handlers: RecordingHandlers) => boolean): Promise<void> {
    if (condition(this)) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ until: condition, resolve }));
  }

  /** Throws when the transport broke a promise. */
  assertClean(): void {
    if (this.problems.length > 0) {
      throw new Error(`${this.problems.join("; ")} in [${this.events.join(", ")}]`);
    }
  }

  #mustBeOpen(what: string): void {
    if (!this.opened) this.#problem(`${what} before open`);
    if (this.closed) this.#problem(`${what} after close`);
  }

  #problem(text: string): void {
    this.problems.push(text);
  }

  #record(event: "open" | "data" | "drain" | "end" | "close", text: string): void {
    if (this.transport === undefined) this.#problem(`${event} before dial returned`);
    this.events.push(text);
    this.onEvent?.(event);
    const done = this.#waiting.filter(({ until }) => until(this));
    if (done.length === 0) return;
    this.#waiting = this.#waiting.filter((one) => !done.includes(one));
    for (const { resolve } of done) resolve();
  }
}

/** Dials, and ties the transport to its handlers. */
export function dialRecording(
  dial: (handlers: TransportHandlers) => Transport,
  handlers: RecordingHandlers = new RecordingHandlers(),
): RecordingHandlers & { readonly transport: Transport } {
  handlers.transport = dial(handlers);
  return handlers as RecordingHandlers & { readonly transport: Transport };
}
