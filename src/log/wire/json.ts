/**
 * Bodies of control messages: JSON objects and names, in UTF-8. Decoders answer a {@link Fault} instead of throwing.
 * Members that nobody knows are ignored, but for options, which are never dropped silently.
 *
 * @module
 */

import { decodeUtf8, decodeUtf8Strict, encodeUtf8 } from "../../bytes/utf8.ts";
import type { LogErrorCode } from "../errors.ts";
import type { Retention, TopicOptions } from "../topic_options.ts";
import { ERROR_TEXT_MAX, NAME_BYTES_MAX } from "./layout.ts";
import type { RefusedError } from "./messages.ts";
import { Fault } from "./wire_error.ts";

/** Members of a JSON object. */
export type Members = Readonly<Record<string, unknown>>;

/** The bytes of a JSON object. */
export function encodeJson(value: unknown): Uint8Array {
  return encodeUtf8(JSON.stringify(value));
}

/** The JSON object that a body is. */
export function decodeJson(body: Uint8Array): Members | Fault {
  const text = decodeUtf8Strict(body);
  if (text === undefined) return new Fault("its body is not UTF-8");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return new Fault("its body is not JSON");
  }
  return isObject(value) ? value : new Fault("its body is no JSON object");
}

/** What is wrong with a name of a topic, publisher or consumer; `undefined`: nothing. */
export function nameFault(what: string, name: unknown, emptyAllowed = false): Fault | undefined {
  if (typeof name !== "string") return new Fault(`its ${what} is no string`);
  if (name === "" && !emptyAllowed) return new Fault(`its ${what} is empty`);
  // One UTF-16 unit has one byte at least: a long name need not be encoded to be refused.
  const bytes = name.length > NAME_BYTES_MAX ? undefined : encodeUtf8(name);
  if (bytes === undefined || bytes.length > NAME_BYTES_MAX) {
    return new Fault(`its ${what} has more than ${NAME_BYTES_MAX} bytes`);
  }
  return decodeUtf8(bytes) === name ? undefined : new Fault(`its ${what} has a lone surrogate`);
}

/** A name that is a whole body. */
export function decodeName(what: string, body: Uint8Array): string | Fault {
  if (body.length > NAME_BYTES_MAX) return new Fault(`its ${what} has more than ${NAME_BYTES_MAX} bytes`);
  const name = decodeUtf8Strict(body);
  if (name === undefined) return new Fault(`its ${what} is not UTF-8`);
  return nameFault(what, name) ?? name;
}

const LEGAL_ORDERS: readonly unknown[] = [0, 2, 4, 5];
const LEGAL_ACKS: readonly unknown[] = [0, 1, 2];
/** What is wrong with a member. `whole`: nothing of it may be missing. */
type Check = (value: unknown, whole: boolean) => string | undefined;

const OPTION_CHECKS: Readonly<Record<keyof TopicOptions, Check>> = {
  order: (value) => LEGAL_ORDERS.includes(value) ? undefined : "0, 2, 4 and 5 are legal",
  ack: (value) => LEGAL_ACKS.includes(value) ? undefined : "0, 1 and 2 are legal",
  retention: (value, whole) =>
    isObject(value) ? membersFault(value, RETENTION_CHECKS, whole) : "a JSON object is expected",
  segmentBytes: countFault,
  leaseMs: countFault,
  syncIntervalMs: countFault,
};

const RETENTION_CHECKS: Readonly<Record<keyof Retention, Check>> = {
  bytesMax: countFault,
  ageMsMax: countFault,
  keepFor: (value) =>
    Array.isArray(value) && value.every((name) => nameFault("consumer", name) === undefined)
      ? undefined
      : "a list of consumers' names is expected",
};

/** Options of a topic. `whole`: none may be missing, and otherwise any, of the retention too. An option that is unknown or illegal is `ERR_LOG_TOPIC`. */
export function decodeOptions(value: unknown, whole: false): Partial<TopicOptions> | Fault;
export function decodeOptions(value: unknown, whole: true): TopicOptions | Fault;
export function decodeOptions(value: unknown, whole: boolean): Partial<TopicOptions> | Fault {
  if (!isObject(value)) return new Fault("its options are no JSON object");
  const fault = membersFault(value, OPTION_CHECKS, whole);
  return fault === undefined ? value : new Fault(`among its options, ${fault}`, "ERR_LOG_TOPIC");
}

