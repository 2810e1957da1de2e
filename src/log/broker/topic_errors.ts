/**
 * Why a topic cannot be had.
 *
 * @module
 */

import { MisuseError } from "../../errors.ts";
import { TOPIC_NAME_ALLOWED } from "../configuration/topic.ts";
import { LogError } from "../errors.ts";
import type { StoreFailure } from "../store/store.ts";

export function badName(name: string): LogError {
  return new LogError("ERR_LOG_TOPIC", `"${name}" cannot be a topic: its name must be ${TOPIC_NAME_ALLOWED}`);
}

export function unknownTopic(name: string): LogError {
  return new LogError("ERR_LOG_TOPIC", `There is no topic "${name}"`, { topic: name });
}

export function listError({ message, cause }: StoreFailure): LogError {
  return new LogError("ERR_LOG_STORE_FAILED", `Cannot tell which topics there are: ${message}`, { cause });
}

export function optionError(error: unknown): LogError {
  if (!(error instanceof MisuseError)) throw error;
  return new LogError("ERR_LOG_TOPIC", error.message, { cause: error });
}

export function storeError(topic: string, { message, offset, cause, kind }: StoreFailure): LogError {
  const code = kind === "corrupt" ? "ERR_LOG_CORRUPT" : "ERR_LOG_STORE_FAILED";
  return new LogError(code, `Cannot use the store of topic "${topic}": ${message}`, { topic, offset, cause });
}
