/**
 * The commands of ZMTP 3.1 (RFC 37 "commands"). Encoders return the *body* of a command;
 * {@link encodeCommandFrame} makes a frame of it. Subscriptions exist in two forms, because a 3.0 peer gets
 * them as messages.
 *
 * @module
 */

import { assert } from "../assert.ts";
import { asciiBytes, NO_BYTES, printableText, readU16, viewOf, writeU16 } from "../bytes/bytes.ts";
import { PeerError } from "../errors.ts";
import { encodeFrame, frameHeaderBytes, writeFrameHeader } from "./frame_encoder.ts";
import {
  FLAG_COMMAND,
  MESSAGE_CANCEL,
  MESSAGE_SUBSCRIBE,
  NAME_BYTES_MAX,
  PING_CONTEXT_BYTES_MAX,
  PING_TTL_DECISECONDS_MAX,
  REASON_BYTES_MAX,
} from "./wire.ts";

/** One subscription or cancellation, in whichever form it came. */
export interface Subscription {
  readonly name: "SUBSCRIBE" | "CANCEL";
  readonly topic: Uint8Array;
}

/** A decoded command. Byte fields are views of the decoded body: copy what must be kept. */
export type Command =
  | { readonly name: "READY"; readonly metadata: Uint8Array }
  /** `reason` is printable whatever the peer sent. */
  | { readonly name: "ERROR"; readonly reason: string }
  | Subscription
  /** `ttlMs` is 0 for no TTL. `context` is already cut to the 16 bytes that a PONG echoes. */
  | { readonly name: "PING"; readonly ttlMs: number; readonly context: Uint8Array }
  | { readonly name: "PONG"; readonly context: Uint8Array }
  /** Legal, and ignored after the handshake. `commandName` is printable. */
  | { readonly name: "unknown"; readonly commandName: string };

const SUBSCRIBE = nameBytes("SUBSCRIBE");
const CANCEL = nameBytes("CANCEL");
const READY = nameBytes("READY");
const ERROR = nameBytes("ERROR");
const PING = nameBytes("PING");
const PONG = nameBytes("PONG");
const LEGACY_SUBSCRIBE = Uint8Array.of(MESSAGE_SUBSCRIBE);
const LEGACY_CANCEL = Uint8Array.of(MESSAGE_CANCEL);

/** Encodes any command: the name's length, the name, the data. */
export function encodeCommand(name: string, data: Uint8Array): Uint8Array {
  return join(nameBytes(name), data);
}

/** Encodes READY with metadata that `encodeMetadata` made. */
export function encodeReady(metadata: Uint8Array): Uint8Array {
  return join(READY, metadata);
}

/** Encodes ERROR. Cuts a reason at 255 characters; what is not printable ASCII becomes `?`. */
export function encodeError(reason: string): Uint8Array {
  const told = asciiBytes(reason.replace(/[^\x20-\x7e]/gu, "?").substring(0, REASON_BYTES_MAX));
  const body = new Uint8Array(ERROR.length + 1 + told.length);
  body.set(ERROR);
  body[ERROR.length] = told.length;
  body.set(told, ERROR.length + 1);
  return body;
}

/**
 * Encodes PING. `ttlMs` is sent in tenths of a second: rounded up, so that the peer never gives up earlier
 * than asked, and capped at 6 553 500 ms. `context` has at most 16 bytes.
 */
export function encodePing(ttlMs: number, context: Uint8Array = NO_BYTES): Uint8Array {
  assert(ttlMs >= 0, "a TTL is not negative");
  assert(context.length <= PING_CONTEXT_BYTES_MAX, "the context of a PING has at most 16 bytes");
  const body = new Uint8Array(PING.length + 2 + context.length);
  body.set(PING);
  writeU16(body, PING.length, Math.min(Math.ceil(ttlMs / 100), PING_TTL_DECISECONDS_MAX));
  body.set(context, PING.length + 2);
  return body;
}

/** Encodes PONG. A context of more than 16 bytes, which no PING may have, is cut, as in libzmq. */
export function encodePong(context: Uint8Array): Uint8Array {
  return join(PONG, cutContext(context));
}

/** Encodes a whole frame around the body of a command. */
export function encodeCommandFrame(body: Uint8Array): Uint8Array {
  return encodeFrame(FLAG_COMMAND, body);
}

/** Encodes SUBSCRIBE, for a peer of 3.1 or later. */
export function encodeSubscribe(topic: Uint8Array): Uint8Array {
  return join(SUBSCRIBE, topic);
}

/** Encodes CANCEL, for a peer of 3.1 or later. */
export function encodeCancel(topic: Uint8Array): Uint8Array {
  return join(CANCEL, topic);
}

/**
 * Encodes a subscription for a 3.0 peer: the one frame of a message (flags 0), `01 topic` to subscribe and
 * `00 topic` to cancel.
 */
export function encodeLegacySubscription(topic: Uint8Array, on: boolean): Uint8Array {
  return join(on ? LEGACY_SUBSCRIBE : LEGACY_CANCEL, topic);
}

/**
 * Encodes the whole frame of a subscription (`on`) or its cancellation, in one piece of memory. `legacy`: in
 * the form for a 3.0 peer.
 */
