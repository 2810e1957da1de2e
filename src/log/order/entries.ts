/**
 * What a topic's store holds: a run of entries, each a 48-byte header and a body, padded to 8 bytes. The order log and the
 * payloads share it, so that payload, order and everything else become durable in the order in which they were decided.
 *
 * | at | | |
 * |---|---|---|
 * | 0 | u32 | mark |
 * | 4 | u8 | type |
 * | 5 | u8 | flags |
 * | 6 | u16 | version of the format |
 * | 8 | u64 | id: session, or the number that the type says |
 * | 16 | u32 | epoch |
 * | 20 | u32 | count |
 * | 24 | u64 | number: batch or position |
 * | 32 | u32 | bytes of the body |
 * | 36 | u32 | CRC-32 of the body |
 * | 40 | u32 | the entry's own offset, low 32 bits: what was written elsewhere is not taken for this |
 * | 44 | u32 | CRC-32 of bytes 0 to 43 |
 *
 * A payload's body is the batch as its publisher sealed it, with the publisher's CRC: position and epoch lie outside.
 *
 * @module
 */

import { assert } from "../../assert.ts";
import { copyOf } from "../../bytes/bytes.ts";
import type { Crc32 } from "../../bytes/crc32.ts";

export const ENTRY_HEADER_BYTES = 48;
/** `HAWS` when read as text. Only a hint: the checksums decide. */
export const ENTRY_MARK = 0x5357_4148;
/** The newest format that is read, and the one that is written. */
export const FORMAT_VERSION = 1;
/** Bytes of one row of an order entry, and of what stands before the rows. */
export const ORDER_ROW_BYTES = 64;
export const ORDER_HEAD_BYTES = 16;

/** The kinds of entries. */
export const ENTRY_TYPES = {
  /** First of each segment: id = base offset, number = the next position, epoch = generation. */
  segment: 1,
  /** Sessions, consumers and generations as they were at this point. */
  snapshot: 2,
  /** A batch that was received. Without a row in an order entry it never happened. */
  payload: 3,
  /** One sequencing round: number = position of its first record, count = rows. */
  order: 4,
  /** A session's new epoch; number = when it began, in milliseconds since 1970; 0: not known. Body: the publisher's name. */
  sessionOpened: 5,
  /** A session's epoch is over; number = batches that are committed. */
  fence: 6,
  /** A consumer's new reader; epoch = the consumer's. Body: its name. */
  consumerOpened: 7,
  /** number = the next position to read, epoch = generation. Body: the consumer's name. */
  commit: 8,
  /** The log was reopened after a crash: epoch = generation, number = its first position. */
  generation: 9,
  /** Everything before was synced when the log was closed. */
  cleanStop: 10,
  /** Positions below `number` are not needed any more. */
  trim: 11,
  /** A session was forgotten: it was closed, or idle for too long. */
  sessionEnded: 12,
} as const;

export type EntryType = keyof typeof ENTRY_TYPES;

const TYPE_NAMES: readonly (EntryType | undefined)[] = Object.entries(ENTRY_TYPES).reduce(
  (names, [name, value]) => {
    names[value] = name as EntryType;
    return names;
  },
  [] as (EntryType | undefined)[],
);

/** An entry's header. */
export interface EntryHeader {
  readonly type: EntryType;
  readonly flags: number;
  readonly version: number;
  readonly id: bigint;
  readonly epoch: number;
  readonly count: number;
  readonly number: bigint;
  readonly bodyBytes: number;
  readonly bodyCrc: number;
}

/** Why bytes are no entry header. */
export type EntryFault = "short" | "mark" | "checksum" | "offset" | "type" | "version";

/** Bytes that an entry with such a body takes up. */
export function entryBytes(bodyBytes: number): number {
  return ENTRY_HEADER_BYTES + Math.ceil(bodyBytes / 8) * 8;
}

/** What a header is written from; what is missing is 0. */
export interface EntryFields {
  readonly flags?: number;
  readonly id?: bigint;
  readonly epoch?: number;
  readonly count?: number;
  readonly number?: bigint;
  readonly bodyBytes?: number;
  readonly bodyCrc?: number;
}

/** Writes a header for an entry that will stand at `offset`. */
export function encodeEntryHeader(
  type: EntryType,
  fields: EntryFields,
  offset: number,
  crc32: Crc32,
): Uint8Array {
  return writeHeader(type, fields, fields.bodyBytes ?? 0, fields.bodyCrc ?? 0, offset, crc32);
}

/** Where headers are made: a view of each header's own memory would move it out of the heap, which takes several times as long. */
const MADE = new Uint8Array(ENTRY_HEADER_BYTES);
const MADE_VIEW = new DataView(MADE.buffer);
const MADE_CHECKED = MADE.subarray(0, ENTRY_HEADER_BYTES - 4);

function writeHeader(
  type: EntryType,
  { id, epoch, count, number, flags }: EntryFields,
  bodyBytes: number,
  bodyCrc: number,
  offset: number,
  crc32: Crc32,
): Uint8Array {
  const view = MADE_VIEW;
  view.setUint32(0, ENTRY_MARK, true);
  view.setUint8(4, ENTRY_TYPES[type]);
  view.setUint8(5, flags ?? 0);
  view.setUint16(6, FORMAT_VERSION, true);
  view.setBigUint64(8, id ?? 0n, true);
  view.setUint32(16, epoch ?? 0, true);
  view.setUint32(20, count ?? 0, true);
  view.setBigUint64(24, number ?? 0n, true);
  view.setUint32(32, bodyBytes, true);
  view.setUint32(36, bodyCrc, true);
  view.setUint32(40, offset % 0x1_0000_0000, true);
  view.setUint32(44, crc32(MADE_CHECKED, 0), true);
  return copyOf(MADE);
}

