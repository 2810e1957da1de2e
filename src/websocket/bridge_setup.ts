/**
 * What a bridge is told of the socket and the program that it serves.
 *
 * @module
 */

import type { Host } from "../ports.ts";

/** What every bridge from WebSocket to ZMTP needs. */
export interface BridgeSetup {
  /** Which side we are. Clients mask what they send (RFC 6455 §5.3). */
  readonly role: "client" | "server";
  /** The largest body of one incoming frame, in bytes, without the flags byte of ZWS. */
  readonly frameBytesMax: number;
  /** Milliseconds without anything sent after which a WebSocket PING leaves. 0: never. */
  readonly pingIntervalMs: number;
  readonly host: Host;
}
