/**
 * What a bridge changes in the metadata of a handshake. It works on the properties as they stand, so that the
 * engine judges whatever else is in them.
 *
 * @module
 */

import { asciiBytes, asciiText, concat, NO_BYTES, readU32, viewOf } from "../../bytes/bytes.ts";
import { compatibleTypes, parseSocketType, type SocketType } from "../../zmtp/socket_type.ts";
import { encodeMetadata, type Property } from "../../zmtp/metadata.ts";
import { encodeReady } from "../../zmtp/commands.ts";
import { FLOW_PROPERTY } from "./wire.ts";

/** One property as it stands on the wire. */
interface Entry {
  /** In lower case. */
  readonly name: string;
  readonly value: Uint8Array;
  /** The whole property. */
  readonly bytes: Uint8Array;
}

/** The properties, or `undefined` if they are malformed: the engine says what is wrong. */
function entriesOf(metadata: Uint8Array): Entry[] | undefined {
  const entries: Entry[] = [];
  let at = 0;
  while (at < metadata.length) {
    const sizeAt = at + 1 + metadata[at]!;
    if (sizeAt + 4 > metadata.length) return undefined;
    const end = sizeAt + 4 + readU32(metadata, sizeAt);
    if (end > metadata.length) return undefined;
    entries.push({
      name: asciiText(viewOf(metadata, at + 1, sizeAt)).toLowerCase(),
      value: viewOf(metadata, sizeAt + 4, end),
      bytes: viewOf(metadata, at, end),
    });
    at = end;
  }
  return entries;
}

/** Our metadata as it leaves, and what it says of us. */
export interface OurMetadata {
  readonly metadata: Uint8Array;
  readonly socketType: SocketType | undefined;
  readonly identity: Uint8Array;
}

/**
 * Our metadata for the peer: with the flow property, and with the types that RFC 45 has: an XPUB is a PUB
 * there, an XSUB a SUB.
 */
export function ourMetadata(metadata: Uint8Array, windowBytes: number): OurMetadata {
  let socketType: SocketType | undefined;
  let identity = NO_BYTES;
  const told: Uint8Array[] = [];
  for (const entry of entriesOf(metadata) ?? []) {
    if (entry.name === "socket-type") {
      socketType = parseSocketType(entry.value);
      if (socketType === "XPUB" || socketType === "XSUB") {
        told.push(encodeMetadata([["Socket-Type", asciiBytes(socketType.substring(1))]]));
        continue;
      }
    }
    if (entry.name === "identity") identity = entry.value;
    told.push(entry.bytes);
  }
  told.push(encodeMetadata([[FLOW_PROPERTY, asciiBytes(String(windowBytes))]]));
  return { metadata: concat(told), socketType, identity };
}

/** The peer's metadata for our engine, and its flow property. */
export interface PeerMetadata {
  readonly metadata: Uint8Array;
  /** `undefined`: it has none. `-1`: it is no number of bytes. */
  readonly windowBytes: number | undefined;
}

/** Takes the flow property out of the peer's metadata. The first one counts. */
export function peerMetadata(metadata: Uint8Array): PeerMetadata {
  const entries = entriesOf(metadata);
  const flow = FLOW_PROPERTY.toLowerCase();
  const found = entries?.find(({ name }) => name === flow);
  if (entries === undefined || found === undefined) return { metadata, windowBytes: undefined };
  const told = asciiText(viewOf(found.value, 0, Math.min(found.value.length, 20)));
  return {
    metadata: concat(entries.filter(({ name }) => name !== flow).map(({ bytes }) => bytes)),
    windowBytes: /^\d{1,15}$/.test(told) ? Number(told) : -1,
  };
}

/**
 * READY of a peer that only told its identity. Its type is the first that fits ours; it has none if ours is
 * not known, which engines accept too.
 */
export function readyOfIdentity(identity: Uint8Array, ours: SocketType | undefined): Uint8Array {
  const properties: Property[] = [];
  if (ours !== undefined) properties.push(["Socket-Type", asciiBytes(compatibleTypes(ours)[0]!)]);
  if (identity.length > 0) properties.push(["Identity", identity]);
  return encodeReady(encodeMetadata(properties));
}

/** The body of a handshake command with other metadata. Its name stays. */
export function withMetadata(body: Uint8Array, metadata: Uint8Array): Uint8Array {
  return concat([viewOf(body, 0, 1 + body[0]!), metadata]);
}
