/**
 * Operations of the log that wait: first come, first served; each may end early by its signal. While one waits, the
 * process lives.
 *
 * @module
 */

import { MisuseError } from "../../errors.ts";
import type { AbortSignalLike } from "../../ports.ts";
import { isSignal } from "../configuration/client.ts";
import { isPlainObject, show } from "../configuration/fields.ts";
import { LogError } from "../errors.ts";

/** For whom to wait. */
export interface LogWaitOptions {
  /** Ends the wait, and nothing else, with `ERR_LOG_ABORTED`, whose `cause` is the signal's reason. */
  readonly signal?: AbortSignalLike | undefined;
}

/** What keeps the process alive. */
export interface Holds {
  hold(): void;
  release(): void;
}

/** One operation that waits. */
export interface LogWaiter<Task, Answer> {
  readonly task: Task;
  /** Ends the wait. Only the first call counts. */
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

/** A list in order of arrival, with removal from anywhere. */
export class Waits<Task, Answer> {
  readonly #holds: Holds;
  readonly #waiters: Set<LogWaiter<Task, Answer>> = new Set();

  constructor(holds: Holds) {
    this.#holds = holds;
  }

  get size(): number {
    return this.#waiters.size;
  }

  /** The one that waits longest. */
  first(): LogWaiter<Task, Answer> | undefined {
    for (const waiter of this.#waiters) return waiter;
    return undefined;
  }

  /** In order of arrival. Waiters may end while the list is walked. */
  [Symbol.iterator](): IterableIterator<LogWaiter<Task, Answer>> {
    return this.#waiters.values();
  }

  /** Adds an operation; `begun` is given what ends it. */
  wait(
    task: Task,
    options: LogWaitOptions = {},
    begun?: (waiter: LogWaiter<Task, Answer>) => void,
  ): Promise<Answer> {
    const { signal } = options;
    const refused = refusedWait(options);
    if (refused !== undefined) return Promise.reject(refused);
    return new Promise((resolve, reject) => {
      const onAbort = (): void => waiter.reject(abortedError(signal!));
      const end = (): boolean => {
        if (!this.#waiters.delete(waiter)) return false;
        signal?.removeEventListener("abort", onAbort);
        this.#holds.release();
        return true;
      };
      const waiter: LogWaiter<Task, Answer> = {
        task,
        resolve: (answer) => void (end() && resolve(answer)),
        reject: (error) => void (end() && reject(error)),
      };
      this.#waiters.add(waiter);
      this.#holds.hold();
      signal?.addEventListener("abort", onAbort);
      begun?.(waiter);
    });
  }

  resolveAll(answer: Answer): void {
    for (const waiter of this.#waiters) waiter.resolve(answer);
  }

  rejectAll(error: Error): void {
    for (const waiter of this.#waiters) waiter.reject(error);
  }
}

/** Why an operation with such options does not begin to wait. */
export function refusedWait(options: LogWaitOptions): MisuseError | LogError | undefined {
  if (!isPlainObject(options)) {
    return new MisuseError("ERR_OPTION", `Cannot wait with options ${show(options)}: an object is expected`);
  }
  return options.signal === undefined ? undefined : refusedSignal(options.signal);
}

/** Why an operation with such a signal does not begin to wait. */
export function refusedSignal(signal: unknown): MisuseError | LogError | undefined {
  if (isSignal(signal)) return signal.aborted ? abortedError(signal) : undefined;
  return new MisuseError(
    "ERR_OPTION",
    `Cannot set option "signal" to ${show(signal)}: allowed is an AbortSignal`,
  );
}

/** The error of an operation whose signal is aborted. */
export function abortedError(signal: AbortSignalLike): LogError {
  return new LogError("ERR_LOG_ABORTED", "The wait was aborted", { cause: signal.reason });
}
