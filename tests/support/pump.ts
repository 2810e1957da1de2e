/**
 * The smallest well-behaved user of a transport: a queue in, bytes out. It writes only while nothing is lent, never
 * from inside a write, and overwrites memory as soon as it may, so that a transport that still reads it is found out.
 *
 * @module
 */

import type { Dial, Transport, TransportHandlers } from "../../src/ports.ts";

export interface PumpInit {
  /** Called with each chunk that arrives. */
  readonly onData?: (chunk: Uint8Array, pump: Pump) => void;
  /** Called when the peer has finished. Without it, the pump finishes as well. */
  readonly onEnd?: (pump: Pump) => void;
  /** A planted fault, to prove that the world finds it. */
  readonly flaw?: PumpFlaw;
}

export type PumpFlaw =
  | "reuses lent memory"
  | "frees memory at its own close"
  | "writes while memory is lent"
  | "writes inside writes"
  | "forgets the drain"
  | "swaps what waits";

export class Pump implements TransportHandlers {
  readonly transport: Transport;
  readonly received: Uint8Array[] = [];
  receivedBytes = 0;
  /** Writes that were lent. */
  loans = 0;
  opened = false;
  ended = false;
  closed = false;
  cause: unknown = undefined;
  readonly #init: PumpInit;
  #queue: Uint8Array[] = [];
  #lent: readonly Uint8Array[] | undefined = undefined;
  #writing = false;
  #finishing = false;
  #closing = false;

  constructor(dial: Dial, init: PumpInit = {}) {
    this.#init = init;
    this.transport = dial(this);
  }

  /** Queues `bytes`, which now belong to the pump. */
  send(bytes: Uint8Array): void {
    if (this.#has("swaps what waits")) this.#queue.unshift(bytes);
    else this.#queue.push(bytes);
    this.#pump();
  }

  /** Closes once everything queued was taken. */
  finish(): void {
    this.#finishing = true;
    this.#pump();
  }

  abort(): void {
    this.#closing = true;
    if (this.closed) return;
    this.transport.close("abort");
    if (this.#has("frees memory at its own close")) this.#release(this.#lent);
  }

  open(): void {
    this.opened = true;
    this.#pump();
  }

  data(chunk: Uint8Array): void {
    this.received.push(chunk);
    this.receivedBytes += chunk.length;
    this.#init.onData?.(chunk, this);
  }

  drain(): void {
    this.#release(this.#lent);
    this.#lent = undefined;
    if (!this.#has("forgets the drain")) this.#pump();
  }

  end(): void {
    this.ended = true;
    if (this.#init.onEnd === undefined) this.finish();
    else this.#init.onEnd(this);
  }

  close(cause?: unknown): void {
    this.closed = true;
    this.cause = cause;
  }

  #pump(): void {
    while (this.#queue.length > 0 && this.#mayWrite()) {
      const chunks = this.transport.writev === undefined
        ? this.#queue.splice(0, 1)
        : this.#queue.splice(0, 3);
      this.#writing = true;
      const taken = this.transport.writev?.(chunks) ?? this.transport.write(chunks[0]!);
      this.#writing = false;
      if (taken) {
        this.#release(chunks);
      } else {
        this.#lent = chunks;
        this.loans++;
        if (this.#has("reuses lent memory")) this.#release(chunks);
      }
    }
    if (this.#finishing && this.#queue.length === 0 && this.#mayWrite()) {
      this.#closing = true;
      this.transport.close("flush");
    }
  }

  #mayWrite(): boolean {
    if (!this.opened || this.closed || this.#closing) return false;
    if (this.#writing && !this.#has("writes inside writes")) return false;
    return this.#lent === undefined || this.#has("writes while memory is lent");
  }

  #has(flaw: PumpFlaw): boolean {
    return this.#init.flaw === flaw;
  }

  #release(chunks: readonly Uint8Array[] | undefined): void {
    for (const chunk of chunks ?? []) chunk.fill(0xee);
  }
}
