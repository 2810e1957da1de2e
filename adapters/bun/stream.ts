/**
 * A transport over a native socket of Bun, the only kind that says how much of a chunk it took. Bun may call
 * handlers at any time, even inside our own calls (`end` runs `close`), and calls `drain` without need.
 *
 * @module
 */

import { type PartialWriter, partialWriter } from "../../src/bytes/partial_writer.ts";
import type { Transport, TransportHandlers } from "../../src/ports.ts";
import type { SocketKind } from "../ipc.ts";
import { host } from "../shared_host.ts";
import type { BunOwner, BunSocket } from "./types.ts";

/** Connects handlers to a socket, which may come later. */
export class BunStream implements Transport, BunOwner {
  readonly #handlers: TransportHandlers;
  readonly #kind: SocketKind<BunSocket>;
  readonly #writer: PartialWriter;
  #socket: BunSocket | undefined = undefined;
  #opened = false;
  #closed = false;
  #closing: "no" | "flush" | "abort" = "no";
  #cause: unknown = undefined;
  #paused = false;
  #referenced = true;

  constructor(handlers: TransportHandlers, kind: SocketKind<BunSocket>) {
    this.#handlers = handlers;
    this.#kind = kind;
    this.#writer = partialWriter((chunk, offset, length) => this.#socket?.write(chunk, offset, length) ?? 0);
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  // What Bun reports.

  /** Called with the socket, perhaps before `dial` has returned, so `open` is deferred. */
  connected(socket: BunSocket): void {
    if (this.#closed || this.#closing === "abort") return socket.end();
    this.#socket = socket;
    this.#kind.prepare(socket);
    if (!this.#referenced) socket.unref();
    if (this.#paused) socket.pause();
    host.microtask(() => this.#open());
  }

  received(chunk: Uint8Array): void {
    this.#open();
    if (this.#closing === "no") this.#handlers.data(chunk);
  }

  drained(): void {
    this.#open();
    if (!this.#writer.resume()) return;
    if (this.#closing !== "abort") this.#handlers.drain();
    if (this.#closing === "flush" && !this.#writer.lent) this.#socket?.shutdown();
  }

  ended(): void {
    this.#open();
    if (this.#closing === "no") this.#handlers.end();
  }

  /** Called when the socket is gone, or could not be opened. */
  lost(cause: unknown): void {
    if (this.#closed) return;
    if (this.#closing !== "abort") this.#cause ??= cause ?? undefined;
    this.#open();
    if (this.#closed) return;
    this.#closed = true;
    this.#writer.release();
    this.#handlers.close(this.#cause);
  }

  /** Gives up with a cause of our own. */
  fail(cause: unknown): void {
    this.#cause ??= cause;
    this.#shutDown();
  }

  // What the core asks.

  write(chunk: Uint8Array): boolean {
    return this.#closing === "no" && this.#writer.write(chunk);
  }

  setPaused(paused: boolean): boolean {
    if (this.#closing !== "no") return true;
    this.#paused = paused;
    if (paused) this.#socket?.pause();
    else this.#socket?.resume();
    return true;
  }

  setReferenced(on: boolean): void {
    this.#referenced = on;
    if (on) this.#socket?.ref();
    else this.#socket?.unref();
  }

  close(mode: "flush" | "abort"): void {
    if (this.#closed || this.#closing === "abort" || this.#closing === mode) return;
    if (mode === "abort" || (!this.#opened && !this.#writer.lent)) {
      this.#closing = "abort";
      return this.#shutDown();
    }
    this.#closing = "flush";
    // Unread input would turn our end into a reset, and a paused stream would never see the peer's end.
    this.#paused = false;
    this.#socket?.resume();
    if (!this.#writer.lent) this.#socket?.shutdown();
  }

  /** Reports `open` once, before anything else, then starts to send what was written earlier. */
  #open(): void {
    if (this.#opened || this.#closed || this.#closing === "abort" || this.#socket === undefined) return;
    this.#opened = true;
    this.#handlers.open(this.#kind.describe(this.#socket));
    if (this.#writer.lent) this.drained();
  }

  /** Closes at once. Bun reports the close inside the call; without a socket it is reported here. */
  #shutDown(): void {
    this.#closing = "abort";
    if (this.#socket === undefined) host.microtask(() => this.lost(undefined));
    else this.#socket.end();
  }
}
