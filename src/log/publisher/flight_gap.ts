/**
 * What is left of an epoch in which a batch was refused for good.
 *
 * @module
 */

import type { Order } from "../topic_options.ts";
import type { Window } from "./window.ts";

/** Whether whatever was sent below `high` and can be committed is, where the first batch that cannot is `gap`. */
export function isDrained<Token>(window: Window<Token>, gap: number, high: number, order: Order): boolean {
  for (let number = window.baseNumber; number < gap; number++) {
    // What is left behind unsynced has to wait for a batch of the next epoch, and there may be none.
    if (!window.at(window.indexOf(number)).settled) return false;
  }
  // From order 4 on nothing is taken behind a gap.
  for (let number = gap; number < high && order < 4; number++) {
    // Nobody ever tells of a batch behind a gap that it is synced.
    const { committed, error } = window.at(window.indexOf(number));
    if (!committed && error === undefined) return false;
  }
  return true;
}