const PADDING: readonly Uint8Array[] = Array.from({ length: 8 }, (_, bytes) => new Uint8Array(bytes));

/** Header, body and padding of an entry that will stand at `offset`; `bodyCrc` is taken as given where it is. */
export function encodeEntry(
  type: EntryType,
  fields: EntryFields,
  body: Uint8Array,
  offset: number,
  crc32: Crc32,
): Uint8Array[] {
  const bodyCrc = fields.bodyCrc ?? (body.length === 0 ? 0 : crc32(body, 0));
  const header = writeHeader(type, fields, body.length, bodyCrc, offset, crc32);
  if (body.length === 0) return [header];
  const padding = (8 - body.length % 8) % 8;
  return padding === 0 ? [header, body] : [header, body, PADDING[padding]!];
}

/** Reads the header at `at`, of an entry whose offset in the store is `offset`. */
export function decodeEntryHeader(
  bytes: Uint8Array,
  at: number,
  offset: number,
  crc32: Crc32,
): EntryHeader | EntryFault {
  if (bytes.length - at < ENTRY_HEADER_BYTES) return "short";
  if (readU32LittleEndian(bytes, at) !== ENTRY_MARK) return "mark";
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, ENTRY_HEADER_BYTES);
  const checksum = crc32(bytes.subarray(at, at + 44), 0);
  if (view.getUint32(44, true) !== checksum) return "checksum";
  if (view.getUint32(40, true) !== offset % 0x1_0000_0000) return "offset";
  const version = view.getUint16(6, true);
  if (version > FORMAT_VERSION) return "version";
  const type = TYPE_NAMES[bytes[at + 4]!];
  if (type === undefined) return "type";
  return {
    type,
    flags: bytes[at + 5]!,
    version,
    id: view.getBigUint64(8, true),
    epoch: view.getUint32(16, true),
    count: view.getUint32(20, true),
    number: view.getBigUint64(24, true),
    bodyBytes: view.getUint32(32, true),
    bodyCrc: view.getUint32(36, true),
  };
}

function readU32LittleEndian(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24) >>> 0;
}

/** One batch of a sequencing round. */
export interface OrderRow {
  readonly position: bigint;
  readonly session: bigint;
  readonly epoch: number;
  readonly count: number;
  readonly batch: number;
  /** Offset of its payload entry in the store. */
  readonly offset: number;
  readonly bodyBytes: number;
  readonly bodyCrc: number;
  readonly lastSequence: bigint | undefined;
  readonly broker: number;
}

/** The body of an order entry. */
export interface OrderRound {
  readonly timestampMs: number;
  /** Offset below which everything was known synced when this was written. */
  readonly syncedThrough: number;
  readonly rows: readonly OrderRow[];
}

const HAS_SEQUENCE = 1;

/** The body of an order entry. */
export function encodeRound(round: OrderRound): Uint8Array {
  const body = new Uint8Array(ORDER_HEAD_BYTES + round.rows.length * ORDER_ROW_BYTES);
  const view = new DataView(body.buffer);
  view.setBigUint64(0, BigInt(round.timestampMs), true);
  view.setBigUint64(8, BigInt(round.syncedThrough), true);
  let at = ORDER_HEAD_BYTES;
  for (const row of round.rows) {
    view.setBigUint64(at, row.position, true);
    view.setBigUint64(at + 8, row.session, true);
    view.setUint32(at + 16, row.epoch, true);
    view.setUint32(at + 20, row.count, true);
    view.setBigUint64(at + 24, BigInt(row.batch), true);
    view.setBigUint64(at + 32, BigInt(row.offset), true);
    view.setUint32(at + 40, row.bodyBytes, true);
    view.setUint32(at + 44, row.bodyCrc, true);
    view.setBigUint64(at + 48, row.lastSequence ?? 0n, true);
    view.setUint32(at + 56, row.lastSequence === undefined ? 0 : HAS_SEQUENCE, true);
    view.setUint32(at + 60, row.broker, true);
    at += ORDER_ROW_BYTES;
  }
  assert(at === body.length, "an order entry is as long as its rows");
  return body;
}

/** Reads the body of an order entry with `count` rows; `undefined`: its length or its numbers are wrong. */
export function decodeRound(body: Uint8Array, count: number): OrderRound | undefined {
  if (body.length !== ORDER_HEAD_BYTES + count * ORDER_ROW_BYTES) return undefined;
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  const rows: OrderRow[] = [];
  for (let at = ORDER_HEAD_BYTES; at < body.length; at += ORDER_ROW_BYTES) {
    const flags = view.getUint32(at + 56, true);
    rows.push({
      position: view.getBigUint64(at, true),
      session: view.getBigUint64(at + 8, true),
      epoch: view.getUint32(at + 16, true),
      count: view.getUint32(at + 20, true),
      batch: Number(view.getBigUint64(at + 24, true)),
      offset: Number(view.getBigUint64(at + 32, true)),
      bodyBytes: view.getUint32(at + 40, true),
      bodyCrc: view.getUint32(at + 44, true),
      lastSequence: (flags & HAS_SEQUENCE) === 0 ? undefined : view.getBigUint64(at + 48, true),
      broker: view.getUint32(at + 60, true),
    });
  }
  const timestampMs = Number(view.getBigUint64(0, true));
  const syncedThrough = Number(view.getBigUint64(8, true));
  if (!Number.isSafeInteger(timestampMs) || !Number.isSafeInteger(syncedThrough)) return undefined;
  return { timestampMs, syncedThrough, rows };
}
