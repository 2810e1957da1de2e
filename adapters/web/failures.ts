/**
 * Why a WebSocket failed, as far as a page is told: next to nothing. A refused connection, an answer that is
 * no WebSocket, a bad certificate and a forbidden address all look alike, so the error lists what to look
 * for.
 *
 * @module
 */

import { MisuseError, PeerError } from "../../src/errors.ts";
import { webGlobals } from "./types.ts";

/** The endpoint could not be opened. `told`: what the runtime says, if anything. */
export function openingFailed(address: string, told: string): PeerError {
  const secure = address.startsWith("wss:");
  const causes = [
    "nothing listens there",
    "the server did not switch to a WebSocket: look at its path, its sub-protocols and whether it allows " +
    `this origin${originText()}`,
    ...(secure
      ? ["its certificate is not trusted: open the same address with https:// in a tab to see why"]
      : []),
    "a Content-Security-Policy without this address in connect-src, or a local network that the user did " +
    "not allow: the console says so",
  ];
  const said = told === "" ? "a page is not told why" : told;
  return new PeerError(
    "ERR_WEBSOCKET",
    `Cannot open ${address}: ${said}. Possible are: ${causes.join("; ")}`,
  );
}

/** The constructor threw: a page of https may not use ws, for one. */
export function openingForbidden(address: string, cause: unknown): unknown {
  if ((cause as { readonly name?: unknown } | null)?.name !== "SecurityError") return cause;
  return new MisuseError(
    "ERR_PERMISSION",
    `Cannot open ${address}: this page may not. A page of https:// can use wss:// only, and ws:// only to ` +
      `localhost`,
    { cause },
  );
}

const NORMAL = 1000;
const GOING_AWAY = 1001;
const NO_CODE = 1005;

/** The error of an open WebSocket that was closed; `undefined` if that was in order. */
export function closingError(address: string, code: number | undefined, reason = ""): PeerError | undefined {
  if (code === NORMAL || code === GOING_AWAY || code === NO_CODE) return undefined;
  const said = reason === "" ? "" : `: ${reason}`;
  const what = code === undefined || code === 1006
    ? "was lost"
    : `was closed by the peer with the code ${code}${said}`;
  return new PeerError("ERR_WEBSOCKET", `The connection to ${address} ${what}`);
}

function originText(): string {
  const origin = webGlobals.location?.origin;
  return origin === undefined || origin === "null" ? "" : ` (${origin})`;
}
