/**
 * What a security mechanism is to a connection (RFC 37 "authentication and confidentiality"; after libzmq's
 * `mechanism_t`). Pure: command bodies go in and come out, nobody waits, nobody throws for what a peer did.
 *
 * One handshake, as the engine drives it:
 *
 * 1. Greetings are exchanged; the peer's names the same mechanism.
 * 2. After creation and after every `handleCommand` and `authorize`, the engine *drains*: it sends what
 *    {@link MechanismBase.nextCommand | nextCommand} answers, as command frames, until that is `undefined`; then it
 *    passes on what {@link MechanismBase.nextAuthorization | nextAuthorization} answers.
 * 3. Every command that arrives before `ready` goes to `handleCommand`, whatever its name. Messages are not allowed yet.
 * 4. A `PeerError` as an answer, or the status `failed`, is the end: drain once more (a server tells its refusal with an
 *    ERROR command), then close. No further method is called.
 * 5. At `ready` the engine checks `peerMetadata` with `acceptPeer`; traffic begins. If the mechanism is not transparent,
 *    every frame, in both directions, commands included, passes through `seal` and `open`.
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

/** The mechanisms of RFC 37. Their names are what the greeting carries. */
export type MechanismName = "NULL" | "PLAIN" | "CURVE";

/** Where a handshake stands. `ready` and `failed` are final. */
export type MechanismStatus = "handshaking" | "ready" | "failed";

/** What a mechanism of one connection is made from. */
export interface MechanismInit {
  readonly socketType: SocketType;
  /** Our routing id; empty: none. */
  readonly identity: Uint8Array;
  /** The application's own properties (`X-…`). */
  readonly properties?: Iterable<Property>;
  /** Bound of the peer's metadata. */
  readonly propertiesMax: number;
  /** Whether an outside verdict decides about the peer. Only a server asks; the others ignore it. */
  readonly authorizes: boolean;
  /** Fills an array with unpredictable bytes: keys and nonces. */
  readonly random: (into: Uint8Array) => void;
}

/**
 * Makes the mechanism of one connection. Keys, passwords and the role (client or server) belong to the factory: it is
 * what options such as `plainPassword` turn into, once per socket.
 */
export interface MechanismFactory {
  readonly name: MechanismName;
  /** What our greeting says. Always `false` for NULL. */
  readonly asServer: boolean;
  create(init: MechanismInit): Mechanism;
}

/** A server asks the outside whether it may let a peer in (RFC 27). */
export interface AuthorizationRequest {
  /** PLAIN: user name and password; CURVE: the client's 32-byte key; NULL: none. */
  readonly credentials: readonly Uint8Array[];
}

/** The answer, with the status codes of RFC 27. */
export type Verdict =
  | { readonly status: 200 }
  /** 300: not now (the peer is closed silently, and may try again). 400: no. 500: we cannot tell. Both are told to it. */
  | { readonly status: 300 | 400 | 500 };

/** The part that all mechanisms share. */
export interface MechanismBase {
  readonly name: MechanismName;
  /** Never `ready` while {@link nextCommand} still has something to give. */
  readonly status: MechanismStatus;
  /** What the peer told of itself, unchecked. Set at `ready`. */
  readonly peerMetadata: Metadata | undefined;
  /** The body of a handshake command that is to be sent now. The memory is the caller's. */
  nextCommand(): Uint8Array | undefined;
  /** A command arrived during the handshake. The body may be a view: nothing of it is kept. */
  handleCommand(body: Uint8Array): PeerError | undefined;
  /** A question to the outside, asked once. Missing in mechanisms that never ask. */
  nextAuthorization?(): AuthorizationRequest | undefined;
  /**
   * The answer, at any later time. Until then the mechanism stays `handshaking`, and only its handshake deadline ends
   * the wait. An answer that nobody asked for, or a second one, is ignored.
   */
  authorize?(verdict: Verdict): PeerError | undefined;
}

/** After the handshake frames travel as they are: NULL and PLAIN. */
export interface TransparentMechanism extends MechanismBase {
  readonly transparent: true;
  readonly seal?: undefined;
  readonly open?: undefined;
}

/** After the handshake every frame travels inside a MESSAGE: CURVE. */
export interface SealingMechanism extends MechanismBase {
  readonly transparent: false;
  /** How much longer than its content a sealed body is, at most: what a limit on incoming frames must add. */
  readonly overheadBytes: number;
  /**
   * Wraps one outgoing frame or command. `flags` are those of the wire (`FLAG_MORE`, `FLAG_COMMAND`; LONG is
   * ignored): a mechanism that numbers them otherwise inside (CURVE's COMMAND is 0x02) translates. The answer is the whole
   * body of the outer frame (`07 "MESSAGE" …`), which is sent with flags 0 as libzmq does, and is the caller's memory.
   */
  seal(flags: number, body: Uint8Array): Uint8Array;
  /**
   * Unwraps the body of one incoming frame, whatever outer flags it had: the RFC says command, libzmq sends messages. The
   * answer's flags are those of the wire again. A `PeerError` closes the connection, without an ERROR command.
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

/** One connection's mechanism. `transparent` tells the two kinds apart. */
export type Mechanism = TransparentMechanism | SealingMechanism;

/** The error for an ERROR command. Fatal: a peer must not be tried again with the same credentials (RFC 37 "error handling"). */
export function peerRefusal(reason: string): PeerError {
  return new PeerError(
    "ERR_PEER_ERROR",
    `The peer refused the connection: ${reason === "" ? "no reason given" : reason}`,
  );
}

/** The error for a command that does not belong at this point of a handshake. */
export function unexpectedCommand(commandName: string): PeerError {
  return new PeerError("ERR_PEER_COMMAND", `Cannot shake hands with peer: unexpected command ${commandName}`);
}
