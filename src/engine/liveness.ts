/**
 * Is the peer still there? The handshake's deadline, our PINGs, the replies to them, and the time to live
 * that the peer promised (RFC 37 "connection heartbeating"). Any byte is a sign of life, not only whole
 * messages: a long transfer must not be cut.
 *
 * Nor must one of ours. A PING can be sent only between two messages, and is answered after everything ahead
 * of it was received. So its time-out begins when the transport has taken it, is postponed as long as the
 * transport takes what is ahead of it, and is extended by the time that the bytes in transit may need
 * (transfer.ts). A peer that is gone is found after
 *
 *     interval + time-out + the rest of a frame that the transport still takes
 *              + 2 × bytes handed over and not confirmed ÷ the rate last seen (1 MiB/s until one was)
 *
 * A receiver partway through a message reports four times a second that it is there, as long as bytes arrive.
 *
 * @module
 */

import { type TimerName, TimerTable } from "./timers.ts";
import { Transfer } from "./transfer.ts";

/** Times of one connection, in milliseconds. 0 means never. */
export interface Timings {
  /** From the dial or accept to the end of the handshake. */
  readonly handshakeMs: number;
  /** Between two of our PINGs. */
  readonly heartbeatIntervalMs: number;
  /**
   * Silence after a PING that ends the connection, extended by the time that what was handed over ahead of
   * the PING may need.
   */
  readonly heartbeatTimeoutMs: number;
  /** What we promise the peer: it may close after this much silence from us. */
  readonly heartbeatTtlMs: number;
}

/** What is due on a connection. */
export type Expiry = "nothing" | "ping" | "pong" | "handshakeTimeout" | "heartbeatTimeout";

/**
 * A deadline that has passed may only mean that this process did not run: input that arrived meanwhile must
 * be looked at first. So every deadline is extended by this much once.
 */
const GRACE_MS = 10;

/**
 * A peer that is paused, or that we are receiving a message from, gets a PONG this often, or twice per PING
 * interval of its own if that is shorter.
 */
const PAUSED_PONG_MS_MAX = 250;
const PAUSED_PONG_MS_MIN = 10;

/** The deadlines of one connection, and what is due at each. */
export class Liveness {
  readonly #timings: Timings;
  readonly #timers: TimerTable = new TimerTable();
  /** Deadlines that were extended once; see {@link GRACE_MS}. */
  #suspect: Set<TimerName> | undefined;
  #ttlMs = 0;
  #lastPingMs: number | undefined;
  #wasPonged = false;
  #pongMs = PAUSED_PONG_MS_MAX;
  /** When the next PONG of a pause is due, also between pauses. */
  #pongAtMs: number | undefined;
  /** Whether bytes arrived since the last PONG that was not asked for. */
  #heardSincePong = false;
  /** When bytes arrived last, if we send PINGs. */
  #heardMs: number | undefined;
  #paused = false;
  /** Set if we send PINGs. */
  readonly #transfer: Transfer | undefined;
  #pingDue = false;
  #pingInWrite = false;
  /** Whether the time-out runs for a PING that the transport has not taken. */
  #awaitsHandover = false;

  constructor(timings: Timings) {
    this.#timings = timings;
    if (timings.heartbeatIntervalMs > 0) this.#transfer = new Transfer(timings.heartbeatTimeoutMs);
  }

  /** The stream is being opened, or was accepted. */
  started(nowMs: number): void {
    const { handshakeMs } = this.#timings;
    if (handshakeMs > 0) this.#timers.set("handshake", nowMs + handshakeMs);
  }

  /** The handshake is complete. */
  handshaken(nowMs: number): void {
    const { heartbeatIntervalMs } = this.#timings;
    this.#timers.stop("handshake");
    if (heartbeatIntervalMs > 0) this.#timers.set("heartbeat", nowMs + heartbeatIntervalMs);
  }

