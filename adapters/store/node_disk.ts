/**
 * A {@link Disk} over a folder: `node:fs` with callbacks, which works the same on Node, Deno and Bun.
 *
 * @module
 */

import { countBytes } from "../../src/bytes/bytes.ts";
import type { Disk, DiskFailure, DiskFile } from "../../src/log/store/store.ts";
import { builtin } from "../builtin.ts";
import { codeOf, reasonOf } from "../system_errors.ts";
import type { Failed, NodeFsFiles } from "./types.ts";

/** The owner may write files, and everyone may read them as far as the umask allows. */
const FILE_MODE = 0o644;
/** The most chunks in one gather write, which every system accepts (IOV_MAX). */
const CHUNKS_MAX = 1_024;

/** Turns an error of the system into a failure that stores understand. */
export function diskFailure(cause: unknown): DiskFailure {
  const code = codeOf(cause);
  const message = reasonOf(cause);
  if (code === "ENOSPC" || code === "EDQUOT") return { kind: "full", message, cause };
  return { kind: code === "ENOENT" ? "missing" : "failed", message, cause };
}

/** Turns the error argument of a callback into a failure, or `undefined` on success. */
function answer(error: Failed): DiskFailure | undefined {
  return error === null || error === undefined ? undefined : diskFailure(error);
}

/**
 * Whether the runtime forbids syncs: Node's `--permission` disables every kind of fsync, whatever it allows.
 */
export function isSyncForbidden(cause: unknown): boolean {
  return codeOf(cause) === "ERR_ACCESS_DENIED" && /\bf(?:data)?sync\b/.test(reasonOf(cause));
}

/** Ignores the failure of a sync that the runtime forbids, where no promise depends on it. */
function wherePossible(done: (failure?: DiskFailure) => void): (failure?: DiskFailure) => void {
  return (failure) => done(isSyncForbidden(failure?.cause) ? undefined : failure);
}

/** Makes the creations and removals in the folder `path` survive a crash of the machine. */
function syncFolder(fs: NodeFsFiles, path: string, done: (failure?: DiskFailure) => void): void {
  fs.open(path, "r", 0, (unopened, fd) => {
    const failure = answer(unopened);
    // Windows does not open folders, and persists their entries by itself.
    if (failure !== undefined) return done(builtin("node:os").platform() === "win32" ? undefined : failure);
    fs.fsync(fd, (unsynced) => fs.close(fd, () => done(answer(unsynced))));
  });
}

/**
 * Returns the disk of one folder, which must exist. `lenient` ignores syncs that the runtime forbids, for
 * stores that do not promise to survive a crash of the machine.
 */
export function nodeDisk(path: string, fs: NodeFsFiles = builtin("node:fs"), lenient = false): Disk {
  return {
    list: (done) => listFiles(fs, path, done),
    open: (name, create, done) => {
      const { O_RDWR, O_CREAT } = fs.constants;
      fs.open(`${path}/${name}`, create ? O_RDWR | O_CREAT : O_RDWR, FILE_MODE, (error, fd) => {
        done(answer(error) ?? new NodeDiskFile(fs, fd, lenient));
      });
    },
    remove: (name, done) => fs.unlink(`${path}/${name}`, (error) => done(answer(error))),
    sync: (done) => syncFolder(fs, path, lenient ? wherePossible(done) : done),
  };
}

function listFiles(fs: NodeFsFiles, path: string, done: Parameters<Disk["list"]>[0]): void {
  fs.readdir(path, { withFileTypes: true }, (error, entries) => {
    const unread = answer(error);
    if (unread !== undefined) return done(unread);
    const names = entries.filter((entry) => entry.isFile()).map(({ name }) => name);
    const files: { name: string; bytes: number }[] = [];
    let left = names.length;
    let failure: DiskFailure | undefined;
    if (left === 0) return done([]);
    for (const name of names) {
      fs.stat(`${path}/${name}`, (unknown, found) => {
        const missed = answer(unknown);
        if (missed === undefined) files.push({ name, bytes: found.size });
        // It has just been removed.
        else if (missed.kind !== "missing") failure = missed;
        if (--left === 0) done(failure ?? files);
      });
    }
  });
}

class NodeDiskFile implements DiskFile {
  readonly #fs: NodeFsFiles;
  readonly #fd: number;
  readonly #lenient: boolean;

  constructor(fs: NodeFsFiles, fd: number, lenient: boolean) {
    this.#fs = fs;
    this.#fd = fd;
    this.#lenient = lenient;
  }

  /** Writes all chunks. The system may take only a part of a write; the rest follows. */
  write(at: number, chunks: readonly Uint8Array[], done: (failure?: DiskFailure) => void): void {
    if (countBytes(chunks) === 0) return later(done);
    const wrote = (error: Failed, bytes: number): void => {
      const failure = answer(error);
      if (failure !== undefined) return done(failure);
      if (bytes === 0) {
        return done({ kind: "failed", message: "The system wrote nothing and gave no reason" });
      }
      const left = chunksBehind(chunks, bytes);
      if (left.length === 0) done();
      else this.write(at + bytes, left, done);
    };
    const [first] = chunks;
    if (chunks.length === 1) this.#fs.write(this.#fd, first!, 0, first!.length, at, wrote);
    else this.#fs.writev(this.#fd, chunks.slice(0, CHUNKS_MAX), at, wrote);
  }

  read(at: number, into: Uint8Array, done: (bytes: number | DiskFailure) => void): void {
    this.#readOn(at, into, 0, done);
  }

  truncate(bytes: number, done: (failure?: DiskFailure) => void): void {
    this.#fs.ftruncate(this.#fd, bytes, (error) => done(answer(error)));
  }

  sync(done: (failure?: DiskFailure) => void): void {
    const told = this.#lenient ? wherePossible(done) : done;
    this.#fs.fdatasync(this.#fd, (error) => told(answer(error)));
  }

  close(done: () => void): void {
    this.#fs.close(this.#fd, () => done());
  }

  #readOn(at: number, into: Uint8Array, had: number, done: (bytes: number | DiskFailure) => void): void {
    this.#fs.read(this.#fd, into, had, into.length - had, at + had, (error, bytes) => {
      const failure = answer(error);
      if (failure !== undefined) return done(failure);
      const read = had + bytes;
      if (bytes === 0 || read === into.length) done(read);
      else this.#readOn(at, into, read, done);
    });
  }
}

/** Calls `done` when there is nothing to do: later, because it must never be called at once. */
function later(done: () => void): void {
  Promise.resolve().then(() => done());
}

/** Returns what is left of `chunks` after the first `bytes`, without empty chunks. */
function chunksBehind(chunks: readonly Uint8Array[], bytes: number): Uint8Array[] {
  const left: Uint8Array[] = [];
  let skip = bytes;
  for (const chunk of chunks) {
    if (chunk.length > skip) left.push(chunk.subarray(skip));
    skip = Math.max(0, skip - chunk.length);
  }
  return left;
}
