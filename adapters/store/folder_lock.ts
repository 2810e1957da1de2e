/**
 * A lock on a folder that one process uses alone. On Linux it is an abstract unix socket named after the
 * folder's device and inode, which the kernel releases with the process, however that ends. A file in the
 * folder says who holds it; on other systems that file is the lock, and is taken over when its process is
 * gone.
 *
 * Node before 22 pads an abstract name with NULs to the longest that the system allows, and Bun refuses names
 * of that length, so the runtimes do not all bind the same name. A process that has bound one form therefore
 * looks for the other in the kernel's list: of two processes, at least the later one sees both.
 *
 * @module
 */

import { LogError } from "../../src/log/errors.ts";
import { builtin } from "../builtin.ts";
import { detectRuntime } from "../detect.ts";
import { host } from "../shared_host.ts";
import { codeOf, reasonOf } from "../system_errors.ts";
import { type Holder, isAlive, ownHolder, parseHolder, showHolder } from "./lock_holder.ts";

/** The lock of a folder. */
export interface FolderLock {
  /** Releases the lock. Call it only once. */
  release(): Promise<void>;
}

/** The file that names the holder. */
export const LOCK_FILE = "lock";

/**
 * Locks the folder `path`, which must exist.
 *
 * @throws {LogError} `ERR_LOG_LOCKED`: another process holds the lock, or this one does. The message names
 * the holder.
 */
export async function lockFolder(path: string): Promise<FolderLock> {
  if (builtin("node:os").platform() !== "linux") return lockByFile(path);
  const fs = builtin("node:fs");
  const { dev, ino } = fs.statSync(path, { bigint: true });
  const server = await bindName(path, `hawser-log-${dev.toString(16)}-${ino.toString(16)}`);
  try {
    // A container that shares the folder may have a network, and so names, of its own. There the file says
    // who holds the lock, as far as it can.
    const holder = readHolder(path);
    if (holder !== undefined && holder.pid !== ownHolder().pid && isAlive(holder)) throw locked(path);
    fs.writeFileSync(`${path}/${LOCK_FILE}`, JSON.stringify(ownHolder()), { flag: "w" });
  } catch (cause) {
    await closeServer(server);
    throw cause;
  }
  return {
    release: () => {
      removeFile(path);
      return closeServer(server);
    },
  };
}

function locked(path: string): LogError {
  const holder = readHolder(path);
  const who = holder === undefined ? "another process" : showHolder(holder);
  return new LogError("ERR_LOG_LOCKED", `The folder ${path} is in use by ${who}`);
}

function readHolder(path: string): Holder | undefined {
  try {
    return parseHolder(builtin("node:fs").readFileSync(`${path}/${LOCK_FILE}`, "utf8"));
  } catch {
    // There is none, or it cannot be read: nothing is known about the holder.
    return undefined;
  }
}

function removeFile(path: string): void {
  try {
    builtin("node:fs").unlinkSync(`${path}/${LOCK_FILE}`);
  } catch {
    // It may be removed already, which is all that is wanted.
  }
}

/** The part of a `node:net` server that a lock uses. */
interface Server {
  on(event: "error", listener: (cause: unknown) => void): unknown;
  on(event: "listening", listener: () => void): unknown;
  on(event: "connection", listener: (socket: { destroy(): unknown }) => void): unknown;
  listen(options: { path: string }): unknown;
  close(done: () => void): unknown;
  unref(): unknown;
}

async function bindName(path: string, name: string): Promise<Server> {
  let server: Server;
  try {
    server = await listenAt(name);
  } catch (cause) {
    throw codeOf(cause) === "EADDRINUSE" ? locked(path) : cannotLock(path, cause);
  }
  // A process that pads gives up at once, so that two that started together do not both give up.
  const tries = padsNames() ? 0 : 10;
  for (let attempt = 0; isHeldTwice(name); attempt++) {
    if (attempt === tries) {
      await closeServer(server);
      throw locked(path);
    }
    await new Promise<void>((resolve) => void host.schedule(20, resolve, true));
  }
  return server;
}

function cannotLock(path: string, cause: unknown): LogError {
  return new LogError("ERR_LOG_STORE_FAILED", `Cannot lock the folder ${path}: ${reasonOf(cause)}`, {
    cause,
  });
}

function listenAt(name: string): Promise<Server> {
  const net = builtin("node:net");
  const server = net.createServer({ allowHalfOpen: false, highWaterMark: 16_384 }) as unknown as Server;
  return new Promise((resolve, reject) => {
    server.on("error", reject);
    server.on("connection", (socket) => socket.destroy());
    server.on("listening", () => resolve(server));
    server.listen({ path: `\0${name}` });
    // The lock ends with the process, but does not keep it alive.
    server.unref();
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => void server.close(() => resolve()));
}

/**
 * Whether this runtime pads names, as libuv before 1.48 does, which is in Node before 22. Deno and Bun report
 * the version of a libuv that they do not use here.
 */
function padsNames(): boolean {
  const { process } = globalThis as { process?: { versions?: { uv?: string } } };
  const [major = 0, minor = 0] = (process?.versions?.uv ?? "").split(".").map(Number);
  return detectRuntime() === "node" && (major < 1 || (major === 1 && minor < 48));
}

/** Whether processes listen at both the padded and the plain form of `name`. */
function isHeldTwice(name: string): boolean {
  let list: string;
  try {
    list = builtin("node:fs").readFileSync("/proc/net/unix", "utf8");
  } catch {
    // Without the list, processes of the same form exclude each other, and the file reveals the others.
    return false;
  }
  // Num RefCount Protocol Flags Type St Inode Path; this flag means that it listens. A NUL is shown as "@".
  const held = list.split("\n").flatMap((line) => {
    const [, , , flags, , , , shown = ""] = line.trim().split(/\s+/);
    return flags === "00010000" && shown.replace(/@+$/, "") === `@${name}` ? [shown] : [];
  });
  return held.some((shown) => shown.endsWith("@")) && held.includes(`@${name}`);
}

/** Locks without abstract names: the lock is the file itself, which only one process can create. */
export function lockByFile(path: string): FolderLock {
  const fs = builtin("node:fs");
  const file = `${path}/${LOCK_FILE}`;
  for (let attempt = 0;; attempt++) {
    try {
      fs.writeFileSync(file, JSON.stringify(ownHolder()), { flag: "wx" });
      return { release: () => Promise.resolve(removeFile(path)) };
    } catch (cause) {
      if (codeOf(cause) !== "EEXIST") throw cannotLock(path, cause);
    }
    const holder = readHolder(path);
    if (attempt > 0 || holder === undefined || isAlive(holder)) throw locked(path);
    takeAway(path, holder);
  }
}

/**
 * Removes the file of a dead holder, unless another process was faster and the file is no longer that
 * holder's.
 */
function takeAway(path: string, dead: Holder): void {
  const fs = builtin("node:fs");
  // No topic's folder begins with a dot.
  const aside = `${path}/.${LOCK_FILE}-${ownHolder().pid}`;
  try {
    fs.renameSync(`${path}/${LOCK_FILE}`, aside);
    const moved = fs.readFileSync(aside, "utf8");
    if (JSON.stringify(parseHolder(moved)) !== JSON.stringify(dead)) {
      fs.writeFileSync(`${path}/${LOCK_FILE}`, moved, { flag: "wx" });
    }
    fs.unlinkSync(aside);
  } catch {
    // Another process has removed it, or has already created the next: the second attempt finds out.
  }
}
