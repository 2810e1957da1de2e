/**
 * Masking (RFC 6455 §5.3), in words of 32 bits, and where its keys come from. A key is a little-endian word:
 * its lowest byte masks the first byte of the payload.
 *
 * @module
 */

import type { Host } from "../ports.ts";

/** Keys that are drawn at a time. */
const KEYS = 2_048;

/**
 * A supply of mask keys. Each is used once, and none can be told from those before it: they are all random.
 */
export class MaskKeys {
  readonly #host: Host;
  readonly #keys = new Int32Array(KEYS);
  #used: number = KEYS;

  constructor(host: Host) {
    this.#host = host;
  }

  next(): number {
    if (this.#used === KEYS) this.#draw();
    return this.#keys[this.#used++]!;
  }

  #draw(): void {
    this.#host.random(new Uint8Array(this.#keys.buffer));
    this.#used = 0;
  }
}

const supplies: WeakMap<Host, MaskKeys> = new WeakMap();

/** The supply that all connections of a host share. */
export function maskKeysOf(host: Host): MaskKeys {
  let keys = supplies.get(host);
  if (keys === undefined) supplies.set(host, keys = new MaskKeys(host));
  return keys;
}

/** The key for a payload from its byte `bytes` on. */
export function keyAfter(key: number, bytes: number): number {
  const bits = (bytes & 3) * 8;
  return bits === 0 ? key : (key >>> bits) | (key << (32 - bits));
}

/** Memory, and a view to read and write words of it. */
export interface Words {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** `bytes` with a view of all of them. */
export function wordsOf(bytes: Uint8Array): Words {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length) };
}

/**
 * Writes `count` bytes of `source` at `from` to `target` at `to`, masked. Both may be the same memory if `to`
 * is not above `from`.
 */
export function maskInto(
  source: Words,
  from: number,
  target: Words,
  to: number,
  count: number,
  key: number,
): void {
  if (count >= BULK_BYTES_MIN) {
    copyInto(source, from, target, to, count);
    return maskInPlace(target.bytes, to, count, key);
  }
  const read = source.view;
  const write = target.view;
  const end = from + count;
  const shift = to - from;
  let at = from;
  for (const last = end - 16; at <= last; at += 16) {
    const first = read.getInt32(at, true);
    const second = read.getInt32(at + 4, true);
    const third = read.getInt32(at + 8, true);
    const fourth = read.getInt32(at + 12, true);
    write.setInt32(at + shift, first ^ key, true);
    write.setInt32(at + shift + 4, second ^ key, true);
    write.setInt32(at + shift + 8, third ^ key, true);
    write.setInt32(at + shift + 12, fourth ^ key, true);
  }
  for (const last = end - 4; at <= last; at += 4) {
    write.setInt32(at + shift, read.getInt32(at, true) ^ key, true);
  }
  for (let rest = key; at < end; at++, rest >>>= 8) target.bytes[at + shift] = source.bytes[at]! ^ rest;
}

/**
 * From here on it pays to copy first and then mask whole aligned words where they are. Bun reads and writes a
 * long row of unaligned words with a call for each.
 */
const BULK_BYTES_MIN = 512;

function maskInPlace(bytes: Uint8Array, from: number, count: number, key: number): void {
  const start = bytes.byteOffset + from;
  const head = -start & 3;
  for (let at = 0; at < head; at++) bytes[from + at] = bytes[from + at]! ^ (key >>> (8 * at));
  const aligned = keyAfter(key, head);
  const words = new Int32Array(bytes.buffer, start + head, (count - head) >>> 2);
  const { length } = words;
  let at = 0;
  for (const last = length - 4; at <= last; at += 4) {
    words[at] = words[at]! ^ aligned;
    words[at + 1] = words[at + 1]! ^ aligned;
    words[at + 2] = words[at + 2]! ^ aligned;
    words[at + 3] = words[at + 3]! ^ aligned;
  }
  for (; at < length; at++) words[at] = words[at]! ^ aligned;
  let rest = aligned;
  for (let tail = from + head + 4 * length; tail < from + count; tail++, rest >>>= 8) {
    bytes[tail] = bytes[tail]! ^ rest;
  }
}

/** Copies up to this many bytes are faster in words than by a call. */
const WORDS_BYTES_MAX = 128;

/** The same without a mask. */
export function copyInto(source: Words, from: number, target: Words, to: number, count: number): void {
  if (count <= WORDS_BYTES_MAX) maskInto(source, from, target, to, count, 0);
  else if (source.bytes !== target.bytes) target.bytes.set(source.bytes.subarray(from, from + count), to);
  else if (to !== from) target.bytes.copyWithin(to, from, from + count);
}
