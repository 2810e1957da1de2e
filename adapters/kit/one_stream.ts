/**
 * The order in which a stream reports, whatever the thing below it does: open, then data and drains, then
 * end, then close, and nothing after that.
 *
 * @module
 */

import type { TransportHandlers, TransportInfo } from "../../src/ports.ts";

/** How far a close has gone. With `flush`, what was written still leaves. */
export type Closing = "no" | "flush" | "abort";

/** Reports to the handlers of one stream, in order. */
export class OneStream {
  readonly #handlers: TransportHandlers;
  opened = false;
  ended = false;
  closed = false;
  closing: Closing = "no";
  #cause: unknown = undefined;

  constructor(handlers: TransportHandlers) {
    this.#handlers = handlers;
  }

  /** Whether data is still wanted. Without it, input is read and discarded. */
  get listens(): boolean {
    return this.opened && !this.ended && !this.closed && this.closing === "no";
  }

  open(info: TransportInfo): void {
    if (this.opened || this.closed || this.closing === "abort") return;
    this.opened = true;
    this.#handlers.open(info);
  }

  /** An empty chunk is skipped. */
  data(chunk: Uint8Array): void {
    if (this.listens && chunk.length !== 0) this.#handlers.data(chunk);
  }

  drain(): void {
    if (this.opened && !this.closed && this.closing !== "abort") this.#handlers.drain();
  }

  end(): void {
    const tell = this.listens;
    this.ended = true;
    if (tell) this.#handlers.end();
  }

  /** Keeps the first cause. The core's own abort has none. */
  failed(cause: unknown, why: string): void {
    if (this.closing !== "abort") this.#cause ??= cause ?? new Error(why);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.#handlers.close(this.#cause);
  }
}
