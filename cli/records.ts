/**
 * How records are printed.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { LogRecord } from "../log.ts";
import { UsageError } from "./terminal.ts";

/** `line`: the value and a line's end. `json`: a line of JSON with everything. `raw`: the value's bytes, nothing between. */
export type Format = "line" | "json" | "raw";

const FORMATS: readonly Format[] = ["line", "json", "raw"];
const LINE_FEED: Uint8Array = new Uint8Array([10]);

/** @throws {UsageError} */
export function parseFormat(text: string): Format {
  const format = FORMATS.find((one) => one === text);
  if (format === undefined) {
    throw new UsageError(
      `--format is ${FORMATS.slice(0, -1).join(", ")} or ${FORMATS.at(-1)}, not ${JSON.stringify(text)}`,
    );
  }
  return format;
}

/** The bytes that show these records. */
export function formatRecords(records: readonly LogRecord[], format: Format): Uint8Array {
  if (format === "json") return Buffer.from(records.map((record) => `${JSON.stringify(record)}\n`).join(""));
  const parts = format === "raw"
    ? records.map(({ value }) => value)
    : records.flatMap(({ value }) => [value, LINE_FEED]);
  return Buffer.concat(parts);
}
