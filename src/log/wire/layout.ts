/**
 * The layout of the log's messages and its constants. All numbers are little-endian. A message is a hawser message
 * of one frame or more: the header, the body, and in `records` one frame for each batch.
 *
 * ```
 *    0         1      2       4         8            16      20      24       32      40      48           52        56           60          64
 *   ┌─────────┬──────┬───────┬─────────┬────────────┬───────┬───────┬────────┬───────┬───────┬────────────┬─────────┬────────────┬───────────┐
 *   │ version │ type │ flags │ request │ id         │ epoch │ count │ number │ limit │ extra │ body bytes │ body    │ generation │ header    │
 *   │ u8      │ u8   │ u16   │ u32     │ u64        │ u32   │ u32   │ u64    │ u64   │ u64   │ u32        │ CRC u32 │ u32        │ CRC u32   │
 *   └─────────┴──────┴───────┴─────────┴────────────┴───────┴───────┴────────┴───────┴───────┴────────────┴─────────┴────────────┴───────────┘
 * ```
 * What a type does not use is 0. `body bytes` and `body CRC` speak of frame 1, which is missing where it would be empty. The
 * header's CRC covers the bytes before it. Version, type, request, the body's fields and the header's CRC stay where they are in
 * all versions, and so does all of `hello`, `refused` and `unsupported`. layouts.ts tells what stands where in each type.
 *
 * An ack run, 24 bytes: consecutive batches with consecutive positions.
 * ```
 *   ┌───────────┬─────────────┬───────┬──────────────┐
 *   │ batch u64 │ batches u32 │ 0 u32 │ position u64 │
 *   └───────────┴─────────────┴───────┴──────────────┘
 * ```
 * An entry of the table in `records`, 32 bytes, one for each body:
 * ```
 *   ┌──────────────┬──────────────────────┬───────────┬────────────────┬──────────────┬───────┐
 *   │ position u64 │ timestamp u64, in ms │ count u32 │ body bytes u32 │ body CRC u32 │ 0 u32 │
 *   └──────────────┴──────────────────────┴───────────┴────────────────┴──────────────┴───────┘
 * ```
 *
 * @module
 */

import type { LogMessage } from "./messages.ts";

/** The version that we speak. */
export const WIRE_VERSION = 1;

/** Bytes of every message's first frame. */
export const HEADER_BYTES = 64;
/** Offsets in the header. */
export const VERSION_AT = 0;
export const TYPE_AT = 1;
export const FLAGS_AT = 2;
export const REQUEST_AT = 4;
export const ID_AT = 8;
export const EPOCH_AT = 16;
export const COUNT_AT = 20;
export const NUMBER_AT = 24;
export const LIMIT_AT = 32;
export const EXTRA_AT = 40;
export const BODY_BYTES_AT = 48;
export const BODY_CRC_AT = 52;
export const GENERATION_AT = 56;
export const HEADER_CRC_AT = 60;

/** Type numbers. Odd: from the client. Even: from the broker. `unsupported`: from either. */
export const TYPES: Readonly<Record<LogMessage["type"], number>> = {
  hello: 1,
  welcome: 2,
  openTopic: 3,
  topicOpened: 4,
  openSession: 5,
  sessionOpened: 6,
  batch: 7,
  ack: 8,
  yield: 9,
  grant: 10,
  closeSession: 11,
  fenced: 12,
  read: 13,
  records: 14,
  subscribe: 15,
  subscribed: 16,
  credit: 17,
  cursorEnded: 18,
  unsubscribe: 19,
  consumerOpened: 20,
  openConsumer: 21,
  done: 22,
  commit: 23,
  consumerSuperseded: 24,
  closeConsumer: 25,
  statusReport: 26,
  trim: 27,
  storeState: 28,
  status: 29,
  refused: 30,
  unsupported: 0xff,
};

/** Flag of a `batch` and of `sessionOpened`: there is a last sequence. */
export const FLAG_SEQUENCE = 0x1;
/** Flag of a `grant`: the limit was lowered, and {@link Yield} answers. */
export const FLAG_LOWERED = 0x1;
/** Flag of `consumerOpened`: a position was committed. */
export const FLAG_COMMITTED = 0x1;

/** Bytes of one ack run. */
export const RUN_BYTES = 24;
/** Bytes in front of the runs of `sessionOpened`: next synced batch, bytes of the window. */
export const SESSION_OPENED_BYTES = 16;
/** Bytes of one entry of the table in `records`. */
export const ENTRY_BYTES = 32;

/** Largest body of a message from a client, but for batches. A broker discards larger ones unread. */
export const CONTROL_BYTES_MAX = 65_536;
/** Largest body (status report, runs, table) of a message from a broker. */
export const ANSWER_BYTES_MAX = 16_777_216;
/** Longest name of a topic, publisher or consumer, in UTF-8. */
export const NAME_BYTES_MAX = 255;
/** Longest message of an error, in UTF-16 units; what is longer is cut when it is sent. */
export const ERROR_TEXT_MAX = 1_000;

/** Bytes of a record that is empty but for its lengths: u32 and twice u16. */
export const RECORD_HEAD_BYTES = 8;
/** Largest number of bytes that a record can tell: above are the bits of a codec. */
export const RECORD_BYTES_MAX = 0x1fff_ffff;
