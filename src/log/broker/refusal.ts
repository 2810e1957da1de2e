/**
 * The answer to a request that was not taken.
 *
 * @module
 */

import type { LogError, LogErrorCode } from "../errors.ts";
import type { Refused, RefusedError } from "../wire/messages.ts";

/** A refused request. */
export function refusal(
  request: number,
  code: LogErrorCode,
  message: string,
  details: Pick<RefusedError, "from" | "to"> = {},
): Refused {
  const error = { code, message, ...details };
  return { type: "refused", request, session: 0n, epoch: 0, batch: 0, error };
}

/** An error as it travels. */
export function wireError({ code, message, from, to }: LogError): RefusedError {
  return {
    code,
    message,
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
  };
}
