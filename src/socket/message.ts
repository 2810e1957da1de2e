/**
 * What can be sent, and its conversion into frames.
 *
 * @module
 */

import { NO_BYTES } from "../bytes/bytes.ts";
import { encodeUtf8 } from "../bytes/utf8.ts";
import { MisuseError } from "../errors.ts";
import type { Outgoing } from "../pattern/pipe/outbound_queue.ts";

/**
 * One frame to send: bytes as they are, text and numbers as UTF-8, `null` as an empty frame.
 *
 * Bodies under 16 KiB are copied during `send`, except over inproc. Larger ones, and every body over inproc,
 * are *given away*: never change, resize or transfer them afterwards.
 */
export type MessageLike =
  | Uint8Array
  | ArrayBufferView
  | ArrayBuffer
  | SharedArrayBuffer
  | string
  | number
  | null;

/** A message to send: one frame, or several. */
export type MessageInput = MessageLike | readonly MessageLike[];

/**
 * Turns what a caller sends into frames.
 *
 * @throws {MisuseError} `ERR_MESSAGE`: a part is neither bytes, text, a number nor `null`, or there is no
 * frame at all.
 */
export function toOutgoing(input: MessageInput): Outgoing {
  if (input instanceof Uint8Array) return input;
  if (!Array.isArray(input)) return toFrame(input as MessageLike);
  const parts = input as readonly MessageLike[];
  if (parts.length === 1) return toFrame(parts[0]!);
  if (parts.length === 0) {
    throw new MisuseError("ERR_MESSAGE", "Cannot send: a message must have at least one frame");
  }
  for (let i = 0; i < parts.length; i++) {
    if (!(parts[i] instanceof Uint8Array)) return parts.map(toFrame);
  }
  return parts as readonly Uint8Array[];
}

function toFrame(part: MessageLike): Uint8Array {
  if (part instanceof Uint8Array) return part;
  if (typeof part === "string") return encodeUtf8(part);
  if (part === null) return NO_BYTES;
  if (typeof part === "number") return encodeUtf8(String(part));
  if (ArrayBuffer.isView(part)) return new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
  if (part instanceof ArrayBuffer || isShared(part)) return new Uint8Array(part);
  throw new MisuseError(
    "ERR_MESSAGE",
    `Cannot send ${kindOf(part)}: ` +
      "a frame is a Uint8Array, another view, an ArrayBuffer, a string, a number or null",
  );
}

/** What was given instead of a frame, for the message of an error. */
function kindOf(part: unknown): string {
  if (Array.isArray(part)) return "an array inside a message";
  if (typeof part !== "object") return part === undefined ? "undefined" : `a ${typeof part}`;
  const { name = "" } = (part?.constructor ?? {}) as { name?: string };
  return name === "Object" || name === "" ? "a plain object (JSON.stringify makes text of it)" : `a ${name}`;
}

function isShared(part: unknown): part is SharedArrayBuffer {
  return typeof SharedArrayBuffer !== "undefined" && part instanceof SharedArrayBuffer;
}

/** The total size of all frames' bodies, in bytes. */
export function messageBytes(message: Outgoing): number {
  if (message instanceof Uint8Array) return message.length;
  let bytes = 0;
  for (let i = 0; i < message.length; i++) bytes += message[i]!.length;
  return bytes;
}
