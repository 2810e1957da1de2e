/**
 * Ctrl-C, and the same from another process: the first signal ends the command in order, the second one at once.
 *
 * @module
 */

import type { EndingSignal, Terminal } from "./terminal.ts";

/** What a shell says of a program that such a signal ended. */
const EXIT_CODES: Readonly<Record<EndingSignal, number>> = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 };

/** See the module. Listens from the beginning; call {@link Interruption.stop} at the end. */
export class Interruption {
  readonly #controller: AbortController = new AbortController();
  readonly #stop: () => void;
  #code: number | undefined;

  constructor(terminal: Terminal) {
    this.#stop = terminal.onSignal((signal) => {
      if (this.#code !== undefined) terminal.exit(EXIT_CODES[signal]);
      this.#code = EXIT_CODES[signal];
      this.#controller.abort();
    });
  }

  /** Aborted by the first signal. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** What the command ends with; `undefined`: nothing has interrupted it. */
  get exitCode(): number | undefined {
    return this.#code;
  }

  stop(): void {
    this.#stop();
  }

  /** Resolves with the first signal. */
  get happened(): Promise<void> {
    return new Promise((resolve) => {
      if (this.signal.aborted) resolve();
      else this.signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }
}

/**
 * What `promise` resolves with; `undefined` as soon as `signal` is aborted. Nothing of it stays at the signal, so that it may be
 * asked as often as somebody likes, unlike `Promise.race`.
 */
export function unlessAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => resolve(undefined);
    if (signal?.aborted === true) onAbort();
    else signal?.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal?.removeEventListener("abort", onAbort));
  });
}
