/**
 * How records are printed.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { LogRecord } from "../log.ts";
import { decodeUtf8Strict } from "../src/bytes/utf8.ts";
import { UsageError } from "./terminal.ts";

/** `line`: the value and a line's end. `json`: a line of JSON with everything. `raw`: the value's bytes, nothing between. */
export type Format = "line" | "json" | "raw";

const FORMATS: readonly Format[] = ["line", "json", "raw"];
const LINE_FEED: Uint8Array = new Uint8Array([10]);

/** @throws {UsageError} */
export function parseFormat(text: string): Format {
  const format = FORMATS.find((one) => one === text);
  if (format === undefined) {
    throw new UsageError(`--format is ${FORMATS.join(", ")}, not ${JSON.stringify(text)}`);
  }
  return format;
}

/** The bytes that show these records. */
export function formatRecords(records: readonly LogRecord[], format: Format): Uint8Array {
  if (format === "json") return Buffer.from(records.map((record) => `${recordJson(record)}\n`).join(""));
  const parts = format === "raw"
    ? records.map(({ value }) => value)
    : records.flatMap(({ value }) => [value, LINE_FEED]);
  return Buffer.concat(parts);
}

/** Positions are decimal text. What is no UTF-8 is `{ "base64": … }`. */
function recordJson(record: LogRecord): string {
  const { position, timestampMs, producerTimestampMs, key, headers, value } = record;
  return JSON.stringify({
    position: String(position),
    timestampMs,
    producerTimestampMs,
    key: key === undefined ? undefined : textOf(key),
    headers: headers.size === 0
      ? undefined
      : Object.fromEntries([...headers].map(([name, bytes]) => [name, textOf(bytes)])),
    value: textOf(value),
  });
}

function textOf(bytes: Uint8Array): string | { readonly base64: string } {
  const { buffer, byteOffset, length } = bytes;
  return decodeUtf8Strict(bytes) ?? { base64: Buffer.from(buffer, byteOffset, length).toString("base64") };
}