export function encodeSubscriptionFrame(topic: Uint8Array, on: boolean, legacy: boolean): Uint8Array {
  const head = legacy ? (on ? LEGACY_SUBSCRIBE : LEGACY_CANCEL) : on ? SUBSCRIBE : CANCEL;
  const bodyBytes = head.length + topic.length;
  const frame = new Uint8Array(frameHeaderBytes(bodyBytes) + bodyBytes);
  const bodyAt = writeFrameHeader(frame, 0, legacy ? 0 : FLAG_COMMAND, bodyBytes);
  frame.set(head, bodyAt);
  frame.set(topic, bodyAt + head.length);
  return frame;
}

/**
 * Decodes a subscription in message form: a frame whose first byte is 01 or 00. Returns `undefined` for any
 * other, including an empty one. Peers of every version may send this form, so a publisher reads both.
 */
export function decodeLegacySubscription(frame: Uint8Array): Subscription | undefined {
  const first = frame[0];
  if (first === MESSAGE_SUBSCRIBE) return { name: "SUBSCRIBE", topic: viewOf(frame, 1, frame.length) };
  if (first === MESSAGE_CANCEL) return { name: "CANCEL", topic: viewOf(frame, 1, frame.length) };
  return undefined;
}

/** Whether a command's body subscribes or cancels: such a command keeps its place among messages. */
export function isSubscriptionCommand(body: Uint8Array): boolean {
  return hasName(body, SUBSCRIBE) || hasName(body, CANCEL);
}

/**
 * Decodes the body of a command. Returns an `ERR_PEER_COMMAND` error for an empty body, a name that is empty
 * or runs past the end, a PING without a whole TTL, and an ERROR without a reason or whose reason runs past
 * the end. Names are case-sensitive. Data after an ERROR's reason is ignored.
 */
export function decodeCommand(body: Uint8Array): Command | PeerError {
  const length = body[0];
  if (length === undefined) return malformed("it is empty");
  if (length === 0) return malformed("its name is empty");
  if (length >= body.length) return malformed("its name runs past the end");
  const data = length + 1;
  if (hasName(body, PING)) return decodePing(body);
  if (hasName(body, PONG)) return { name: "PONG", context: viewOf(body, data, body.length) };
  if (hasName(body, SUBSCRIBE)) return { name: "SUBSCRIBE", topic: viewOf(body, data, body.length) };
  if (hasName(body, CANCEL)) return { name: "CANCEL", topic: viewOf(body, data, body.length) };
  if (hasName(body, READY)) return { name: "READY", metadata: viewOf(body, data, body.length) };
  if (hasName(body, ERROR)) return decodeError(body);
  return { name: "unknown", commandName: printableText(body.subarray(1, data)) };
}

/**
 * The data of a command named `name`, or `undefined` if `body` is another command or malformed. For
 * mechanisms, which have commands of their own (HELLO, WELCOME, INITIATE).
 */
export function commandData(body: Uint8Array, name: string): Uint8Array | undefined {
  if (body[0] !== name.length || body.length <= name.length) return undefined;
  for (let i = 0; i < name.length; i++) {
    if (body[i + 1] !== name.charCodeAt(i)) return undefined;
  }
  return viewOf(body, name.length + 1, body.length);
}

function decodePing(body: Uint8Array): Command | PeerError {
  const contextAt = PING.length + 2;
  if (body.length < contextAt) return malformed("a PING without a whole TTL");
  const context = cutContext(viewOf(body, contextAt, body.length));
  return { name: "PING", ttlMs: readU16(body, PING.length) * 100, context };
}

function decodeError(body: Uint8Array): Command | PeerError {
  const reasonAt = ERROR.length + 1;
  const reasonBytes = body[ERROR.length];
  if (reasonBytes === undefined) return malformed("an ERROR without a reason");
  if (reasonAt + reasonBytes > body.length) return malformed("the reason of an ERROR runs past the end");
  return { name: "ERROR", reason: printableText(body.subarray(reasonAt, reasonAt + reasonBytes)) };
}

function malformed(what: string): PeerError {
  return new PeerError("ERR_PEER_COMMAND", `Cannot read the peer's command: ${what}`);
}

function cutContext(context: Uint8Array): Uint8Array {
  return context.length > PING_CONTEXT_BYTES_MAX ? viewOf(context, 0, PING_CONTEXT_BYTES_MAX) : context;
}

/** A name preceded by its length, as it begins a body. */
function nameBytes(name: string): Uint8Array {
  assert(name.length >= 1 && name.length <= NAME_BYTES_MAX, "the name of a command has 1 to 255 characters");
  const bytes = new Uint8Array(1 + name.length);
  bytes[0] = name.length;
  bytes.set(asciiBytes(name), 1);
  return bytes;
}

function hasName(body: Uint8Array, name: Uint8Array): boolean {
  for (let i = 0; i < name.length; i++) {
    if (body[i] !== name[i]) return false;
  }
  return true;
}

function join(head: Uint8Array, data: Uint8Array): Uint8Array {
  const body = new Uint8Array(head.length + data.length);
  body.set(head);
  body.set(data, head.length);
  return body;
}
