/**
 * Records in the body of a batch: back to back, little-endian, as many as the batch says and nothing behind the last.
 *
 * ```
 *   ┌───────────┬───────────────┬───────────────────┬─────┬─────────┬───────┐
 *   │ bytes u32 │ key bytes u16 │ headers bytes u16 │ key │ headers │ value │   bytes: of all behind it. Bits 29–31 are
 *   └───────────┴───────────────┴───────────────────┴─────┴─────────┴───────┘   reserved for a codec, and 0
 *
 *   header                                       the producer's time is a header whose name is empty
 *   ┌───────────────┬──────┬─────────────────┬───────┐   ┌────┬──────┬────────────────────────┐
 *   │ name bytes u8 │ name │ value bytes u16 │ value │   │ 00 │ 8000 │ u64, Unix milliseconds │
 *   └───────────────┴──────┴─────────────────┴───────┘   └────┴──────┴────────────────────────┘
 * ```
 *
 * @module
 */

import { encodeBase64 } from "../../bytes/base64.ts";
import { copyOf, viewOf } from "../../bytes/bytes.ts";
import { decodeUtf8, decodeUtf8Strict } from "../../bytes/utf8.ts";
import { LogError } from "../errors.ts";
import { PRESENT, showAs } from "../../inspect.ts";
import { readU53, viewOver } from "./fields.ts";
import { RECORD_BYTES_MAX, RECORD_HEAD_BYTES } from "./layout.ts";

/** What is wrong with a body that says to hold `count` records; `undefined`: nothing. Makes nothing for a record. */
export function checkRecords(body: Uint8Array, count: number): LogError | undefined {
  const view = viewOver(body);
  const end = body.length;
  let at = 0;
  for (let index = 0; index < count; index++) {
    if (end - at < RECORD_HEAD_BYTES) return recordError(index, "the body ends in its lengths");
    const bytes = view.getUint32(at, true);
    if (bytes > RECORD_BYTES_MAX) {
      return new LogError("ERR_LOG_UNSUPPORTED", `Cannot read record ${index}: it has an unknown codec`);
    }
    if (bytes > end - at - 4) return recordError(index, "it goes beyond the end of the body");
    const keyBytes = view.getUint16(at + 4, true);
    const headersBytes = view.getUint16(at + 6, true);
    if (keyBytes + headersBytes + 4 > bytes) {
      return recordError(index, "its key and headers go beyond its end");
    }
    if (headersBytes > 0) {
      const headersAt = at + RECORD_HEAD_BYTES + keyBytes;
      const fault = headersFault(view, headersAt, headersAt + headersBytes);
      if (fault !== undefined) return recordError(index, fault);
    }
    at += bytes + 4;
  }
  return at === end ? undefined : recordError(count, `${end - at} bytes stand behind the last record`);
}

/** Batches as readers get them: what all their records have in common. */
export interface BatchOrigin {
  /** Of the first record. */
  readonly position: bigint;
  readonly timestampMs: number;
  readonly count: number;
}

/** A checked body with its place in the log. */
export class RecordBatch {
  readonly position: bigint;
  readonly timestampMs: number;
  readonly count: number;
  readonly body: Uint8Array;
  /** Of the whole body. */
  readonly view: DataView;

  private constructor(body: Uint8Array, { position, timestampMs, count }: BatchOrigin) {
    this.position = position;
    this.timestampMs = timestampMs;
    this.count = count;
    this.body = body;
    this.view = viewOver(body);
  }

  /** Checks the whole structure of a body. `ERR_LOG_MALFORMED`, or `ERR_LOG_UNSUPPORTED` for a codec. */
  static open(body: Uint8Array, origin: BatchOrigin): RecordBatch | LogError {
    return checkRecords(body, origin.count) ?? new RecordBatch(body, origin);
  }

  /** Reads from the first record on. */
  reader(): RecordReader {
    return new RecordReader(this);
  }

  /** All records from the `skip`th on. */
  records(skip = 0): LogRecord[] {
    const reader = this.reader();
    reader.skip(skip);
    const records: LogRecord[] = [];
    while (reader.next()) records.push(reader.record());
    return records;
  }
}

