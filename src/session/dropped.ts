/**
 * Queued messages are dropped silently only if the user asked for it with a linger of 0.
 *
 * @module
 */

import type { KnownPeer } from "../pattern/pipe/pipe.ts";
import type { SessionOwner } from "./owner.ts";

/** Emits a `drop` event for `count` messages, if any, including those that a transport took in part. */
export function tellDropped(
  owner: SessionOwner,
  address: string,
  known: KnownPeer | undefined,
  count: number,
  why: string,
): void {
  if (count === 0) return;
  owner.emit({ type: "drop", address, peer: known?.peer, error: new Error(`Dropped: ${why}`), count });
}

/** The reason when the linger time has run out. */
export const LINGER_OVER = "the linger time ran out before they were sent";
