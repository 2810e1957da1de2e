/**
 * The two messages that carry records: `batch` from a publisher, `records` to a reader. Bodies are frames of their own that
 * are given and taken by reference; their CRCs are checked where their bytes are read, not here.
 *
 * @module
 */

import { assert } from "../../assert.ts";
import { viewOf } from "../../bytes/bytes.ts";
import type { Crc32 } from "../../bytes/crc32.ts";
import {
  hasFlag,
  readU53,
  setFlag,
  u32,
  u53,
  u64,
  viewOver,
  writeU32,
  writeU53,
  writeU64,
} from "./fields.ts";
import {
  ANSWER_BYTES_MAX,
  BODY_BYTES_AT,
  BODY_CRC_AT,
  COUNT_AT,
  ENTRY_BYTES,
  EPOCH_AT,
  EXTRA_AT,
  FLAG_SEQUENCE,
  FLAGS_AT,
  GENERATION_AT,
  HEADER_BYTES,
  HEADER_CRC_AT,
  ID_AT,
  LIMIT_AT,
  NUMBER_AT,
  RECORD_HEAD_BYTES,
  REQUEST_AT,
  TYPE_AT,
  TYPES,
  VERSION_AT,
  WIRE_VERSION,
} from "./layout.ts";
import type { Batch, Records, RecordsEntry } from "./messages.ts";
import { Fault } from "./wire_error.ts";

/**
 * The header of a batch, whose body is the next frame. `into`: 64 bytes to write it to; they may be used again once
 * `trySend` has returned, because frames this small are copied.
 */
export function encodeBatchHeader(
  batch: Batch,
  crc32: Crc32,
  into: Uint8Array = new Uint8Array(HEADER_BYTES),
): Uint8Array {
  assert(into.length === HEADER_BYTES, "a header has 64 bytes");
  const view = viewOver(into);
  beginHeader(view, TYPES.batch);
  writeU64(view, ID_AT, batch.session, "session");
  writeU32(view, EPOCH_AT, batch.epoch, "epoch");
  writeU32(view, COUNT_AT, batch.count, "count");
  writeU53(view, NUMBER_AT, batch.batch, "batch");
  if (batch.lastSequence !== undefined) {
    writeU64(view, EXTRA_AT, batch.lastSequence, "lastSequence");
    setFlag(view, FLAG_SEQUENCE);
  }
  writeU32(view, BODY_BYTES_AT, batch.bodyBytes, "bodyBytes");
  writeU32(view, BODY_CRC_AT, batch.bodyCrc, "bodyCrc");
  return endHeader(into, view, crc32);
}

/** Reads a batch from a header that is whole, of our version and of its type. */
export function decodeBatchHeader(view: DataView): Batch | Fault {
  const count = view.getUint32(COUNT_AT, true);
  const batch = readU53(view, NUMBER_AT);
  const bodyBytes = view.getUint32(BODY_BYTES_AT, true);
  const sequenced = hasFlag(view, FLAG_SEQUENCE);
  const last = view.getBigUint64(EXTRA_AT, true);
  if ((view.getUint16(FLAGS_AT, true) & ~FLAG_SEQUENCE) !== 0) {
    return new Fault("it has flags that are not known");
  }
  if (batch < 0) return new Fault("its number is above 2^53-1");
  if (count === 0) return new Fault("it has no records");
  if (bodyBytes < count * RECORD_HEAD_BYTES) {
    return new Fault(`${bodyBytes} bytes cannot hold ${count} records`);
  }
  if (!sequenced && last !== 0n) return new Fault("its extra is not 0, and no flag says that it is there");
  if (
    view.getUint32(REQUEST_AT, true) !== 0 || view.getBigUint64(LIMIT_AT, true) !== 0n ||
    view.getUint32(GENERATION_AT, true) !== 0
  ) return new Fault("fields that a batch does not use are not 0");
  return {
    type: "batch",
    session: view.getBigUint64(ID_AT, true),
    epoch: view.getUint32(EPOCH_AT, true),
    batch,
    count,
    lastSequence: sequenced ? last : undefined,
    bodyBytes,
    bodyCrc: view.getUint32(BODY_CRC_AT, true),
  };
}

const REQUEST = u32("request");
const CURSOR = u53("id");
const POSITION = u64("number");
const TAIL = u64("limit");
const GENERATION = u32("generation");

/** The header and, where there are entries, their table. The bodies are the caller's to append, one frame each. */
export function encodeRecordsHeader(message: Records, crc32: Crc32): Uint8Array[] {
  const { entries } = message;
  const header = new Uint8Array(HEADER_BYTES);
  const view = viewOver(header);
  beginHeader(view, TYPES.records);
  REQUEST.write(view, message.request);
  CURSOR.write(view, message.cursor);
  POSITION.write(view, message.position);
  TAIL.write(view, message.tail);
  GENERATION.write(view, message.generation);
  if (entries.length === 0) return [endHeader(header, view, crc32)];
  const table = encodeTable(entries);
  writeU32(view, COUNT_AT, entries.length, "entries");
  writeU32(view, BODY_BYTES_AT, table.length, "bytes of the table");
  writeU32(view, BODY_CRC_AT, crc32(table, 0), "CRC of the table");
  return [endHeader(header, view, crc32), table];
}