/** Goes through the records of a batch and makes nothing on the way; {@link RecordReader.record} makes one. */
export class RecordReader {
  readonly batch: RecordBatch;
  /** Of the record in the batch, from 0. Before the first {@link next}: -1. */
  index = -1;
  /** Offset of the record in the body. */
  at = 0;
  #nextAt = 0;

  constructor(batch: RecordBatch) {
    this.batch = batch;
  }

  /** Goes to the next record; `false` behind the last one. */
  next(): boolean {
    if (this.index + 1 >= this.batch.count) return false;
    this.index++;
    this.at = this.#nextAt;
    this.#nextAt += 4 + this.batch.view.getUint32(this.at, true);
    return true;
  }

  /** Passes over so many records, or over all that are left. */
  skip(count: number): void {
    for (let left = count; left > 0 && this.next(); left--);
  }

  get keyBytes(): number {
    return this.batch.view.getUint16(this.at + 4, true);
  }

  get headersBytes(): number {
    return this.batch.view.getUint16(this.at + 6, true);
  }

  /** Offset of the value in the body. */
  get valueAt(): number {
    return this.at + RECORD_HEAD_BYTES + this.keyBytes + this.headersBytes;
  }

  get valueBytes(): number {
    return this.at + 4 + this.batch.view.getUint32(this.at, true) - this.valueAt;
  }

  /** The record as an object. */
  record(): LogRecord {
    return LogRecord.create(this.batch, this.index, this.at);
  }
}

const NO_HEADERS: ReadonlyMap<string, Uint8Array> = new Map();

/** Bytes as they stand in JSON: text, or base64 of what is no UTF-8. */
export type JsonBytes = string | { readonly base64: string };

/** A record as `JSON.stringify` shows it. */
export interface RecordJson {
  /** Decimal digits: JSON's numbers end at 2^53. */
  readonly position: string;
  readonly timestampMs: number;
  readonly producerTimestampMs?: number;
  readonly key?: JsonBytes;
  readonly headers?: Readonly<Record<string, JsonBytes>>;
  readonly value: JsonBytes;
}

/** All of a record as a plain object. */
export interface RecordCopy {
  readonly position: bigint;
  readonly timestampMs: number;
  readonly producerTimestampMs: number | undefined;
  readonly key: Uint8Array | undefined;
  readonly headers: ReadonlyMap<string, Uint8Array>;
  readonly value: Uint8Array;
}

/**
 * One record. Bytes are views of its batch's memory: a record that is kept keeps its whole batch; {@link copy} what is to
 * be kept long. Its fields are made when they are asked for, so `{ ...record }` is empty and `structuredClone(record)`
 * is, too: spread or send its copy. `JSON.stringify` shows all of it, see {@link toJSON}.
 */
export class LogRecord {
  static {
    showAs(LogRecord.prototype, "LogRecord", (one) => {
      const { position, key, headers, value } = one;
      return { position, key: key && PRESENT, headers: headers.size > 0 ? PRESENT : undefined, value };
    });
  }

  readonly #batch: RecordBatch;
  readonly #index: number;
  readonly #at: number;
  #value: Uint8Array | undefined = undefined;
  #headers: ReadonlyMap<string, Uint8Array> | undefined = undefined;

  /** @internal The record at byte `at` of its batch. */
  static create(batch: RecordBatch, index: number, at: number): LogRecord {
    return new LogRecord(batch, index, at);
  }

  private constructor(batch: RecordBatch, index: number, at: number) {
    this.#batch = batch;
    this.#index = index;
    this.#at = at;
  }

  /** Its place in the topic, from `0n`. */
  get position(): bigint {
    return this.#batch.position + BigInt(this.#index);
  }

  /** Unix milliseconds at which it was ordered. Never falls as positions rise. */
  get timestampMs(): number {
    return this.#batch.timestampMs;
  }

  get value(): Uint8Array {
    return this.#value ??= this.#readValue();
  }

