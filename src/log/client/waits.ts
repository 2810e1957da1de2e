/**
 * Operations of the log that wait: first come, first served; each may end early by its signal. While one waits, the
 * process lives.
 *
 * @module
 */

import { MisuseError } from "../../errors.ts";
import type { AbortSignalLike } from "../../ports.ts";
import { isPlainObject, isSignal } from "../../arguments.ts";
import { SIGNAL_ALLOWED } from "../configuration/client.ts";
import { show, TIMER_MS_MAX, unknownOption } from "../configuration/fields.ts";
import { LogError } from "../errors.ts";

/** How long to wait. */
export interface LogWaitOptions {
  /**
   * Ends the wait, and nothing else, with `ERR_LOG_ABORTED`: an error whose `name` is `AbortError` and whose `cause` is the
   * signal's reason.
   */
  readonly signal?: AbortSignalLike | undefined;
  /** Milliseconds after which the wait, and nothing else, ends with `ERR_LOG_TIMEOUT`. 0 to 2 147 483 647; default: no limit. */
  readonly timeoutMs?: number | undefined;
}

/** What keeps the process alive, and ends waits in time. */
export interface Holds {
  hold(): void;
  release(): void;
  /** Runs `run` once after `delayMs`; the answer cancels. Does not keep the process alive. */
  after(delayMs: number, run: () => void): () => void;
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
    const refused = refusedWait(options);
    if (refused !== undefined) return Promise.reject(refused);
    const { signal, timeoutMs } = options;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => waiter.reject(abortedError(signal!));
      const cancel = timeoutMs === undefined
        ? undefined
        : this.#holds.after(timeoutMs, () => waiter.reject(timeoutError(timeoutMs)));
      const end = (): boolean => {
        if (!this.#waiters.delete(waiter)) return false;
        signal?.removeEventListener("abort", onAbort);
        cancel?.();
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
    const text = `Cannot wait with options ${show(options)}: a plain object is expected`;
    return new MisuseError("ERR_OPTION", text);
  }
  for (const name in options) {
    if (name === "signal" || name === "timeoutMs" || options[name] === undefined) continue;
    return unknownOption(name, "a wait", ["signal", "timeoutMs"]);
  }
  return refusedEnd(options);
}

/** Why an operation with such a signal or time does not begin to wait. */
export function refusedEnd({ signal, timeoutMs }: LogWaitOptions): MisuseError | LogError | undefined {
  if (timeoutMs !== undefined && !isTimeout(timeoutMs)) {
    const text = `Cannot set option "timeoutMs" to ${show(timeoutMs)}: allowed is ${TIMEOUT_ALLOWED}`;
    return new MisuseError("ERR_OPTION", text);
  }
  if (signal === undefined) return undefined;
  if (isSignal(signal)) return signal.aborted ? abortedError(signal) : undefined;
  const text = `Cannot set option "signal" to ${show(signal)}: allowed is ${SIGNAL_ALLOWED}`;
  return new MisuseError("ERR_OPTION", text);
}

/** The same options for what is left of a wait that began at `beganMs`. */
export function restOf(options: LogWaitOptions, beganMs: number, nowMs: number): LogWaitOptions {
  const { signal, timeoutMs } = options;
  if (timeoutMs === undefined) return options;
  return { signal, timeoutMs: Math.max(0, timeoutMs - (nowMs - beganMs)) };
}

const TIMEOUT_ALLOWED = `milliseconds: a number, 0 to ${TIMER_MS_MAX}`;

function isTimeout(timeoutMs: unknown): boolean {
  return typeof timeoutMs === "number" && timeoutMs >= 0 && timeoutMs <= TIMER_MS_MAX;
}

/** The error of an operation whose signal is aborted. */
export function abortedError(signal: AbortSignalLike): LogError {
  return new LogError("ERR_LOG_ABORTED", "The wait was aborted", { cause: signal.reason });
}

/** The error of an operation whose time is over. */
export function timeoutError(timeoutMs: number): LogError {
  return new LogError("ERR_LOG_TIMEOUT", `The wait was not over within ${timeoutMs} ms`);
}
