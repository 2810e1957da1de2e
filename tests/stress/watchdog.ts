/**
 * Ends a stress run in which nothing moves any more, or which somebody interrupts.
 *
 * @module
 */

import process from "node:process";
import { Faulty, Interrupted } from "./faulty.ts";

const LOOK_MS = 1_000;
/** Milliseconds that nothing may move: longer than any wait of the log, however busy the machine is. */
const STILL_MS = 60_000;
const SIGNALS = [["SIGINT", 2], ["SIGTERM", 15], ["SIGHUP", 1]] as const;

/** Watches one run. */
export class Watchdog {
  /** Rejects when nothing moves any more, or on Ctrl-C. */
  readonly failed: Promise<never>;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #listeners: (readonly [NodeJS.Signals, () => void])[];

  /** `tell`: how far the run is, in words. */
  constructor(tell: () => string) {
    let fail: (error: Error) => void = () => {};
    this.failed = new Promise((_resolve, reject) => fail = reject);
    this.failed.catch(() => {});
    let last = "";
    let stillMs = 0;
    this.#timer = setInterval(() => {
      const now = tell();
      // Counted in looks: a machine that slept has not waited for anything.
      stillMs = now === last ? stillMs + LOOK_MS : 0;
      last = now;
      if (stillMs >= STILL_MS) fail(new Faulty(`Nothing has moved for ${STILL_MS / 1_000} s: ${now}`));
    }, LOOK_MS);
    this.#listeners = SIGNALS.map(([signal, number]) => {
      const listener = (): void => fail(new Interrupted(128 + number));
      process.on(signal, listener);
      return [signal, listener] as const;
    });
  }

  stop(): void {
    clearInterval(this.#timer);
    for (const [signal, listener] of this.#listeners) process.off(signal, listener);
  }
}
