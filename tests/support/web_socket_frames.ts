/**
 * A second, naive reading of RFC 6455: makes frames and takes them apart, byte by byte. Tests compare hawser with it.
 *
 * @module
 */

import { concat } from "../../src/bytes/bytes.ts";

export interface PlainFrame {
  /** FIN, reserved bits and opcode. */
  readonly first: number;
  readonly masked: boolean;
  readonly payload: Uint8Array;
}

/** One frame. `key`: masks it. */
export function frame(first: number, payload: Uint8Array, key?: readonly number[]): Uint8Array {
  const bit = key === undefined ? 0 : 0x80;
  const head = [first];
  if (payload.length < 126) head.push(bit | payload.length);
  else if (payload.length < 65_536) head.push(bit | 126, payload.length >> 8, payload.length & 255);
  else {
    const length = new Uint8Array(8);
    new DataView(length.buffer).setBigUint64(0, BigInt(payload.length));
    head.push(bit | 127, ...length);
  }
  if (key === undefined) return concat([Uint8Array.from(head), payload]);
  return concat([Uint8Array.from([...head, ...key]), payload.map((byte, index) => byte ^ key[index % 4]!)]);
}

/** All frames in `bytes`, unmasked; what is left at the end is a frame that is cut off. */
export function framesIn(bytes: Uint8Array): { readonly frames: PlainFrame[]; readonly rest: Uint8Array } {
  const frames: PlainFrame[] = [];
  let at = 0;
  for (;;) {
    let next = at;
    const take = (count: number): Uint8Array => bytes.slice(next, next += count);
    const [first, second] = take(2);
    if (second === undefined) break;
    const masked = second >= 0x80;
    let length = second & 0x7f;
    if (length >= 126) length = Number(`0x${hex(take(length === 126 ? 2 : 8)) || 0}`);
    const key = masked ? take(4) : undefined;
    const payload = take(length);
    if (next > bytes.length) break;
    frames.push({
      first: first!,
      masked,
      payload: key === undefined ? payload : payload.map((byte, index) => byte ^ key[index % 4]!),
    });
    at = next;
  }
  return { frames, rest: bytes.slice(at) };
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
