/**
 * The layouts of ZWS 2.0 (RFC 45), ZeroMQ over WebSocket, and what hawser adds between its own peers.
 *
 * One frame of ZMTP is one *binary* message, without ZMTP's header: WebSocket has sizes of its own.
 * ```
 *   ┌─────────┬──────┐      flags   00  the last frame of a message
 *   │ flags 1 │ body │              01  another frame of this message follows
 *   └─────────┴──────┘              02  the body is a command, as in ZMTP
 * ```
 * There is no greeting: the sub-protocol of the upgrade names the mechanism, `ZWS2.0/NULL`. The bare `ZWS2.0`
 * has no handshake either: the first message in each direction is the sender's identity. Subscriptions are
 * messages, `01 topic` and `00 topic`, and heartbeats are the control frames PING and PONG of WebSocket.
 *
 * A page cannot ask for a sub-protocol with a slash, which no token of HTTP has (RFC 9110 §5.6.2). Of hawser
 * it asks for `ZWS2.0.NULL`, which is the same otherwise.
 *
 * Between hawser peers a READY (PLAIN: INITIATE and READY) has one more property, which no engine sees:
 * ```
 *   X-Hawser-Flow   how much its sender wants to have under way to it: bytes in decimal, where each frame of
 *                   a message counts its body and 64. 0: no limit, it can stop reading. Who sends it also obeys the other's, and understands PING and
 *                   PONG as commands.
 * ```
 * Who set a limit raises it with a command, in front of or between messages:
 * ```
 *   ┌────┬─────────────┬─────────┐    total: what was received and used since the beginning, counted likewise,
 *   │ 06 │ C R E D I T │ total 8 │    without commands. Up to the limit beyond it may be under way;
 *   └────┴─────────────┴─────────┘    a frame that begins below the limit may end above it.
 * ```
 *
 * @module
 */

import { PeerError } from "../../errors.ts";
import { writeU53 } from "../../bytes/bytes.ts";
import { encodeCommand, encodeCommandFrame, encodePong } from "../../zmtp/commands.ts";
import { encodeGreeting } from "../../zmtp/greeting.ts";
import { MECHANISM_BYTES } from "../../zmtp/wire.ts";

/** Flags: the last frame of a message. */
export const ZWS_LAST = 0x00;
/** Flags: another frame of the same message follows. */
export const ZWS_MORE = 0x01;
/** Flags: the body is a command. */
export const ZWS_COMMAND = 0x02;

/** The sub-protocol without mechanism and handshake. */
export const ZWS_BARE = "ZWS2.0";

/** The property of READY by which hawser peers know each other. */
export const FLOW_PROPERTY = "X-Hawser-Flow";
/** The command that raises the limit of {@link FLOW_PROPERTY}. */
export const CREDIT_COMMAND = "CREDIT";

/** Close codes of RFC 6455 §7.4.1 that we send. */
export const CLOSE_NORMAL = 1000;
export const CLOSE_PROTOCOL_ERROR = 1002;
export const CLOSE_UNSUPPORTED = 1003;
export const CLOSE_NOT_UTF8 = 1007;
export const CLOSE_TOO_BIG = 1009;

/** Why a connection ends through the peer's fault, and the code of the close frame that tells the peer. */
export interface Violation {
  readonly error: PeerError;
  readonly closeCode: number;
}

/** A broken rule of RFC 6455 or ZWS 2.0. `rule` completes "The peer broke WebSocket: …". */
export function violation(rule: string, closeCode: number = CLOSE_PROTOCOL_ERROR): Violation {
  return { error: new PeerError("ERR_WEBSOCKET", `Cannot read from peer: ${rule}`), closeCode };
}

/** A frame that exceeds `frameBytesMax`: the same error as over every other transport. */
export function tooLarge(bodyBytes: number, frameBytesMax: number): Violation {
  const error = new PeerError(
    "ERR_PEER_FRAME_SIZE",
    `Cannot read from peer: a frame of ${bodyBytes} bytes exceeds the limit of ${frameBytesMax} bytes`,
  );
  return { error, closeCode: CLOSE_TOO_BIG };
}

/** What a sub-protocol says. */
export interface ZwsProtocol {
  /** The mechanism of ZMTP: `NULL`, `PLAIN`, `CURVE`. */
  readonly mechanism: string;
  /** Whether there is no handshake, only identities. */
  readonly bare: boolean;
}

const PROTOCOL = /^ZWS2\.0[/.]([A-Z][A-Z0-9_-]*)$/;

/** Reads the name of a sub-protocol; `undefined` if it is not one of ZWS 2.0. */
export function parseProtocol(name: string): ZwsProtocol | undefined {
  if (name === ZWS_BARE) return { mechanism: "NULL", bare: true };
  const mechanism = PROTOCOL.exec(name)?.[1];
  if (mechanism === undefined || mechanism.length > MECHANISM_BYTES) return undefined;
  return { mechanism, bare: false };
}

/** Whether a mechanism leaves commands and metadata readable, so that a bridge can add to them. */
export function isReadable(mechanism: string): boolean {
  return mechanism === "NULL" || mechanism === "PLAIN";
}

/**
 * The greeting that the peer would have sent. Version 3.0 makes our engine send subscriptions as messages;
 * under a mechanism that seals they are commands inside its boxes, as 3.1 has them.
 */
export function peerGreeting(protocol: ZwsProtocol): Uint8Array {
  const minor = isReadable(protocol.mechanism) ? 0 : 1;
  return encodeGreeting({ mechanism: protocol.mechanism, asServer: false, minor });
}

/** The body of a CREDIT command. */
export function encodeCredit(totalBytes: number): Uint8Array {
  const data = new Uint8Array(8);
  writeU53(data, 0, totalBytes);
  return encodeCommand(CREDIT_COMMAND, data);
}

/**
 * The frame of a PONG for our engine, made of the payload of a WebSocket control frame. A payload that cannot
 * be the context of one of our PINGs makes one without context: a sign of life.
 */
export function pongFrame(payload: Uint8Array): Uint8Array {
  return encodeCommandFrame(encodePong(payload.length <= 16 ? payload : payload.subarray(0, 0)));
}
