/**
 * Options of calls. Unknown names are refused and values are checked, as for constructors. A call without
 * options pays nothing for this.
 *
 * @module
 */

import { isPlainObject, isSignal } from "../arguments.ts";
import { MisuseError } from "../errors.ts";
import type { AbortSignalLike } from "../ports.ts";

/** How long to wait, and what can end the wait early. */
export interface WaitOptions {
  /** Ends the wait with an `AbortError` (`code` is `ERR_ABORTED`) whose `cause` is the signal's reason. */
  readonly signal?: AbortSignalLike | undefined;
  /**
   * Milliseconds after which the wait ends with `ERR_AGAIN`. -1: never, 0: at once. Overrides the socket's
   * own time-out.
   */
  readonly timeoutMs?: number | undefined;
}

/** The values that one option of a call may have. */
export interface CallOption {
  /** The allowed values, as error messages state them. */
  readonly allowed: string;
  allows(value: unknown): boolean;
}

/** The options of a call, by name. */
export type CallOptions<Names extends PropertyKey = string> = Readonly<Record<Names, CallOption>>;

/** The longest wait, in milliseconds, that timers support on every runtime. */
export const TIMER_MAX = 2_147_483_647;

/** An option that is a whole number. */
export function wholeNumber(what: string, min: number, max: number = Number.MAX_SAFE_INTEGER): CallOption {
  return {
    allowed: `${what}: a whole number, ${min} ${max === Number.MAX_SAFE_INTEGER ? "or more" : `to ${max}`}`,
    allows: (value) => Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max,
  };
}

/** An option that is text or bytes. */
export const BYTES: CallOption = {
  allowed: "a string or a Uint8Array",
  allows: (value) => typeof value === "string" || value instanceof Uint8Array,
};

/** The options of every call that waits. */
export const WAIT_OPTIONS: CallOptions<keyof WaitOptions> = {
  signal: { allowed: "an AbortSignal", allows: isSignal },
  // A remaining time, such as `deadline - performance.now()`, is rarely a whole number.
  timeoutMs: {
    allowed: `milliseconds: a number, 0 to ${TIMER_MAX}, or -1 for no time-out`,
    allows: (value) => typeof value === "number" && (value === -1 || (value >= 0 && value <= TIMER_MAX)),
  },
};

/**
 * Returns what is wrong with the options of a call, or `undefined` when nothing is. `call` is its name in the
 * message.
 */
export function callFault(call: string, options: unknown, known: CallOptions): MisuseError | undefined {
  if (!isPlainObject(options)) {
    return new MisuseError(
      "ERR_OPTION",
      `Cannot use ${show(options)} as the options of ${call}: allowed is a plain object with ${names(known)}`,
    );
  }
  for (const [name, value] of Object.entries(options)) {
    const option = Object.hasOwn(known, name) ? known[name] : undefined;
    if (option === undefined) {
      return new MisuseError("ERR_OPTION", `Unknown option "${name}" of ${call}; it has ${names(known)}`);
    }
    if (value !== undefined && !option.allows(value)) return valueFault(name, value, option.allowed);
  }
  return undefined;
}

/**
 * Returns why a call with these options must not begin to wait: they are wrong, or their signal is already
 * aborted. Returns `undefined` when it may wait. A call without options pays nothing for this.
 */
export function refusedWait(
  call: string,
  options: WaitOptions | undefined,
  known: CallOptions = WAIT_OPTIONS,
): MisuseError | undefined {
  if (options === undefined) return undefined;
  const fault = callFault(call, options, known);
  if (fault !== undefined) return fault;
  return options.signal?.aborted === true ? abortedError(options.signal) : undefined;
}

/** Returns the error for a value that an option does not allow. */
export function valueFault(name: string, value: unknown, allowed: string): MisuseError {
  return new MisuseError(
    "ERR_OPTION",
    `Cannot set option "${name}" to ${show(value)}: allowed is ${allowed}`,
  );
}

/** Checks a single value that is not part of an options object. @throws {MisuseError} `ERR_OPTION` */
export function checkValue(name: string, value: unknown, option: CallOption): void {
  if (!option.allows(value)) throw valueFault(name, value, option.allowed);
}

/** A `MisuseError` with the name that every platform gives to errors of aborted operations. */
class AbortError extends MisuseError {
  override readonly name: string = "AbortError";
}

/** Returns the error for an operation whose signal is aborted. */
export function abortedError(signal: AbortSignalLike): MisuseError {
  return new AbortError("ERR_ABORTED", "The wait was aborted", { cause: signal.reason });
}

/** A value as error messages show it: text in quotes, bytes and objects by size or kind, never by content. */
export function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (Array.isArray(value)) return "an array";
  if (typeof value === "function") return "a function";
  return typeof value === "object" && value !== null ? "an object" : String(value);
}

function names(known: CallOptions): string {
  return Object.keys(known).join(", ") || "none";
}
