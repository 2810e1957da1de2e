/**
 * Writes again what was found. After a sync that failed the system keeps pages in memory that it could not bring to the disk, and
 * holds them for clean: the next sync would succeed without them. Writing the same bytes once more makes them dirty again; what was
 * really lost is read as such, and found by recovery.
 *
 * @module
 */

import { isFailure, type OpenFiles } from "./open_files.ts";
import type { SegmentFile, SegmentFiles } from "./segment_files.ts";
import type { DiskFailure, DiskFile, StoreFailure } from "./store.ts";

const PIECE_BYTES = 1_048_576;

/** Writes again everything from the offset `from` to the end. `done` at once where there is nothing. */
export function rewriteFrom(
  files: SegmentFiles,
  open: OpenFiles,
  from: number,
  done: (failure?: StoreFailure) => void,
): void {
  const concerned = files.list.filter((file) => file.end > from && file.bytes > 0);
  const memory = new Uint8Array(concerned.length === 0 ? 0 : PIECE_BYTES);
  const next = (index: number): void => {
    const segment = concerned[index];
    if (segment === undefined) return done();
    open.acquire(segment.name, false, (file) => {
      if (isFailure(file)) return done(failed(segment, file));
      const pieces = new Pieces(file, memory, segment.bytes);
      pieces.run(Math.max(0, from - segment.base), (failure) => {
        open.release(segment.name);
        if (failure === undefined) next(index + 1);
        else done(failed(segment, failure));
      });
    });
  };
  next(0);
}

/** Reads and writes one file piece by piece. */
class Pieces {
  readonly #file: DiskFile;
  readonly #memory: Uint8Array;
  readonly #end: number;

  constructor(file: DiskFile, memory: Uint8Array, end: number) {
    this.#file = file;
    this.#memory = memory;
    this.#end = end;
  }

  run(at: number, done: (failure?: DiskFailure) => void): void {
    const piece = this.#memory.subarray(0, Math.min(this.#memory.length, this.#end - at));
    if (piece.length === 0) return done();
    this.#file.read(at, piece, (answer) => {
      if (typeof answer !== "number") return done(answer);
      // Shorter than it was listed: there is nothing left that could be lost.
      if (answer === 0) return done();
      this.#file.write(at, [piece.subarray(0, answer)], (failure) => {
        if (failure === undefined) this.run(at + answer, done);
        else done(failure);
      });
    });
  }
}

function failed(segment: SegmentFile, { kind, message, cause }: DiskFailure): StoreFailure {
  const failure = { message: `Cannot write ${segment.name} again: ${message}`, offset: segment.base, cause };
  return { kind: kind === "full" ? "full" : "stopped", ...failure };
}
