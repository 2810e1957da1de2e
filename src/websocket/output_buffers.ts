/**
 * Memory in which frames are written before they go to a stream. Connections take it for the time of a write
 * only, so an idle one has none.
 *
 * @module
 */

import { type Words, wordsOf } from "./mask.ts";

/** Enough for a lone message or a few. */
export const SMALL_BUFFER_BYTES = 2_048;
/** Enough for a segment of 64 KiB of messages that are not tiny. */
export const LARGE_BUFFER_BYTES = 131_072;

const SMALL_KEPT = 64;
const LARGE_KEPT = 8;

const small: Words[] = [];
const large: Words[] = [];

/** Memory for what becomes of `bytes` of ZMTP: all of it if that is little, else a part of it at a time. */
export function takeBuffer(bytes: number): Words {
  // A frame grows at most from 2 bytes to 8; a control frame or two may go in front.
  if (bytes <= SMALL_BUFFER_BYTES / 8) return small.pop() ?? wordsOf(new Uint8Array(SMALL_BUFFER_BYTES));
  return large.pop() ?? wordsOf(new Uint8Array(LARGE_BUFFER_BYTES));
}

/** Nobody reads it any longer. Memory that a stream may still read is never given back. */
export function giveBuffer(buffer: Words): void {
  if (buffer.bytes.length === SMALL_BUFFER_BYTES) {
    if (small.length < SMALL_KEPT) small.push(buffer);
  } else if (large.length < LARGE_KEPT) large.push(buffer);
}
