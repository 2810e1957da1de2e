/**
 * What peers say about themselves in the handshake (RFC 37 "connection metadata"): the encoding, our own
 * properties, and the check of a peer's.
 *
 * @module
 */

import {
  asciiBytes,
  asciiText,
  binaryKey,
  copyOf,
  equalBytes,
  NO_BYTES,
  printableText,
  readU32,
  viewOf,
  writeU32,
} from "../bytes/bytes.ts";
import { MisuseError, PeerError } from "../errors.ts";
import {
  announcesIdentity,
  compatible,
  compatibleTypes,
  parseSocketType,
  type SocketType,
} from "./socket_type.ts";
import { IDENTITY_BYTES_MAX, NAME_BYTES_MAX, VALUE_BYTES_MAX } from "./wire.ts";

/**
 * Values by name **in lower case**, because names are case-insensitive. Use {@link property} to look one up.
 */
export type Metadata = ReadonlyMap<string, Uint8Array>;

/** A name as spelled on the wire, and its value. */
export type Property = readonly [name: string, value: Uint8Array];

/** Bounds of {@link decodeMetadata}. The number of bytes was bounded when the command was accepted. */
export interface MetadataLimits {
  /** The maximum number of properties on the wire, repeated ones included. */
  readonly propertiesMax: number;
}

/** What is known about a peer whose metadata was accepted. */
export interface PeerProperties {
  /**
   * `undefined` if the peer did not send it. The RFC only recommends it, and libzmq accepts its absence too.
   */
  readonly socketType: SocketType | undefined;
  /** Empty for an anonymous peer. */
  readonly identity: Uint8Array;
  /** Everything the peer sent, the two above included. */
  readonly metadata: Metadata;
}

const NAME = /^[A-Za-z0-9._+-]{1,255}$/;

/**
 * Encodes properties for READY or INITIATE. Throws `MisuseError` (`ERR_OPTION`) for a name that is not 1 to
 * 255 characters of `A-Z a-z 0-9 - _ . +`, for one that repeats, and for a value above 2^31−1 bytes.
 */
export function encodeMetadata(properties: Iterable<Property>): Uint8Array {
  const list = [...properties];
  const names = new Set<string>();
  for (const [name, value] of list) {
    const problem = propertyProblem(name, value, names);
    if (problem !== undefined) throw new MisuseError("ERR_OPTION", `Cannot send metadata: ${problem}`);
    names.add(name.toLowerCase());
  }
  return join(list);
}

/** The properties as they stand on the wire. Names have one character per byte. */
function join(properties: Iterable<Property>): Uint8Array {
  let bytes = 0;
  for (const [name, value] of properties) bytes += 1 + name.length + 4 + value.length;
  const joined = new Uint8Array(bytes);
  let at = 0;
  for (const [name, value] of properties) {
    joined[at++] = name.length;
    for (let i = 0; i < name.length; i++) joined[at++] = name.charCodeAt(i);
    at = writeU32(joined, at, value.length);
    joined.set(value, at);
    at += value.length;
  }
  return joined;
}

/** Whether an application may add these properties to its socket's own: see {@link encodeOurMetadata}. */
export function areOwnProperties(properties: Iterable<Property>): boolean {
  const names = new Set(["socket-type", "identity"]);
  for (const [name, value] of properties) {
    if (propertyProblem(name, value, names) !== undefined) return false;
    names.add(name.toLowerCase());
  }
  return true;
}

function propertyProblem(name: string, value: Uint8Array, names: ReadonlySet<string>): string | undefined {
  if (!NAME.test(name)) {
    return `the name ${JSON.stringify(name)} is not 1 to ${NAME_BYTES_MAX} characters of A-Z a-z 0-9 - _ . +`;
  }
  if (names.has(name.toLowerCase())) return `the property "${name}" is given twice`;
  if (value.length > VALUE_BYTES_MAX) return `the value of "${name}" has more than ${VALUE_BYTES_MAX} bytes`;
  return undefined;
}

/**
 * Decodes a whole block of properties. Values are copies that pin nothing of `bytes`. The first value of a
 * repeated name, in whatever case, wins, as in libzmq. Returns an `ERR_PEER_METADATA` error for anything that
 * is not a whole property, and for too many properties.
 */
