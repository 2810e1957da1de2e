/**
 * Fairness of input: so much is delivered per turn of the event loop, and the rest waits for the next. Without it two
 * machines that answer each other in microtasks would starve timers and reads.
 *
 * @module
 */

import type { Scheduler } from "../../engine/scheduler.ts";

/** Messages and bytes per loop turn, whichever comes first. */
const MESSAGES_MAX = 4_096;
const BYTES_MAX = 4_194_304;

/**
 * Renewed when the scheduler has ended a turn. Who finds it spent asks the scheduler for the turn's end, so it is always
 * renewed in time; where nobody asks, one allowance may last for several turns.
 */
export class TurnAllowance {
  readonly #scheduler: Scheduler;
  #turn: number;
  #messages: number = MESSAGES_MAX;
  #bytes: number = BYTES_MAX;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
    this.#turn = scheduler.turns;
  }

  /** Whether nothing more may be delivered in this turn. */
  get spent(): boolean {
    const { turns } = this.#scheduler;
    if (turns !== this.#turn) {
      this.#turn = turns;
      this.#messages = MESSAGES_MAX;
      this.#bytes = BYTES_MAX;
    }
    return this.#messages <= 0 || this.#bytes <= 0;
  }

  /** One message was delivered. */
  spend(bytes: number): void {
    this.#messages--;
    this.#bytes -= bytes;
  }
}
