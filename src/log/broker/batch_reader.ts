/**
 * Reads committed batches of a topic, from a position on: a few at a time, those that stand next to each other with one
 * read of the store.
 *
 * @module
 */

import { assert } from "../../assert.ts";
import { ENTRY_HEADER_BYTES } from "../order/entries.ts";
import type { OrderIndex, SegmentIndex, SegmentSummary } from "../order/order_index.ts";
import type { StoreFailure, StoreRead, TopicStore } from "../store/store.ts";
import type { RecordsEntry } from "../wire/messages.ts";

/** What one read of the store covers at most, unless one batch is larger. */
const READ_BYTES_MAX = 1_048_576;

/** Batches in the log's order, with their bodies. */
export interface BatchRun {
  readonly entries: readonly RecordsEntry[];
  readonly bodies: readonly Uint8Array[];
  /** The position behind the last one. */
  readonly next: bigint;
  /** Bytes of all bodies. */
  readonly bytes: number;
  /** Memory behind the bodies. */
  readonly read: StoreRead;
}

/** Where a topic's batches are. */
export interface BatchSource {
  readonly store: Pick<TopicStore, "read">;
  readonly index: OrderIndex;
  /** Brings back a segment's rows. */
  loadRows(segment: SegmentSummary, done: (index: SegmentIndex | StoreFailure) => void): void;
}

/**
 * Reads batches from the one that holds `position`, which must be committed and kept, up to `end`: at least one, more
 * while they fit `bytesMax` and stand one behind the other. `done` may be called at once.
 */
export function readBatches(
  source: BatchSource,
  position: bigint,
  end: bigint,
  bytesMax: number,
  done: (run: BatchRun | StoreFailure) => void,
): void {
  const segment = source.index.find(position);
  assert(segment !== undefined && position < end, "the position is committed and kept");
  const { index } = segment;
  if (index !== undefined) return readRows(source, index, position, end, bytesMax, done);
  source.loadRows(segment, (loaded) => {
    if ("kind" in loaded) done(loaded);
    else readRows(source, loaded, position, end, bytesMax, done);
  });
}

function readRows(
  source: BatchSource,
  index: SegmentIndex,
  position: bigint,
  end: bigint,
  bytesMax: number,
  done: (run: BatchRun | StoreFailure) => void,
): void {
  const first = index.find(position);
  const start = index.offsetOf(first);
  const entries: RecordsEntry[] = [];
  const starts: number[] = [];
  let stop = start;
  let bytes = 0;
  for (let row = first; row < index.rows; row++) {
    const offset = index.offsetOf(row);
    const bodyBytes = index.bytesOf(row);
    const rowEnd = offset + ENTRY_HEADER_BYTES + bodyBytes;
    const rowPosition = index.positionOf(row);
    if (rowPosition >= end) break;
    // A payload that waited for its order stands further ahead, or in an earlier segment: it gets a read of its own.
    const fits = offset >= stop && offset < start + READ_BYTES_MAX && rowEnd - start <= READ_BYTES_MAX &&
      bytes + bodyBytes <= bytesMax && start >= index.base;
    if (row > first && !fits) break;
    entries.push(entryOf(index, row, rowPosition));
    starts.push(offset + ENTRY_HEADER_BYTES - start);
    bytes += bodyBytes;
    stop = rowEnd;
  }
  source.store.read(start, stop - start, (read) => {
    if ("kind" in read) return done(read);
    const bodies = starts.map((at, row) => read.bytes.subarray(at, at + entries[row]!.bodyBytes));
    const last = entries.at(-1)!;
    done({ entries, bodies, next: last.position + BigInt(last.count), bytes, read });
  });
}

function entryOf(index: SegmentIndex, row: number, position: bigint): RecordsEntry {
  return {
    position,
    timestampMs: index.timestampOf(row),
    count: index.countOf(row),
    bodyBytes: index.bytesOf(row),
    bodyCrc: index.checksumOf(row),
  };
}
