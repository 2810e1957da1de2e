/**
 * Errors of the transport below, in terms of the endpoint that the user knows.
 *
 * @module
 */

import { MisuseError, PeerError } from "../../src/errors.ts";

/**
 * Returns `cause` with `endpoint` in place of the endpoint below, `tcp://host:port` or `tls://host:port`,
 * where its message names it.
 */
export function renamed(cause: unknown, innerAddress: string, endpoint: string): unknown {
  if (!(cause instanceof MisuseError || cause instanceof PeerError)) return cause;
  // TLS may name what it runs over itself. A longer port is another endpoint's.
  const place = innerAddress.substring(innerAddress.indexOf("://")).replaceAll(/[.[\]]/g, "\\$&");
  const message = cause.message.replaceAll(new RegExp(`t(?:cp|ls)${place}(?![0-9])`, "g"), () => endpoint);
  if (message === cause.message) return cause;
  return cause instanceof PeerError
    ? new PeerError(cause.code, message, { cause: cause.cause })
    : new MisuseError(cause.code, message, { cause: cause.cause });
}
