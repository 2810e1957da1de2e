/**
 * One call at the end of a callback, one at the end of a turn and one timer per host, however many
 * connections have something to do.
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

/** A connection that wants to write together with others. */
export interface BurstTask {
  /** It is time to write. Called once for each {@link Scheduler.afterBurst}. */
  burstEnded(): void;
}

/**
 * So many connections make a burst. A reader that is woken once for many writes works at its best; but it
 * would have nothing to do meanwhile if the writes of hundreds waited for the turn's end.
 */
const BURST_CONNECTIONS = 32;

/** Runs tasks at the end of a callback or turn. One that is added during a walk runs in the next walk. */
export class Scheduler {
  readonly host: Host;
  /** @internal The deadlines of all connections. */
  readonly deadlines: Deadlines;
  /** Grows with every loop turn in which something was scheduled: a stamp for "once a turn" budgets. */
  turns = 0;
  #callbackTasks: Task[] = [];
  #turnTasks: Task[] = [];
  #burst: BurstTask[] = [];
  #turnArranged = false;
  #wroteInTurn = false;
  readonly #afterReactions: (run: () => void) => void;
  readonly #endCallback = (): void => this.#runCallbackTasks();
  readonly #endBurst = (): void => this.#runBurst();
  readonly #endTurn = (): void => this.#runTurnTasks();

  constructor(host: Host) {
    this.host = host;
    this.#afterReactions = host.afterReactions ?? host.microtask;
    this.deadlines = new Deadlines(host);
  }

  /** Whether a connection has written in this turn. */
  get wroteInTurn(): boolean {
    return this.#wroteInTurn;
  }

  /** A connection writes. */
  wrote(): void {
    if (this.#wroteInTurn) return;
    this.#wroteInTurn = true;
    this.#arrangeTurn();
  }

  /** Runs `task.callbackEnded()` at the end of the current callback, after the promise reactions in it. */
  afterCallback(task: Task): void {
    if (this.#callbackTasks.push(task) === 1) this.#afterReactions(this.#endCallback);
  }

  /** Runs `task.turnEnded()` at the end of the current loop turn. */
  afterTurn(task: Task): void {
    this.#turnTasks.push(task);
    this.#arrangeTurn();
  }

  /** Runs `task.burstEnded()` when many have asked for that, and at the end of the turn at the latest. */
  afterBurst(task: BurstTask): void {
    const connections = this.#burst.push(task);
    if (connections === 1) this.#arrangeTurn();
    else if (connections === BURST_CONNECTIONS) this.#afterReactions(this.#endBurst);
  }

  #arrangeTurn(): void {
    if (this.#turnArranged) return;
    this.#turnArranged = true;
    this.host.turn(this.#endTurn);
  }

  #runCallbackTasks(): void {
    const tasks = this.#callbackTasks;
    this.#callbackTasks = [];
    for (let i = 0; i < tasks.length; i++) tasks[i]!.callbackEnded();
  }

  #runBurst(): void {
    const tasks = this.#burst;
    this.#burst = [];
    for (let i = 0; i < tasks.length; i++) tasks[i]!.burstEnded();
  }

  #runTurnTasks(): void {
    this.#turnArranged = false;
    this.#wroteInTurn = false;
    this.turns++;
    const tasks = this.#turnTasks;
    this.#turnTasks = [];
    this.#runBurst();
    for (let i = 0; i < tasks.length; i++) tasks[i]!.turnEnded();
  }
}
