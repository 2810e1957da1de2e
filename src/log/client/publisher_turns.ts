/**
 * When a batch that was begun leaves: at the end of the current callback, or of the turn of the event loop.
 *
 * @module
 */

import type { Scheduler, Task } from "../../engine/scheduler.ts";

/** See the module. */
export class PublisherTurns implements Task {
  readonly #scheduler: Scheduler;
  readonly #due: () => void;
  #callbackArranged = false;
  #turnArranged = false;

  constructor(scheduler: Scheduler, due: () => void) {
    this.#scheduler = scheduler;
    this.#due = due;
  }

  /** `timer`: somebody else sees to it. */
  arrange(when: "callback" | "turn" | "timer"): void {
    if (when === "callback" && !this.#callbackArranged) {
      this.#callbackArranged = true;
      this.#scheduler.afterCallback(this);
    } else if (when === "turn" && !this.#turnArranged) {
      this.#turnArranged = true;
      this.#scheduler.afterTurn(this);
    }
  }

  callbackEnded(): void {
    this.#callbackArranged = false;
    this.#due();
  }

  turnEnded(): void {
    this.#turnArranged = false;
    this.#due();
  }
}
