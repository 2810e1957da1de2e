/**
 * What the system says, in hawser's words.
 *
 * @module
 */

import { MisuseError } from "../src/errors.ts";

/** The `code` of a system error (`ECONNREFUSED`), or `undefined`. */
export function codeOf(cause: unknown): string | undefined {
  const code = (cause as { code?: unknown } | null | undefined)?.code;
  return typeof code === "string" ? code : undefined;
}

/** What the system said about a bind, as the error that `listen` rejects with. */
export function bindError(cause: unknown, text: string): MisuseError {
  if (cause instanceof MisuseError) return cause;
  const code = codeOf(cause);
  if (code === "EADDRINUSE") {
    return new MisuseError("ERR_ADDRESS_IN_USE", `Cannot bind ${text}: the address is in use`, { cause });
  }
  const reason = cause instanceof Error ? cause.message : String(cause);
  const detail = code === undefined || reason.includes(code) ? reason : `${code}: ${reason}`;
  return new MisuseError("ERR_ADDRESS", `Cannot bind ${text}: ${detail}`, { cause });
}

/** The cause of a close when a stream did not open within `connectTimeoutMs`. */
export function connectTimeout(text: string, timeoutMs: number): Error {
  const error = new Error(`Cannot connect to ${text}: no answer within ${timeoutMs} ms`);
  return Object.assign(error, { code: "ETIMEDOUT" });
}

/** The cause of a close when a stream is attached to after `accept` has returned without attaching. */
export function refusedStream(): Error {
  return new Error("The stream was refused: handlers must be attached while it is being accepted");
}
