/**
 * One microtask, one turn callback and one timer per host, however many connections have something to do.
 *
 * @module
 */

import type { Host } from "../ports.ts";
import { Deadlines } from "./deadlines.ts";

/** Something that wants to run at the end of the current callback or of the current loop turn. */
export interface Task {
  /** The current callback is over. Called once for each {@link Scheduler.afterCallback}. */
  callbackEnded(): void;
  /** The current turn of the event loop is over. Called once for each {@link Scheduler.afterTurn}. */
  turnEnded(): void;
}

/** Runs tasks at the end of a callback or turn. One that is added during a walk runs in the next walk. */
export class Scheduler {
  readonly host: Host;
  /** @internal The deadlines of all connections. */
  readonly deadlines: Deadlines;
  /** Grows with every loop turn in which something was scheduled: a stamp for "once a turn" budgets. */
  turns = 0;
  #callbackTasks: Task[] = [];
  #turnTasks: Task[] = [];
  readonly #endCallback = (): void => this.#runCallbackTasks();
  readonly #endTurn = (): void => this.#runTurnTasks();

  constructor(host: Host) {
    this.host = host;
    this.deadlines = new Deadlines(host);
  }

  /** Runs `task.callbackEnded()` at the end of the current callback. */
  afterCallback(task: Task): void {
    if (this.#callbackTasks.push(task) === 1) this.host.microtask(this.#endCallback);
  }

  /** Runs `task.turnEnded()` at the end of the current loop turn. */
  afterTurn(task: Task): void {
    if (this.#turnTasks.push(task) === 1) this.host.turn(this.#endTurn);
  }

  #runCallbackTasks(): void {
    const tasks = this.#callbackTasks;
    this.#callbackTasks = [];
    for (let i = 0; i < tasks.length; i++) tasks[i]!.callbackEnded();
  }

  #runTurnTasks(): void {
    const tasks = this.#turnTasks;
    this.#turnTasks = [];
    this.turns++;
    for (let i = 0; i < tasks.length; i++) tasks[i]!.turnEnded();
  }
}