  /** `undefined`: it has none. */
  get key(): Uint8Array | undefined {
    const bytes = this.#batch.view.getUint16(this.#at + 4, true);
    if (bytes === 0) return undefined;
    const at = this.#at + RECORD_HEAD_BYTES;
    return viewOf(this.#batch.body, at, at + bytes);
  }

  /** By name. Of two with the same name the first counts. */
  get headers(): ReadonlyMap<string, Uint8Array> {
    return this.#headers ??= this.#readHeaders();
  }

  /** The producer's own time, if it gave one: Unix milliseconds. */
  get producerTimestampMs(): number | undefined {
    const { view } = this.#batch;
    const end = this.#headersEnd();
    for (let at = this.#headersAt(); at < end; at = headerEnd(view, at)) {
      if (view.getUint8(at) === 0) return readU53(view, at + 3);
    }
    return undefined;
  }

  /** All of it as a plain object, in memory of its own: to be kept, spread, or sent to another thread. */
  copy(): RecordCopy {
    const { position, timestampMs, producerTimestampMs, key, headers, value } = this;
    return {
      position,
      timestampMs,
      producerTimestampMs,
      key: key && copyOf(key),
      headers: new Map([...headers].map(([name, bytes]) => [name, copyOf(bytes)])),
      value: copyOf(value),
    };
  }

  /**
   * For `JSON.stringify`: the position as decimal text, bytes as text where they are UTF-8 and else as `{ base64 }`. What the
   * record does not have is left out.
   */
  toJSON(): RecordJson {
    const { position, timestampMs, producerTimestampMs, key, headers, value } = this;
    const named = [...headers].map(([name, bytes]) => [name, jsonBytes(bytes)] as const);
    return {
      position: String(position),
      timestampMs,
      ...producerTimestampMs === undefined ? {} : { producerTimestampMs },
      ...key === undefined ? {} : { key: jsonBytes(key) },
      ...named.length === 0 ? {} : { headers: Object.fromEntries(named) },
      value: jsonBytes(value),
    };
  }

  #readValue(): Uint8Array {
    const { body, view } = this.#batch;
    const from = this.#headersEnd();
    const end = this.#at + 4 + view.getUint32(this.#at, true);
    return new Uint8Array(body.buffer, body.byteOffset + from, end - from);
  }

  #headersAt(): number {
    return this.#at + RECORD_HEAD_BYTES + this.#batch.view.getUint16(this.#at + 4, true);
  }

  #headersEnd(): number {
    return this.#headersAt() + this.#batch.view.getUint16(this.#at + 6, true);
  }

  #readHeaders(): ReadonlyMap<string, Uint8Array> {
    const { body, view } = this.#batch;
    const end = this.#headersEnd();
    let at = this.#headersAt();
    if (at === end) return NO_HEADERS;
    const headers = new Map<string, Uint8Array>();
    while (at < end) {
      const nameEnd = at + 1 + view.getUint8(at);
      const next = headerEnd(view, at);
      const name = decodeUtf8(viewOf(body, at + 1, nameEnd));
      if (name !== "" && !headers.has(name)) headers.set(name, viewOf(body, nameEnd + 2, next));
      at = next;
    }
    return headers;
  }
}

function jsonBytes(bytes: Uint8Array): JsonBytes {
  return decodeUtf8Strict(bytes) ?? { base64: encodeBase64(bytes) };
}

/** The offset behind the header at `at`, which is whole. */
function headerEnd(view: DataView, at: number): number {
  const lengthAt = at + 1 + view.getUint8(at);
  return lengthAt + 2 + view.getUint16(lengthAt, true);
}

function headersFault(view: DataView, from: number, end: number): string | undefined {
  for (let at = from; at < end;) {
    const lengthAt = at + 1 + view.getUint8(at);
    if (lengthAt + 2 > end) return "a header goes beyond the end of the headers";
    const bytes = view.getUint16(lengthAt, true);
    const next = lengthAt + 2 + bytes;
    if (next > end) return "a header goes beyond the end of the headers";
    const isTime = lengthAt === at + 1;
    if (isTime && (bytes !== 8 || readU53(view, lengthAt + 2) < 0)) {
      return "its producer's time is no 64-bit number below 2^53";
    }
    at = next;
  }
  return undefined;
}

function recordError(index: number, what: string): LogError {
  return new LogError("ERR_LOG_MALFORMED", `Cannot read record ${index}: ${what}`);
}
