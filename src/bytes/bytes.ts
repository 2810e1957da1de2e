/**
 * Small helpers for byte arrays: views, copies, ASCII and network byte order. The caller checks offsets and
 * lengths; a read beyond the end returns garbage and does not throw.
 *
 * @module
 */

import { assert } from "../assert.ts";

/** An empty byte array. It has no content that could change, so it is safe to share. */
export const NO_BYTES: Uint8Array = new Uint8Array(0);

/** Whether `a` and `b` hold the same bytes. Not constant-time: never for secrets. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    if (a[i] !== b[i]) return false;
  }
  return true;
}

/** All chunks in one array with its own memory. `totalBytes` saves counting them, and must be exact. */
export function concat(chunks: readonly Uint8Array[], totalBytes?: number): Uint8Array {
  const joined = new Uint8Array(totalBytes ?? countBytes(chunks));
  let at = 0;
  for (const chunk of chunks) {
    joined.set(chunk, at);
    at += chunk.length;
  }
  assert(at === joined.length, "concat: totalBytes is not the sum of the chunks");
  return joined;
}

/** The total length of all chunks, in bytes. */
export function countBytes(chunks: readonly Uint8Array[]): number {
  let bytes = 0;
  for (const chunk of chunks) bytes += chunk.length;
  return bytes;
}

/**
 * A copy of `view` in exactly sized memory of its own, so that keeping it pins nothing else. Always a plain
 * `Uint8Array`.
 */
export function copyOf(view: Uint8Array): Uint8Array {
  const copy = new Uint8Array(view.length);
  copy.set(view);
  return copy;
}

/**
 * `bytes[start, end)` as a view of the same memory. Unlike `subarray`, it returns a plain `Uint8Array`
 * whatever subclass `bytes` is, and takes half the time.
 */
export function viewOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start);
}

/** One byte per character, for names of the protocol. Throws `BugError` for a character that is not ASCII. */
export function asciiBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    assert(code < 0x80, "asciiBytes: a character outside ASCII");
    bytes[i] = code;
  }
  return bytes;
}

/** One character per byte. Bytes above 0x7F become U+0080–U+00FF, so different bytes give different text. */
export function asciiText(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i++) text += String.fromCharCode(bytes[i]!);
  return text;
}

/**
 * Foreign bytes as text that is safe in a message or a log: a backslash and anything but printable ASCII
 * become `\xNN`, and anything beyond `bytesMax` bytes becomes `…`.
 */
export function printableText(bytes: Uint8Array, bytesMax = 255): string {
  const end = Math.min(bytes.length, bytesMax);
  let text = "";
  for (let i = 0; i < end; i++) {
    const code = bytes[i]!;
    const printable = code >= 0x20 && code < 0x7f && code !== 0x5c;
    text += printable ? String.fromCharCode(code) : `\\x${code.toString(16).padStart(2, "0")}`;
  }
  return end < bytes.length ? `${text}…` : text;
}

/** Reads big-endian unsigned 16 bits. */
export function readU16(bytes: Uint8Array, at: number): number {
  return bytes[at]! << 8 | bytes[at + 1]!;
}

/** Reads big-endian unsigned 32 bits. */
export function readU32(bytes: Uint8Array, at: number): number {
  return bytes[at]! * 0x100_0000 + (bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!);
}

/**
 * Reads big-endian unsigned 64 bits. Returns -1 for a value above 2^53−1, which a JavaScript number cannot
 * represent exactly.
 */
export function readU53(bytes: Uint8Array, at: number): number {
  const high = readU32(bytes, at);
  if (high > 0x1f_ffff) return -1;
  return high * 0x1_0000_0000 + readU32(bytes, at + 4);
}

/** Writes big-endian unsigned 16 bits and returns the offset after them. */
export function writeU16(into: Uint8Array, at: number, value: number): number {
  into[at] = value >>> 8;
  into[at + 1] = value;
  return at + 2;
}

/** Writes big-endian unsigned 32 bits and returns the offset after them. */
export function writeU32(into: Uint8Array, at: number, value: number): number {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
  return at + 4;
}

/** Writes a safe integer as big-endian unsigned 64 bits and returns the offset after them. */
export function writeU53(into: Uint8Array, at: number, value: number): number {
  writeU32(into, at, Math.floor(value / 0x1_0000_0000));
  return writeU32(into, at + 4, value);
}

/** A map key for bytes: keys are equal exactly when the bytes are. */
export function binaryKey(bytes: Uint8Array): string {
  let key = "";
  if (bytes.length <= 16) {
    for (let i = 0; i < bytes.length; i++) key += String.fromCharCode(bytes[i]!);
    return key;
  }
  // A view of a small array would give it memory of its own outside of the heap.
  if (bytes.length <= 4_096) return String.fromCharCode.apply(null, bytes as unknown as number[]);
  for (let from = 0; from < bytes.length; from += 4_096) {
    key += String.fromCharCode.apply(null, bytes.subarray(from, from + 4_096) as unknown as number[]);
  }
  return key;
}
