/**
 * Reading large bodies straight into their own memory, as adapters do that choose where a read goes.
 *
 * @module
 */

import { viewOf } from "../src/bytes/bytes.ts";

/** A rest of a body that is smaller is read together with what follows it, and copied. */
const PLACED_BYTES_MIN = 65_536;
/** The most that is read into a body at a time. */
const PLACED_BYTES_MAX = 1_048_576;

/** The read after a body brings the header of the next one, which says where the rest of that belongs. */
export const HEADER_BYTES = 16_384;

/** Returns the part of a body's `rest` that the next read should fill, or `undefined` if it should not. */
export function placeIn(rest: Uint8Array | undefined): Uint8Array | undefined {
  if (rest === undefined || rest.length < PLACED_BYTES_MIN) return undefined;
  return rest.length > PLACED_BYTES_MAX ? viewOf(rest, 0, PLACED_BYTES_MAX) : rest;
}
