/**
 * Encodes and decodes every message of the log. Decoding never throws, whatever arrives. Which value stands where is told
 * by layouts.ts; the two messages with records are in codec_records.ts.
 *
 * @module
 */

import { viewOf } from "../../bytes/bytes.ts";
import type { Crc32 } from "../../bytes/crc32.ts";
import { DISCARDED } from "../../zmtp/frame_sink.ts";
import {
  beginHeader,
  decodeBatchHeader,
  decodeRecords,
  encodeBatchHeader,
  encodeRecordsHeader,
  endHeader,
} from "./codec_records.ts";
import { FIELDS, viewOver, writeU32 } from "./fields.ts";
import {
  ANSWER_BYTES_MAX,
  BODY_BYTES_AT,
  BODY_CRC_AT,
  CONTROL_BYTES_MAX,
  FLAGS_AT,
  HEADER_BYTES,
  HEADER_CRC_AT,
  REQUEST_AT,
  TYPE_AT,
  TYPES,
  VERSION_AT,
  WIRE_VERSION,
} from "./layout.ts";
import { type Layout, LAYOUTS, type PlainMessage } from "./layouts.ts";
import type { Batch, ClientMessage, LogMessage } from "./messages.ts";
import { Fault, WireError } from "./wire_error.ts";

export { decodeBatchHeader, encodeBatchHeader, encodeRecordsHeader } from "./codec_records.ts";
export { WireError } from "./wire_error.ts";

/** A type that we do not know. To be answered by `unsupported`; the link stays. */
export interface UnknownMessage {
  readonly type: "unknown";
  readonly request: number;
  readonly unknownType: number;
}

type MessageType = LogMessage["type"];

const TYPE_NAMES: readonly (MessageType | undefined)[] = typeNames();

/** Whether a message is one that clients send. `unsupported` is, too. */
export function isClientMessage(message: LogMessage): message is ClientMessage {
  return TYPES[message.type] % 2 === 1;
}

/**
 * The frames of a message; of a batch and of records without the bodies, which the caller appends. Errors' texts are cut
 * to `ERROR_TEXT_MAX`. `BugError` for numbers that their fields cannot hold; names are the caller's to check.
 */
export function encodeMessage(message: LogMessage, crc32: Crc32): Uint8Array[] {
  if (message.type === "batch") return [encodeBatchHeader(message, crc32)];
  if (message.type === "records") return encodeRecordsHeader(message, crc32);
  const header = new Uint8Array(HEADER_BYTES);
  const view = viewOver(header);
  const { places, body: carried } = LAYOUTS[message.type];
  beginHeader(view, TYPES[message.type]);
  const properties = message as unknown as Readonly<Record<string, unknown>>;
  for (const [property, place] of places) place.write(view, properties[property]);
  const body = carried?.encode(message, view);
  if (body === undefined || body.length === 0) return [endHeader(header, view, crc32)];
  writeU32(view, BODY_BYTES_AT, body.length, "bytes of the body");
  writeU32(view, BODY_CRC_AT, crc32(body, 0), "CRC of the body");
  return [endHeader(header, view, crc32), body];
}

/**
 * Reads a message. Whoever reads the body of a batch or of records checks its CRC and its structure; all else is checked here: lengths,
 * ranges, reserved bits, the CRCs of the header and of all other bodies. A batch whose body the allocator discarded is a
 * batch all the same: `frames[1] === DISCARDED` tells. `hello`, `refused` and `unsupported` are read in every version.
 */
export function decodeMessage(
  frames: readonly Uint8Array[],
  crc32: Crc32,
): LogMessage | UnknownMessage | WireError {
  const header = frames[0];
  const view = header === undefined ? undefined : checkedHeader(header, crc32);
  if (view === undefined) return headerError(header);
  const unknownType = view.getUint8(TYPE_AT);
  const request = view.getUint32(REQUEST_AT, true);
  const type = TYPE_NAMES[unknownType];
  const versionError = checkVersion(view, type, request);
  if (versionError !== undefined) return versionError;
  if (type === undefined) return { type: "unknown", request, unknownType };
  const message = type === "batch"
    ? decodeBatch(frames, view)
    : type === "records"
    ? decodeRecords(frames, view, crc32)
    : decodePlain(type, frames, view, crc32);
  if (!(message instanceof Fault)) return message;
  return new WireError(message.code, `Cannot read a message of the type "${type}": ${message.text}`, request);
}

/**
 * For allocators: what a message is, by its first frame. `"control"`: not a batch; its body, if it has at most
 * `CONTROL_BYTES_MAX` bytes, goes to any memory. An error: nothing behind this frame is worth memory.
 */
export function peekBatchHeader(header: Uint8Array, crc32: Crc32): Batch | "control" | WireError {
  const view = checkedHeader(header, crc32);
  if (view === undefined) return headerError(header);
  const versionError = checkVersion(view, TYPE_NAMES[view.getUint8(TYPE_AT)], 0);
  if (versionError !== undefined) return versionError;
  if (view.getUint8(TYPE_AT) !== TYPES.batch) return "control";
  const batch = decodeBatchHeader(view);
  return batch instanceof Fault
    ? new WireError(batch.code, `Cannot read a message of the type "batch": ${batch.text}`, 0)
    : batch;
}

