/**
 * Limits the commands that we must look at and that lead nowhere: PING, PONG, unknown ones. They cost no
 * memory, but a flood of them takes time from every other connection.
 *
 * @module
 */

import { PeerError } from "../errors.ts";

/** Unused budget is kept this long: a process that did not run for an hour finds an hour of PINGs waiting. */
const SAVED_SECONDS_MAX = 3_600;

/** A token bucket: it fills with time, and each command takes one. */
export class CommandBudget {
  readonly #perSecond: number;
  #left: number;
  #filledMs: number | undefined;

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
    this.#left = perSecond;
  }

  /** Counts one command. Returns an error when there were too many. */
  spend(nowMs: number): PeerError | undefined {
    const elapsedMs = nowMs - (this.#filledMs ?? nowMs);
    this.#filledMs = nowMs;
    this.#left = Math.min(
      this.#left + elapsedMs / 1_000 * this.#perSecond,
      SAVED_SECONDS_MAX * this.#perSecond,
    );
    if (this.#left < 1) {
      const most = this.#perSecond;
      return new PeerError(
        "ERR_PEER_COMMAND_FLOOD",
        `Cannot serve peer: more than ${most} idle commands a second`,
      );
    }
    this.#left--;
    return undefined;
  }
}
