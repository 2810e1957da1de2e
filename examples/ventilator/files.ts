/** Finds the files of a folder and reads them in pieces. */

import { type FileHandle, lstat, open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { cannotRead } from "./job_error.ts";

/**
 * Bytes of one message's content, at most. Files above it go in several messages, so a file of any size needs little
 * memory, and all workers share it.
 */
export const PIECE_BYTES: number = 1024 * 1024;

/** One file of the folder. */
export interface FoundFile {
  /** Below the folder, with `/`. */
  readonly path: string;
  /** Its length when it was found. */
  readonly bytes: number;
}

/**
 * Every file below `folder`, in the order of their paths. Symbolic links are not followed; what is neither file nor
 * folder is left out, and so are folders with a name in `leftOut`.
 */
export async function listFiles(folder: string, leftOut: readonly string[] = []): Promise<FoundFile[]> {
  const files: FoundFile[] = [];
  const folders = [""];
  for (let below = folders.pop(); below !== undefined; below = folders.pop()) {
    const parent = join(folder, below);
    for (const entry of await reading(parent, readdir(parent, { withFileTypes: true }))) {
      const path = below === "" ? entry.name : `${below}/${entry.name}`;
      if (entry.isDirectory()) {
        if (!leftOut.includes(entry.name)) folders.push(path);
      } else if (entry.isFile()) {
        const { size } = await reading(join(folder, path), lstat(join(folder, path)));
        files.push({ path, bytes: size });
      }
    }
  }
  return files.sort((a, b) => a.path < b.path ? -1 : 1);
}

/** Milliseconds that the time of a file may be behind the clock. */
const FILE_TIME_MS = 20;

/** The paths of those `files` that are gone, or were written since `sinceMs` of the clock. */
export async function changedSince(
  folder: string,
  files: readonly FoundFile[],
  sinceMs: number,
): Promise<string[]> {
  const changed: string[] = [];
  for (const { path } of files) {
    const status = await lstat(join(folder, path)).catch(() => undefined);
    if (status === undefined || status.mtimeMs > sinceMs - FILE_TIME_MS) changed.push(path);
  }
  return changed;
}

/** A part of a file's content. */
export interface Piece {
  readonly content: Uint8Array;
  readonly last: boolean;
}

/**
 * The content of a file, as long as it was when it was opened. Each piece is memory of its own, because sending it
 * gives it away. An empty file is one empty piece.
 */
export async function* readPieces(path: string): AsyncGenerator<Piece> {
  const file = await reading(path, open(path));
  try {
    let leftBytes = (await reading(path, file.stat())).size;
    do {
      const buffer = new Uint8Array(Math.min(leftBytes, PIECE_BYTES));
      const filledBytes = await reading(path, fill(file, buffer));
      leftBytes = filledBytes < buffer.length ? 0 : leftBytes - filledBytes;
      yield { content: buffer.subarray(0, filledBytes), last: leftBytes === 0 };
    } while (leftBytes > 0);
  } finally {
    await file.close();
  }
}

/** Reads until `into` is full or the file ends, and answers how many bytes there were. */
async function fill(file: FileHandle, into: Uint8Array): Promise<number> {
  let filledBytes = 0;
  while (filledBytes < into.length) {
    const { bytesRead } = await file.read(into, filledBytes, into.length - filledBytes);
    if (bytesRead === 0) break;
    filledBytes += bytesRead;
  }
  return filledBytes;
}

/** Waits for the file system; what it refuses is said in words. */
async function reading<Result>(path: string, result: Promise<Result>): Promise<Result> {
  try {
    return await result;
  } catch (error) {
    throw cannotRead(path, error);
  }
}
