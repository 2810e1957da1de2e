import { BugError } from "./errors.ts";

/** Throws `BugError` when `condition` is false. For broken invariants, not for faults of peers or callers. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new BugError(message);
}

/** Marks a `switch` as complete: a new member of the union breaks the build here. */
export function never(value: never): never {
  throw new BugError(`unexpected value: ${String(value)}`);
}
