/**
 * Fairness: a socket hands over only a limited amount per turn of the event loop. Otherwise an endless loop
 * of `await send()` would starve timers and reads, because awaiting a settled promise never leaves the
 * microtask queue.
 *
 * @module
 */

import type { Scheduler, Task } from "../engine/scheduler.ts";

/** Messages and bytes per turn of the event loop, whichever limit is reached first. */
const MESSAGES_MAX = 4_096;
const BYTES_MAX = 1_048_576;

/** Limits the messages and bytes that a socket hands over in one turn of the event loop. */
export class SendBudget implements Task {
  readonly #scheduler: Scheduler;
  readonly #renewed: () => void;
  #messages = MESSAGES_MAX;
  #bytes = BYTES_MAX;
  #arranged = false;
  #nextTurn: Promise<void> | undefined;
  #endTurn: (() => void) | undefined;

  /** `renewed` is called at the end of a turn in which the budget was used up. */
  constructor(scheduler: Scheduler, renewed: () => void) {
    this.#scheduler = scheduler;
    this.#renewed = renewed;
  }

  get spent(): boolean {
    return this.#messages <= 0 || this.#bytes <= 0;
  }

  /** Records that one message was handed over. */
  spend(bytes: number): void {
    this.#messages--;
    this.#bytes -= bytes;
    if (this.#arranged) return;
    this.#arranged = true;
    this.#scheduler.afterTurn(this);
  }

  /** Resolves when this turn ends. All callers in a turn share one promise. */
  get nextTurn(): Promise<void> {
    return this.#nextTurn ??= new Promise((resolve) => {
      this.#endTurn = resolve;
    });
  }

  callbackEnded(): void {}

  turnEnded(): void {
    const spent = this.spent;
    this.#arranged = false;
    this.#messages = MESSAGES_MAX;
    this.#bytes = BYTES_MAX;
    const endTurn = this.#endTurn;
    this.#nextTurn = undefined;
    this.#endTurn = undefined;
    endTurn?.();
    if (spent) this.#renewed();
  }
}
