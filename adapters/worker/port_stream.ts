/**
 * A stream over a `MessagePort`.
 *
 * Bytes travel as `ArrayBuffer`s of their exact size, which are transferred; each is the one copy that is
 * made of them. A port takes whatever it is given, so the receiver reports what it has passed on, and the
 * sender lends what would exceed {@link WINDOW_BYTES}. Besides there are words: `open`, `refused`, `end`,
 * `abort`.
 *
 * @module
 */

import type { Transport, TransportHandlers } from "../../src/ports.ts";
import { host } from "../shared_host.ts";
import type { Port } from "./types.ts";

/** Bytes that may be on their way in one direction, besides the piece that crosses the bound. */
const WINDOW_BYTES = 2_097_152;
/** What is written together leaves in pieces of this size: each costs a turn of the port. */
const PIECE_BYTES = 262_144;
/** Consumed bytes are reported in such amounts. */
const REPORT_BYTES = 131_072;

type Piece = ArrayBuffer | Uint8Array;

const NOTHING: readonly Uint8Array[] = [];

/** One end of a stream. The port may come later. */
export class PortStream implements Transport {
  readonly #handlers: TransportHandlers;
  readonly #address: string;
  #port: Port | undefined = undefined;
  #referenced = true;
  #opened = false;
  #closing: "no" | "flush" | "abort" = "no";
  #closed = false;
  #cause: unknown = undefined;
  #outputEnded = false;
  #inputEnded = false;
  #endArrived = false;
  #paused = false;
  #delivering = false;
  readonly #queue: Piece[] = [];
  /** Bytes on their way to the peer, and bytes of it that we have passed on and not reported. */
  #sentBytes = 0;
  #unreportedBytes = 0;
  #lent: readonly Uint8Array[] = NOTHING;
  #lentIndex = 0;
  #lentOffset = 0;
  /** Whether lent memory is shared, so that it is free only when the peer has passed all of it on. */
  #sharedLent = false;
  #writing = false;

  constructor(handlers: TransportHandlers, address: string) {
    this.#handlers = handlers;
    this.#address = address;
  }

  get closing(): boolean {
    return this.#closing !== "no";
  }

