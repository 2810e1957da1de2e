/**
 * State machines as data: the type of every state table in this project, and the only way to change a state.
 *
 * @module
 */

import { BugError } from "./errors.ts";

/** A table: state → input → next state. */
export type Table<State extends string, Input extends string> = Readonly<
  Record<State, Readonly<Partial<Record<Input, State>>>>
>;

/** The state that follows `state` on `input`. Throws `BugError` when the table has no such cell. */
export function next<State extends string, Input extends string>(
  table: Table<State, Input>,
  state: State,
  input: Input,
): State {
  const to = table[state][input];
  if (to === undefined) throw new BugError(`no transition from "${state}" on "${input}"`);
  return to;
}
