/**
 * What a security mechanism is to a connection (RFC 37 "authentication and confidentiality"; modelled on
 * libzmq's `mechanism_t`). Pure: command bodies go in and come out, nothing waits, and nothing throws because
 * of what a peer did.
 *
 * One handshake, as the engine drives it:
 *
 * 1. Greetings are exchanged; the peer's names the same mechanism.
 * 2. After that, and after every `handleCommand` and `authorize`, the engine *drains*: it sends what
 *    {@link MechanismBase.nextCommand | nextCommand} returns, as command frames, until that is `undefined`;
 *    then it passes on what {@link MechanismBase.nextAuthorization | nextAuthorization} returns.
 * 3. Every command that arrives before `ready` goes to `handleCommand`, whatever its name. Messages are not
 *    allowed yet.
 * 4. A returned `PeerError`, or the status `failed`, ends it: the engine drains once more (a server sends its
 *    refusal as an ERROR command), then closes. No further method is called.
 * 5. At `ready` the engine checks `peerMetadata` with `acceptPeer`, and traffic begins. If the mechanism is
 *    not transparent, every frame, in both directions, commands included, passes through `seal` and `open`.
 *
 * | | commands | who waits |
 * |---|---|---|
 * | NULL | READY both ways, at once | nobody |
 * | PLAIN | HELLO → WELCOME → INITIATE → READY | the server for a verdict between HELLO and WELCOME |
 * | CURVE | HELLO → WELCOME → INITIATE → READY | the server for a verdict between INITIATE and READY |
 *
 * @module
 */

import { PeerError } from "../../errors.ts";
import type { Metadata, Property } from "../metadata.ts";
import type { SocketType } from "../socket_type.ts";

/** The mechanisms of RFC 37, by the names that the greeting carries. */
export type MechanismName = "NULL" | "PLAIN" | "CURVE";

/** The state of a handshake. `ready` and `failed` are final. */
export type MechanismStatus = "handshaking" | "ready" | "failed";

/** What the mechanism of one connection is created from. */
export interface MechanismInit {
  readonly socketType: SocketType;
  /** Our routing id; empty for none. */
  readonly identity: Uint8Array;
  /** The application's own properties (`X-…`). */
  readonly properties?: Iterable<Property>;
  /** The maximum number of properties in the peer's metadata. */
  readonly propertiesMax: number;
  /** Whether a verdict from outside decides about the peer. Only servers ask for one; others ignore this. */
  readonly authorizes: boolean;
  /** Fills an array with unpredictable bytes, for keys and nonces. */
  readonly random: (into: Uint8Array) => void;
}

/**
 * Creates the mechanism of one connection. Keys, passwords and the role (client or server) belong to the
 * factory, which is made once per socket from options such as `plainPassword`.
 */
export interface MechanismFactory {
  readonly name: MechanismName;
  /** The as-server flag of our greeting. Always `false` for NULL. */
  readonly asServer: boolean;
  create(init: MechanismInit): Mechanism;
}

/** A server's question to the outside: may it let this peer in (RFC 27)? */
export interface AuthorizationRequest {
  /** PLAIN: user name and password; CURVE: the client's 32-byte key; NULL: none. */
  readonly credentials: readonly Uint8Array[];
}

/** The answer to an {@link AuthorizationRequest}, with the status codes of RFC 27. */
export type Verdict =
  | { readonly status: 200 }
  /**
   * 300: not now (the peer is closed silently, and may try again). 400: no. 500: undecidable. The peer is
   * told of 400 and 500.
   */
  | { readonly status: 300 | 400 | 500 };

/** What all mechanisms share. */
export interface MechanismBase {
  readonly name: MechanismName;
  /** Never `ready` while {@link nextCommand} still has a command to return. */
  readonly status: MechanismStatus;
  /** What the peer said about itself, unchecked. Set at `ready`. */
  readonly peerMetadata: Metadata | undefined;
  /** The body of the next handshake command to send, or `undefined`. The caller owns its memory. */
  nextCommand(): Uint8Array | undefined;
  /** Handles a command that arrived during the handshake. The body may be a view: nothing of it is kept. */
  handleCommand(body: Uint8Array): PeerError | undefined;
  /** The question to the outside, returned once. Absent in mechanisms that never ask. */
  nextAuthorization?(): AuthorizationRequest | undefined;
  /**
   * Takes the verdict, at any later time. Until then the mechanism stays `handshaking`, and only the
   * handshake's deadline ends the wait. A verdict that was not asked for, or a second one, is ignored.
   */
  authorize?(verdict: Verdict): PeerError | undefined;
}

/** A mechanism that leaves frames as they are after the handshake: NULL and PLAIN. */
export interface TransparentMechanism extends MechanismBase {
  readonly transparent: true;
  readonly seal?: undefined;
  readonly open?: undefined;
}

/** A mechanism that wraps every frame in a MESSAGE after the handshake: CURVE. */
export interface SealingMechanism extends MechanismBase {
  readonly transparent: false;
  /** How many bytes sealing adds to a body at most: limits on incoming frames must be higher by that. */
  readonly overheadBytes: number;
  /**
   * Wraps one outgoing frame or command. `flags` are those of the wire (`FLAG_MORE`, `FLAG_COMMAND`; LONG is
   * ignored): a mechanism that numbers them otherwise inside (CURVE's COMMAND is 0x02) translates them.
   * Returns the whole body of the outer frame (`07 "MESSAGE" …`), which is sent with flags 0 as libzmq does.
   * The caller owns its memory.
   */
  seal(flags: number, body: Uint8Array): Uint8Array;
  /**
   * Unwraps the body of one incoming frame, whatever outer flags it had: the RFC says command, libzmq sends
   * messages. The returned flags are again those of the wire. A `PeerError` closes the connection, without an
   * ERROR command.
   */
  open(body: Uint8Array): OpenedFrame | PeerError;
}

/** A frame as it was before `seal`. */
export interface OpenedFrame {
  /** `FLAG_MORE` and `FLAG_COMMAND`, numbered as on the wire. */
  readonly flags: number;
  /** Memory of its own, or a view of what was opened. */
  readonly body: Uint8Array;
}

/** One connection's mechanism. `transparent` distinguishes the two kinds. */
export type Mechanism = TransparentMechanism | SealingMechanism;

/**
 * The error for an ERROR command. Fatal: the same credentials must not be tried again with this peer (RFC 37
 * "error handling").
 */
export function peerRefusal(reason: string): PeerError {
  return new PeerError(
    "ERR_PEER_ERROR",
    `The peer refused the connection: ${reason === "" ? "no reason given" : reason}`,
  );
}

/** The error for a command that is not allowed at this point of a handshake. */
export function unexpectedCommand(commandName: string): PeerError {
  return new PeerError("ERR_PEER_COMMAND", `Cannot shake hands with peer: unexpected command ${commandName}`);
}
