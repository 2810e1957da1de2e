/**
 * The layout of WebSocket frames (RFC 6455 §5.2) and their constants. Numbers are big-endian.
 * ```
 *   ┌──────────────────────┬──────────────────┬─────────────────┬────────────────┬─────────┐
 *   │ FIN 1 RSV 3 opcode 4 │ MASK 1  length 7 │ length 0, 2, 8  │ mask key 0, 4  │ payload │
 *   └──────────────────────┴──────────────────┴─────────────────┴────────────────┴─────────┘
 *
 *   FIN     the last fragment of a message      length  0–125 itself, 126: 2 bytes follow, 127: 8 bytes
 *   RSV     0: we agree on no extensions        MASK    set by clients, and never by servers
 *   opcode  0 continuation, 1 text, 2 binary; 8 close, 9 ping, A pong: these have at most 125 bytes and are
 *           never in fragments, but may stand between those of a message
 *
 *   masked payload[i] = payload[i] XOR mask key[i mod 4]           close:  code 2, reason in UTF-8
 * ```
 *
 * @module
 */

export const FIN = 0x80;
export const RESERVED_BITS = 0x70;
export const OPCODE_BITS = 0x0f;
export const MASK = 0x80;

export const CONTINUATION = 0x0;
export const TEXT = 0x1;
export const BINARY = 0x2;
export const CLOSE = 0x8;
export const PING = 0x9;
export const PONG = 0xa;

/** The first byte of a whole binary message, which is all that ZWS needs. */
export const WHOLE_BINARY: number = FIN | BINARY;
/** Longest payload whose length fits in the second byte; control frames have no more. */
export const SHORT_PAYLOAD_BYTES_MAX = 125;
/** The second byte's length if two bytes follow with it, and if eight do. */
export const LENGTH_16 = 126;
export const LENGTH_64 = 127;
/** Bytes of the longest header. */
export const HEADER_BYTES_MAX = 14;

/**
 * Writes a header without its mask key at `at`, with the shortest length, and returns the offset after it.
 * `mask`: {@link MASK} or 0.
 */
export function writeHeader(
  into: Uint8Array,
  at: number,
  first: number,
  mask: number,
  payloadBytes: number,
): number {
  into[at] = first;
  if (payloadBytes <= SHORT_PAYLOAD_BYTES_MAX) {
    into[at + 1] = mask | payloadBytes;
    return at + 2;
  }
  if (payloadBytes <= 0xffff) {
    into[at + 1] = mask | LENGTH_16;
    into[at + 2] = payloadBytes >>> 8;
    into[at + 3] = payloadBytes;
    return at + 4;
  }
  const high = Math.floor(payloadBytes / 0x1_0000_0000);
  into[at + 1] = mask | LENGTH_64;
  into[at + 2] = 0;
  into[at + 3] = high >>> 16;
  into[at + 4] = high >>> 8;
  into[at + 5] = high;
  into[at + 6] = payloadBytes >>> 24;
  into[at + 7] = payloadBytes >>> 16;
  into[at + 8] = payloadBytes >>> 8;
  into[at + 9] = payloadBytes;
  return at + 10;
}
