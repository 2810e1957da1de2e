/**
 * Reads from the files of a disk store what its memory does not hold any more.
 *
 * @module
 */

import { isFailure, type OpenFiles } from "./open_files.ts";
import type { SegmentFile } from "./segment_files.ts";
import type { StoreFailure, StoreRead } from "./store.ts";

/** Reads `[offset, offset + bytes)` of `segment` into `into`, which has so many bytes. */
export function readFile(
  open: OpenFiles,
  segment: SegmentFile,
  offset: number,
  into: Uint8Array,
  done: (failure?: StoreFailure) => void,
): void {
  const where = `the ${into.length} bytes at offset ${offset} in ${segment.name}`;
  open.acquire(segment.name, false, (file) => {
    if (isFailure(file)) {
      return done(readFailure(`Cannot read ${where}: ${file.message}`, offset, file.cause));
    }
    file.read(offset - segment.base, into, (answer) => {
      open.release(segment.name);
      if (typeof answer !== "number") {
        return done(readFailure(`Cannot read ${where}: ${answer.message}`, offset, answer.cause));
      }
      if (answer === into.length) return done();
      done(readFailure(`Cannot read ${where}: the file ends after ${answer}`, offset));
    });
  });
}

function readFailure(message: string, offset: number, cause?: unknown): StoreFailure {
  return { kind: "corrupt", message, offset, cause };
}

/** What is left of a read that begins in a file and may end in memory. The memory's part is copied now: it may be gone later. */
export function readMixed(
  open: OpenFiles,
  segment: SegmentFile,
  range: { readonly offset: number; readonly bytes: number },
  into: Uint8Array,
  done: (result: StoreRead | StoreFailure) => void,
): void {
  const { offset, bytes } = range;
  const { memory } = segment;
  const fileBytes = memory === undefined ? bytes : Math.min(bytes, memory.base - offset);
  if (memory !== undefined && fileBytes < bytes) {
    into.set(memory.view(memory.base, bytes - fileBytes), fileBytes);
  }
  readFile(open, segment, offset, into.subarray(0, fileBytes), (failure) => {
    done(failure ?? { bytes: into, pinned: false, release: nothing });
  });
}

function nothing(): void {}
