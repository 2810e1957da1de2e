/**
 * The rules of the contract between the core and a transport, in the words of `docs/ADAPTERS.md`. Authors of
 * transports make mistakes; each is named, ends its stream, and harms nothing else.
 *
 * @module
 */

import { PeerError } from "../errors.ts";
import type { Transport, TransportInfo } from "../ports.ts";

/** The rules, as error messages quote them. */
export const TRANSPORT_RULES = {
  dialReturns: "dial returns a transport at once: an object with write, setPaused and close, and no promise",
  dialQuiet: "no handler is called before dial has returned",
  openFirst: "open comes before data, drain and end",
  openOnce: "open comes once",
  openInfo: "open is given localAddress and remoteAddress, both strings",
  dataBytes: "data is given a Uint8Array",
  dataMemory: "the memory of a chunk is not used again after data",
  bodyMemory:
    "what is read into bodyMemory starts at its beginning, and bodyMemory is asked again after each data",
  drainLent: "drain comes once for each write that returned false, and for no other",
  writeAnswers: "write and writev return true or false",
  writeThrows: "write and writev never throw",
  pauseAnswers: "setPaused returns whether the transport can pause, true or false",
  neverThrows: "setPaused, pull, close and setReferenced never throw",
} as const;

/** The name of a rule. */
export type TransportRule = keyof typeof TRANSPORT_RULES;

/** The error for a broken rule. */
export function brokenRule(rule: TransportRule, cause?: unknown): PeerError {
  return brokenContract(TRANSPORT_RULES[rule], cause);
}

/** The error for a broken rule, by its text. */
export function brokenContract(rule: string, cause?: unknown): PeerError {
  return new PeerError(
    "ERR_TRANSPORT",
    `The transport of this connection broke a rule of its contract: ${rule}`,
    cause === undefined ? undefined : { cause },
  );
}

/** Whether `value` can be used as a transport. */
export function isTransport(value: unknown): value is Transport {
  try {
    const { write, setPaused, close } = (value ?? {}) as Partial<Record<keyof Transport, unknown>>;
    return typeof write === "function" && typeof setPaused === "function" && typeof close === "function";
  } catch {
    return false;
  }
}

/** Whether `value` has both addresses. */
export function isTransportInfo(value: unknown): value is TransportInfo {
  const { localAddress, remoteAddress } = (value ?? {}) as Partial<Record<keyof TransportInfo, unknown>>;
  return typeof localAddress === "string" && typeof remoteAddress === "string";
}

/** Whether `value` is a `Uint8Array`, including one of another realm, as test runners make them. */
export function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array ||
    (ArrayBuffer.isView(value) && Object.prototype.toString.call(value) === "[object Uint8Array]");
}

/**
 * For what an async function returns where a plain one is required: closes a transport that it resolves to,
 * and ignores a rejection.
 */
export function disown(value: unknown): void {
  const { then } = (value ?? {}) as { readonly then?: unknown };
  if (typeof then !== "function") return;
  then.call(value, (late: unknown) => {
    if (isTransport(late)) closeQuietly(late);
  }, () => {});
}

/** Aborts a transport that is no longer trusted. */
export function closeQuietly(transport: Transport): void {
  try {
    disown(transport.close("abort"));
  } catch {
    // Nothing more can be done about it, and its fault was already reported.
  }
}
