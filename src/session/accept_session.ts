/**
 * One accepted connection: its pipe exists from the end of the handshake to the end of the connection. What
 * is queued then is lost, as in libzmq. States: states.ts.
 *
 * @module
 */

import type { HighWaterMark } from "../pattern/pipe/outbound_queue.ts";
import type { KnownPeer } from "../pattern/pipe/pipe.ts";
import { type PipeOwner, StreamPipe } from "../pattern/pipe/stream_pipe.ts";
import type { Attach, TransportInfo } from "../ports.ts";
import { next } from "../state_table.ts";
import { Connection, type ConnectionEvents, handshakeErrorType } from "./connection.ts";
import { LINGER_OVER, tellDropped } from "./dropped.ts";
import type { Session, SessionOptions, SessionOwner } from "./owner.ts";
import type { Runtime } from "./runtime.ts";
import { ACCEPT_TRANSITIONS, type AcceptInput, type AcceptState } from "./states.ts";

/** What accepted connections report to their listener. */
export interface AcceptEvents {
  /** The stream is open. `remoteAddress` is the peer's address. */
  opened(session: AcceptSession, remoteAddress: string): void;
  /** The handshake is done or never will be. Called once. */
  handshakeEnded(session: AcceptSession): void;
}

/** One accepted connection over a byte stream. */
export class AcceptSession implements Session, ConnectionEvents, PipeOwner {
  readonly endpoint: string;
  readonly #owner: SessionOwner;
  readonly #runtime: Runtime;
  readonly #options: SessionOptions;
  readonly #connection: Connection;
  readonly #listener: AcceptEvents;
  #state: AcceptState = "handshaking";
  #pipe: StreamPipe | undefined;
  #cancelLinger: (() => void) | undefined;

  /** `options`: those of the endpoint that accepted it. */
  constructor(
    owner: SessionOwner,
    runtime: Runtime,
    endpoint: string,
    options: SessionOptions,
    listener: AcceptEvents,
  ) {
    this.#owner = owner;
    this.#runtime = runtime;
    this.endpoint = endpoint;
    this.#options = options;
    this.#listener = listener;
    this.#connection = new Connection(owner, runtime, endpoint, options.engineInit, this);
  }

  get queuedMessages(): number {
    return this.#pipe?.queuedMessages ?? 0;
  }

  setMarks(send: HighWaterMark, receive: HighWaterMark): void {
    this.#pipe?.outbound.setMark(send);
    this.#pipe?.inbound.setMark(receive);
  }

  start(attach: Attach): void {
    this.#connection.start(attach, true);
  }

  /** Gives up an unfinished handshake and reports `why`. Does nothing once the handshake is done. */
  evict(why: Error): void {
    if (this.#state !== "handshaking") return;
    this.#go("refuse");
    this.#owner.emit({ type: handshakeErrorType(why), address: this.endpoint, error: why });
    this.#connection.close("abort");
  }

  close(lingerMs: number): void {
    const pipe = this.#pipe;
    if (this.#owner.closed) pipe?.drop();
    if (this.#isClosing || this.#state === "gone") return;
    const lingers = pipe !== undefined && pipe.queuedMessages > 0 && lingerMs !== 0 && pipe.connected;
    if (lingers) this.#go("linger");
    if (!lingers) return this.#finish("flush");
    if (lingerMs > 0) {
      this.#cancelLinger = this.#runtime.host.schedule(lingerMs, () => this.#lingerOver(), false);
    }
  }

  #lingerOver(): void {
    this.#tellDropped(LINGER_OVER);
    this.#finish("abort");
  }

  #finish(mode: "flush" | "abort"): void {
    this.#go("close");
    this.#cancelLinger?.();
    this.#cancelLinger = undefined;
    this.#pipe?.outbound.clear();
    this.#connection.close(mode);
  }

  // What its connection reports.

  opened(_connection: Connection, { remoteAddress }: TransportInfo): void {
    if (this.#state === "refused") return;
    if (this.#state === "handshaking") this.#listener.opened(this, remoteAddress);
    this.#owner.emit({ type: "accept", address: this.endpoint });
  }

  ready(_connection: Connection, known: KnownPeer): void {
    this.#go("handshaken");
    if (!this.#isReady) return;
    const pipe = new StreamPipe(this, {
      pattern: this.#owner.pattern,
      options: this.#owner.patternOptions,
      conflate: this.#options.conflate,
      pool: this.#runtime.pool,
      queuedTotal: this.#runtime.queuedTotal,
      receivedTotal: this.#runtime.receivedTotal,
    });
    pipe.known = known;
    this.#pipe = pipe;
    this.#owner.pattern.attach(pipe);
    if (this.#isReady) this.#connection.join(pipe);
    // The pattern may have refused the peer because its routing id is taken.
    if (this.#isReady) this.#owner.joined(this.endpoint, known);
  }

  lost(_connection: Connection, _handshaken: boolean, error: Error | undefined): void {
    this.#go("lost");
    // Unless a close without linger asked for it.
    if (this.#state === "lost" || this.#state === "lingering") this.#tellDropped("the peer is gone");
    this.#cancelLinger?.();
    this.#cancelLinger = undefined;
    if (this.#state !== "lost") return;
    const address = this.endpoint;
    const { known } = this.#connection;
    if (known !== undefined) return this.#owner.left(address, known, error);
    const why = error ?? new Error("The stream ended during the handshake");
    this.#owner.emit({ type: handshakeErrorType(error), address, error: why });
  }

  gone(): void {
    this.#go("gone");
    this.#pipe?.outbound.clear();
    this.#cancelLinger?.();
    this.#owner.sessionClosed(this);
  }

  // What its pipe reports.

  refuse(why: Error, flush: boolean): void {
    if (!this.#isReady) return;
    this.#owner.left(this.endpoint, this.#connection.known, why);
    // An event listener may have closed the socket meanwhile.
    if (!this.#isReady) return;
    this.#go("refuse");
    if (!flush) {
      this.#tellDropped("the peer was refused");
      this.#pipe?.outbound.clear();
    }
    this.#connection.close(flush ? "flush" : "abort");
  }

  busy(on: boolean): void {
    if (on) this.#runtime.keepAlive.hold();
    else this.#runtime.keepAlive.release();
    if (!on && this.#state === "lingering") this.#finish("flush");
  }

  #tellDropped(why: string): void {
    tellDropped(this.#owner, this.endpoint, this.#connection.known, this.queuedMessages, why);
  }

  get #isReady(): boolean {
    return this.#state === "ready";
  }

  get #isClosing(): boolean {
    return this.#state === "lingering" || this.#state === "closing";
  }

  /** Changes the state, and does what all transitions into or out of a state share. */
  #go(input: AcceptInput): void {
    const before = this.#state;
    const held = this.#isClosing;
    this.#state = next(ACCEPT_TRANSITIONS, before, input);
    if (this.#state === before) return;
    if (before === "handshaking") this.#listener.handshakeEnded(this);
    if (before === "ready" && this.#pipe !== undefined) {
      this.#pipe.closed = true;
      this.#owner.pattern.detach(this.#pipe);
    }
    if (this.#isClosing === held) return;
    if (held) this.#runtime.keepAlive.release();
    else this.#runtime.keepAlive.hold();
  }
}
