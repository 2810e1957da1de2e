/**
 * A process of a simulated log world: a host whose callbacks stand still while the process is stopped, and never come when it
 * is dead.
 *
 * @module
 */

import type { Host } from "../../src/ports.ts";
import type { EventLoop } from "../support/event_loop.ts";
import type { Random } from "../support/random.ts";

/** What the wall clock shows when the monotonic clock shows 0. */
const WALL_EPOCH_MS = 1_750_000_000_000;

/** See the module. */
export class SimulatedProcess {
  readonly host: Host;
  readonly #loop: EventLoop;
  readonly #random: Random;
  #alive = true;
  /** What waits for the process to go on, from the oldest; `undefined`: it runs. */
  #timers: (() => void)[] | undefined;
  #arrivals: (() => void)[] = [];

  constructor(loop: EventLoop, random: Random, wallJumpMs: () => number = () => 0) {
    this.#loop = loop;
    this.#random = random;
    this.host = {
      nowMs: () => loop.nowMs,
      wallMs: () => WALL_EPOCH_MS + loop.nowMs + wallJumpMs(),
      schedule: (delayMs, run) => this.#schedule(delayMs, run),
      microtask: (run) => loop.microtask(() => this.#alive && run()),
      turn: (run) => loop.turn(() => this.enter(run)),
      random: (into) => random.fill(into),
      keepAlive: () => {},
      memory: (bytes) => new Uint8Array(bytes).fill(0xdb),
    };
  }

  get alive(): boolean {
    return this.#alive;
  }

  get stopped(): boolean {
    return this.#timers !== undefined;
  }

  /** Runs `run` in this process: now, when it goes on, or never. */
  enter(run: () => void): void {
    if (!this.#alive) return;
    if (this.#timers === undefined) run();
    else this.#arrivals.push(run);
  }

  /** It stands still, as by SIGSTOP, or as a machine that sleeps. */
  stop(): void {
    this.#timers ??= [];
  }

  /** It goes on: what came meanwhile comes now, timers before or behind what arrived. */
  resume(): void {
    const timers = this.#timers;
    if (timers === undefined) return;
    const arrivals = this.#arrivals;
    this.#timers = undefined;
    this.#arrivals = [];
    const all = this.#random.chance(0.5) ? [...timers, ...arrivals] : [...arrivals, ...timers];
    for (const run of all) {
      if (this.#alive) run();
      this.#loop.flushMicrotasks();
    }
  }

  kill(): void {
    this.#alive = false;
    this.#timers = undefined;
    this.#arrivals = [];
  }

  #schedule(delayMs: number, run: () => void): () => void {
    if (!Number.isFinite(delayMs)) throw new RangeError(`schedule(${delayMs}): not a number of milliseconds`);
    let cancelled = false;
    const fire = (): void => {
      if (!this.#alive || cancelled) return;
      if (this.#timers === undefined) run();
      else this.#timers.push(fire);
    };
    // As runtimes do, which take less for a whole millisecond.
    const cancel = this.#loop.timer(Math.max(1, delayMs), fire, false);
    return () => {
      cancelled = true;
      cancel();
    };
  }
}
