/**
 * The options of subscriptions. Those of publishers are in publisher.ts.
 *
 * @module
 */

import type { AbortSignalLike } from "../../ports.ts";
import { isPlainObject, isSignal } from "../../arguments.ts";
import { bytesField, checkGiven, type Fields, fillDefaults, refuseUnknown, refuseValue } from "./fields.ts";

/** Where a subscription begins. */
export type From = "earliest" | "latest" | bigint | { readonly timestampMs: number };

/** Everything about a subscription. */
export interface SubscribeOptions {
  readonly from: From;
  /** Bytes that the broker may send ahead of the reader. */
  readonly creditBytes: number;
  /** `earliest`: where records are gone, go on with the first one that is kept. `undefined`: end with `ERR_LOG_TRIMMED`. */
  readonly onTrimmed: "earliest" | undefined;
  /** Ends the subscription. */
  readonly signal: AbortSignalLike | undefined;
}

/** A subscription's options as a caller may give them: in part. */
export type SubscribeInput = {
  readonly [Name in keyof SubscribeOptions]?: SubscribeOptions[Name] | undefined;
};

const CREDIT_BYTES_MAX = 4_294_967_296;
/** Positions are 64 bits. */
const POSITION_MAX = 0xffff_ffff_ffff_ffffn;

/** Every option of a subscription that has a place in a file. */
export const SUBSCRIBE_FIELDS: Fields = {
  creditBytes: bytesField(
    "bytes that the broker may send ahead of the reader",
    8_388_608,
    64,
    CREDIT_BYTES_MAX,
  ),
};

const FROM_ALLOWED = '"earliest", "latest", a position (a bigint, 0n or more) or { timestampMs }';

/**
 * Checks a subscription's options, and fills in the defaults; `begin` is that of `from`.
 *
 * @throws {MisuseError} `ERR_OPTION`: the message names the field, the value and what is allowed.
 */
export function checkSubscribeOptions(input: unknown = {}, begin: From = "latest"): SubscribeOptions {
  if (!isPlainObject(input)) {
    refuseValue("subscription", input, `an object with ${SUBSCRIBE_NAMES.join(", ")}`);
  }
  const { from = begin, onTrimmed, signal, ...rest } = input;
  const unknown = Object.keys(rest).find((name) => !SUBSCRIBE_NAMES.includes(name));
  if (unknown !== undefined) refuseUnknown(unknown, "a subscription", SUBSCRIBE_NAMES);
  if (!isFrom(from)) refuseValue("from", from, FROM_ALLOWED);
  if (onTrimmed !== undefined && onTrimmed !== "earliest") {
    refuseValue("onTrimmed", onTrimmed, '"earliest", or nothing: end with an error');
  }
  if (signal !== undefined && !isSignal(signal)) refuseValue("signal", signal, SIGNAL_ALLOWED);
  const filled = fillDefaults(SUBSCRIBE_FIELDS, checkGiven("a subscription", SUBSCRIBE_FIELDS, rest));
  return Object.freeze({ creditBytes: filled["creditBytes"] as number, from, onTrimmed, signal });
}

const SUBSCRIBE_NAMES = ["from", ...Object.keys(SUBSCRIBE_FIELDS), "onTrimmed", "signal"];

function isFrom(from: unknown): from is From {
  if (from === "earliest" || from === "latest") return true;
  if (typeof from === "bigint") return from >= 0n && from <= POSITION_MAX;
  if (!isPlainObject(from) || Object.keys(from).length !== 1) return false;
  const timestampMs = from["timestampMs"];
  return typeof timestampMs === "number" && Number.isSafeInteger(timestampMs) && timestampMs >= 0;
}

/** What an error says a signal may be. */
export const SIGNAL_ALLOWED = "an AbortSignal";
