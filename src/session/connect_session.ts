/**
 * One connecting endpoint: owns the pipe, reconnects when the connection is lost, and delivers what is queued
 * when the endpoint closes. States: states.ts.
 *
 * @module
 */

import { next } from "../state_table.ts";
import { isPermissionError, PeerError } from "../errors.ts";
import type { HighWaterMark } from "../pattern/pipe/outbound_queue.ts";
import type { KnownPeer } from "../pattern/pipe/pipe.ts";
import { type PipeOwner, StreamPipe } from "../pattern/pipe/stream_pipe.ts";
import type { Dial } from "../ports.ts";
import { Backoff, waitToRetry } from "./backoff.ts";
import { Connection, type ConnectionEvents, handshakeErrorType } from "./connection.ts";
import { LINGER_OVER, tellDropped } from "./dropped.ts";
import type { HandshakeErrorType } from "./events.ts";
import type { Session, SessionOptions, SessionOwner } from "./owner.ts";
import type { Runtime } from "./runtime.ts";
import { SESSION_TRANSITIONS, type SessionInput, type SessionState } from "./states.ts";

const GIVEN_UP = "the endpoint does not reconnect";

/** A connecting endpoint over a byte stream. */
export class ConnectSession implements Session, ConnectionEvents, PipeOwner {
  readonly endpoint: string;
  readonly #owner: SessionOwner;
  readonly #options: SessionOptions;
  readonly #runtime: Runtime;
  readonly #routingId: Uint8Array | undefined;
  readonly #backoff: Backoff;
  #dial: Dial | undefined;
  #state: SessionState = "idle";
  #pipe: StreamPipe | undefined;
  #connection: Connection | undefined;
  #cancelRetry: (() => void) | undefined;
  #cancelLinger: (() => void) | undefined;
  #held = false;
  #reported = false;
  #refused = false;
  /** Why the endpoint is unavailable in this process, once that is known. */
  #failure: Error | undefined;

  /** `routingId`: the id under which a Router knows this peer, whatever the peer announces. */
  constructor(owner: SessionOwner, runtime: Runtime, endpoint: string, routingId?: Uint8Array) {
    this.#owner = owner;
    this.#options = owner.sessionOptions;
    this.#runtime = runtime;
    this.endpoint = endpoint;
    this.#routingId = routingId;
    this.#backoff = new Backoff((into) => runtime.host.random(into));
  }

