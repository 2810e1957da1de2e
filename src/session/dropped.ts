/**
 * Queued messages that will not be sent are never dropped in silence, unless the user asked for it with a linger of 0.
 *
 * @module
 */

import type { Peer } from "../pattern/pipe.ts";
import type { SessionOwner } from "./owner.ts";

/** Tells that `count` messages are dropped, if there are any. Those that a transport took in part are among them. */
export function tellDropped(
  owner: SessionOwner,
  address: string,
  peer: Peer | undefined,
  count: number,
  why: string,
): void {
  if (count > 0) owner.emit({ type: "drop", address, peer, error: new Error(`Dropped: ${why}`), count });
}

/** Why, where the time for it has run out. */
export const LINGER_OVER = "the linger time was over before they were sent";