  /** Bytes arrived. */
  heard(nowMs: number): void {
    this.#timers.stop("timeout");
    this.#awaitsHandover = false;
    this.#heardSincePong = true;
    if (this.#transfer !== undefined) this.#heardMs = nowMs;
    if (this.#ttlMs > 0) this.#timers.set("ttl", nowMs + this.#ttlMs);
    this.#suspect = undefined;
  }

  /** The peer sent a PING. */
  pinged(nowMs: number): void {
    if (this.#lastPingMs !== undefined && nowMs > this.#lastPingMs) {
      const halfMs = (nowMs - this.#lastPingMs) / 2;
      this.#pongMs = Math.min(this.#pongMs, Math.max(halfMs, PAUSED_PONG_MS_MIN));
    }
    this.#lastPingMs = nowMs;
  }

  /** Whether the peer has ever sent a PING or a PONG: it knows them, whatever version it announced. */
  get peerKnowsPongs(): boolean {
    return this.#lastPingMs !== undefined || this.#wasPonged;
  }

  /** The peer sent a PONG, asked for or not. */
  ponged(context: Uint8Array, nowMs: number): void {
    this.#wasPonged = true;
    this.#transfer?.answered(context, nowMs);
  }

  /** Whether PINGs are sent, so that {@link writing} and {@link written} must be called. */
  get pings(): boolean {
    return this.#transfer !== undefined;
  }

  /** Whether a PING goes out with the next write between two messages. */
  get pingDue(): boolean {
    return this.#pingDue;
  }

  /** Takes the PING that is due into the next write, and returns its context. */
  takePing(): Uint8Array {
    this.#pingDue = false;
    this.#pingInWrite = true;
    return this.#transfer!.nextContext();
  }

  /** A write was handed to the transport. */
  writing(bytes: number, nowMs: number): void {
    this.#transfer!.begin(bytes, nowMs);
  }

  /** The transport took all of it: data is still being read, and the PING that waits comes nearer. */
  written(nowMs: number): void {
    const transfer = this.#transfer!;
    transfer.end(nowMs);
    if (this.#awaitsHandover) this.#setTimeout(nowMs);
    if (this.#pingInWrite) {
      this.#pingInWrite = false;
      this.#awaitsHandover = false;
    }
    if (transfer.wantsMark) this.#pingDue = true;
  }

  /**
   * Sets whether we pause the peer, or are partway through one of its messages. Its PINGs do not reach us
   * then, so it gets PONGs unasked: neither a slow application nor a slow path loses its connection to a peer
   * that only wants to know whether we are alive.
   */
  paused(on: boolean, nowMs: number, midMessage: boolean): void {
    this.#paused = on;
    const owes = on || midMessage;
    if (owes === this.#timers.isSet("pong")) return;
    if (owes) {
      // A pause that comes and goes must not keep postponing what the peer waits for.
      this.#pongAtMs = Math.min(Math.max(nowMs, this.#pongAtMs ?? Infinity), nowMs + this.#pongMs);
      this.#timers.set("pong", this.#pongAtMs);
    } else {
      this.#timers.stop("pong");
    }
  }

  /** The peer promised that we hear from it within `ttlMs`. 0: no promise. */
  promised(ttlMs: number, nowMs: number): void {
    this.#ttlMs = ttlMs;
    if (ttlMs > 0) this.#timers.set("ttl", nowMs + ttlMs);
    else this.#timers.stop("ttl");
  }

  /**
   * Returns what is due; call again until it returns `"nothing"`. `listening`: whether the peer's bytes can
   * reach us. While we pause it, its silence means nothing and its deadlines stand still; our PINGs go on.
   */
  check(nowMs: number, listening: boolean): Expiry {
    const { heartbeatIntervalMs, heartbeatTimeoutMs } = this.#timings;
    if (this.#expired("handshake", nowMs)) return "handshakeTimeout";
    if (this.#timers.isDue("heartbeat", nowMs)) {
      this.#timers.set("heartbeat", nowMs + heartbeatIntervalMs);
      this.#pingDue = true;
      if (this.#heardMs !== undefined) this.#transfer!.heard(this.#heardMs);
      if (heartbeatTimeoutMs > 0 && !this.#timers.isSet("timeout")) {
        this.#awaitsHandover = true;
        this.#setTimeout(nowMs);
      }
      return "ping";
    }
    if (this.#timers.isDue("pong", nowMs)) {
      if (!this.#paused && !this.#heardSincePong) {
        this.#timers.stop("pong");
        return this.check(nowMs, listening);
      }
      this.#heardSincePong = false;
      this.#pongAtMs = nowMs + this.#pongMs;
      this.#timers.set("pong", this.#pongAtMs);
      return "pong";
    }
    if (!listening) {
      if (this.#timers.isDue("timeout", nowMs)) this.#setTimeout(nowMs);
      if (this.#timers.isDue("ttl", nowMs)) this.#timers.set("ttl", nowMs + this.#ttlMs);
      return "nothing";
    }
    return this.#expired("timeout", nowMs) || this.#expired("ttl", nowMs) ? "heartbeatTimeout" : "nothing";
  }

  /** When {@link check} is due; `Infinity`: never. */
  get deadlineMs(): number {
    return this.#timers.earliestMs;
  }

  /** The connection ends: nothing is due any longer. */
  stop(): void {
    this.#timers.stopAll();
    this.#pingDue = false;
    this.#awaitsHandover = false;
  }

  #setTimeout(nowMs: number): void {
    this.#suspect?.delete("timeout");
    this.#timers.set("timeout", nowMs + this.#timings.heartbeatTimeoutMs + this.#transfer!.allowanceMs);
  }

  #expired(name: TimerName, nowMs: number): boolean {
    if (!this.#timers.isDue(name, nowMs)) return false;
    if (this.#suspect?.has(name)) return true;
    this.#suspect = (this.#suspect ?? new Set()).add(name);
    this.#timers.set(name, nowMs + GRACE_MS);
    return false;
  }
}