  /**
   * Attaches the pipe to the pattern, unless `immediate` is set. The pattern may refuse it from inside, so
   * call this once the socket knows the session.
   */
  prepare(): void {
    if (!this.#options.immediate) this.#attachPipe();
  }

  get state(): SessionState {
    return this.#state;
  }

  get queuedMessages(): number {
    return this.#pipe?.queuedMessages ?? 0;
  }

  setMarks(send: HighWaterMark, receive: HighWaterMark): void {
    this.#pipe?.outbound.setMark(send);
    this.#pipe?.inbound.setMark(receive);
  }

  /** The transport is known: starts to connect. Does nothing once closed. */
  start(dial: Dial): void {
    if (this.#state === "closed") return;
    this.#dial = dial;
    this.#connect();
  }

  /** Uses another dial for the next attempt. */
  redial(dial: Dial): void {
    if (this.#dial !== undefined) this.#dial = dial;
  }

  /** The transport is unavailable. */
  failToStart(error: Error): void {
    if (this.#state === "closed") return;
    this.#failure = error;
    this.#tellFailed("connect:delay", error);
    this.#end("giveUp", "flush", "there is no transport for the endpoint");
  }

  close(lingerMs: number): void {
    const pipe = this.#pipe;
    if (this.#owner.closed) pipe?.drop();
    if (this.#state === "closed" || this.#state === "lingering") return;
    const queued = pipe !== undefined && pipe.queuedMessages > 0;
    this.#hold(true);
    if (pipe !== undefined) this.#detachPipe(pipe);
    if (!queued || lingerMs === 0) return this.#end("close");
    this.#go("linger");
    if (lingerMs > 0) {
      this.#cancelLinger = this.#runtime.host.schedule(
        lingerMs,
        () => this.#end("close", "abort", LINGER_OVER),
        false,
      );
    }
  }

  #connect(): void {
    this.#go("dial");
    const { engineInit } = this.#options;
    const connection = new Connection(this.#owner, this.#runtime, this.endpoint, engineInit, this);
    this.#connection = connection;
    connection.start(this.#dial!);
  }

  // What its connection reports.

  opened(): void {
    this.#go("opened");
    this.#owner.emit({ type: "connect", address: this.endpoint });
  }

  ready(connection: Connection, known: KnownPeer): void {
    if (this.#state === "closed") return;
    this.#backoff.connected(this.#runtime.host.nowMs());
    this.#go("handshaken");
    connection.join(this.#pipe ?? this.#attachPipe());
    if (this.#connection === connection) this.#owner.joined(this.endpoint, known);
  }

  lost(connection: Connection, handshaken: boolean, error: Error | undefined): void {
    const { known } = connection;
    const denied = isPermissionError(error);
    if (denied && this.#state !== "closed") this.#failure = error;
    if (this.#state === "closed") {
      // We ended it. While the socket is open, listeners that count peers need the event all the same.
      if (known !== undefined && !this.#refused && !this.#owner.closed) this.#tellGone(known, undefined);
      return;
    }
    if (known !== undefined) {
      if (this.#pipe !== undefined && this.#state !== "lingering") this.#owner.pattern.lost(this.#pipe);
      this.#tellGone(known, error);
    } else if (this.#state === "dialing" || (this.#state === "lingering" && !handshaken)) {
      this.#tellFailed("connect:delay", error ?? new Error("The stream could not be opened"));
    } else {
      this.#tellFailed(
        handshakeErrorType(error),
        error ?? new Error("The stream ended during the handshake"),
      );
    }
    if (this.#isOver) return;
    if (this.#options.immediate && this.#pipe !== undefined && this.#state !== "lingering") {
      // With `immediate`, a queue belongs to one connection.
      this.#detachPipe(this.#pipe);
      this.#tellDropped("the connection was lost");
      this.#pipe.outbound.clear();
      this.#pipe = undefined;
    }
    // The peer refused us with an ERROR command: it would refuse another attempt, too (RFC 37).
    const refused = error instanceof PeerError && error.code === "ERR_PEER_ERROR";
    if (denied || refused || this.#options.reconnectIntervalMs < 0) {
      this.#end("giveUp", "flush", GIVEN_UP);
    }
  }

  gone(connection: Connection): void {
    if (this.#connection === connection) this.#connection = undefined;
    if (this.#state === "closed") return this.#report();
    if (this.#state === "lingering" && this.queuedMessages === 0) return this.#end("close");
    this.#retry();
  }

  /** An event listener may have closed the socket meanwhile. */
  get #isOver(): boolean {
    return this.#state === "closed";
  }

  #retry(): void {
    if (this.#isOver) return this.#report();
    const { reconnectIntervalMs, reconnectIntervalMaxMs } = this.#options;
    if (reconnectIntervalMs < 0) return this.#end("giveUp", "flush", GIVEN_UP);
    this.#go("lost");
    const delayMs = this.#backoff.nextMs(
      reconnectIntervalMs,
      reconnectIntervalMaxMs,
      this.#runtime.host.nowMs(),
    );
    this.#cancelRetry = waitToRetry(this.#runtime.host, delayMs, () => this.#connect());
    this.#owner.emit({ type: "connect:retry", address: this.endpoint, interval: delayMs });
  }

  #attachPipe(): StreamPipe {
    const pipe = new StreamPipe(this, {
      pattern: this.#owner.pattern,
      options: this.#owner.patternOptions,
      conflate: this.#options.conflate,
      pool: this.#runtime.pool,
      queuedTotal: this.#runtime.queuedTotal,
      receivedTotal: this.#runtime.receivedTotal,
    });
    pipe.routingId = this.#routingId;
    this.#pipe = pipe;
    this.#owner.pattern.attach(pipe);
    return pipe;
  }

  #detachPipe(pipe: StreamPipe): void {
    pipe.closed = true;
    this.#owner.pattern.detach(pipe);
  }

  // What its pipe reports.

  busy(on: boolean): void {
    if (on) this.#runtime.keepAlive.hold();
    else this.#runtime.keepAlive.release();
    if (!on && this.#state === "lingering") this.#end("close");
  }

  refuse(why: Error): void {
    if (this.#state === "closed") return;
    this.#refused = true;
    this.#tellGone(this.#connection?.known, why);
    if (this.#pipe !== undefined && !this.#pipe.closed) this.#detachPipe(this.#pipe);
    this.#end("giveUp", "abort", "the peer was refused");
  }

  /**
   * Ends the session for good: closes the connection and drops what is still queued. `why`: the reason to
   * report for the drop; omitted if the user asked for it.
   */
  #end(input: SessionInput, mode: "flush" | "abort" = "flush", why?: string): void {
    if (this.#state === "closed") return;
    this.#go(input);
    this.#hold(true);
    this.#cancelRetry?.();
    this.#cancelLinger?.();
    const pipe = this.#pipe;
    if (pipe !== undefined) {
      if (!pipe.closed) this.#detachPipe(pipe);
      if (why !== undefined) this.#tellDropped(why);
      pipe.outbound.clear();
    }
    if (this.#connection === undefined) this.#report();
    else this.#connection.close(mode);
  }

  #tellDropped(why: string): void {
    tellDropped(this.#owner, this.endpoint, this.#pipe?.known, this.queuedMessages, why);
  }

  #report(): void {
    if (this.#reported) return;
    this.#reported = true;
    this.#owner.emit({ type: "close", address: this.endpoint });
    this.#hold(false);
    this.#owner.sessionClosed(this, this.#failure);
  }

  /** Keeps the process alive from the start of closing until everything is closed. */
  #hold(on: boolean): void {
    if (this.#held === on) return;
    this.#held = on;
    if (on) this.#runtime.keepAlive.hold();
    else this.#runtime.keepAlive.release();
  }

  #tellGone(known: KnownPeer | undefined, error: Error | undefined): void {
    this.#owner.left(this.endpoint, known, error);
  }

  #tellFailed(type: "connect:delay" | HandshakeErrorType, error: Error): void {
    this.#owner.emit({ type, address: this.endpoint, error });
  }

  #go(input: SessionInput): void {
    this.#state = next(SESSION_TRANSITIONS, this.#state, input);
    this.#owner.traceState(this.endpoint, this.#state);
  }
}
