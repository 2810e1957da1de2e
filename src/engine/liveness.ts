/**
 * Is the peer still there? The handshake's deadline, our PINGs, the answer to them, and the time to live that the
 * peer promised (RFC 37 "connection heartbeating"). Any byte is a sign of life, not only whole messages: a long transfer
 * must not be cut.
 *
 * @module
 */

import { type TimerName, TimerTable } from "./timers.ts";

/** Times of one connection, in milliseconds. 0: never. */
export interface Timings {
  /** From the dial or accept to the end of the handshake. */
  readonly handshakeMs: number;
  /** Between two PINGs of ours. */
  readonly heartbeatIntervalMs: number;
  /** Silence after a PING that ends the connection. */
  readonly heartbeatTimeoutMs: number;
  /** What we promise the peer: it may close after this much silence from us. */
  readonly heartbeatTtlMs: number;
}

/** What the passing of time means for a connection. */
export type Expiry = "nothing" | "ping" | "pong" | "handshakeTimeout" | "heartbeatTimeout";

/**
 * A deadline that is found passed may only mean that this process did not run: input that arrived meanwhile must be
 * looked at first. So every deadline is granted this much once.
 */
const GRACE_MS = 10;

/** A paused peer hears of us at least so often, and twice as often as it asked. */
const PAUSED_PONG_MS_MAX = 250;
const PAUSED_PONG_MS_MIN = 10;

/** See the module. */
export class Liveness {
  readonly #timings: Timings;
  readonly #timers: TimerTable = new TimerTable();
  readonly #suspect: Set<TimerName> = new Set();
  #ttlMs = 0;
  #lastPingMs: number | undefined;
  #pongMs = PAUSED_PONG_MS_MAX;
  /** When the next PONG of a pause is due, also while there is none. */
  #pongAtMs = Infinity;

  constructor(timings: Timings) {
    this.#timings = timings;
  }

  /** The stream is being opened, or was accepted. */
  started(nowMs: number): void {
    const { handshakeMs } = this.#timings;
    if (handshakeMs > 0) this.#timers.set("handshake", nowMs + handshakeMs);
  }

  /** The peer has shown who it is. */
  handshaken(nowMs: number): void {
    const { heartbeatIntervalMs } = this.#timings;
    this.#timers.stop("handshake");
    if (heartbeatIntervalMs > 0) this.#timers.set("heartbeat", nowMs + heartbeatIntervalMs);
  }

  /** Bytes arrived. */
  heard(nowMs: number): void {
    this.#timers.stop("timeout");
    if (this.#ttlMs > 0) this.#timers.set("ttl", nowMs + this.#ttlMs);
    if (this.#suspect.size > 0) this.#suspect.clear();
  }

  /** The peer asked whether we are there. */
  pinged(nowMs: number): void {
    if (this.#lastPingMs !== undefined && nowMs > this.#lastPingMs) {
      const halfMs = (nowMs - this.#lastPingMs) / 2;
      this.#pongMs = Math.min(this.#pongMs, Math.max(halfMs, PAUSED_PONG_MS_MIN));
    }
    this.#lastPingMs = nowMs;
  }

  /**
   * Whether we pause the peer. Its PINGs do not reach us then, so it gets PONGs unasked: an application that is slow loses
   * no connection to a peer that only wants to know whether we live.
   */
  paused(on: boolean, nowMs: number): void {
    if (on === this.#timers.isSet("pong")) return;
    if (on) {
      // A pause that comes and goes must not put off again and again what the peer waits for.
      this.#pongAtMs = Math.min(Math.max(nowMs, this.#pongAtMs), nowMs + this.#pongMs);
      this.#timers.set("pong", this.#pongAtMs);
    } else {
      this.#timers.stop("pong");
    }
  }

  /** The peer promised to be heard of within `ttlMs`. 0: it promises nothing. */
  promised(ttlMs: number, nowMs: number): void {
    this.#ttlMs = ttlMs;
    if (ttlMs > 0) this.#timers.set("ttl", nowMs + ttlMs);
    else this.#timers.stop("ttl");
  }

  /**
   * Looks at the clock; call again until it answers `"nothing"`. `listening`: whether the peer's bytes can reach us. While
   * we pause it, its silence says nothing and its deadlines stand still; our PINGs go on.
   */
  check(nowMs: number, listening: boolean): Expiry {
    const { heartbeatIntervalMs, heartbeatTimeoutMs } = this.#timings;
    if (this.#expired("handshake", nowMs)) return "handshakeTimeout";
    if (this.#timers.isDue("heartbeat", nowMs)) {
      this.#timers.set("heartbeat", nowMs + heartbeatIntervalMs);
      if (heartbeatTimeoutMs > 0 && !this.#timers.isSet("timeout")) {
        this.#timers.set("timeout", nowMs + heartbeatTimeoutMs);
      }
      return "ping";
    }
    if (this.#timers.isDue("pong", nowMs)) {
      this.#pongAtMs = nowMs + this.#pongMs;
      this.#timers.set("pong", this.#pongAtMs);
      return "pong";
    }
    if (!listening) {
      if (this.#timers.isDue("timeout", nowMs)) this.#timers.set("timeout", nowMs + heartbeatTimeoutMs);
      if (this.#timers.isDue("ttl", nowMs)) this.#timers.set("ttl", nowMs + this.#ttlMs);
      return "nothing";
    }
    return this.#expired("timeout", nowMs) || this.#expired("ttl", nowMs) ? "heartbeatTimeout" : "nothing";
  }

  /** When {@link check} is due; `Infinity`: never. */
  get deadlineMs(): number {
    return this.#timers.earliestMs;
  }

  /** The connection ends: nothing is due any more. */
  stop(): void {
    this.#timers.stopAll();
  }

  #expired(name: TimerName, nowMs: number): boolean {
    if (!this.#timers.isDue(name, nowMs)) return false;
    if (this.#suspect.has(name)) return true;
    this.#suspect.add(name);
    this.#timers.set(name, nowMs + GRACE_MS);
    return false;
  }
}
