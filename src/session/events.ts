/**
 * What happens to a socket's endpoints and peers, as data. The names are those of zeromq.js; `drop` is ours.
 *
 * @module
 */

import type { Peer } from "../pattern/pipe.ts";

/** The kinds of events. */
export type SocketEventType =
  /** A stream was accepted; its handshake begins. */
  | "accept"
  /** A stream could not be accepted, or was turned away. `error` says why. */
  | "accept:error"
  | "bind"
  | "bind:error"
  /** An endpoint or a connection of it was closed by us. */
  | "close"
  | "close:error"
  /** A stream was opened; its handshake begins. */
  | "connect"
  /** An attempt to open a stream failed. `error` says why. */
  | "connect:delay"
  /** The next attempt is made in `interval` milliseconds. */
  | "connect:retry"
  /** A peer that was there is gone. `error` says why, unless it left in order. */
  | "disconnect"
  /** The socket is closed. The last event. */
  | "end"
  /** A peer is there. */
  | "handshake"
  /** A handshake failed: the peer broke the protocol or a limit. */
  | "handshake:error:protocol"
  /** A handshake failed: the peer refused us, or we it, for who it is. */
  | "handshake:error:auth"
  /** A handshake failed: time ran out, or the stream broke. */
  | "handshake:error:other"
  /** Messages were dropped on purpose: `count` of them, `error.message` says why. At most one event a loop turn and peer. */
  | "drop";

/** One event. */
export interface SocketEvent {
  readonly type: SocketEventType;
  /** The endpoint concerned, as it was bound or connected; `""` where there is none. */
  readonly address: string;
  /** Who, where that is known. */
  readonly peer?: Peer | undefined;
  readonly error?: Error | undefined;
  /** Milliseconds, of `connect:retry`. */
  readonly interval?: number | undefined;
  /** Messages, of `drop`. */
  readonly count?: number | undefined;
}
