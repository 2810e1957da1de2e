/**
 * The layouts of ZMTP 3.1 (RFC 37) and their constants. All numbers are big-endian.
 *
 * Greeting, 64 bytes, once in each direction ("greeting"):
 * ```
 *    0    1           9   10      11      12                    32          33          64
 *   ┌────┬───────────┬────┬───────┬───────┬─────────────────────┬───────────┬───────────┐
 *   │ FF │ padding 8 │ 7F │ major │ minor │ mechanism, 20,      │ as-server │ filler 31 │
 *   │    │ (ignored) │    │   3   │   1   │ ASCII, padded by 00 │  00 / 01  │ (ignored) │
 *   └────┴───────────┴────┴───────┴───────┴─────────────────────┴───────────┴───────────┘
 *     signature: 10 bytes
 * ```
 * Frame ("framing"). Bits 3–7 of the flags are zero; MORE is zero on a command:
 * ```
 *   ┌───────┬─────────────┬──────┐        flags   bit 0  MORE     another frame of this message follows
 *   │ flags │ size 1 or 8 │ body │                bit 1  LONG     the size has 8 bytes
 *   └───────┴─────────────┴──────┘                bit 2  COMMAND  the body is a command
 * ```
 * Command, the body of a frame with COMMAND:
 * ```
 *   ┌───────────────┬────────────┬──────┐     READY      metadata
 *   │ name length 1 │ name 1–255 │ data │     ERROR      reason length 1, reason
 *   └───────────────┴────────────┴──────┘     SUBSCRIBE  topic            CANCEL  topic
 *                                             PING       see below        PONG    context
 * ```
 * Metadata: properties back to back until the end of the data ("connection metadata"):
 * ```
 *   ┌───────────────┬────────────┬────────────────┬───────┐
 *   │ name length 1 │ name 1–255 │ value length 4 │ value │  …
 *   └───────────────┴────────────┴────────────────┴───────┘
 * ```
 * PING and its answer ("connection heartbeating"). The TTL counts tenths of a second:
 * ```
 *   ┌────┬──────────┬───────┬──────────────┐       ┌────┬──────────┬──────────────┐
 *   │ 04 │ P I N G  │ TTL 2 │ context 0–16 │  ──▶  │ 04 │ P O N G  │ same context │
 *   └────┴──────────┴───────┴──────────────┘       └────┴──────────┴──────────────┘
 * ```
 * Sealed frame, the body of every frame after a CURVE handshake (RFC 26 "MESSAGE"). Inside, COMMAND is bit 1:
 * ```
 *   ┌────┬───────────────┬─────────┬──────────────────────────────────┐
 *   │ 07 │ M E S S A G E │ nonce 8 │ box of: flags 1 (MORE, COMMAND), │
 *   │    │               │         │ body of the frame                │
 *   └────┴───────────────┴─────────┴──────────────────────────────────┘
 * ```
 * To a 3.0 peer a subscription is sent as a message instead: one frame `01 topic`, or `00 topic` for a
 * cancellation.
 *
 * @module
 */

/** The major version that we speak and announce. */
export const VERSION_MAJOR = 3;
/** The minor version that we speak and announce. */
export const VERSION_MINOR = 1;

/** First byte of every versioned greeting. */
export const SIGNATURE_FIRST = 0xff;
/** Tenth byte. Only its lowest bit counts on receipt: ZMTP 1.0 has a flags byte here, with that bit clear. */
export const SIGNATURE_LAST = 0x7f;
/** Offset of {@link SIGNATURE_LAST}. */
export const SIGNATURE_LAST_AT = 9;
/** Offset of the major version. */
export const MAJOR_AT = 10;
/** Offset of the minor version. */
export const MINOR_AT = 11;
/** Offset of the mechanism's name. */
export const MECHANISM_AT = 12;
/** Bytes of the mechanism's name, padding included. */
export const MECHANISM_BYTES = 20;
/** Offset of the as-server flag. */
export const AS_SERVER_AT = 32;
/** Bytes of a whole greeting. */
export const GREETING_BYTES = 64;

/** Flag: another frame of the same message follows. */
export const FLAG_MORE = 0x01;
/** Flag: the size has eight bytes. Legal on receipt whatever the size. */
export const FLAG_LONG = 0x02;
/** Flag: the body is a command. */
export const FLAG_COMMAND = 0x04;
/** Bits that no sender may set. */
export const FLAGS_RESERVED = 0xf8;

/** Largest body whose size fits in one byte. */
export const SHORT_BODY_BYTES_MAX = 255;
/** Bytes of a header with a one-byte size. */
export const SHORT_HEADER_BYTES = 2;
/** Bytes of a header with an eight-byte size. */
export const LONG_HEADER_BYTES = 9;

/** Longest name of a command or of a property. Both are at least one byte long. */
export const NAME_BYTES_MAX = 255;
/** Longest value of a property. */
export const VALUE_BYTES_MAX = 0x7fff_ffff;
/** Longest identity (routing id). */
export const IDENTITY_BYTES_MAX = 255;
/** Longest reason of an ERROR command. */
export const REASON_BYTES_MAX = 255;

/** Longest context of a PING. */
export const PING_CONTEXT_BYTES_MAX = 16;
/** Longest TTL of a PING, in tenths of a second: a little under two hours. */
export const PING_TTL_DECISECONDS_MAX = 0xffff;

/** First byte of a subscription in message form. */
export const MESSAGE_SUBSCRIBE = 0x01;
/** First byte of a cancellation in message form. */
export const MESSAGE_CANCEL = 0x00;
