/**
 * The timers of one connection: one slot each, with deadlines on the clock of `nowMs`. The driver waits for
 * the earliest.
 *
 * @module
 */

/**
 * `handshake`: the end of the handshake. `heartbeat`: the next PING. `timeout`: the reply to it. `ttl`: the
 * peer's promise. `pong`: a sign of life for a peer that is paused or sending a long message.
 */
export type TimerName = "handshake" | "heartbeat" | "timeout" | "ttl" | "pong";

const NAMES: readonly TimerName[] = ["handshake", "heartbeat", "timeout", "ttl", "pong"];

/** A table of deadlines. It holds nothing while none is set: most connections only wait for the peer. */
export class TimerTable {
  #deadlines: Record<TimerName, number> | undefined;

  /** Sets the deadline of `name`, whether or not one was set. */
  set(name: TimerName, deadlineMs: number): void {
    this.#deadlines ??= {
      handshake: Infinity,
      heartbeat: Infinity,
      timeout: Infinity,
      ttl: Infinity,
      pong: Infinity,
    };
    this.#deadlines[name] = deadlineMs;
  }

  stop(name: TimerName): void {
    if (this.#deadlines === undefined || !this.isSet(name)) return;
    this.#deadlines[name] = Infinity;
    // The handshake's deadline is the first of a connection and, without heartbeats, its last.
    if (name === "handshake" && this.earliestMs === Infinity) this.#deadlines = undefined;
  }

  isSet(name: TimerName): boolean {
    return this.#deadlines !== undefined && this.#deadlines[name] !== Infinity;
  }

  isDue(name: TimerName, nowMs: number): boolean {
    return this.#deadlines !== undefined && this.#deadlines[name] <= nowMs;
  }

  /** The earliest deadline; `Infinity`: none. */
  get earliestMs(): number {
    let earliest = Infinity;
    if (this.#deadlines === undefined) return earliest;
    for (const name of NAMES) earliest = Math.min(earliest, this.#deadlines[name]);
    return earliest;
  }

  stopAll(): void {
    this.#deadlines = undefined;
  }
}