/** What travels of an error. Its text is cut to a bounded length. */
export function errorMembers({ code, message, from, to }: RefusedError): Members {
  return {
    code,
    message: cutText(message),
    ...(from === undefined ? {} : { from: String(from) }),
    ...(to === undefined ? {} : { to: String(to) }),
  };
}

/** Text for people, cut to a bounded length between two characters. */
export function cutText(text: string): string {
  if (text.length <= ERROR_TEXT_MAX) return text;
  const last = text.charCodeAt(ERROR_TEXT_MAX - 2);
  return `${text.slice(0, last >= 0xd800 && last < 0xdc00 ? ERROR_TEXT_MAX - 2 : ERROR_TEXT_MAX - 1)}…`;
}

/** Every code that an error can have here. */
const CODES: Readonly<Record<LogErrorCode, true>> = {
  ERR_LOG_CLOSED: true,
  ERR_LOG_DISCONNECTED: true,
  ERR_LOG_UNSUPPORTED: true,
  ERR_LOG_MALFORMED: true,
  ERR_LOG_TOPIC: true,
  ERR_LOG_BATCH_TOO_LARGE: true,
  ERR_LOG_WINDOW: true,
  ERR_LOG_FENCED: true,
  ERR_LOG_SUPERSEDED: true,
  ERR_LOG_SESSION_UNKNOWN: true,
  ERR_LOG_SESSIONS: true,
  ERR_LOG_ACKNOWLEDGED_LOST: true,
  ERR_LOG_SEQUENCE: true,
  ERR_LOG_TRIMMED: true,
  ERR_LOG_CUT: true,
  ERR_LOG_STORE_FULL: true,
  ERR_LOG_STORE_FAILED: true,
  ERR_LOG_CORRUPT: true,
  ERR_LOG_FORMAT: true,
  ERR_LOG_LOCKED: true,
  ERR_LOG_ABORTED: true,
  ERR_LOG_TIMEOUT: true,
};

/** An error as it travels. A code that we do not know becomes `ERR_LOG_UNSUPPORTED`, and its name part of the message. */
export function decodeError({ code, message, from, to }: Members): RefusedError | Fault {
  if (typeof code !== "string" || typeof message !== "string") {
    return new Fault("an error has a code and a message");
  }
  if (!isPosition(from) || !isPosition(to)) {
    return new Fault("its positions are no decimal numbers below 2^64");
  }
  const known = Object.hasOwn(CODES, code);
  return {
    code: known ? code as LogErrorCode : "ERR_LOG_UNSUPPORTED",
    message: known ? message : `${code}: ${message}`,
    ...(from === undefined ? {} : { from: BigInt(from) }),
    ...(to === undefined ? {} : { to: BigInt(to) }),
  };
}

function isPosition(value: unknown): value is string | undefined {
  if (value === undefined) return true;
  return typeof value === "string" && /^(?:0|[1-9]\d{0,19})$/.test(value) && BigInt(value) >> 64n === 0n;
}

function countFault(value: unknown): string | undefined {
  return Number.isSafeInteger(value) && value as number >= 0 ? undefined : "0 to 2^53-1 are legal";
}

/** The first member that is unknown or illegal or, where all are needed, missing. */
function membersFault(
  members: Members,
  checks: Readonly<Record<string, Check>>,
  whole: boolean,
): string | undefined {
  for (const name of Object.keys(members)) {
    if (!Object.hasOwn(checks, name)) return `"${name.slice(0, 64)}" is unknown`;
    const fault = checks[name]!(members[name], whole);
    if (fault !== undefined) return `${name}: ${fault}`;
  }
  const missing = whole ? Object.keys(checks).find((name) => !Object.hasOwn(members, name)) : undefined;
  return missing === undefined ? undefined : `"${missing}" is missing`;
}

function isObject(value: unknown): value is Members {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
