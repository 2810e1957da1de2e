/**
 * What sessions need of the socket that owns them.
 *
 * @module
 */

import type { EngineInit } from "../engine/engine.ts";
import type { Pattern, PatternOptions } from "../pattern/pattern.ts";
import type { HighWaterMark } from "../pattern/outbound_queue.ts";
import type { BodyAllocator } from "../zmtp/frame_sink.ts";
import type { SocketEvent } from "./events.ts";

/** The options that an endpoint is made with. It keeps them, reconnects included, whatever is set later. */
export interface SessionOptions {
  /** What its connections are made with. */
  readonly engineInit: EngineInit;
  /** Keep only the newest message of each peer. */
  readonly conflate: boolean;
  /** Base wait before a connection is tried again; -1: never. */
  readonly reconnectIntervalMs: number;
  /** Upper bound of the growing wait; 0: it does not grow. */
  readonly reconnectIntervalMaxMs: number;
  /** Queue messages only for peers that are there. */
  readonly immediate: boolean;
  /** Half-open handshakes of one listener. */
  readonly handshakesMax: number;
}

/** The input of one connection, for whoever decides where its bodies go. */
export interface ConnectionInput {
  /** The allocator answered `later` and has memory now. Not from inside the allocator. */
  restart(): void;
  /** Bytes that have arrived so far, handshake included. */
  readonly receivedBytes: number;
}

/** A socket, to its sessions. */
export interface SessionOwner {
  /** Whether the socket was closed. */
  readonly closed: boolean;
  readonly pattern: Pattern;
  /** Options that act at once. */
  readonly patternOptions: PatternOptions;
  /** What the next endpoint is made with: the same object until an option changes. */
  readonly sessionOptions: SessionOptions;
  /**
   * Asked once for every connection over a byte stream, before its handshake. The answer is the allocator of the pipe
   * that the connection joins, too. Missing, or `undefined`: bodies go where the decoder likes.
   */
  readonly allocatorFor?: ((input: ConnectionInput) => BodyAllocator | undefined) | undefined;
  emit(event: SocketEvent): void;
  /** A connecting endpoint is in another state. */
  traceState(address: string, state: string): void;
  /** A session is over and holds nothing any more. `failure`: why it can never be had here, if it gave up for that. */
  sessionClosed(session: Session, failure?: Error): void;
}

/** An endpoint in use, or an accepted connection. */
export interface Session {
  /** The endpoint as it was bound or connected. */
  readonly endpoint: string;
  /** Messages that were sent and not yet taken by a transport. */
  readonly queuedMessages: number;
  /** Ends it. What is queued may still leave for `lingerMs` (-1: for ever). `sessionClosed` follows, perhaps at once. */
  close(lingerMs: number): void;
  /** New high-water marks for a pipe that exists. */
  setMarks(send: HighWaterMark, receive: HighWaterMark): void;
}
