/**
 * What happens to a socket's endpoints and peers, as data. The names are those of zeromq.js; `drop` is ours.
 *
 * @module
 */

import type { Peer } from "../pattern/pipe.ts";

/** What every event says. */
export interface EndpointEvent {
  /** The endpoint concerned, as it was bound or connected; `""` where there is none. */
  readonly address: string;
}

/** An event that tells of a failure. */
export interface FailureEvent extends EndpointEvent {
  /** What went wrong. */
  readonly error: Error;
}

/** `connect:retry` */
export interface RetryEvent extends EndpointEvent {
  /** Milliseconds until the next attempt. */
  readonly interval: number;
}

/** `handshake` */
export interface HandshakeEvent extends EndpointEvent {
  /** Who is there. */
  readonly peer: Peer;
}

/** `disconnect` */
export interface DisconnectEvent extends EndpointEvent {
  /**
   * Who is gone. `undefined`: a connection that this socket may not have (the second one of a Pair) was
   * refused.
   */
  readonly peer: Peer | undefined;
  /** Why. `undefined`: the peer left in order. */
  readonly error: Error | undefined;
}

/** `drop` */
export interface DropEvent extends FailureEvent {
  /** For whom the messages were, where that is known. */
  readonly peer: Peer | undefined;
  /** How many messages. */
  readonly count: number;
}

/** The kinds of events, by name, and what each says besides its name. */
export interface SocketEvents {
  /** A stream was accepted; its handshake begins. */
  readonly accept: EndpointEvent;
  /** A stream could not be accepted, or was turned away. */
  readonly "accept:error": FailureEvent;
  /** The socket is bound to an endpoint. */
  readonly bind: EndpointEvent;
  /** An endpoint could not be bound. */
  readonly "bind:error": FailureEvent;
  /** An endpoint or a connection of it was closed by us. */
  readonly close: EndpointEvent;
  /** Known for the sake of programs that come from zeromq.js; closing does not fail here. */
  readonly "close:error": FailureEvent;
  /** A stream was opened; its handshake begins. */
  readonly connect: EndpointEvent;
  /** An attempt to open a stream failed. */
  readonly "connect:delay": FailureEvent;
  /** The next attempt is made in `interval` milliseconds. */
  readonly "connect:retry": RetryEvent;
  /** A peer that was there is gone. */
  readonly disconnect: DisconnectEvent;
  /** The socket is closed. The last event. */
  readonly end: EndpointEvent;
  /** A peer is there. */
  readonly handshake: HandshakeEvent;
  /** A handshake failed: the peer broke the protocol or a limit. */
  readonly "handshake:error:protocol": FailureEvent;
  /** A handshake failed: the peer refused us, or we it, for who it is. */
  readonly "handshake:error:auth": FailureEvent;
  /** A handshake failed: time ran out, or the stream broke. */
  readonly "handshake:error:other": FailureEvent;
  /** Messages were dropped on purpose; `error.message` says why. At most one event a loop turn and peer. */
  readonly drop: DropEvent;
}

/** The name of a kind of events. */
export type SocketEventType = keyof SocketEvents;

/** One event, or one of certain kinds: its `type` tells which fields it has. */
export type SocketEvent<Type extends SocketEventType = SocketEventType> = {
  [Kind in Type]: { readonly type: Kind } & SocketEvents[Kind];
}[Type];

/** A handshake that came to nothing. */
export type HandshakeErrorType = Extract<SocketEventType, `handshake:error:${string}`>;

const TYPES: Readonly<Record<SocketEventType, true>> = {
  accept: true,
  "accept:error": true,
  bind: true,
  "bind:error": true,
  close: true,
  "close:error": true,
  connect: true,
  "connect:delay": true,
  "connect:retry": true,
  disconnect: true,
  end: true,
  handshake: true,
  "handshake:error:protocol": true,
  "handshake:error:auth": true,
  "handshake:error:other": true,
  drop: true,
};

/** Every kind of events. */
export const SOCKET_EVENT_TYPES: readonly SocketEventType[] = Object.keys(TYPES) as SocketEventType[];
