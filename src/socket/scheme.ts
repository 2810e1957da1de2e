/**
 * What all endpoints have in common: a scheme, `://`, and the rest, which the transport of that scheme reads.
 * What hawser's own schemes allow there is in endpoint.ts, which a page does not load.
 *
 * @module
 */

import { MisuseError } from "../errors.ts";

/** What an endpoint is for. Some forms are valid on one side only. */
export type EndpointRole = "bind" | "connect";

/** An endpoint in its two parts. */
export interface SplitEndpoint {
  readonly scheme: string;
  /** What follows `://`, never empty. */
  readonly rest: string;
}

/** Splits an endpoint. @throws {MisuseError} `ERR_ENDPOINT` */
export function splitEndpoint(text: string): SplitEndpoint {
  if (typeof text !== "string") {
    throw new MisuseError("ERR_ENDPOINT", `An endpoint must be a string, not ${typeof text}`);
  }
  if (text.length > TEXT_LENGTH_MAX) {
    throw refusal(text, `it has ${text.length} characters; at most ${TEXT_LENGTH_MAX} are allowed`);
  }
  const split = text.indexOf("://");
  if (split < 0) throw refusal(text, "it must begin with a scheme, as in tcp://127.0.0.1:5555");
  const scheme = text.substring(0, split);
  const rest = text.substring(split + 3);
  // RFC 3986 §3.1, lower case only: a letter, then letters, digits, + - and .
  if (!/^[a-z][a-z0-9+.-]*$/.test(scheme)) {
    throw refusal(
      text,
      scheme === ""
        ? "the scheme is missing, for example tcp, ipc or inproc"
        : "the scheme must consist of lower-case letters, as in tcp, ipc or inproc",
    );
  }
  if (rest === "") throw refusal(text, "nothing follows ://");
  for (let i = 0; i < rest.length; i++) {
    const code = rest.charCodeAt(i);
    if (code < 0x20 || code === 0x7f) throw refusal(text, "control characters are not allowed");
  }
  if (scheme === "inproc" && rest.length > INPROC_LENGTH_MAX) {
    throw refusal(text, `the name has ${rest.length} characters; at most ${INPROC_LENGTH_MAX} are allowed`);
  }
  return { scheme, rest };
}

/** Returns the error for an endpoint. */
export function refusal(text: string, why: string): MisuseError {
  return new MisuseError("ERR_ENDPOINT", `Invalid endpoint ${shown(text)}: ${why}`);
}

/** Text as messages show it: quoted, with control characters escaped, and shortened. */
export function shown(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.substring(0, 117)}...` : text);
}

const TEXT_LENGTH_MAX = 4096;
const INPROC_LENGTH_MAX = 256;
