/**
 * Waiting operations, served in order of arrival. Each may end early by its signal, its time-out or the
 * closing of the socket.
 *
 * @module
 */

import { MisuseError } from "../errors.ts";
import type { Runtime } from "../session/runtime.ts";
import { abortedError, type WaitOptions } from "./call_options.ts";

/** One waiting operation. */
export interface Waiter<Task, Answer> {
  readonly task: Task;
  /** Ends the wait. Only the first call counts. */
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

/**
 * Waiting operations in order of arrival, any of which may end first. While the list is not empty, it keeps
 * the process alive.
 */
export class WaitList<Task, Answer> {
  readonly #runtime: Runtime;
  readonly #waiters: Set<Waiter<Task, Answer>> = new Set();

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  get size(): number {
    return this.#waiters.size;
  }

  /** Iterates in order of arrival. Waiters may end during the iteration. */
  [Symbol.iterator](): IterableIterator<Waiter<Task, Answer>> {
    return this.#waiters.values();
  }

  /** The operation that has waited longest, or `undefined`. */
  first(): Waiter<Task, Answer> | undefined {
    for (const waiter of this.#waiters) return waiter;
    return undefined;
  }

  /**
   * Adds an operation. `options` must have been checked. `ended` is called when it has ended, for whatever
   * reason.
   */
  wait(task: Task, options: WaitOptions = {}, ended?: () => void): Promise<Answer> {
    const { signal, timeoutMs = -1 } = options;
    if (signal?.aborted === true) return this.#refuse(abortedError(signal), ended);
    if (timeoutMs === 0) return this.#refuse(timedOut(timeoutMs), ended);
    return new Promise((resolve, reject) => {
      let cancelTimer: (() => void) | undefined;
      const onAbort = (): void => waiter.reject(abortedError(signal!));
      const end = (): boolean => {
        if (!this.#waiters.delete(waiter)) return false;
        cancelTimer?.();
        signal?.removeEventListener("abort", onAbort);
        this.#runtime.keepAlive.release();
        ended?.();
        return true;
      };
      const waiter: Waiter<Task, Answer> = {
        task,
        resolve: (answer) => void (end() && resolve(answer)),
        reject: (error) => void (end() && reject(error)),
      };
      this.#waiters.add(waiter);
      this.#runtime.keepAlive.hold();
      signal?.addEventListener("abort", onAbort);
      if (timeoutMs >= 0) {
        cancelTimer = this.#runtime.host.schedule(timeoutMs, () => waiter.reject(timedOut(timeoutMs)), false);
      }
    });
  }

  #refuse(error: Error, ended: (() => void) | undefined): Promise<never> {
    ended?.();
    return Promise.reject(error);
  }

  /** Rejects every wait with `error`. */
  rejectAll(error: Error): void {
    for (const waiter of this.#waiters) waiter.reject(error);
  }

  /** Resolves every wait with the same value. */
  resolveAll(answer: Answer): void {
    for (const waiter of this.#waiters) waiter.resolve(answer);
  }
}

function timedOut(timeoutMs: number): MisuseError {
  return new MisuseError("ERR_AGAIN", `Timed out after ${Math.ceil(timeoutMs)} ms`);
}

/** Returns the error for an operation on a closed socket. */
export function closedError(): MisuseError {
  return new MisuseError("ERR_CLOSED", "The socket is closed");
}
