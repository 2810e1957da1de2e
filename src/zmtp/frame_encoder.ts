/**
 * Encodes messages as frames: `flags(1) size(1 or 8, big-endian) body`, RFC 23/37 "framing". A body is copied
 * after its header, or only the header is written and the body is passed by reference (see segment.ts).
 *
 * @module
 */

import { FLAG_LONG, SHORT_BODY_BYTES_MAX } from "./wire.ts";

/** Bytes of the header of a frame whose body has `bodyBytes` bytes. */
export function frameHeaderBytes(bodyBytes: number): number {
  return bodyBytes > SHORT_BODY_BYTES_MAX ? 9 : 2;
}

/** Writes a frame header at `at` and returns the offset after it. `flags` without the LONG bit. */
export function writeFrameHeader(into: Uint8Array, at: number, flags: number, bodyBytes: number): number {
  if (bodyBytes <= SHORT_BODY_BYTES_MAX) {
    into[at] = flags;
    into[at + 1] = bodyBytes;
    return at + 2;
  }
  into[at] = flags | FLAG_LONG;
  // The upper half of a JavaScript size has at most 21 bits, so the top bit on the wire is always clear.
  const high = Math.floor(bodyBytes / 0x1_0000_0000);
  into[at + 1] = 0;
  into[at + 2] = high >>> 16;
  into[at + 3] = high >>> 8;
  into[at + 4] = high;
  into[at + 5] = bodyBytes >>> 24;
  into[at + 6] = bodyBytes >>> 16;
  into[at + 7] = bodyBytes >>> 8;
  into[at + 8] = bodyBytes;
  return at + 9;
}

/** Writes a whole frame, body copied, at `at` and returns the offset after it. */
export function writeFrame(into: Uint8Array, at: number, flags: number, body: Uint8Array): number {
  const bodyAt = writeFrameHeader(into, at, flags, body.length);
  into.set(body, bodyAt);
  return bodyAt + body.length;
}

/** Encodes one whole frame in memory of its own. */
export function encodeFrame(flags: number, body: Uint8Array): Uint8Array {
  const frame = new Uint8Array(frameHeaderBytes(body.length) + body.length);
  writeFrame(frame, 0, flags, body);
  return frame;
}