  /** Takes its port. `accepted`: this end answers; the one that dialled waits for the answer. */
  join(port: Port, accepted: boolean): void {
    this.#port = port;
    if (this.#closing === "abort") return this.#leave(port);
    port.onmessage = ({ data }) => this.#receive(data);
    port.addEventListener?.("close", () => this.lose(undefined));
    this.setReferenced(this.#referenced);
    if (!accepted) return;
    port.postMessage("open");
    host.microtask(() => this.#open());
  }

  /** The stream is lost, or could not be opened. */
  lose(cause: unknown): void {
    if (this.#closed || this.#closing === "abort") return;
    this.#cause = cause ?? reset(`The other end of ${this.#address} has gone`);
    this.#stop();
  }

  write(chunk: Uint8Array): boolean {
    return this.writev([chunk]);
  }

  writev(chunks: readonly Uint8Array[]): boolean {
    if (this.#closing !== "no") return false;
    this.#lent = chunks;
    this.#lentIndex = 0;
    this.#lentOffset = 0;
    this.#writing = true;
    this.#send();
    this.#writing = false;
    return this.#lent === NOTHING;
  }

  setPaused(paused: boolean): boolean {
    if (this.#closing !== "no") return true;
    this.#paused = paused;
    if (!paused) host.microtask(() => this.#deliver());
    return true;
  }

  setReferenced(on: boolean): void {
    this.#referenced = on;
    if (on) this.#port?.ref?.();
    else this.#port?.unref?.();
  }

  close(mode: "flush" | "abort"): void {
    if (this.#closed || this.#closing === "abort" || this.#closing === mode) return;
    if (mode === "abort" || !this.#opened) return this.#stop();
    this.#closing = "flush";
    this.#paused = false;
    this.#outputEnded = true;
    this.#port!.postMessage("end");
    host.microtask(() => this.#deliver());
  }

  #open(): void {
    if (this.#opened || this.#closing !== "no") return;
    this.#opened = true;
    this.#handlers.open({ localAddress: this.#address, remoteAddress: this.#address });
    this.#deliver();
  }

  #receive(data: unknown): void {
    if (this.#closing === "abort") return;
    if (typeof data === "number") return this.#reported(data);
    if (data instanceof ArrayBuffer || data instanceof Uint8Array) {
      this.#queue.push(data);
      return this.#deliver();
    }
    if (data === "open") return this.#open();
    if (data === "end") {
      this.#endArrived = true;
      return this.#deliver();
    }
    if (data === "abort") return this.lose(reset(`The peer of ${this.#address} closed the stream`));
    if (data === "refused") return this.lose(refused(this.#address));
    this.lose(new Error(`A message that is none of ours arrived at ${this.#address}`));
  }

  /** The peer has passed on so many bytes. */
  #reported(bytes: number): void {
    this.#sentBytes -= bytes;
    if (this.#lent === NOTHING) return;
    this.#send();
    if (this.#lent === NOTHING) this.#handlers.drain();
  }

  /** Sends what there is room for. Forgets the lent chunks when their memory is free. */
  #send(): void {
    const port = this.#port as Port;
    while (this.#lentIndex < this.#lent.length) {
      if (this.#sentBytes >= WINDOW_BYTES) return;
      const chunk = this.#lent[this.#lentIndex]!;
      if (isShared(chunk)) {
        this.#sharedLent = true;
        this.#sentBytes += chunk.length;
        port.postMessage(chunk);
        this.#lentIndex += 1;
      } else {
        const bytes = this.#nextPiece();
        this.#sentBytes += bytes.length;
        port.postMessage(bytes.buffer, [bytes.buffer]);
      }
    }
    if (this.#sharedLent && (this.#writing || this.#sentBytes > 0)) return;
    this.#sharedLent = false;
    this.#lent = NOTHING;
  }

  /** Copies the next chunks, or as much of one as a piece holds. */
  #nextPiece(): Uint8Array {
    const chunks = this.#lent;
    let room = PIECE_BYTES;
    let bytes = -this.#lentOffset;
    for (let i = this.#lentIndex; i < chunks.length && bytes < room && !isShared(chunks[i]!); i++) {
      bytes += chunks[i]!.length;
    }
    room = Math.min(room, bytes);
    const piece = new Uint8Array(room);
    for (let at = 0; at < room;) {
      const chunk = chunks[this.#lentIndex]!;
      const from = this.#lentOffset;
      const to = Math.min(chunk.length, from + room - at);
      piece.set(from === 0 && to === chunk.length ? chunk : chunk.subarray(from, to), at);
      at += to - from;
      this.#lentOffset = to;
      if (to < chunk.length) break;
      this.#lentIndex += 1;
      this.#lentOffset = 0;
    }
    return piece;
  }

  /** Passes on what has arrived. Each call may pause or close the stream, or lead back here. */
  #deliver(): void {
    if (this.#delivering || !this.#opened) return;
    this.#delivering = true;
    let shared = false;
    while (this.#queue.length > 0 && !this.#paused) {
      const piece = this.#queue.shift()!;
      const chunk = piece instanceof Uint8Array ? piece : new Uint8Array(piece);
      shared ||= piece instanceof Uint8Array;
      this.#unreportedBytes += chunk.length;
      if (this.#closing === "no") this.#handlers.data(chunk);
    }
    this.#delivering = false;
    if (this.#closing === "abort") return;
    // The sender of shared memory waits for the last byte of it.
    if (this.#unreportedBytes >= REPORT_BYTES || shared) {
      this.#port!.postMessage(this.#unreportedBytes);
      this.#unreportedBytes = 0;
    }
    if (!this.#endArrived || this.#queue.length > 0 || this.#paused) return;
    if (!this.#inputEnded) {
      this.#inputEnded = true;
      if (this.#closing === "no") this.#handlers.end();
    }
    if (this.#closing === "flush" && this.#outputEnded) this.#finish();
  }

  #stop(): void {
    this.#closing = "abort";
    this.#queue.length = 0;
    this.#lent = NOTHING;
    this.#finish();
  }

  #finish(): void {
    if (this.#closed) return;
    this.#closed = true;
    const port = this.#port;
    if (port !== undefined) this.#leave(port);
    host.microtask(() => this.#handlers.close(this.#cause));
  }

  #leave(port: Port): void {
    if (this.#closing === "abort") port.postMessage("abort");
    port.close();
  }
}

/** Tells whoever dialled that nobody takes its stream. */
export function refusePort(port: Port): void {
  port.postMessage("refused");
  port.close();
}

/** The cause when nobody listens at a name, or whoever does turned the stream away. */
export function refused(address: string): Error {
  return Object.assign(new Error(`Nobody accepts connections at ${address}`), { code: "ECONNREFUSED" });
}

function reset(why: string): Error {
  return Object.assign(new Error(why), { code: "ECONNRESET" });
}

const Shared =
  (globalThis as { readonly SharedArrayBuffer?: new (bytes: number) => object }).SharedArrayBuffer;

function isShared(chunk: Uint8Array): boolean {
  return Shared !== undefined && chunk.buffer instanceof Shared;
}
