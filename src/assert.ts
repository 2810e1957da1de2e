import { BugError } from "./errors.ts";

/** Throws `BugError` when `condition` does not hold. For broken invariants, never for what a peer or caller did. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new BugError(message);
}

/** Marks a `switch` as complete: a new member of the union breaks the build here. */
export function never(value: never): never {
  throw new BugError(`unexpected value: ${String(value)}`);
}
