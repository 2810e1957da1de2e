/**
 * Turns errors of the system and the runtime into hawser's.
 *
 * @module
 */

import { isPermissionError, MisuseError } from "../src/errors.ts";

/** Returns the `code` of a system error (`ECONNREFUSED`), or `undefined`. */
export function codeOf(cause: unknown): string | undefined {
  const code = (cause as { code?: unknown } | null | undefined)?.code;
  return typeof code === "string" ? code : undefined;
}

/**
 * Whether the runtime itself refused, without asking the system: Deno without a permission, or Node under
 * `--permission`. Such a refusal is final. (Only Deno's `node:dns` reports it as the EPERM of a look-up.)
 */
export function isDenied(cause: unknown): boolean {
  const { name, code, syscall } = (cause ?? {}) as Readonly<Record<string, unknown>>;
  return isPermissionError(cause) || name === "NotCapable" || code === "ERR_ACCESS_DENIED" ||
    (code === "EPERM" && syscall === "getaddrinfo");
}

/** Node's names for permissions, and the flags that grant them. */
const NODE_FLAGS: Readonly<Record<string, string>> = {
  FileSystemRead: "--allow-fs-read",
  FileSystemWrite: "--allow-fs-write",
};

/**
 * Returns the error for a cause that {@link isDenied}. It names the flag, which the runtime's own message
 * does not always do.
 */
export function permissionError(cause: unknown, what: string): MisuseError {
  if (cause instanceof MisuseError) return cause;
  const { permission, resource } = cause as { readonly permission?: unknown; readonly resource?: unknown };
  const flag = NODE_FLAGS[String(permission)] ?? "--allow-net";
  const reason = reasonOf(cause);
  const where = typeof resource === "string" && resource !== "" ? ` for ${resource}` : "";
  const detail = reason.includes("--allow") ? reason : `${reason}; it requires ${flag}${where}`;
  return new MisuseError("ERR_PERMISSION", `${what}: ${detail}`, { cause });
}

/** Returns the message of `cause`. */
export function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

/**
 * Returns why a connection to `text` could not be opened: what the system said, or which permission is
 * missing.
 */
export function connectError(cause: unknown, text: string): unknown {
  return isDenied(cause) ? permissionError(cause, `Cannot connect to ${text}`) : cause;
}

/** Turns the cause of a failed bind into the error that `listen` rejects with. */
export function bindError(cause: unknown, text: string): MisuseError {
  if (cause instanceof MisuseError) return cause;
  if (isDenied(cause)) return permissionError(cause, `Cannot bind ${text}`);
  const code = codeOf(cause);
  if (code === "EADDRINUSE") {
    return new MisuseError("ERR_ADDRESS_IN_USE", `Cannot bind ${text}: the address is in use`, { cause });
  }
  const reason = reasonOf(cause);
  const detail = code === undefined || reason.includes(code) ? reason : `${code}: ${reason}`;
  return new MisuseError("ERR_ADDRESS", `Cannot bind ${text}: ${detail}`, { cause });
}

/** Returns the cause of a close when a stream did not open within `connectTimeoutMs`. */
export function connectTimeout(text: string, timeoutMs: number): Error {
  const error = new Error(`Cannot connect to ${text}: no answer within ${timeoutMs} ms`);
  return Object.assign(error, { code: "ETIMEDOUT" });
}

/** Returns the cause of a close when handlers are attached after `accept` has returned. */
export function refusedStream(): Error {
  return new Error("The stream was refused: handlers must be attached while it is being accepted");
}
