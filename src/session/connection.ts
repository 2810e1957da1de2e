/**
 * One engine with its driver, and the events that sessions need of them.
 *
 * @module
 */

import { Driver, type DriverEvents } from "../engine/driver.ts";
import { Engine, type EngineInit } from "../engine/engine.ts";
import type { CloseReason, EngineEvent } from "../engine/engine_events.ts";
import { isBytes } from "../engine/transport_rules.ts";
import { PeerError } from "../errors.ts";
import type { KnownPeer } from "../pattern/pipe/pipe.ts";
import type { StreamPipe } from "../pattern/pipe/stream_pipe.ts";
import type { Dial, TransportInfo } from "../ports.ts";
import type { BodyAllocator } from "../zmtp/frame_sink.ts";
import type { HandshakeErrorType } from "./events.ts";
import type { ConnectionInput, SessionOwner } from "./owner.ts";
import type { Runtime } from "./runtime.ts";
import { StreamPeer } from "./stream_peer.ts";

/** What a connection reports to its session. */
export interface ConnectionEvents {
  opened(connection: Connection, info: TransportInfo): void;
  /** The handshake is done. In response the session joins a pipe. */
  ready(connection: Connection, known: KnownPeer): void;
  /** Nothing more is sent or received. `error`: why; `undefined` if the connection ended in order. */
  lost(connection: Connection, handshaken: boolean, error: Error | undefined): void;
  /** No memory of the pipe is in use any longer. The last call. */
  gone(connection: Connection): void;
}

/** One connection over a byte stream, from dial to close. */
export class Connection implements ConnectionInput, DriverEvents {
  /** Set once the handshake is done. */
  known: KnownPeer | undefined;
  /** Counted only where an allocator is installed. */
  receivedBytes = 0;
  readonly #allocator: BodyAllocator | undefined;
  readonly #owner: SessionOwner;
  readonly #runtime: Runtime;
  readonly #endpoint: string;
  readonly #session: ConnectionEvents;
  readonly #engine: Engine;
  readonly #driver: Driver;
  #pipe: StreamPipe | undefined;
  /** Until the peer is known. */
  #info: TransportInfo | undefined;
  #lost = false;

  /** `init`: the engine settings that all of the endpoint's connections share. */
  constructor(
    owner: SessionOwner,
    runtime: Runtime,
    endpoint: string,
    init: EngineInit,
    session: ConnectionEvents,
  ) {
    this.#owner = owner;
    this.#runtime = runtime;
    this.#endpoint = endpoint;
    this.#session = session;
    const allocator = owner.allocatorFor?.(this);
    this.#allocator = allocator;
    this.#engine = new Engine(allocator === undefined ? init : { ...init, allocator });
    this.#driver = new Driver(this.#engine, runtime.scheduler, this);
  }

  /**
   * Opens the stream. `lost` and `gone` may be called from inside: a dial that throws or is not a function
   * fails at once. `accepted`: the peer dialled.
   */
  start(dial: Dial, accepted = false): void {
    const counts = this.#allocator !== undefined && typeof dial === "function";
    if (accepted) this.#driver.accepts();
    this.#driver.start(counts ? this.#counting(dial) : dial);
  }

  /** Decodes on after the allocator returned `"later"`: see {@link ConnectionInput}. */
  restart(): void {
    this.#driver.resumeDecoding();
  }

  /** Lets a pipe send and receive, and tells the pattern that the peer is connected. */
  join(pipe: StreamPipe): void {
    this.#pipe = pipe;
    pipe.known = this.known;
    pipe.allocator = this.#allocator;
    pipe.join(this.#engine, this.#driver);
    this.#owner.pattern.ready(pipe);
    pipe.begin();
  }

  close(mode: "flush" | "abort"): void {
    this.#driver.close(mode);
  }

  #counting(dial: Dial): Dial {
    return (handlers) =>
      dial({
        ...handlers,
        data: (chunk) => {
          if (isBytes(chunk)) this.receivedBytes += chunk.length;
          handlers.data(chunk);
        },
      });
  }

  // What the driver reports.

  opened(info: TransportInfo): void {
    this.#info = info;
    this.#session.opened(this, info);
  }

  engine(event: EngineEvent): void {
    switch (event.type) {
      case "ready":
        this.known = new StreamPeer(this.#runtime.nextPeerId(), this.#endpoint, this.#info!, event.peer);
        this.#info = undefined;
        this.#session.ready(this, this.known);
        return;
      case "authorize":
        // No mechanism of this version asks. One that does will find its answer in the socket's options.
        return;
      case "closed":
        this.#lose(event.handshaken, errorOf(event.reason, event.handshaken));
        return;
    }
  }

  dropped(count: number, why: string): void {
    if (this.#pipe !== undefined) this.#owner.dropped(this.#pipe, why, count);
  }

  gone(cause: unknown): void {
    this.#lose(false, asError(cause));
    this.#session.gone(this);
  }

  #lose(handshaken: boolean, error: Error | undefined): void {
    if (this.#lost) return;
    this.#lost = true;
    this.#pipe?.part();
    this.#session.lost(this, handshaken, error);
  }
}

function errorOf(reason: CloseReason, handshaken: boolean): Error | undefined {
  switch (reason.kind) {
    case "local":
      return undefined;
    case "remote":
      return handshaken ? undefined : new Error("The peer left before the handshake was done");
    case "peer":
      return reason.error;
    case "transport":
      return asError(reason.cause);
  }
}

function asError(cause: unknown): Error | undefined {
  if (cause === undefined || cause instanceof Error) return cause;
  return new Error(String(cause));
}

/** Returns the type of the event that reports a handshake that failed with `error`. */
export function handshakeErrorType(error: Error | undefined): HandshakeErrorType {
  if (!(error instanceof PeerError)) return "handshake:error:other";
  if (error.code.startsWith("ERR_CERTIFICATE_")) return "handshake:error:auth";
  switch (error.code) {
    case "ERR_PEER_ERROR":
    case "ERR_PEER_IDENTITY":
      return "handshake:error:auth";
    case "ERR_PEER_HANDSHAKE_TIMEOUT":
    case "ERR_TRANSPORT":
    case "ERR_PEER_HANDSHAKES":
      return "handshake:error:other";
    default:
      return "handshake:error:protocol";
  }
}
