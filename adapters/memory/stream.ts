/**
 * A stream between two ends in one process. It copies what is written, as a kernel would, and treats what
 * does not fit as lent, so whatever holds for a socket holds here. Everything is delivered in later turns of
 * the event loop.
 *
 * @module
 */

import { copyOf } from "../../src/bytes/bytes.ts";
import type { Host, Transport, TransportHandlers, TransportInfo } from "../../src/ports.ts";

/** What both ends of a stream share. */
export interface MemoryLink {
  readonly host: Host;
  /** The endpoint by which both ends are known. */
  readonly address: string;
  /** Bytes that may wait at a reader before a writer's memory is lent. */
  readonly capacityBytes: number;
}

/** One end. It opens when it and its peer both have handlers. */
export class MemoryStream implements Transport {
  readonly #link: MemoryLink;
  #handlers: TransportHandlers | undefined = undefined;
  #peer: MemoryStream | undefined = undefined;
  #inbox: Uint8Array[] = [];
  #inboxBytes = 0;
  /** What this end wrote and the peer has no room for. */
  #lent: Uint8Array | undefined = undefined;
  #drainDue = false;
  #paused = false;
  #opened = false;
  #closed = false;
  #closing: "no" | "flush" | "abort" = "no";
  #cause: unknown = undefined;
  #inputEnded = false;
  #outputEnded = false;
  #scheduled = false;

  constructor(link: MemoryLink) {
    this.#link = link;
  }

  get attached(): boolean {
    return this.#handlers !== undefined;
  }

  attach(handlers: TransportHandlers): void {
    this.#handlers = handlers;
    this.#wake();
    const peer = this.#peer;
    if (peer !== undefined) peer.#wake();
  }

  /** Joins this end and its peer. */
  join(peer: MemoryStream): void {
    this.#peer = peer;
    peer.#peer = this;
    if (this.#closing === "abort") peer.#break(this.#reset());
    if (peer.#closing === "abort") this.#break(peer.#reset());
    this.#wake();
    peer.#wake();
  }

  /** Called when the stream is lost or could not be opened. */
  fail(cause: unknown): void {
    if (this.#closed || this.#closing === "abort") return;
    this.#cause = cause;
    this.close("abort");
  }

  write(chunk: Uint8Array): boolean {
    if (this.#closing !== "no") return false;
    if (this.#outputEnded) {
      this.fail(this.#reset());
      return false;
    }
    const peer = this.#peer;
    if (peer !== undefined && peer.#inboxBytes + chunk.length <= this.#link.capacityBytes) {
      peer.#put(chunk);
      return true;
    }
    this.#lent = chunk;
    if (peer !== undefined) peer.#wake();
    return false;
  }

  setPaused(paused: boolean): boolean {
    if (this.#closing !== "no") return true;
    this.#paused = paused;
    if (!paused) this.#wake();
    return true;
  }

  close(mode: "flush" | "abort"): void {
    if (this.#closed || this.#closing === "abort" || this.#closing === mode) return;
    this.#closing = !this.#opened && this.#lent === undefined ? "abort" : mode;
    this.#paused = false;
    if (this.#closing === "abort") {
      this.#inbox = [];
      const peer = this.#peer;
      if (peer !== undefined) peer.#break(this.#reset());
    }
    this.#wake();
  }

  #reset(): Error {
    return Object.assign(new Error(`The peer of ${this.#link.address} closed the stream`), {
      code: "ECONNRESET",
    });
  }

  /** Called when the peer has gone: what it wrote may still be read, but nothing can be written to it. */
  #break(cause: unknown): void {
    this.#outputEnded = true;
    if (this.#lent !== undefined) this.fail(cause);
    else this.#wake();
  }

  #put(chunk: Uint8Array): void {
    this.#inbox.push(copyOf(chunk));
    this.#inboxBytes += chunk.length;
    this.#wake();
  }

  #wake(): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    this.#link.host.turn(() => {
      this.#scheduled = false;
      this.#step();
    });
  }

  /** Reports whatever is due. Each report may close the stream, so each checks its state again. */
  #step(): void {
    const handlers = this.#handlers;
    if (handlers === undefined || this.#closed) return;
    if (this.#peer?.attached) this.#exchange(handlers, this.#peer);
    if (this.#closing !== "abort" && !(this.#inputEnded && this.#outputEnded && this.#closing === "flush")) {
      return;
    }
    if (this.#closed) return;
    this.#closed = true;
    this.#lent = undefined;
    handlers.close(this.#cause);
  }

  #exchange(handlers: TransportHandlers, peer: MemoryStream): void {
    if (!this.#opened && this.#closing !== "abort") {
      this.#opened = true;
      const info: TransportInfo = { localAddress: this.#link.address, remoteAddress: this.#link.address };
      handlers.open(info);
    }
    this.#deliver(handlers, peer);
    if (this.#drainDue && this.#closing !== "abort") {
      this.#drainDue = false;
      handlers.drain();
    }
    const finished = peer.#closing === "abort" || peer.#outputEnded && peer.#closing === "flush";
    if (finished && !this.#inputEnded && this.#inbox.length === 0 && !this.#paused) {
      this.#inputEnded = true;
      if (this.#closing === "no") handlers.end();
    }
    if (this.#closing === "flush" && this.#lent === undefined && !this.#outputEnded) {
      this.#outputEnded = true;
      peer.#wake();
    }
  }

  #deliver(handlers: TransportHandlers, peer: MemoryStream): void {
    while (!this.#paused && this.#closing !== "abort") {
      const chunk = this.#inbox.shift() ?? peer.#release();
      if (chunk === undefined) return;
      this.#inboxBytes = Math.max(0, this.#inboxBytes - chunk.length);
      if (this.#closing === "no" && chunk.length > 0) handlers.data(chunk);
    }
  }

  /** Returns a copy of the lent memory for the peer, and schedules the writer's `drain`. */
  #release(): Uint8Array | undefined {
    const copy = this.#lent === undefined ? undefined : copyOf(this.#lent);
    if (copy === undefined) return undefined;
    this.#lent = undefined;
    this.#drainDue = true;
    this.#wake();
    return copy;
  }
}
