/**
 * The socket types as peers announce them (RFC 37 "the Socket-Type property"). A new type is one member of
 * the union and one row of the table; everything else follows.
 *
 * @module
 */

import { asciiText } from "../bytes/bytes.ts";

/** A socket type, by its name on the wire and in the API. */
export type SocketType =
  | "PAIR"
  | "PUB"
  | "SUB"
  | "REQ"
  | "REP"
  | "DEALER"
  | "ROUTER"
  | "PULL"
  | "PUSH"
  | "XPUB"
  | "XSUB";

interface Row {
  /** The types that this one may talk to. The relation is symmetric. */
  readonly peers: readonly SocketType[];
  /** Whether the READY of this type carries an Identity. */
  readonly announcesIdentity: boolean;
}

const ROWS: Readonly<Record<SocketType, Row>> = {
  PAIR: { peers: ["PAIR"], announcesIdentity: false },
  PUB: { peers: ["SUB", "XSUB"], announcesIdentity: false },
  SUB: { peers: ["PUB", "XPUB"], announcesIdentity: false },
  REQ: { peers: ["REP", "ROUTER"], announcesIdentity: true },
  REP: { peers: ["REQ", "DEALER"], announcesIdentity: false },
  DEALER: { peers: ["ROUTER", "REP", "DEALER"], announcesIdentity: true },
  ROUTER: { peers: ["DEALER", "REQ", "ROUTER"], announcesIdentity: true },
  PULL: { peers: ["PUSH"], announcesIdentity: false },
  PUSH: { peers: ["PULL"], announcesIdentity: false },
  XPUB: { peers: ["SUB", "XSUB"], announcesIdentity: false },
  XSUB: { peers: ["PUB", "XPUB"], announcesIdentity: false },
};

/** So that an accepted peer's type is one of these strings, and not one of its own. */
const BY_NAME: ReadonlyMap<string, SocketType> = new Map(
  Object.keys(ROWS).map((name) => [name, name as SocketType]),
);

/** Every socket type, in the order of the table. */
export const SOCKET_TYPES: readonly SocketType[] = Object.keys(ROWS) as SocketType[];

/** Whether sockets of these types may talk to each other. */
export function compatible(ours: SocketType, theirs: SocketType): boolean {
  return ROWS[ours].peers.includes(theirs);
}

/** The types that `ours` may talk to. */
export function compatibleTypes(ours: SocketType): readonly SocketType[] {
  return ROWS[ours].peers;
}

/** Whether a socket of this type sends its Identity, even an empty one. */
export function announcesIdentity(type: SocketType): boolean {
  return ROWS[type].announcesIdentity;
}

/** The type that a peer named, or `undefined` for an unknown one. Case-sensitive, as in libzmq. */
export function parseSocketType(bytes: Uint8Array): SocketType | undefined {
  return BY_NAME.get(asciiText(bytes));
}
