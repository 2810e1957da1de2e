/**
 * What sessions need of the socket that owns them.
 *
 * @module
 */

import type { EngineInit } from "../engine/engine.ts";
import type { Pattern, PatternOptions } from "../pattern/pattern.ts";
import type { HighWaterMark } from "../pattern/pipe/outbound_queue.ts";
import type { KnownPeer, Pipe } from "../pattern/pipe/pipe.ts";
import type { BodyAllocator } from "../zmtp/frame_sink.ts";
import type { SocketEvent } from "./events.ts";

/** The options of an endpoint. It keeps them, across reconnects too, whatever is set on the socket later. */
export interface SessionOptions {
  /** The engine settings of its connections. */
  readonly engineInit: EngineInit;
  /** Keep only the newest message of each peer. */
  readonly conflate: boolean;
  /** Base wait before the next attempt to connect; -1: never reconnect. */
  readonly reconnectIntervalMs: number;
  /** Upper bound of the growing wait; 0: the wait does not grow. */
  readonly reconnectIntervalMaxMs: number;
  /** Queue messages only for connected peers. */
  readonly immediate: boolean;
  /** Limit on unfinished handshakes of one listener. */
  readonly handshakesMax: number;
}

/** The input of one connection, for the owner of the allocator that places its bodies. */
export interface ConnectionInput {
  /** The allocator returned `"later"` and has memory now. Not to be called from inside the allocator. */
  restart(): void;
  /** Bytes that have arrived so far, handshake included. */
  readonly receivedBytes: number;
}

/** A socket as its sessions see it. */
export interface SessionOwner {
  /** Whether the socket was closed. */
  readonly closed: boolean;
  readonly pattern: Pattern;
  /** Options that take effect at once. */
  readonly patternOptions: PatternOptions;
  /** The options of the next endpoint: the same object until an option changes. */
  readonly sessionOptions: SessionOptions;
  /**
   * Called once for every connection over a byte stream, before its handshake. The allocator that it returns
   * also serves the pipe that the connection joins. If omitted, or `undefined` is returned, the decoder
   * allocates the bodies.
   */
  readonly allocatorFor?: ((input: ConnectionInput) => BodyAllocator | undefined) | undefined;
  emit(event: SocketEvent): void;
  /** A peer is connected, which `handshake` tells those who listen for it. */
  joined(address: string, known: KnownPeer): void;
  /** A peer is gone, or an endpoint was refused by its own socket, which `disconnect` tells. */
  left(address: string, known: KnownPeer | undefined, error: Error | undefined): void;
  /** `count` messages from a peer were dropped on arrival. */
  dropped(pipe: Pipe, why: string, count: number): void;
  /** A connecting endpoint has changed its state. */
  traceState(address: string, state: string): void;
  /**
   * A session is over and holds nothing any longer. `failure`: why the endpoint is unavailable in this
   * process, if the session gave up for that.
   */
  sessionClosed(session: Session, failure?: Error): void;
}

/** A connecting endpoint, or an accepted connection. */
export interface Session {
  /** The endpoint as it was bound or connected. */
  readonly endpoint: string;
  /** Messages that were sent and not yet taken by a transport. */
  readonly queuedMessages: number;
  /**
   * Ends the session. What is queued may still leave for `lingerMs` (-1: forever). `sessionClosed` follows,
   * perhaps at once.
   */
  close(lingerMs: number): void;
  /** New high-water marks for a pipe that exists. */
  setMarks(send: HighWaterMark, receive: HighWaterMark): void;
}
