/**
 * A transport over a socket of `node:tls`: it opens when the TLS handshake is done and the peer's certificate
 * was found valid, and not before.
 *
 * @module
 */

import { PeerError } from "../../src/errors.ts";
import type { Transport, TransportHandlers, TransportInfo } from "../../src/ports.ts";
import { NodeStream } from "../node/stream.ts";
import { codeOf, reasonOf } from "../system_errors.ts";
import { refusedQuietly, tlsFailure } from "./errors.ts";
import type { TlsSocket } from "./types.ts";

/** The connection that carries TLS. */
export interface Wire {
  /** What `node:tls` takes: a socket of `node:net`, or a `Duplex`. */
  readonly stream: unknown;
  /** Both ends, as endpoints of `tcp`, once it is connected. */
  describe(): TransportInfo;
  /** `broken` is called with what goes wrong on the wire itself. Call it at once. */
  watch(broken: (cause: unknown) => void): void;
  destroy(): void;
  /** These are needed only where pausing the TLS socket does not pause its wire, and so on. */
  setPaused?(paused: boolean): void;
  setReferenced?(on: boolean): void;
}

/** How one connection over TLS comes about. */
export interface TlsSetup {
  readonly socket: TlsSocket;
  readonly wire: Wire;
  readonly role: "server" | "client";
  /** Returns why the peer is refused; `undefined` if it is accepted. */
  judge(): PeerError | undefined;
  /** What to report of the opened stream. */
  info(): TransportInfo;
  /** The peer's endpoint, for messages. */
  peer(): string;
  /** Describes our certificate; `undefined` if we have none. */
  readonly own: string | undefined;
  /** Client: whether the listener may have asked for a certificate. */
  mayBeAsked(): boolean;
  /** Turns the reason why the wire could not be connected into the reported cause. */
  readonly explain: (cause: unknown) => unknown;
}

/** See the module. Create it in the turn that created the socket. */
export class TlsStream implements Transport {
  readonly #setup: TlsSetup;
  readonly #handlers: TransportHandlers;
  readonly #stream: NodeStream;
  #opened = false;
  /** What is written from here on would vanish. */
  #failed = false;
  #closing = false;
  /** Whether the peer has sent anything through TLS. */
  #received = false;
  /** A gather write of which not all was handed over, and what comes next. */
  #rest: readonly Uint8Array[] | undefined = undefined;
  #restAt = 0;
  #whenSettled: (() => void) | undefined = undefined;

  constructor(setup: TlsSetup, handlers: TransportHandlers) {
    const { socket, wire } = setup;
    this.#setup = setup;
    this.#handlers = handlers;
    this.#stream = new NodeStream({ socket, reads: undefined }, setup.info);
    this.#stream.attach(this.#wrapped());
    wire.watch((cause) => this.fail(cause));
    socket.on("close", () => wire.destroy());
    socket.on(setup.role === "client" ? "secureConnect" : "secure", () => this.#secured());
  }

  /** Gives up with a cause of our own. */
  fail(cause: unknown): void {
    this.#failed = true;
    this.#stream.fail(cause);
    this.#setup.wire.destroy();
  }

  /** Calls `settled` once: when the stream is open, or closed without that. */
  whenSettled(settled: () => void): void {
    this.#whenSettled = settled;
  }

  #secured(): void {
    if (this.#opened) return;
    let refused: unknown;
    try {
      refused = this.#setup.judge();
    } catch (cause) {
      // A certificate that this runtime cannot read has not been found valid.
      refused = this.#handshakeFailure(`the peer's certificate cannot be read: ${reasonOf(cause)}`, cause);
    }
    if (refused !== undefined) return this.fail(refused);
    this.#opened = true;
    this.#settle();
    this.#stream.open();
  }

  #handshakeFailure(why: string, cause?: unknown): PeerError {
    return new PeerError("ERR_TLS", `The TLS handshake with ${this.#setup.peer()} failed: ${why}`, { cause });
  }

