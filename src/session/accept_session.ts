/**
 * One accepted connection: its pipe exists from the end of the handshake to the end of the connection, and what is
 * queued then is lost, as in libzmq.
 *
 * @module
 */

import type { HighWaterMark } from "../pattern/outbound_queue.ts";
import type { Peer } from "../pattern/pipe.ts";
import { StreamPipe } from "../pattern/stream_pipe.ts";
import type { Dial } from "../ports.ts";
import { Connection, handshakeErrorType } from "./connection.ts";
import { LINGER_OVER, tellDropped } from "./dropped.ts";
import type { Session, SessionOwner } from "./owner.ts";
import type { Runtime } from "./runtime.ts";

/** See the module. */
export class AcceptSession implements Session {
  readonly endpoint: string;
  readonly #owner: SessionOwner;
  readonly #runtime: Runtime;
  readonly #connection: Connection;
  readonly #handshakeEnded: () => void;
  #pipe: StreamPipe | undefined;
  #closing = false;
  #refused = false;
  #halfOpen = true;
  #held = false;
  #cancelLinger: (() => void) | undefined;

  /** `handshakeEnded` is called once, when the handshake is done or has failed. */
  constructor(owner: SessionOwner, runtime: Runtime, endpoint: string, handshakeEnded: () => void) {
    this.#owner = owner;
    this.#runtime = runtime;
    this.endpoint = endpoint;
    this.#handshakeEnded = handshakeEnded;
    this.#connection = new Connection(owner, runtime, endpoint, {
      opened: () => owner.emit({ type: "accept", address: endpoint }),
      ready: (peer) => this.#ready(peer),
      lost: (_handshaken, error) => this.#lost(error),
      gone: () => this.#gone(),
    });
  }

  get queuedMessages(): number {
    return this.#pipe?.queuedMessages ?? 0;
  }

  setMarks(send: HighWaterMark, receive: HighWaterMark): void {
    this.#pipe?.outbound.setMark(send);
    this.#pipe?.inbound.setMark(receive);
  }

  start(attach: Dial): void {
    this.#connection.start(attach);
  }

  close(lingerMs: number): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#hold(true);
    const queued = this.queuedMessages > 0;
    if (this.#pipe !== undefined) this.#detach(this.#pipe);
    if (this.#owner.closed) this.#pipe?.drop();
    if (!queued || lingerMs === 0 || !this.#pipe!.connected) return this.#finish("flush");
    this.#cancelLinger = lingerMs < 0
      ? (): void => {}
      : this.#runtime.host.schedule(lingerMs, () => this.#lingerOver(), false);
  }

  #lingerOver(): void {
    this.#tellDropped(LINGER_OVER);
    this.#finish("abort");
  }

  #finish(mode: "flush" | "abort"): void {
    this.#cancelLinger?.();
    this.#cancelLinger = undefined;
    this.#pipe?.outbound.clear();
    this.#connection.close(mode);
  }

  #ready(peer: Peer): void {
    this.#endHandshake();
    if (this.#closing) return;
    const pipe = new StreamPipe({
      pattern: this.#owner.pattern,
      options: this.#owner.patternOptions,
      pool: this.#runtime.pool,
      busy: (on) => this.#busy(on),
      refuse: (why, flush) => this.#refuse(why, flush),
    });
    pipe.peer = peer;
    this.#pipe = pipe;
    this.#owner.pattern.attach(pipe);
    if (!this.#refused) this.#connection.join(pipe);
    // The pattern may have found the peer's routing id taken.
    if (!this.#refused) this.#owner.emit({ type: "handshake", address: this.endpoint, peer });
  }

  #lost(error: Error | undefined): void {
    this.#endHandshake();
    const { peer } = this.#connection;
    if (this.#pipe !== undefined && !this.#pipe.closed) this.#detach(this.#pipe);
    // A close without linger asked for it.
    if (!this.#closing || this.#cancelLinger !== undefined) this.#tellDropped("the peer is gone");
    if (this.#closing || this.#refused) return;
    const address = this.endpoint;
    if (peer !== undefined) return this.#owner.emit({ type: "disconnect", address, peer, error });
    const why = error ?? new Error("The stream ended in the handshake");
    this.#owner.emit({ type: handshakeErrorType(error), address, error: why });
  }

  #gone(): void {
    this.#endHandshake();
    this.#pipe?.outbound.clear();
    this.#cancelLinger?.();
    this.#hold(false);
    this.#owner.sessionClosed(this);
  }

  #refuse(why: Error, flush: boolean): void {
    if (this.#refused) return;
    this.#refused = true;
    this.#owner.emit({ type: "disconnect", address: this.endpoint, peer: this.#connection.peer, error: why });
    if (this.#pipe !== undefined && !this.#pipe.closed) this.#detach(this.#pipe);
    if (!flush) {
      this.#tellDropped("the peer was refused");
      this.#pipe?.outbound.clear();
    }
    this.#connection.close(flush ? "flush" : "abort");
  }

  #tellDropped(why: string): void {
    tellDropped(this.#owner, this.endpoint, this.#connection.peer, this.queuedMessages, why);
  }

  #detach(pipe: StreamPipe): void {
    pipe.closed = true;
    this.#owner.pattern.detach(pipe);
  }

  #busy(on: boolean): void {
    if (on) this.#runtime.keepAlive.hold();
    else this.#runtime.keepAlive.release();
    if (!on && this.#closing && this.#cancelLinger !== undefined) this.#finish("flush");
    else if (!on && this.#closing) this.#connection.close("flush");
  }

  #endHandshake(): void {
    if (!this.#halfOpen) return;
    this.#halfOpen = false;
    this.#handshakeEnded();
  }

  #hold(on: boolean): void {
    if (this.#held === on) return;
    this.#held = on;
    if (on) this.#runtime.keepAlive.hold();
    else this.#runtime.keepAlive.release();
  }
}
