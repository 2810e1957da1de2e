/**
 * The file of an `ipc` endpoint: wildcards, Linux's abstract names, and files that a killed process left
 * behind. Shared by all three runtimes, which behave alike here: they remove the file when the listener is
 * closed.
 *
 * @module
 */

import { MisuseError } from "../src/errors.ts";
import type { IpcEndpoint } from "../src/socket/endpoint.ts";
import { parseIpcEndpoint } from "../src/socket/endpoint.ts";
import { bindError, codeOf, isDenied, permissionError } from "./system_errors.ts";
import { builtin } from "./builtin.ts";

/** Where to listen. */
export interface SocketFile {
  /** What the runtime takes: a path, or an abstract name after a NUL. */
  readonly path: string;
  /** The same, as an endpoint. */
  readonly address: string;
  /** Removes what `openSocketFile` created. The runtime removes the socket's own file. */
  remove(): void;
}

/**
 * Returns the path that a runtime's `connect` takes for `endpoint`.
 *
 * Node before 22 (libuv before 1.48, libuv/libuv#4266) pads an abstract name with NULs up to the end of
 * `sun_path`, which cannot be prevented. Only another such Node finds that name, not libzmq, Deno, Bun or a
 * later Node.
 *
 * @throws {MisuseError} `ERR_ENDPOINT` for an abstract name if the system has none.
 */
export function socketPath(endpoint: IpcEndpoint): string {
  if (endpoint.ipcKind !== "abstract") return endpoint.name;
  if (builtin("node:os").platform() === "linux") return `\0${endpoint.name}`;
  throw new MisuseError(
    "ERR_ENDPOINT",
    `Invalid endpoint "${endpoint.text}": ipc://@name exists on Linux only`,
  );
}

/**
 * Chooses where to listen. For `ipc://*` that is a new directory, in which no other user can create files.
 */
export function openSocketFile(endpoint: IpcEndpoint): SocketFile {
  if (endpoint.ipcKind !== "any") {
    return { path: socketPath(endpoint), address: endpoint.text, remove: () => {} };
  }
  const fs = builtin("node:fs");
  const directory = fs.mkdtempSync(`${temporaryFolder()}/hawser-`);
  const remove = (): void => fs.rmSync(directory, { recursive: true, force: true });
  const path = `${directory}/socket`;
  try {
    return { path, address: parseIpcEndpoint(`ipc://${path}`, "bind").text, remove };
  } catch (cause) {
    remove();
    throw cause;
  }
}

interface Globals {
  readonly Deno?: {
    readonly permissions?: {
      querySync?(name: { readonly name: "env"; readonly variable: string }): { readonly state: string };
    };
  };
}

/** The variables that `node:os` reads on Deno. */
const FOLDER_VARIABLES = ["TMPDIR", "TMP", "TEMP"];

/**
 * Returns the folder for temporary files. On Deno it comes from variables, which a program should not need
 * permission to read for the sake of a socket.
 */
function temporaryFolder(): string {
  const { Deno } = globalThis as unknown as Globals;
  const mayRead = (variable: string): boolean =>
    Deno?.permissions?.querySync?.({ name: "env", variable }).state !== "prompt";
  try {
    // Where Deno would have to prompt the user, fall back to /tmp instead.
    if (FOLDER_VARIABLES.every(mayRead)) return builtin("node:os").tmpdir();
  } catch (cause) {
    if (!isDenied(cause)) throw cause;
  }
  return "/tmp";
}

/**
 * Listens at `file`. If the address is in use by a socket that no process listens at, its file is removed and
 * the bind is tried once more. A live socket, or a file that is not a socket, is never touched.
 */
export async function bindSocketFile<Bound>(file: SocketFile, bind: () => Promise<Bound>): Promise<Bound> {
  try {
    return await bind();
  } catch (cause) {
    if (codeOf(cause) !== "EADDRINUSE" || file.path.startsWith("\0") || !(await removeStale(file.path))) {
      throw bindFailure(cause, file);
    }
  }
  try {
    return await bind();
  } catch (cause) {
    throw bindFailure(cause, file);
  }
}

function bindFailure(cause: unknown, { path, address }: SocketFile): MisuseError {
  const told = pathError(cause, path, `Cannot bind ${address}`);
  if (told === cause || isDenied(cause)) return bindError(told, address);
  return new MisuseError("ERR_ADDRESS", (told as Error).message, { cause });
}

/**
 * Returns the error to report for a path that could not be connected to or bound: `cause` itself, unless a
 * permission or the folder is missing. Of a missing folder, systems say only that *something* does not exist,
 * and `node:net` that access is denied.
 */
export function pathError(cause: unknown, path: string, what: string): unknown {
  if (isDenied(cause)) return permissionError(cause, what);
  const code = codeOf(cause);
  if ((code !== "ENOENT" && code !== "EACCES") || path.startsWith("\0")) return cause;
  const folder = missingFolder(path);
  if (folder === undefined) return cause;
  const error = new Error(`${what}: the folder ${folder} does not exist`, { cause });
  return Object.assign(error, { code: "ENOENT" });
}

/** Returns the folder that contains `path` if it is known not to exist. */
function missingFolder(path: string): string | undefined {
  const slash = path.lastIndexOf("/");
  if (slash <= 0) return undefined;
  const folder = path.substring(0, slash);
  try {
    builtin("node:fs").lstatSync(folder);
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return folder;
  }
  return undefined;
}

async function removeStale(path: string): Promise<boolean> {
  const fs = builtin("node:fs");
  try {
    const before = fs.lstatSync(path);
    // Connecting to a regular file is refused as well, so check the kind of file.
    if (!before.isSocket() || (await isAnswered(path))) return false;
    // Another process may have done the same meanwhile and may listen there by now.
    const after = fs.lstatSync(path);
    // Some file systems reuse inode numbers at once, so compare the time too.
    if (after.ino !== before.ino || after.dev !== before.dev || after.ctimeMs !== before.ctimeMs) {
      return false;
    }
    fs.unlinkSync(path);
    return true;
  } catch (cause) {
    // The file is gone: its owner has just closed.
    return codeOf(cause) === "ENOENT";
  }
}

/**
 * Whether a process listens there. Only a clear refusal means no; a full backlog or a missing permission does
 * not.
 */
function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = builtin("node:net").connect({ path });
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", (cause) => resolve(codeOf(cause) !== "ECONNREFUSED"));
  });
}
