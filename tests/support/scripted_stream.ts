/**
 * A byte stream whose far end is the test itself: it says what arrives and when, and how much of a write is taken.
 *
 * @module
 */

import { concat } from "../../src/bytes/bytes.ts";
import type { Dial, Transport, TransportHandlers } from "../../src/ports.ts";

export class ScriptedStream {
  /** What was written, as it was when it was handed over; lent chunks are in it when they are taken. */
  readonly taken: Uint8Array[] = [];
  /** How often each method was called that says how the stream ends. */
  flushes = 0;
  aborts = 0;
  readonly paused: boolean[] = [];
  /** Whether the next writes are lent. */
  lends = false;
  handlers!: TransportHandlers;
  readonly #gathers: boolean;
  #lent: readonly Uint8Array[] = [];
  #gone = false;

  constructor(gathers = false) {
    this.#gathers = gathers;
  }

  readonly dial: Dial = (handlers) => {
    this.handlers = handlers;
    const write = (chunks: readonly Uint8Array[]): boolean => this.#write(chunks);
    const transport: Transport = {
      write: (chunk) => write([chunk]),
      setPaused: (paused) => {
        this.paused.push(paused);
        return true;
      },
      close: (mode) => {
        if (mode === "flush") this.flushes++;
        else this.aborts++;
      },
    };
    return this.#gathers ? { ...transport, writev: write } : transport;
  };

  open(): void {
    this.handlers.open({ localAddress: "sim://near", remoteAddress: "sim://far" });
  }

  get isLent(): boolean {
    return this.#lent.length > 0;
  }

  /** Takes what was lent. */
  drain(): void {
    if (!this.isLent) throw new Error("nothing is lent");
    this.taken.push(...this.#lent.map((chunk) => chunk.slice()));
    this.#lent = [];
    this.handlers.drain();
  }

  close(cause?: unknown): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#lent = [];
    this.handlers.close(cause);
  }

  get written(): Uint8Array {
    return concat(this.taken);
  }

  #write(chunks: readonly Uint8Array[]): boolean {
    if (this.isLent) throw new Error("written to while memory is lent");
    if (this.flushes + this.aborts > 0 || this.#gone) throw new Error("written to after its close");
    if (this.lends) {
      this.#lent = chunks;
      return false;
    }
    this.taken.push(...chunks.map((chunk) => chunk.slice()));
    return true;
  }
}