  #settle(): void {
    this.#whenSettled?.();
    this.#whenSettled = undefined;
  }

  // Transport

  write(chunk: Uint8Array): boolean {
    if (!this.#opened || this.#failed) return false;
    // Deno's node:tls takes nothing for a failure.
    return chunk.length === 0 || this.#stream.write(chunk);
  }

  writev(chunks: readonly Uint8Array[]): boolean {
    if (!this.#opened || this.#failed) return false;
    this.#rest = chunks;
    this.#restAt = 0;
    return this.#writeRest();
  }

  /** Writes one group after the other, until one is lent or all are taken. */
  #writeRest(): boolean {
    const chunks = this.#rest!;
    while (this.#restAt < chunks.length) {
      const group: Uint8Array[] = [];
      for (let bytes = 0; this.#restAt < chunks.length; this.#restAt++) {
        const chunk = chunks[this.#restAt]!;
        bytes += chunk.length;
        if (group.length > 0 && bytes > GROUP_BYTES_MAX) break;
        if (chunk.length > 0) group.push(chunk);
      }
      if (!this.#stream.writev(group)) return false;
    }
    this.#rest = undefined;
    return true;
  }

  #drained(): void {
    if (this.#rest === undefined || this.#writeRest()) this.#handlers.drain();
  }

  setPaused(paused: boolean): boolean {
    if (this.#closing) return true;
    this.#setup.wire.setPaused?.(paused);
    return this.#stream.setPaused(paused);
  }

  close(mode: "flush" | "abort"): void {
    this.#closing = true;
    this.#stream.close(this.#opened ? mode : "abort");
    this.#setup.wire.setPaused?.(false);
    // A handshake does not end by itself while the peer does nothing.
    if (mode === "abort" || !this.#opened) this.#setup.wire.destroy();
  }

  setReferenced(on: boolean): void {
    const { wire } = this.#setup;
    if (wire.setReferenced === undefined) this.#stream.setReferenced(on);
    else wire.setReferenced(on);
  }

  /** What the stream below reports to. */
  #wrapped(): TransportHandlers {
    const handlers = this.#handlers;
    return {
      open: (info) => handlers.open(info),
      data: (chunk) => {
        this.#received = true;
        handlers.data(chunk);
      },
      drain: () => this.#drained(),
      end: () => {
        if (!this.#opened) this.fail(this.#handshakeFailure("the peer left during it"));
        else if (this.#isRefusal(undefined)) this.fail(this.#refusal(undefined));
        else handlers.end();
      },
      close: (cause) => {
        this.#settle();
        handlers.close(cause === undefined ? undefined : this.#reported(cause));
      },
    };
  }

  /** Whether an end, or a loss for this cause, says that the listener did not like our certificate. */
  #isRefusal(cause: unknown): boolean {
    if (!this.#opened || this.#received || !this.#setup.mayBeAsked()) return false;
    return cause === undefined || LOST.includes(codeOf(cause) ?? "");
  }

  #refusal(cause: unknown): PeerError {
    return refusedQuietly(this.#setup.peer(), this.#setup.own, cause);
  }

  #reported(cause: unknown): unknown {
    if (this.#isRefusal(cause)) return this.#refusal(cause);
    const { own, explain, peer } = this.#setup;
    return tlsFailure(this.#opened ? cause : explain(cause), { peer: peer(), own, opened: this.#opened });
  }
}

/**
 * The most that is written at once, unless a chunk is larger. `node:tls` joins what is gathered and encrypts
 * all of it before anything leaves; and blocks of memory from 128 KiB on are slow to come by.
 */
const GROUP_BYTES_MAX = 98_304;

/** What systems say of a connection that the peer has closed although something was on its way to it. */
const LOST: readonly string[] = ["ECONNRESET", "EPIPE", "ECONNABORTED"];
