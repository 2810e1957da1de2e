/**
 * The segment files that a path means, and their bytes as the log's own scans ask for them.
 *
 * @module
 */

import { closeSync, fstatSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { crc32 as nativeCrc32 } from "node:zlib";
import type { Crc32 } from "../src/bytes/crc32.ts";
import { type EntryVisitor, type ScanEnd, scanEntries, type ScanInit } from "../src/log/order/scan.ts";
import { searchEntries } from "../src/log/order/search.ts";
import { baseOfFileName } from "../src/log/store/segment_files.ts";
import type { StoreFailure, StoreRead } from "../src/log/store/store.ts";
import { CommandError } from "./terminal.ts";

export const crc32: Crc32 = (bytes, seed) => nativeCrc32(bytes, seed);

/** The segment files of one topic, from the oldest. */
export interface SegmentFolder {
  readonly folder: string;
  readonly files: readonly SegmentPath[];
}

/** A file, and the offset of its first byte. */
export interface SegmentPath {
  readonly path: string;
  readonly base: number;
}

/**
 * A file by itself, a topic's folder, or a broker's folder of topics.
 *
 * @throws {CommandError} There is nothing of that kind.
 */
export function findSegments(path: string): SegmentFolder[] {
  const kind = attempt(path, () => statSync(path));
  if (kind.isFile()) {
    const base = baseOfFileName(basename(path));
    if (base === undefined) {
      throw new CommandError(`${path} is not named like a segment: 20 digits and .segment`);
    }
    return [{ folder: dirname(path), files: [{ path, base }] }];
  }
  const own = segmentsIn(path);
  if (own.length > 0) return [{ folder: path, files: own }];
  const found = attempt(path, () => readdirSync(path, { withFileTypes: true }))
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(path, entry.name)).sort()
    .map((folder) => ({ folder, files: segmentsIn(folder) }))
    .filter(({ files }) => files.length > 0);
  if (found.length === 0) {
    throw new CommandError(`There are no segments in ${path}, nor in the folders in it`);
  }
  return found;
}

function segmentsIn(folder: string): SegmentPath[] {
  return attempt(folder, () => readdirSync(folder)).sort().flatMap((name) => {
    const base = baseOfFileName(name);
    return base === undefined ? [] : [{ path: join(folder, name), base }];
  });
}

function attempt<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new CommandError(`Cannot read ${path}: ${(error as Error).message}`);
  }
}

/** An open file. Offsets are the log's. */
export class SegmentReader {
  readonly base: number;
  readonly end: number;
  readonly #path: string;
  readonly #file: number;

  constructor({ path, base }: SegmentPath) {
    this.#path = path;
    this.base = base;
    this.#file = attempt(path, () => openSync(path, "r"));
    this.end = base + fstatSync(this.#file).size;
  }

  close(): void {
    closeSync(this.#file);
  }

  /** Visits every entry from `from` on, until something is wrong. */
  scan(from: number, payloads: boolean, visit: EntryVisitor): ScanEnd {
    let end: ScanEnd | undefined;
    scanEntries(this.#init(from, payloads, visit), (result) => end = result);
    return this.#ended(end);
  }

  /** Visits every entry that can be found behind damage. */
  search(from: number, visit: EntryVisitor): void {
    let failure: StoreFailure | undefined;
    searchEntries(this.#init(from, true, visit), (result) => failure = result);
    if (failure !== undefined) throw new CommandError(failure.message);
  }

  #init(from: number, payloads: boolean, visit: EntryVisitor): ScanInit {
    const read = (offset: number, bytes: number, done: (result: StoreRead | StoreFailure) => void): void =>
      done(this.#read(offset, bytes));
    return { store: { read }, crc32, from, to: this.end, payloads, visit };
  }

  #read(offset: number, bytes: number): StoreRead {
    const into = new Uint8Array(bytes);
    let filled = 0;
    while (filled < bytes) {
      const count = attempt(
        this.#path,
        () => readSync(this.#file, into, filled, bytes - filled, offset - this.base + filled),
      );
      if (count === 0) throw new CommandError(`${this.#path} became shorter while it was read`);
      filled += count;
    }
    return { bytes: into, pinned: false, release: () => {} };
  }

  #ended(end: ScanEnd | undefined): ScanEnd {
    // The reads above answer at once, so the scan has ended.
    if (end === undefined) throw new CommandError(`${this.#path} could not be scanned`);
    if (end.failure !== undefined) throw new CommandError(end.failure.message);
    return end;
  }
}
