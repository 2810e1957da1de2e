/**
 * What the two sides of an upgrade share: its states, the sub-protocols, and the proof that a server has read
 * the request.
 *
 * @module
 */

import { encodeBase64 } from "../../bytes/base64.ts";
import { asciiBytes } from "../../bytes/bytes.ts";
import type { Table } from "../../state_table.ts";
import { sha1 } from "./sha1.ts";

/**
 * How far an upgrade has come.
 *
 * - `fresh`: its stream is not open.
 * - `reading`: the peer's head arrives.
 * - `deciding`: the application's `accept` has the last word. What arrives waits.
 * - `over`: done, failed or abandoned.
 */
export type UpgradeState = "fresh" | "reading" | "deciding" | "over";
export type UpgradeInput = "started" | "asked" | "ended";

export const UPGRADE_TRANSITIONS: Table<UpgradeState, UpgradeInput> = {
  fresh: { started: "reading", ended: "over" },
  reading: { asked: "deciding", ended: "over" },
  deciding: { ended: "over" },
  over: { ended: "over" },
};

/** RFC 6455 §4.1 */
export const WEBSOCKET_VERSION = "13";

/** The sub-protocols of ZWS 2.0 for a security mechanism, the preferred one first. */
export function protocolsOf(mechanism: string | undefined): readonly string[] {
  const name = mechanism ?? "NULL";
  // The bare one has no handshake at all, so no mechanism either.
  return name === "NULL" ? ["ZWS2.0/NULL", "ZWS2.0"] : [`ZWS2.0/${name}`];
}

/** The `Sec-WebSocket-Accept` that belongs to a `Sec-WebSocket-Key` (RFC 6455 §4.2.2). */
export function acceptOf(key: string): string {
  return encodeBase64(sha1(asciiBytes(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)));
}

/** `tcp://127.0.0.1:80` as an endpoint of the scheme. */
export function withScheme(address: string, scheme: string): string {
  const split = address.indexOf("://");
  return split < 0 ? address : scheme + address.substring(split);
}
