/**
 * The timers of one connection: one slot each, deadlines on the clock of `nowMs`. The earliest is what the driver waits for.
 *
 * @module
 */

/** `handshake`: greeting to READY. `heartbeat`: the next PING. `timeout`: an answer to it. `ttl`: the peer's promise. `pong`: a sign of life for a paused peer. */
export type TimerName = "handshake" | "heartbeat" | "timeout" | "ttl" | "pong";

const NAMES: readonly TimerName[] = ["handshake", "heartbeat", "timeout", "ttl", "pong"];

/** A table of deadlines. */
export class TimerTable {
  readonly #deadlines: Record<TimerName, number> = {
    handshake: Infinity,
    heartbeat: Infinity,
    timeout: Infinity,
    ttl: Infinity,
    pong: Infinity,
  };

  /** Sets the deadline of `name`, whether or not one was set. */
  set(name: TimerName, deadlineMs: number): void {
    this.#deadlines[name] = deadlineMs;
  }

  stop(name: TimerName): void {
    this.#deadlines[name] = Infinity;
  }

  isSet(name: TimerName): boolean {
    return this.#deadlines[name] !== Infinity;
  }

  isDue(name: TimerName, nowMs: number): boolean {
    return this.#deadlines[name] <= nowMs;
  }

  /** The earliest deadline; `Infinity`: none. */
  get earliestMs(): number {
    let earliest = Infinity;
    for (const name of NAMES) earliest = Math.min(earliest, this.#deadlines[name]);
    return earliest;
  }

  stopAll(): void {
    for (const name of NAMES) this.#deadlines[name] = Infinity;
  }
}
