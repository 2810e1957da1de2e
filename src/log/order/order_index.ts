/**
 * Where records are: one row per committed batch, kept per segment. A reader finds the row of a position and walks on.
 * The rows of old segments can be dropped and read again from the store.
 *
 * @module
 */

import { assert } from "../../assert.ts";

const ROWS_AT_FIRST = 64;

/** The rows of one segment: those whose order entry stands in it. Payloads may stand in earlier ones. */
export class SegmentIndex {
  /** Offset of the segment's first byte. */
  readonly base: number;
  /** Position of the first row, or of the next one to come. */
  readonly firstPosition: bigint;
  #rows = 0;
  #records = 0;
  /** By row. Positions and offsets as numbers: relative to `firstPosition`, absolute in the store. */
  #positions: Float64Array = new Float64Array(ROWS_AT_FIRST);
  #offsets: Float64Array = new Float64Array(ROWS_AT_FIRST);
  #timestamps: Float64Array = new Float64Array(ROWS_AT_FIRST);
  #counts: Uint32Array = new Uint32Array(ROWS_AT_FIRST);
  #bytes: Uint32Array = new Uint32Array(ROWS_AT_FIRST);
  #checksums: Uint32Array = new Uint32Array(ROWS_AT_FIRST);

  constructor(base: number, firstPosition: bigint) {
    this.base = base;
    this.firstPosition = firstPosition;
  }

  get rows(): number {
    return this.#rows;
  }

  /** The position behind the last row. */
  get endPosition(): bigint {
    return this.firstPosition + BigInt(this.#records);
  }

  append(offset: number, count: number, bytes: number, checksum: number, timestampMs: number): void {
    if (this.#rows === this.#positions.length) this.#grow();
    const row = this.#rows++;
    this.#positions[row] = this.#records;
    this.#offsets[row] = offset;
    this.#timestamps[row] = timestampMs;
    this.#counts[row] = count;
    this.#bytes[row] = bytes;
    this.#checksums[row] = checksum;
    this.#records += count;
  }

  /** The row that holds `position`, which must lie in this segment. */
  find(position: bigint): number {
    const wanted = Number(position - this.firstPosition);
    assert(wanted >= 0 && wanted < this.#records, "the position is in this segment");
    let low = 0;
    let high = this.#rows - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#positions[middle]! <= wanted) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** The first row that is not older than `timestampMs`; `rows`: all are. Time never falls as positions rise. */
  findTime(timestampMs: number): number {
    let low = 0;
    let high = this.#rows;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#timestamps[middle]! < timestampMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  positionOf(row: number): bigint {
    return this.firstPosition + BigInt(this.#positions[row]!);
  }

  /** Offset of the payload entry. */
  offsetOf(row: number): number {
    return this.#offsets[row]!;
  }

  countOf(row: number): number {
    return this.#counts[row]!;
  }

  bytesOf(row: number): number {
    return this.#bytes[row]!;
  }

  checksumOf(row: number): number {
    return this.#checksums[row]!;
  }

  timestampOf(row: number): number {
    return this.#timestamps[row]!;
  }

  #grow(): void {
    const length = this.#positions.length * 2;
    this.#positions = grown(this.#positions, new Float64Array(length));
    this.#offsets = grown(this.#offsets, new Float64Array(length));
    this.#timestamps = grown(this.#timestamps, new Float64Array(length));
    this.#counts = grown(this.#counts, new Uint32Array(length));
    this.#bytes = grown(this.#bytes, new Uint32Array(length));
    this.#checksums = grown(this.#checksums, new Uint32Array(length));
  }
}

function grown<Column extends Float64Array | Uint32Array>(from: Column, into: Column): Column {
  into.set(from as never);
  return into;
}

/** What is known of a segment whether its rows are here or not. */
export interface SegmentSummary {
  readonly base: number;
  readonly firstPosition: bigint;
  /** The lowest offset that its rows may name: a payload can wait for its order over the end of a segment. */
  readonly reaches: number;
  /** When it began: no record of an earlier segment is younger. */
  readonly startedMs: number;
  /** Its rows; `undefined`: they must be read from the store. */
  index: SegmentIndex | undefined;
}

function summaryOf(segment: Omit<SegmentSummary, "index">, index: SegmentIndex | undefined): SegmentSummary {
  const { base, firstPosition, reaches, startedMs } = segment;
  return { base, firstPosition, reaches, startedMs, index };
}

/** The rows of all segments that are kept. */
export class OrderIndex {
  readonly #segments: SegmentSummary[] = [];
  readonly #rowsMax: number;

  /** `rowsMax`: rows that are kept in memory; those of the last segment are kept whatever their number. */
  constructor(rowsMax: number) {
    this.#rowsMax = rowsMax;
  }

  get segments(): readonly SegmentSummary[] {
    return this.#segments;
  }

  /** A segment begins; rows go there from now on. */
  begin(segment: Omit<SegmentSummary, "index">): SegmentIndex {
    const index = new SegmentIndex(segment.base, segment.firstPosition);
    this.#segments.push(summaryOf(segment, index));
    this.#forgetOld();
    return index;
  }

  /** A segment that was found when the log was opened; its rows are read when somebody needs them. */
  found(segment: Omit<SegmentSummary, "index">): void {
    this.#segments.push(summaryOf(segment, undefined));
  }

  /** Rows that were read again from the store. */
  loaded(index: SegmentIndex): void {
    const segment = this.#segments.find(({ base }) => base === index.base);
    if (segment === undefined) return;
    segment.index = index;
    this.#forgetOld(segment);
  }

  /** The segment that holds `position`: the last that begins at or below it. `undefined`: it is older than all. */
  find(position: bigint): SegmentSummary | undefined {
    let low = 0;
    let high = this.#segments.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#segments[middle]!.firstPosition <= position) low = middle + 1;
      else high = middle;
    }
    return this.#segments[low - 1];
  }

  /** The segment behind `segment`. */
  after(segment: SegmentSummary): SegmentSummary | undefined {
    return this.#segments[this.#segments.indexOf(segment) + 1];
  }

  /** Forgets segments that begin below `base`. */
  trim(base: number): void {
    while (this.#segments.length > 0 && this.#segments[0]!.base < base) this.#segments.shift();
  }

  /** Drops the oldest rows above the bound, but neither the last segment's nor those of `keep`. */
  #forgetOld(keep?: SegmentSummary): void {
    let rows = 0;
    for (const { index } of this.#segments) rows += index?.rows ?? 0;
    const last = this.#segments.at(-1);
    for (const segment of this.#segments) {
      if (rows <= this.#rowsMax) return;
      if (segment === last || segment === keep || segment.index === undefined) continue;
      rows -= segment.index.rows;
      segment.index = undefined;
    }
  }
}
