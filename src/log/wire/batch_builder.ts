/**
 * Builds the body of a batch: records back to back in one piece of memory. The box of a record is in record.ts.
 *
 * @module
 */

import { assert } from "../../assert.ts";
import { viewOf } from "../../bytes/bytes.ts";
import { encodeUtf8, writeUtf8 } from "../../bytes/utf8.ts";
import { MisuseError } from "../../errors.ts";
import { isPlainObject } from "../../arguments.ts";
import { viewOver } from "./fields.ts";
import { RECORD_BYTES_MAX, RECORD_HEAD_BYTES } from "./layout.ts";

/** Headers of a record by their names. */
export type RecordHeaders =
  | Readonly<Record<string, Uint8Array | string>>
  | ReadonlyMap<string, Uint8Array | string>;

/** What a record may have besides its value. */
export interface RecordOptions {
  /** At most 65 535 bytes. Empty: no key. */
  readonly key?: Uint8Array | string | undefined;
  /**
   * A plain object, or a `Map` such as a record that was read has. Names have 1 to 255 bytes. All together, three bytes for
   * each included, have at most 65 535.
   */
  readonly headers?: RecordHeaders | undefined;
  /** The producer's own time: Unix milliseconds, a safe integer from 0. */
  readonly timestampMs?: number | undefined;
}

/** A string this short is written by a loop, which is faster than `TextEncoder`. */
const LOOP_UNITS_MAX = 16;
const U16_MAX = 0xffff;
const NAME_BYTES_MAX = 255;
const NONE: readonly Uint8Array[] = [];

/** See the module. It knows how far its memory is filled, and nothing of when a batch is to be sealed. */
export class BatchBuilder {
  #memory: Uint8Array;
  #view: DataView;
  #bytes = 0;
  #count = 0;

  /** Fills `memory` from its start; its length is the most that a body can have. */
  constructor(memory: Uint8Array) {
    this.#memory = memory;
    this.#view = viewOver(memory);
    this.reset(memory);
  }

  /** Records so far. */
  get count(): number {
    return this.#count;
  }

  /** Bytes of the body so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes of its memory. */
  get capacity(): number {
    return this.#memory.length;
  }

  /**
   * Copies a record behind the others. `false`: it does not fit, and nothing changed; from an empty builder: it never will,
   * and {@link recordTooLarge} is the error. Throws `MisuseError` (`ERR_MESSAGE`), and nothing changed, for a value that is
   * neither bytes nor text, and for options out of their ranges.
   */
  append(value: Uint8Array | string, options?: RecordOptions): boolean {
    if (options !== undefined) return this.#appendWith(value, options);
    if (typeof value === "string") return this.#appendText(value);
    if (!(value instanceof Uint8Array)) throw valueError(value);
    const at = this.#bytes;
    const end = at + RECORD_HEAD_BYTES + value.length;
    if (end > this.#memory.length) return false;
    this.#view.setUint32(at, value.length + 4, true);
    this.#view.setUint32(at + 4, 0, true);
    this.#memory.set(value, at + RECORD_HEAD_BYTES);
    this.#bytes = end;
    this.#count++;
    return true;
  }

  /** The body so far: a view that later records and {@link reset} change. */
  body(): Uint8Array {
    return viewOf(this.#memory, 0, this.#bytes);
  }

  /** Begins an empty body, in other memory where the last body is still in use. */
  reset(memory: Uint8Array = this.#memory): void {
    assert(memory.length <= RECORD_BYTES_MAX, "the memory of a batch has less than 512 MiB");
    if (memory !== this.#memory) {
      this.#memory = memory;
      this.#view = viewOver(memory);
    }
    this.#bytes = 0;
    this.#count = 0;
  }

  #appendText(text: string): boolean {
    const at = this.#bytes;
    const valueAt = at + RECORD_HEAD_BYTES;
    if (valueAt + text.length > this.#memory.length) return false;
    let end = text.length > LOOP_UNITS_MAX ? -1 : this.#writeAscii(valueAt, text);
    if (end < 0) end = writeUtf8(this.#memory, valueAt, text);
    // Three bytes for each unit may be too much where the real ones would fit.
    if (end < 0) return this.append(encodeUtf8(text));
    this.#view.setUint32(at, end - at - 4, true);
    this.#view.setUint32(at + 4, 0, true);
    this.#bytes = end;
    this.#count++;
    return true;
  }

  /** The offset behind the text, which fits if it is ASCII; -1 if it is not. */
  #writeAscii(at: number, text: string): number {
    const memory = this.#memory;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit > 0x7f) return -1;
      memory[at + i] = unit;
    }
    return at + text.length;
  }

  #appendWith(value: Uint8Array | string, options: RecordOptions): boolean {
    const body = bytesOf(value);
    const key = keyOf(options);
    const headers = headersOf(options);
    const headersBytes = countHeaders(headers);
    const bytes = 4 + key.length + headersBytes + body.length;
    let at = this.#bytes;
    if (at + 4 + bytes > this.#memory.length) return false;
    this.#view.setUint32(at, bytes, true);
    this.#view.setUint16(at + 4, key.length, true);
    this.#view.setUint16(at + 6, headersBytes, true);
    at += RECORD_HEAD_BYTES;
    this.#memory.set(key, at);
    at += key.length;
    for (let i = 0; i < headers.length; i += 2) at = this.#writeHeader(at, headers[i]!, headers[i + 1]!);
    this.#memory.set(body, at);
    this.#bytes = at + body.length;
    this.#count++;
    return true;
  }

  #writeHeader(at: number, name: Uint8Array, value: Uint8Array): number {
    this.#view.setUint8(at, name.length);
    this.#memory.set(name, at + 1);
    const lengthAt = at + 1 + name.length;
    this.#view.setUint16(lengthAt, value.length, true);
    this.#memory.set(value, lengthAt + 2);
    return lengthAt + 2 + value.length;
  }
}

