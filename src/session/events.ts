/**
 * What happens to a socket's endpoints and peers, as data. The names are those of zeromq.js, except `drop`.
 *
 * @module
 */

import type { Peer } from "../pattern/pipe/pipe.ts";

/** The field that every event has. */
export interface EndpointEvent {
  /** The endpoint, as it was bound or connected; `""` if the event has none. */
  readonly address: string;
}

/** An event that reports a failure. */
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
  /** The peer that is connected. */
  readonly peer: Peer;
}

/** `disconnect` */
export interface DisconnectEvent extends EndpointEvent {
  /** The peer that is gone. `undefined` if the socket refused its own endpoint, as a Pair does its second. */
  readonly peer: Peer | undefined;
  /** Why. `undefined` if the connection ended in order. */
  readonly error: Error | undefined;
}

/** `drop` */
export interface DropEvent extends FailureEvent {
  /** The peer that the messages were for, if that is known. */
  readonly peer: Peer | undefined;
  /** How many messages. */
  readonly count: number;
}

/** The kinds of events by name, with the fields that each has besides `type`. */
export interface SocketEvents {
  /** A stream was accepted; its handshake begins. */
  readonly accept: EndpointEvent;
  /** A stream could not be accepted. */
  readonly "accept:error": FailureEvent;
  /** The socket is bound to an endpoint. */
  readonly bind: EndpointEvent;
  /** An endpoint could not be bound. */
  readonly "bind:error": FailureEvent;
  /** We closed an endpoint: it no longer listens, or no longer connects. */
  readonly close: EndpointEvent;
  /** Never emitted, because closing does not fail here. Declared for programs that come from zeromq.js. */
  readonly "close:error": FailureEvent;
  /** A stream was opened; its handshake begins. */
  readonly connect: EndpointEvent;
  /** An attempt to open a stream failed. */
  readonly "connect:delay": FailureEvent;
  /** The next attempt is made in `interval` milliseconds. */
  readonly "connect:retry": RetryEvent;
  /** A peer that was connected is gone, or an endpoint was refused by its own socket. */
  readonly disconnect: DisconnectEvent;
  /** The socket is closed. The last event. */
  readonly end: EndpointEvent;
  /** A peer is connected: its handshake is done. */
  readonly handshake: HandshakeEvent;
  /** A handshake failed: the peer broke the protocol or a limit, or its socket type does not fit. */
  readonly "handshake:error:protocol": FailureEvent;
  /** A handshake failed: the peer refused us, or we refused it because of its identity or certificate. */
  readonly "handshake:error:auth": FailureEvent;
  /** A handshake failed: it timed out, the stream broke, or the listener had too many handshakes. */
  readonly "handshake:error:other": FailureEvent;
  /** Messages were dropped; `error.message` says why. At most one event per peer and event-loop turn. */
  readonly drop: DropEvent;
}

/** The name of a kind of event. */
export type SocketEventType = keyof SocketEvents;

/** An event, or one of certain kinds. Its `type` determines which fields it has. */
export type SocketEvent<Type extends SocketEventType = SocketEventType> = {
  [Kind in Type]: { readonly type: Kind } & SocketEvents[Kind];
}[Type];

/** The type of an event that reports a failed handshake. */
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

/** The names of all kinds of events. */
export const SOCKET_EVENT_TYPES: readonly SocketEventType[] = Object.keys(TYPES) as SocketEventType[];
