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
/** For large bodies that must be masked: each write that a stream keeps costs a turn of the event loop. */
export const HUGE_BUFFER_BYTES = 524_288;

/** One size of memory, and what of it is free. */
interface Kind {
  readonly bytes: number;
  readonly kept: number;
  readonly free: Words[];
}

const KINDS: readonly Kind[] = [
  { bytes: SMALL_BUFFER_BYTES, kept: 64, free: [] },
  { bytes: LARGE_BUFFER_BYTES, kept: 8, free: [] },
  { bytes: HUGE_BUFFER_BYTES, kept: 2, free: [] },
];

/** Memory for what becomes of `bytes` of ZMTP: all of it if that is little, else a part of it at a time. */
export function takeBuffer(bytes: number): Words {
  // A frame grows at most from 2 bytes to 8; a control frame or two may go in front.
  const kind = KINDS[bytes <= SMALL_BUFFER_BYTES / 8 ? 0 : bytes <= LARGE_BUFFER_BYTES ? 1 : 2]!;
  return kind.free.pop() ?? wordsOf(new Uint8Array(kind.bytes));
}

/** Nobody reads it any longer. Memory that a stream may still read is never given back. */
export function giveBuffer(buffer: Words): void {
  for (const { bytes, kept, free } of KINDS) {
    if (buffer.bytes.length === bytes && free.length < kept) free.push(buffer);
  }
}
