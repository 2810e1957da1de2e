/**
 * Bodies of messages that both sides of a test can make from a few numbers, and short descriptions of what arrived:
 * 64 MiB need not travel beside the sockets to be compared.
 *
 * @module
 */

import { createHash } from "node:crypto";

/** A frame's body: pseudo-random bytes, text, or bytes in hexadecimal digits. */
export type Body =
  | { readonly seed: number; readonly bytes: number }
  | { readonly text: string }
  | { readonly hex: string };

/** Bytes repeat after this many. It is prime, so that a segment in the wrong place is not mistaken for the right one. */
const PERIOD = 4_093;
const HEX_BYTES_MAX = 32;

/** The bytes of a body. */
export function makeBody(body: Body): Uint8Array<ArrayBuffer> {
  if ("text" in body) return new TextEncoder().encode(body.text);
  if ("hex" in body) {
    return Uint8Array.from(body.hex.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));
  }
  const bytes = new Uint8Array(body.bytes);
  let state = body.seed >>> 0;
  for (let i = 0; i < Math.min(PERIOD, bytes.length); i++) {
    // Numerical Recipes' generator: three lines in any language.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[i] = state >>> 24;
  }
  for (let at = PERIOD; at < bytes.length; at *= 2) bytes.copyWithin(at, 0, at);
  return bytes;
}

/** A frame in few characters: its digits if it is short, else its length and digest. */
export function describeFrame(bytes: Uint8Array): string {
  if (bytes.length <= HEX_BYTES_MAX) return hexOf(bytes);
  return `${bytes.length} bytes, sha256 ${createHash("sha256").update(bytes).digest("hex").slice(0, 32)}`;
}

/** What {@link describeFrame} makes of each frame that these bodies become. */
export function describeBodies(bodies: readonly Body[]): string[] {
  return bodies.map((body) => describeFrame(makeBody(body)));
}

/** Hexadecimal digits of `bytes`. */
export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Hexadecimal digits of a text's UTF-8 bytes. */
export function hexOfText(text: string): string {
  return hexOf(new TextEncoder().encode(text));
}
