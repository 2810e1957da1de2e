/**
 * A WebSocket of `Bun.serve` as a link. It can pause; `send` returns -1 when what it took waits, and `drain`
 * follows.
 *
 * @module
 */

import { copyOf, NO_BYTES } from "../../src/bytes/bytes.ts";
import { PeerError } from "../../src/errors.ts";
import type { LinkFailure, MessageHandlers, MessageLinkInfo } from "../../src/websocket/message_link.ts";
import { host } from "../shared_host.ts";
import { CLOSE_MS, closeCause, type ServedLink } from "./served_link.ts";
import type { BunHandlers, BunSocketLike } from "./types.ts";

/** See the module. */
export class BunLink implements ServedLink<undefined> {
  handlers: MessageHandlers | undefined;
  info: MessageLinkInfo | undefined;
  abandoned: () => void = () => {};
  readonly #messageBytesMax: number;
  #socket: BunSocketLike | undefined;
  #lent = false;
  #paused = false;
  #closing = false;
  #closed = false;

  constructor(messageBytesMax: number) {
    this.#messageBytesMax = messageBytesMax;
  }

  send(message: Uint8Array): boolean {
    // What the system did not take was copied; so only the order to wait is left. 0: the socket is closed.
    this.#lent = this.#socket!.send(message) <= 0;
    return !this.#lent;
  }

  setPaused(paused: boolean): void {
    if (this.#closing || paused === this.#paused) return;
    this.#paused = paused;
    if (paused) this.#socket?.pause?.();
    else this.#socket?.resume?.();
  }

  ping(payload: Uint8Array): void {
    this.#socket?.ping(payload);
  }

  close(mode: "flush" | "abort", failure?: LinkFailure): void {
    if (this.#closed) return;
    this.setPaused(false);
    this.#closing = true;
    const socket = this.#socket;
    if (mode === "flush" && socket !== undefined) {
      socket.close(1000);
      return this.#cutLater(socket);
    }
    this.#closed = true;
    if (socket === undefined) {
      this.abandoned();
    } else if (failure === undefined) {
      socket.terminate();
    } else {
      socket.close(failure.code, failure.reason);
      this.#cutLater(socket);
    }
    host.turn(() => this.handlers!.close());
  }

  /** Nothing is left to do: Bun tells all that happens to {@link bunHandlers}. */
  switched(): void {}

  refused(cause: unknown): void {
    if (this.#closed) return;
    this.#closed = true;
    host.turn(() => this.handlers!.close(cause));
  }

  // What Bun reports.

  opened(socket: BunSocketLike): void {
    if (this.#closed) return socket.terminate();
    socket.binaryType = "uint8array";
    this.#socket = socket;
    this.handlers!.open(this.info!);
  }

  message(message: unknown): void {
    if (this.#closed) return;
    if (message instanceof Uint8Array) this.handlers!.message(message);
    else this.handlers!.text();
  }

  drained(): void {
    if (this.#closed || !this.#lent) return;
    this.#lent = false;
    this.handlers!.drain();
  }

  /** Bun has answered; to us it is a sign of life. */
  pinged(): void {
    if (!this.#closed) this.handlers!.pong?.(NO_BYTES);
  }

  pong(payload: unknown): void {
    if (!this.#closed && payload instanceof Uint8Array) this.handlers!.pong?.(copyOf(payload));
  }

  lost(code: number, reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    const bytesMax = this.#messageBytesMax;
    const cause = this.#closing ? undefined : closeCause(this.info!, { code, reason, bytesMax });
    this.handlers!.close(cause);
  }

  /** A peer that does not answer our close frame is not waited for, once it has all that was sent. */
  #cutLater(socket: BunSocketLike): void {
    host.schedule(CLOSE_MS, () => {
      if ((socket.getBufferedAmount?.() ?? 0) > 0) return this.#cutLater(socket);
      socket.terminate();
    }, false);
  }
}

/** A socket that was not opened by {@link BunLink}. */
function linkOf(socket: BunSocketLike): BunLink {
  const { data } = socket;
  if (data instanceof BunLink) return data;
  throw new PeerError("ERR_WEBSOCKET", "bunHandlers got a WebSocket that webSocketListener did not open");
}

/** The handlers for `Bun.serve`. */
export function bunHandlers(messageBytesMax: number): BunHandlers {
  return {
    open: (socket) => linkOf(socket).opened(socket),
    message: (socket, message) => linkOf(socket).message(message),
    drain: (socket) => linkOf(socket).drained(),
    ping: (socket) => linkOf(socket).pinged(),
    pong: (socket, payload) => linkOf(socket).pong(payload),
    close: (socket, code, reason) => linkOf(socket).lost(code, reason),
    maxPayloadLength: messageBytesMax,
    // No limit: beyond one, messages are dropped. We send nothing while one waits.
    backpressureLimit: 0,
    // Ours are the PINGs, and who is silent is judged by heartbeats.
    idleTimeout: 0,
    sendPings: false,
    perMessageDeflate: false,
  };
}
