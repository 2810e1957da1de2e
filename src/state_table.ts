/**
 * State machines as data: what every table of states in this project is, and the one way to change a state.
 *
 * @module
 */

import { BugError } from "./errors.ts";

/** A table: state → input → next state. */
export type Table<State extends string, Input extends string> = Readonly<
  Record<State, Readonly<Partial<Record<Input, State>>>>
>;

/** The state that follows `state` on `input`. Throws `BugError` where the table has no cell. */
export function next<State extends string, Input extends string>(
  table: Table<State, Input>,
  state: State,
  input: Input,
): State {
  const to = table[state][input];
  if (to === undefined) throw new BugError(`no transition from "${state}" on "${input}"`);
  return to;
}
