/**
 * Fields of events for tests that look at events of several kinds in one list.
 *
 * @module
 */

import type { Peer } from "../../src/pattern/pipe/pipe.ts";
import type { SocketEvent } from "../../src/session/events.ts";

/** The error that an event carries, if its kind has one. */
export function errorOf(event: SocketEvent | undefined): Error | undefined {
  return event !== undefined && "error" in event ? event.error : undefined;
}

/** The peer that an event is about, if its kind has one. */
export function peerOf(event: SocketEvent | undefined): Peer | undefined {
  return event !== undefined && "peer" in event ? event.peer : undefined;
}
