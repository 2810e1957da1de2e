/**
 * A transport over a `Deno.Conn`, with at most one read and one write in flight. Deno tries a write inside
 * the call but reports it only by promise, so every write is lent for at least two microtasks.
 *
 * @module
 */

import { viewOf } from "../../src/bytes/bytes.ts";
import type { Transport, TransportHandlers } from "../../src/ports.ts";
import type { SocketKind } from "../ipc.ts";
import { HEADER_BYTES, placeIn } from "../body_reads.ts";
import { host } from "../shared_host.ts";
import { ReadBuffer } from "./read_buffer.ts";
import type { DenoConn } from "./types.ts";

/** Connects handlers to a connection, which may come later. */
export class DenoStream implements Transport {
  readonly #handlers: TransportHandlers;
  readonly #kind: SocketKind<DenoConn>;
  /** Called when the stream closes before it is connected. */
  readonly #cancelConnect: () => void;
  #conn: DenoConn | undefined = undefined;
  readonly #buffer: ReadBuffer = new ReadBuffer();
  #closing: "no" | "flush" | "abort" = "no";
  #cause: unknown = undefined;
  #closed = false;
  #reading = false;
  /** The part of a body that the last read went to, or `undefined` if it went into the buffer. */
  #placed: Uint8Array | undefined = undefined;
  #writing = false;
  #paused = false;
  #referenced = true;
  /** Whether each direction has ended in order. */
  #inputEnded = false;
  #endingOutput = false;
  #outputEnded = false;
  /** The lent memory: the unsent rest of a chunk. */
  #lent: Uint8Array | undefined = undefined;

  constructor(handlers: TransportHandlers, kind: SocketKind<DenoConn>, cancelConnect: () => void) {
    this.#handlers = handlers;
    this.#kind = kind;
    this.#cancelConnect = cancelConnect;
  }

  /** Called with the connection, after `dial` has returned. */
  connected(conn: DenoConn): void {
    if (this.#closing === "abort") return conn.close();
    this.#conn = conn;
    if (!this.#referenced) conn.unref();
    try {
      this.#kind.prepare(conn);
    } catch (cause) {
      return this.fail(cause);
    }
    this.#handlers.open(this.#kind.describe(conn));
    // The handler may have written or closed already; what is left to do is from before.
    if (this.#lent === undefined) this.#endOutput(conn);
    else if (!this.#writing) this.#push(conn);
    this.#readNext();
  }

  write(chunk: Uint8Array): boolean {
    if (this.#closing !== "no") return false;
    this.#lent = chunk;
    if (this.#conn !== undefined) this.#push(this.#conn);
    return false;
  }

  setPaused(paused: boolean): boolean {
    if (this.#closing !== "no") return true;
    this.#paused = paused;
    this.#readNext();
    return true;
  }

  setReferenced(on: boolean): void {
    this.#referenced = on;
    if (on) this.#conn?.ref();
    else this.#conn?.unref();
  }

  close(mode: "flush" | "abort"): void {
    if (this.#closing === "abort" || this.#closing === mode) return;
    const conn = this.#conn;
    if (mode === "abort" || (conn === undefined && this.#lent === undefined)) {
      this.#closing = "abort";
      return this.#shutDown();
    }
    this.#closing = "flush";
    // Unread input would turn our end into a reset, and a paused stream would never see the peer's end.
    this.#paused = false;
    if (conn === undefined) return;
    this.#endOutput(conn);
    this.#readNext();
  }

  /** Called when the stream is lost or could not be opened. */
  readonly fail = (cause: unknown): void => {
    if (this.#closing === "abort") return;
    this.#cause ??= cause;
    this.#closing = "abort";
    this.#shutDown();
  };

  #push(conn: DenoConn): void {
    this.#writing = true;
    conn.write(this.#lent as Uint8Array).then(this.#onWritten, this.#onWriteFailed);
  }

  readonly #onWritten = (taken: number): void => {
    this.#writing = false;
    if (this.#closing === "abort") return this.#finish();
    const conn = this.#conn as DenoConn;
    const lent = this.#lent as Uint8Array;
    if (taken < lent.length) {
      this.#lent = lent.subarray(taken);
      return this.#push(conn);
    }
    this.#lent = undefined;
    this.#handlers.drain();
    this.#endOutput(conn);
  };

  readonly #onWriteFailed = (cause: unknown): void => {
    this.#writing = false;
    if (this.#closing === "abort") return this.#finish();
    this.fail(cause);
  };

  /** Reads, unless a read is in flight or none is wanted. */
  #readNext(): void {
    const conn = this.#conn;
    if (
      conn === undefined || this.#reading || this.#paused || this.#inputEnded || this.#closing === "abort"
    ) {
      return;
    }
    this.#reading = true;
    conn.read(this.#nextTarget()).then(this.#onRead, this.#onReadFailed);
  }

  #nextTarget(): Uint8Array {
    const afterBody = this.#placed !== undefined;
    this.#placed = this.#closing === "no" ? placeIn(this.#handlers.bodyMemory?.()) : undefined;
    return this.#placed ?? this.#buffer.target(afterBody ? HEADER_BYTES : undefined);
  }

  readonly #onRead = (length: number | null): void => {
    this.#reading = false;
    if (this.#closing === "abort") return this.#finish();
    if (length === null) {
      this.#inputEnded = true;
      if (this.#closing === "no") this.#handlers.end();
      else if (this.#outputEnded) this.#shutDown();
      return;
    }
    const placed = this.#placed;
    if (this.#closing === "no" && length > 0) {
      this.#handlers.data(placed === undefined ? this.#buffer.take(length) : viewOf(placed, 0, length));
    }
    this.#readNext();
  };

  readonly #onReadFailed = (cause: unknown): void => {
    this.#reading = false;
    if (this.#closing === "abort") return this.#finish();
    this.fail(cause);
  };

  /** Ends our direction, once, if a flush is due and nothing is lent any longer. */
  #endOutput(conn: DenoConn): void {
    if (this.#closing !== "flush" || this.#lent !== undefined || this.#endingOutput) return;
    this.#endingOutput = true;
    conn.closeWrite().then(() => {
      this.#outputEnded = true;
      if (this.#inputEnded) this.#shutDown();
    }, this.fail);
  }

  /**
   * Closes the connection. What is in flight is interrupted and reports back; `#finish` waits for a write.
   */
  #shutDown(): void {
    this.#closing = "abort";
    if (this.#conn === undefined) this.#cancelConnect();
    else this.#conn.close();
    host.microtask(() => this.#finish());
  }

  #finish(): void {
    // A write in flight reads from lent memory until it reports back.
    if (this.#closed || this.#writing) return;
    this.#closed = true;
    this.#lent = undefined;
    this.#handlers.close(this.#cause);
  }
}
