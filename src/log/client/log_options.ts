/**
 * The options of every log, embedded or elsewhere.
 *
 * @module
 */

import { isPlainObject } from "../../arguments.ts";
import type { Context } from "../../socket/context.ts";
import type { LogFeatures } from "./log_features.ts";
import { type Fields, msField, refuseValue } from "../configuration/fields.ts";

/** Options of a log, wherever it is. */
export interface LogOptions {
  /** Time, chance and sockets. Default: the runtime's. */
  readonly context?: Context | undefined;
  /**
   * In a browser, what the log can do besides subscribing: `{ publishing }` for publishers, `{ consuming }` for
   * named consumers. Both are exported by `hawser/log`. Node, Deno and Bun have them anyway.
   */
  readonly features?: LogFeatures | undefined;
  /** Milliseconds within which a question is answered. Default 30 000. */
  readonly requestTimeoutMs?: number | undefined;
  /** Milliseconds within which publishers are done when the log is closed. Default 5 000. */
  readonly closeTimeoutMs?: number | undefined;
}

/** The fields of {@link LogOptions}. */
export const LOG_FIELDS: Fields = {
  requestTimeoutMs: msField("a question is answered within", 30_000, 1),
  closeTimeoutMs: msField("publishers are done within, when the log is closed", 5_000, 0),
};

/** Answers `options` if they can be options at all. */
export function checkObject<T extends object>(options: T): T {
  if (!isPlainObject(options)) refuseValue("options", options, "an object");
  return options as T;
}