/**
 * Bytes that a record takes in a body. Throws `MisuseError` (`ERR_MESSAGE`) as {@link BatchBuilder.append} does. For the
 * few records that are asked about; it encodes what is text.
 */
export function recordBytes(value: Uint8Array | string, options: RecordOptions = {}): number {
  return RECORD_HEAD_BYTES + keyOf(options).length + countHeaders(headersOf(options)) + bytesOf(value).length;
}

/** The error for a record that no batch of so many bytes can hold. */
export function recordTooLarge(bytes: number, batchBytes: number): MisuseError {
  return refusal(
    `a record of ${bytes} bytes, ${RECORD_HEAD_BYTES} for its lengths included, does not fit into a batch`,
    `batchBytes is ${batchBytes}`,
  );
}

function bytesOf(value: Uint8Array | string): Uint8Array {
  if (typeof value === "string") return encodeUtf8(value);
  if (value instanceof Uint8Array) return value;
  throw valueError(value);
}

function keyOf({ key }: RecordOptions): Uint8Array {
  if (key === undefined) return NO_KEY;
  if (typeof key !== "string" && !(key instanceof Uint8Array)) {
    throw refusal(`key is ${kindOf(key)}`, "a Uint8Array or a string is expected");
  }
  const bytes = bytesOf(key);
  if (bytes.length > U16_MAX) throw refusal(`key has ${bytes.length} bytes`, `0 to ${U16_MAX} are legal`);
  return bytes;
}

const NO_KEY: Uint8Array = new Uint8Array(0);

/** Names and values in turns. The producer's time is first, and its name is empty. */
function headersOf({ headers, timestampMs }: RecordOptions): readonly Uint8Array[] {
  if (headers === undefined && timestampMs === undefined) return NONE;
  const pairs: Uint8Array[] = [];
  if (timestampMs !== undefined) pairs.push(NO_KEY, timestampBytes(timestampMs));
  for (const [name, value] of headers === undefined ? [] : headerEntries(headers)) {
    if (typeof name !== "string") {
      throw refusal(`the name of a header is ${kindOf(name)}`, "a string is expected");
    }
    const nameBytes = encodeUtf8(name);
    if (nameBytes.length === 0 || nameBytes.length > NAME_BYTES_MAX) {
      throw refusal(
        `the name of a header has ${nameBytes.length} bytes`,
        `1 to ${NAME_BYTES_MAX} are legal`,
      );
    }
    if (typeof value !== "string" && !(value instanceof Uint8Array)) {
      throw refusal(`the header "${name}" is ${kindOf(value)}`, "a Uint8Array or a string is expected");
    }
    pairs.push(nameBytes, bytesOf(value));
  }
  const bytes = countHeaders(pairs);
  if (bytes > U16_MAX) {
    throw refusal(`headers have ${bytes} bytes, three for each included`, `0 to ${U16_MAX} are legal`);
  }
  return pairs;
}

/**
 * The names and values of headers, not yet judged.
 *
 * @throws {MisuseError} `ERR_MESSAGE`: they are neither a plain object nor a `Map`. What another kind of object holds
 * nobody can tell, and it would be lost in silence.
 */
export function headerEntries(
  headers: RecordHeaders,
): Iterable<readonly [name: string, value: Uint8Array | string]> {
  if (headers instanceof Map) return headers;
  if (isPlainObject(headers)) {
    return Object.entries(headers as Readonly<Record<string, Uint8Array | string>>);
  }
  throw refusal(`headers are ${kindOf(headers)}`, "a plain object or a Map is expected");
}

function countHeaders(pairs: readonly Uint8Array[]): number {
  let bytes = 0;
  for (let i = 0; i < pairs.length; i += 2) bytes += 3 + pairs[i]!.length + pairs[i + 1]!.length;
  return bytes;
}

function timestampBytes(timestampMs: number): Uint8Array {
  if (!Number.isSafeInteger(timestampMs) || timestampMs < 0) {
    throw refusal(`timestampMs is ${String(timestampMs)}`, "integers from 0 to 2^53-1 are legal");
  }
  const bytes = new Uint8Array(8);
  viewOver(bytes).setBigUint64(0, BigInt(timestampMs), true);
  return bytes;
}

function valueError(value: unknown): MisuseError {
  return refusal(`value is ${kindOf(value)}`, "a Uint8Array or a string is expected");
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value !== "object") return typeof value;
  const name: unknown = (value.constructor as { readonly name?: unknown } | undefined)?.name;
  return typeof name === "string" && name !== "" && name !== "Object"
    ? `a ${name}`
    : "an object of another kind";
}

function refusal(what: string, range: string): MisuseError {
  return new MisuseError("ERR_MESSAGE", `Cannot publish: ${what}; ${range}`);
}
