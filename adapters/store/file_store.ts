/**
 * Topics in files: one folder with a subfolder for each topic, on Node, Deno and Bun.
 *
 * ```text
 * data/
 *   lock                              who uses the folder
 *   orders/
 *     00000000000000000000.segment    named by the offset of its first byte
 *     00000000000067108864.segment
 * ```
 *
 * @module
 */

import { LogError } from "../../src/log/errors.ts";
import { type DiskFolders, DiskStores, type DiskStoresInit } from "../../src/log/store/disk_stores.ts";
import type { Disk, DiskFailure, StoreFactory } from "../../src/log/store/store.ts";
import { builtin } from "../builtin.ts";
import { codeOf, isDenied, permissionError, reasonOf } from "../system_errors.ts";
import { type FolderLock, lockFolder } from "./folder_lock.ts";
import { diskFailure, isSyncForbidden, nodeDisk } from "./node_disk.ts";
import { folderOfTopic, topicOfFolder } from "./topic_folder.ts";

/** Where the files are, and the other options of `DiskStores`. */
export interface FileStoresInit extends Omit<DiskStoresInit, "folders"> {
  /** Created if it does not exist, with its parents. */
  readonly dir: string;
}

/**
 * Opens the folder `dir` for this process alone. The lock lasts until the returned factory is closed or the
 * process ends.
 *
 * @throws {LogError} `ERR_LOG_LOCKED`: it is already in use. `ERR_LOG_STORE_FAILED`: it cannot be created or
 * locked, or the runtime forbids what the durability requires (`fsync` under Node's `--permission`); the
 * message says what to do.
 */
export async function openFileStores(init: FileStoresInit): Promise<StoreFactory> {
  const { dir, ...rest } = init;
  const lenient = init.durability === "process";
  try {
    await makeFolder(dir, lenient);
    // If syncs are forbidden, find out now and not for every topic.
    if (!lenient) await syncPath(dir, lenient);
    const lock = await lockFolder(dir);
    return new DiskStores({ ...rest, folders: new FileFolders(dir, lock, lenient) });
  } catch (cause) {
    throw cause instanceof LogError ? cause : folderError(dir, cause);
  }
}

function folderError(dir: string, cause: unknown): LogError {
  const what = `Cannot use the folder ${dir}`;
  if (isSyncForbidden(cause)) {
    const text = `${what}: Node's --permission forbids fsync, ` +
      "without which no record survives a crash of the machine. " +
      `Accept that with stores: await openFileStores({ dir, durability: "process" }), ` +
      "or run without --permission";
    return new LogError("ERR_LOG_STORE_FAILED", text, { cause });
  }
  const { message } = isDenied(cause)
    ? permissionError(cause, what)
    : { message: `${what}: ${reasonOf(cause)}` };
  return new LogError("ERR_LOG_STORE_FAILED", message, { cause });
}

/** Creates `dir` and its missing parents, and syncs each so that it survives a crash of the machine. */
async function makeFolder(dir: string, lenient: boolean): Promise<void> {
  const made = await makeOne(dir);
  if (made === "exists") return;
  const parent = parentOf(dir);
  if (made === "missing" && parent !== dir) {
    await makeFolder(parent, lenient);
    const again = await makeOne(dir);
    if (again === "missing") throw new Error(`${parent} has just been removed`);
  }
  await syncPath(parent, lenient);
}

function makeOne(dir: string): Promise<"made" | "exists" | "missing"> {
  return new Promise((resolve, reject) => {
    builtin("node:fs").mkdir(dir, { recursive: false }, (error) => {
      const code = codeOf(error);
      if (!error) resolve("made");
      else if (code === "EEXIST") resolve("exists");
      else if (code === "ENOENT") resolve("missing");
      else reject(error);
    });
  });
}

function parentOf(path: string): string {
  const at = path.replace(/\/+$/, "").lastIndexOf("/");
  return at > 0 ? path.slice(0, at) : at === 0 ? "/" : ".";
}

function syncPath(path: string, lenient: boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    nodeDisk(path, builtin("node:fs"), lenient).sync((failure) =>
      failure ? reject(failure.cause) : resolve()
    );
  });
}

class FileFolders implements DiskFolders {
  readonly #dir: string;
  readonly #lock: FolderLock;
  readonly #lenient: boolean;

  constructor(dir: string, lock: FolderLock, lenient: boolean) {
    this.#dir = dir;
    this.#lock = lock;
    this.#lenient = lenient;
  }

  list(done: (topics: readonly string[] | DiskFailure) => void): void {
    builtin("node:fs").readdir(this.#dir, { withFileTypes: true }, (error, entries) => {
      if (error) return done(diskFailure(error));
      done(
        entries.flatMap((entry) => {
          const topic = entry.isDirectory() ? topicOfFolder(entry.name) : undefined;
          return topic === undefined ? [] : [topic];
        }).sort(),
      );
    });
  }

  open(topic: string, done: (disk: Disk | DiskFailure) => void): void {
    const fs = builtin("node:fs");
    const folder = folderOfTopic(topic);
    if (folder === undefined) {
      const message = `"${topic}" cannot name a topic's folder`;
      return void Promise.resolve().then(() => done({ kind: "failed", message }));
    }
    const path = `${this.#dir}/${folder}`;
    fs.mkdir(path, { recursive: false }, (error) => {
      if (error && codeOf(error) !== "EEXIST") return done(diskFailure(error));
      nodeDisk(this.#dir, fs, this.#lenient).sync((failure) =>
        done(failure ?? nodeDisk(path, fs, this.#lenient))
      );
    });
  }

  close(done: () => void): void {
    this.#lock.release().then(done);
  }
}