/** A view of a header of the right length and CRC. */
function checkedHeader(header: Uint8Array, crc32: Crc32): DataView | undefined {
  if (header.length !== HEADER_BYTES) return undefined;
  const view = viewOver(header);
  const crc = crc32(viewOf(header, 0, HEADER_CRC_AT), 0);
  return crc === view.getUint32(HEADER_CRC_AT, true) ? view : undefined;
}

function headerError(header: Uint8Array | undefined): WireError {
  const what = header === undefined
    ? "a message without frames"
    : header.length === HEADER_BYTES
    ? "the header's CRC is wrong"
    : `its first frame has ${header.length} bytes, and a header has ${HEADER_BYTES}`;
  return new WireError("ERR_LOG_MALFORMED", `Cannot read a message: ${what}`, 0);
}

function checkVersion(view: DataView, type: MessageType | undefined, request: number): WireError | undefined {
  const version = view.getUint8(VERSION_AT);
  if (version === WIRE_VERSION || version > WIRE_VERSION && isFrozen(type)) return undefined;
  const text = `Cannot read a message of version ${version}; version ${WIRE_VERSION} is known`;
  return new WireError("ERR_LOG_UNSUPPORTED", text, request);
}

/** The types by which two versions find out about each other. */
function isFrozen(type: MessageType | undefined): boolean {
  return type === "hello" || type === "refused" || type === "unsupported";
}

function decodeBatch(frames: readonly Uint8Array[], view: DataView): Batch | Fault {
  const batch = decodeBatchHeader(view);
  if (batch instanceof Fault) return batch;
  if (frames.length !== 2) return new Fault(`it has ${frames.length} frames instead of 2`);
  const body = frames[1]!;
  if (body === DISCARDED || body.length === batch.bodyBytes) return batch;
  return new Fault(`its body has ${body.length} bytes, and its header says ${batch.bodyBytes}`);
}

function decodePlain(
  type: PlainMessage["type"],
  frames: readonly Uint8Array[],
  view: DataView,
  crc32: Crc32,
): PlainMessage | Fault {
  const { places, body: carried, unused, flags } = LAYOUTS[type];
  const fault = unusedFault(view, unused, flags) ?? bodyFault(type, frames, view, crc32);
  if (fault !== undefined) return new Fault(fault);
  const message: Record<string, unknown> = { type };
  for (const [property, place] of places) {
    const wrong = place.fault(view);
    if (wrong !== undefined) return new Fault(wrong);
    message[property] = place.read(view);
  }
  const body = frames[1];
  if (carried === undefined) {
    return body === undefined ? message as unknown as PlainMessage : new Fault("it has no body");
  }
  const properties = carried.decode(body ?? EMPTY, view);
  if (properties instanceof Fault) return properties;
  return Object.assign(message, properties) as unknown as PlainMessage;
}

const EMPTY: Uint8Array = new Uint8Array(0);

function unusedFault(view: DataView, unused: Layout["unused"], flags: number): string | undefined {
  // What a later version says with more fields or flags, it says to those who know them.
  if (view.getUint8(VERSION_AT) > WIRE_VERSION) return undefined;
  if ((view.getUint16(FLAGS_AT, true) & ~flags) !== 0) return "it has flags that are not known";
  for (const field of unused) {
    const { at, bytes } = FIELDS[field];
    if (view.getUint32(at, true) !== 0 || bytes === 8 && view.getUint32(at + 4, true) !== 0) {
      return `its ${field} is not used, and not 0`;
    }
  }
  return undefined;
}

function bodyFault(
  type: MessageType,
  frames: readonly Uint8Array[],
  view: DataView,
  crc32: Crc32,
): string | undefined {
  const bodyBytes = view.getUint32(BODY_BYTES_AT, true);
  const body = frames[1];
  if (frames.length !== (bodyBytes === 0 ? 1 : 2)) {
    return `it has ${frames.length} frames, and its header says ${bodyBytes} bytes of body`;
  }
  const bytesMax = TYPES[type] % 2 === 0 ? ANSWER_BYTES_MAX : CONTROL_BYTES_MAX;
  if (bodyBytes > bytesMax) return `its body has ${bodyBytes} bytes, and at most ${bytesMax} are legal`;
  if (body !== undefined && body.length !== bodyBytes) {
    return `its body has ${body.length} bytes, and its header says ${bodyBytes}`;
  }
  const crc = body === undefined ? 0 : crc32(body, 0);
  return crc === view.getUint32(BODY_CRC_AT, true) ? undefined : "the CRC of its body is wrong";
}

function typeNames(): readonly (MessageType | undefined)[] {
  const names: (MessageType | undefined)[] = new Array(256).fill(undefined);
  for (const [name, number] of Object.entries(TYPES)) names[number] = name as MessageType;
  return names;
}
