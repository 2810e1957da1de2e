/**
 * The payload of close frames (RFC 6455 §5.5.1, §7.4).
 *
 * @module
 */

import { NO_BYTES, readU16, viewOf, writeU16 } from "../bytes/bytes.ts";
import { decodeUtf8Strict, encodeUtf8 } from "../bytes/utf8.ts";
import { PeerError } from "../errors.ts";
import { SHORT_PAYLOAD_BYTES_MAX } from "./frame_wire.ts";
import { CLOSE_NORMAL, CLOSE_NOT_UTF8, type Violation, violation } from "./zws/wire.ts";

/** What a close frame says. */
export interface CloseReason {
  /** `undefined`: the frame is empty. */
  readonly code: number | undefined;
  readonly reason: string;
}

/** The peer leaves the page, or the server shuts down: an end like any other. */
const CLOSE_GOING_AWAY = 1001;

/** Codes that a frame may have, besides 3000 to 4999. Others are reserved, or never sent. */
const CODES: ReadonlySet<number> = new Set(
  [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014],
);

/** Reads the payload of a close frame. */
export function decodeClose(payload: Uint8Array): CloseReason | Violation {
  if (payload.length === 0) return { code: undefined, reason: "" };
  if (payload.length === 1) return violation("a close frame with half a code (RFC 6455 §5.5.1)");
  const code = readU16(payload, 0);
  if (!CODES.has(code) && (code < 3_000 || code > 4_999)) {
    return violation(`a close frame with the code ${code}, which no frame may have (RFC 6455 §7.4)`);
  }
  const reason = decodeUtf8Strict(viewOf(payload, 2, payload.length));
  if (reason === undefined) {
    return violation("the reason of a close frame is not UTF-8 (RFC 6455 §8.1)", CLOSE_NOT_UTF8);
  }
  return { code, reason };
}

/** The payload of a close frame; empty without a code. A reason is cut at the end of a character. */
export function encodeClose(code: number | undefined, reason = ""): Uint8Array {
  if (code === undefined) return NO_BYTES;
  let told = reason;
  let bytes = encodeUtf8(told);
  while (bytes.length > SHORT_PAYLOAD_BYTES_MAX - 2) {
    told = [...told].filter((_, index, all) => index < all.length - 1).join("");
    bytes = encodeUtf8(told);
  }
  const payload = new Uint8Array(2 + bytes.length);
  writeU16(payload, 0, code);
  payload.set(bytes, 2);
  return payload;
}

/** Why a connection ended that the peer closed: nothing, unless its code tells of a failure. */
export function failureOf({ code, reason }: CloseReason): PeerError | undefined {
  if (code === undefined || code === CLOSE_NORMAL || code === CLOSE_GOING_AWAY) return undefined;
  const printable = reason.replace(/[^\x20-\x7e]/g, "?");
  return new PeerError(
    "ERR_WEBSOCKET",
    `Lost the peer: it closed the WebSocket with the code ${code}${printable && ` (${printable})`}`,
  );
}
