/**
 * Looks for entries behind damage, where nothing tells how long anything is: by their mark, at 8-byte steps.
 *
 * @module
 */

import type { StoreFailure } from "../store/store.ts";
import { decodeEntryHeader, ENTRY_HEADER_BYTES, ENTRY_MARK } from "./entries.ts";
import { scanEntries, type ScanInit } from "./scan.ts";

const PIECE_BYTES = 1_048_576;
const STEP_BYTES = 8;

/** Visits every whole entry that can be found in `[from, to)`. `done` may be called at once. */
export function searchEntries(init: ScanInit, done: (failure?: StoreFailure) => void): void {
  searchFrom(init, Math.ceil(init.from / STEP_BYTES) * STEP_BYTES, done);
}

/** One piece at a time: few are needed, and each is a read of its own. */
function searchFrom(init: ScanInit, from: number, done: (failure?: StoreFailure) => void): void {
  const bytes = Math.min(init.to - from, PIECE_BYTES);
  if (bytes < ENTRY_HEADER_BYTES) return done();
  init.store.read(from, bytes, (read) => {
    if ("kind" in read) return done(read);
    const found = findHeader(read.bytes, from, init);
    read.release(true);
    // The last header's worth of a piece is looked at again with the next one.
    if (found === undefined) {
      const next = from + bytes - ENTRY_HEADER_BYTES + STEP_BYTES;
      return bytes < PIECE_BYTES ? done() : searchFrom(init, next - next % STEP_BYTES, done);
    }
    scanEntries({ ...init, from: found }, ({ offset, failure }) => {
      if (failure !== undefined) done(failure);
      else if (offset >= init.to) done();
      else searchFrom(init, Math.max(offset, found) + STEP_BYTES, done);
    });
  });
}

function findHeader(bytes: Uint8Array, offset: number, { crc32 }: ScanInit): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + ENTRY_HEADER_BYTES <= bytes.length; at += STEP_BYTES) {
    if (view.getUint32(at, true) !== ENTRY_MARK) continue;
    if (typeof decodeEntryHeader(bytes, at, offset + at, crc32) !== "string") return offset + at;
  }
  return undefined;
}