export function decodeMetadata(
  bytes: Uint8Array,
  limits: MetadataLimits,
): Map<string, Uint8Array> | PeerError {
  const metadata = new Map<string, Uint8Array>();
  let at = 0;
  for (let count = 1; at < bytes.length; count++) {
    if (count > limits.propertiesMax) {
      return malformed(`more than the limit of ${limits.propertiesMax} properties`);
    }
    const nameBytes = bytes[at]!;
    if (nameBytes === 0) return malformed("a property without a name");
    const valueSizeAt = at + 1 + nameBytes;
    if (valueSizeAt + 4 > bytes.length) return malformed("it ends inside a property's name or value size");
    const valueAt = valueSizeAt + 4;
    const valueBytes = readU32(bytes, valueSizeAt);
    if (valueBytes > bytes.length - valueAt) return malformed("a value runs past the end");
    const name = nameAt(bytes, at + 1, valueSizeAt);
    at = valueAt + valueBytes;
    if (!metadata.has(name)) {
      metadata.set(name, valueBytes === 0 ? NO_BYTES : copyOf(viewOf(bytes, valueAt, at)));
    }
  }
  return metadata;
}

/** Names that nearly every peer sends, as it spells them and as the map has them. */
const USUAL_NAMES: readonly (readonly [spelled: Uint8Array, key: string])[] = ["Socket-Type", "Identity"].map(
  (name) => [asciiBytes(name), lowerAscii(name)],
);

/** Returns a name in lower case. The usual ones cost no string of their own. */
function nameAt(bytes: Uint8Array, from: number, to: number): string {
  const name = viewOf(bytes, from, to);
  for (const [spelled, key] of USUAL_NAMES) if (equalBytes(name, spelled)) return key;
  return lowerAscii(asciiText(name));
}

/** Metadata as a string with one character per byte, which takes a tenth of a map's memory. */
export function packMetadata(metadata: Metadata): string {
  return binaryKey(join(metadata));
}

/** The metadata from which {@link packMetadata} made `packed`. */
export function unpackMetadata(packed: string): Metadata {
  const bytes = Uint8Array.from(packed, (character) => character.charCodeAt(0));
  return decodeMetadata(bytes, { propertiesMax: Infinity }) as Metadata;
}

function malformed(what: string): PeerError {
  return new PeerError("ERR_PEER_METADATA", `Cannot read the peer's metadata: ${what}`);
}

/** Lowers only A–Z: other characters stand for bytes that have no case. */
function lowerAscii(name: string): string {
  return name.replace(/[A-Z]+/g, (capitals) => capitals.toLowerCase());
}

/** The value of a property, whatever the case of its name. */
export function property(metadata: Metadata, name: string): Uint8Array | undefined {
  return metadata.get(lowerAscii(name));
}

/**
 * Encodes our own metadata: Socket-Type always, Identity (possibly empty) for the types that announce one,
 * then the application's. Names are spelled as libzmq compares them. Throws as {@link encodeMetadata} does.
 */
export function encodeOurMetadata(options: {
  readonly socketType: SocketType;
  readonly identity: Uint8Array;
  readonly properties?: Iterable<Property>;
}): Uint8Array {
  const ours: Property[] = [["Socket-Type", asciiBytes(options.socketType)]];
  if (announcesIdentity(options.socketType)) ours.push(["Identity", options.identity]);
  if (options.properties !== undefined) ours.push(...options.properties);
  return encodeMetadata(ours);
}

/**
 * Checks whether a socket of type `ours` may talk to a peer with this metadata.
 *
 * - A Socket-Type that is unknown or incompatible: `ERR_PEER_SOCKET_TYPE`.
 * - An Identity of more than 255 bytes: `ERR_PEER_IDENTITY`.
 * - An Identity that begins with a zero byte is reserved for generated ids. It is ignored and the peer is
 *   anonymous, so that no peer can take another's place by guessing its generated id.
 */
export function acceptPeer(ours: SocketType, metadata: Metadata): PeerProperties | PeerError {
  const told = metadata.get("socket-type");
  const socketType = told === undefined ? undefined : parseSocketType(told);
  if (told !== undefined && (socketType === undefined || !compatible(ours, socketType))) {
    return new PeerError(
      "ERR_PEER_SOCKET_TYPE",
      `Cannot talk to peer: its socket type is "${printableText(told, 32)}"; ` +
        `a ${ours} talks to ${compatibleTypes(ours).join(", ")}`,
    );
  }
  const identity = metadata.get("identity") ?? NO_BYTES;
  if (identity.length > IDENTITY_BYTES_MAX) {
    return new PeerError(
      "ERR_PEER_IDENTITY",
      `Cannot talk to peer: its identity has ${identity.length} bytes, more than ${IDENTITY_BYTES_MAX}`,
    );
  }
  return { socketType, identity: identity[0] === 0 ? NO_BYTES : identity, metadata };
}
