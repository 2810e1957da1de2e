/**
 * A transport over a socket of `node:net`, for TCP and unix sockets alike. Deno and Bun offer `node:net` too,
 * and this file runs there unchanged.
 *
 * @module
 */

import type { Transport, TransportHandlers, TransportInfo } from "../../src/ports.ts";
import type { SocketReads } from "./reads.ts";
import type { NodeSocket } from "./types.ts";

/** A socket, and where its reads go if it was made to report them there. */
export interface ReadSocket {
  readonly socket: NodeSocket;
  readonly reads: SocketReads | undefined;
}

/** How far a close has gone. With `flush`, what was written still leaves. */
type Closing = "no" | "flush" | "abort";

/** Connects a socket to handlers. Create it, and `attach` handlers, in the turn that created the socket. */
export class NodeStream implements Transport {
  readonly #socket: NodeSocket;
  readonly #describe: (socket: NodeSocket) => TransportInfo;
  readonly #explain: (cause: unknown) => unknown;
  /** Where reads go, if the socket does not report them with "data" events. */
  readonly #reads: SocketReads | undefined;
  #handlers: TransportHandlers | undefined = undefined;
  #opened = false;
  #closed = false;
  #closing: Closing = "no";
  #cause: unknown = undefined;
  /** Writes handed over, and how many of them have completed. */
  #issued = 0;
  #completed = 0;
  /** The write whose completion ends the loan. 0: nothing is lent. */
  #lentUntil = 0;

  /** `explain` turns the cause of a stream that could not be opened into the reported one. */
  constructor(
    { socket, reads }: ReadSocket,
    describe: (socket: NodeSocket) => TransportInfo,
    explain: (cause: unknown) => unknown = (cause) => cause,
  ) {
    this.#socket = socket;
    this.#reads = reads;
    this.#describe = describe;
    this.#explain = explain;
    // An "error" without a listener would end the process, so listen even before handlers are attached.
    socket.on("error", (cause) => this.#cause ??= cause);
    socket.on("close", () => this.#onClose());
  }

  get attached(): boolean {
    return this.#handlers !== undefined;
  }

  get isOpen(): boolean {
    return this.#opened;
  }

  /** Adds all listeners at once: on some runtimes, what arrives before its listener is added is lost. */
  attach(handlers: TransportHandlers): void {
    this.#handlers = handlers;
    if (this.#reads !== undefined) {
      this.#reads.deliverTo(handlers);
    } else {
      this.#socket.on("data", (chunk) => {
        if (this.#closing === "no") handlers.data(chunk);
      });
    }
    this.#socket.on("end", () => {
      if (this.#closing === "no") handlers.end();
    });
  }

  /** Called when the stream is connected. */
  open(): void {
    if (this.#opened || this.#closed || this.#closing === "abort") return;
    this.#opened = true;
    this.#handlers?.open(this.#describe(this.#socket));
  }

  /** Gives up with a cause of our own. */
  fail(cause: unknown): void {
    this.#cause ??= cause;
    this.#socket.destroy();
  }

  write(chunk: Uint8Array): boolean {
    if (this.#closing !== "no") return false;
    const socket = this.#socket;
    this.#issued += 1;
    socket.write(chunk, this.#onWritten);
    return this.#isTaken(socket);
  }

  writev(chunks: readonly Uint8Array[]): boolean {
    if (this.#closing !== "no") return false;
    const last = chunks.length - 1;
    if (last < 0) return true;
    const socket = this.#socket;
    socket.cork();
    for (let i = 0; i < last; i++) socket.write(chunks[i] as Uint8Array);
    this.#issued += 1;
    socket.write(chunks[last] as Uint8Array, this.#onWritten);
    socket.uncork();
    return this.#isTaken(socket);
  }

  setPaused(paused: boolean): boolean {
    if (this.#closing !== "no") return true;
    if (paused) this.#socket.pause();
    else this.#socket.resume();
    return true;
  }

  setReferenced(on: boolean): void {
    if (on) this.#socket.ref();
    else this.#socket.unref();
  }

  close(mode: "flush" | "abort"): void {
    if (this.#closed || this.#closing === "abort" || this.#closing === mode) return;
    // A stream that is not open yet and was never written to has nothing to flush.
    if (mode === "abort" || (!this.#opened && this.#issued === 0)) {
      this.#go("abort");
      this.#socket.destroy();
      return;
    }
    this.#go("flush");
    this.#socket.end();
    // A paused socket would never see the peer's end, and unread input would turn our end into a reset.
    this.#socket.resume();
  }

  #go(mode: "flush" | "abort"): void {
    this.#closing = mode;
    this.#reads?.deliverTo(undefined);
  }

  /**
   * One callback for all writes. libuv tries the write inside the call, so nothing is queued right after it
   * if and only if the system took everything. The callback runs later in either case, always in order, so
   * counting finds the one that ends a loan. (The "drain" event would not work: it is not emitted below the
   * high-water mark.)
   */
  readonly #onWritten = (error?: unknown): void => {
    if (error) {
      this.#cause ??= error;
      return;
    }
    this.#completed += 1;
    if (this.#completed !== this.#lentUntil) return;
    this.#lentUntil = 0;
    if (this.#closing !== "abort") this.#handlers?.drain();
  };

  #isTaken(socket: NodeSocket): boolean {
    if (socket.writableLength === 0 && !socket.errored) return true;
    if (this.#completed === this.#issued) return true;
    this.#lentUntil = this.#issued;
    return false;
  }

  #onClose(): void {
    this.#closed = true;
    if (this.#closing === "abort") this.#handlers?.close(undefined);
    else this.#handlers?.close(this.#opened ? this.#cause : this.#explain(this.#cause));
  }
}
