/**
 * What callers pass: the checks that sockets and log have in common.
 *
 * @module
 */

import type { AbortSignalLike } from "./ports.ts";

/** Whether `signal` can end a wait: an `AbortSignal` or an equivalent. */
export function isSignal(signal: unknown): signal is AbortSignalLike {
  const given = signal as Partial<AbortSignalLike> | null;
  return typeof given === "object" && given !== null && typeof given.aborted === "boolean" &&
    typeof given.addEventListener === "function" && typeof given.removeEventListener === "function";
}

/**
 * Whether `value` is a plain object, such as a literal creates, from any realm. An instance of a class, a
 * `Map` or an array is not: what it holds is not, or not only, in fields of its own, and would be missed.
 */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value) as object | null;
  // A literal's prototype has none itself; that of an array, a map or a class instance does.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