/**
 * Reads `records` from a header that is whole, of our version and of its type. Every frame must be there, as long as
 * its entry says; their contents are the caller's to check.
 */
export function decodeRecords(frames: readonly Uint8Array[], view: DataView, crc32: Crc32): Records | Fault {
  const count = view.getUint32(COUNT_AT, true);
  const cursor = CURSOR.read(view);
  if (view.getUint16(FLAGS_AT, true) !== 0) return new Fault("it has flags that are not known");
  if (cursor < 0) return new Fault("its id is above 2^53-1");
  if (view.getUint32(EPOCH_AT, true) !== 0 || view.getBigUint64(EXTRA_AT, true) !== 0n) {
    return new Fault("fields that records do not use are not 0");
  }
  if (count * ENTRY_BYTES > ANSWER_BYTES_MAX) return new Fault(`it has ${count} entries`);
  const expected = count === 0 ? 1 : 2 + count;
  if (frames.length !== expected) {
    return new Fault(`it has ${frames.length} frames, and ${count} entries need ${expected}`);
  }
  const entries = count === 0 ? NO_ENTRIES : decodeTable(frames, count, view, crc32);
  if (entries instanceof Fault) return entries;
  if (count === 0 && (view.getUint32(BODY_BYTES_AT, true) !== 0 || view.getUint32(BODY_CRC_AT, true) !== 0)) {
    return new Fault("it speaks of a body that it does not have");
  }
  const position = POSITION.read(view);
  if (entries.length > 0 && entries[0]!.position !== position) {
    return new Fault("its position is not that of its first entry");
  }
  return {
    type: "records",
    request: REQUEST.read(view),
    cursor,
    position,
    tail: TAIL.read(view),
    generation: GENERATION.read(view),
    entries,
  };
}

/** Clears a header and writes what all have. */
export function beginHeader(view: DataView, type: number): void {
  for (let at = 0; at < HEADER_BYTES; at += 8) view.setFloat64(at, 0);
  view.setUint8(VERSION_AT, WIRE_VERSION);
  view.setUint8(TYPE_AT, type);
}

/** Writes the header's CRC, when all else is written. */
export function endHeader(header: Uint8Array, view: DataView, crc32: Crc32): Uint8Array {
  view.setUint32(HEADER_CRC_AT, crc32(viewOf(header, 0, HEADER_CRC_AT), 0), true);
  return header;
}

const NO_ENTRIES: readonly RecordsEntry[] = [];

function encodeTable(entries: readonly RecordsEntry[]): Uint8Array {
  const table = new Uint8Array(entries.length * ENTRY_BYTES);
  const view = viewOver(table);
  let at = 0;
  for (const { position, timestampMs, count, bodyBytes, bodyCrc } of entries) {
    writeU64(view, at, position, "position of an entry");
    writeU53(view, at + 8, timestampMs, "timestampMs of an entry");
    writeU32(view, at + 16, count, "count of an entry");
    writeU32(view, at + 20, bodyBytes, "bodyBytes of an entry");
    writeU32(view, at + 24, bodyCrc, "bodyCrc of an entry");
    at += ENTRY_BYTES;
  }
  return table;
}

function decodeTable(
  frames: readonly Uint8Array[],
  count: number,
  header: DataView,
  crc32: Crc32,
): RecordsEntry[] | Fault {
  const table = frames[1]!;
  if (table.length !== count * ENTRY_BYTES || header.getUint32(BODY_BYTES_AT, true) !== table.length) {
    return new Fault(`its table has ${table.length} bytes, and ${count} entries need ${count * ENTRY_BYTES}`);
  }
  if (crc32(table, 0) !== header.getUint32(BODY_CRC_AT, true)) {
    return new Fault("the CRC of its table is wrong");
  }
  const view = viewOver(table);
  const entries: RecordsEntry[] = [];
  for (let at = 0; at < table.length; at += ENTRY_BYTES) {
    const entry = decodeEntry(view, at);
    const body = frames[entries.length + 2]!;
    if (entry === undefined || body.length !== entry.bodyBytes) {
      return new Fault(`its entry ${entries.length} is malformed, or is not as long as its body`);
    }
    entries.push(entry);
  }
  return entries;
}

function decodeEntry(view: DataView, at: number): RecordsEntry | undefined {
  const timestampMs = readU53(view, at + 8);
  const count = view.getUint32(at + 16, true);
  const bodyBytes = view.getUint32(at + 20, true);
  if (timestampMs < 0 || count === 0 || bodyBytes < count * RECORD_HEAD_BYTES) return undefined;
  if (view.getUint32(at + 28, true) !== 0) return undefined;
  return {
    position: view.getBigUint64(at, true),
    timestampMs,
    count,
    bodyBytes,
    bodyCrc: view.getUint32(at + 24, true),
  };
}
