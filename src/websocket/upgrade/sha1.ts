/**
 * SHA-1 (RFC 3174), for the header `Sec-WebSocket-Accept` and nothing else: it keeps no secret there. The
 * runtimes' own is asynchronous or not there.
 *
 * @module
 */

import { readU32, writeU32 } from "../../bytes/bytes.ts";

const BLOCK_BYTES = 64;

/** The 20 bytes of the SHA-1 of `bytes`. */
export function sha1(bytes: Uint8Array): Uint8Array {
  // The message, a bit 1, zeros, and the length in bits as the last 8 bytes of a block.
  const padded = new Uint8Array(Math.ceil((bytes.length + 9) / BLOCK_BYTES) * BLOCK_BYTES);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  writeU32(padded, padded.length - 8, Math.floor(bytes.length / 0x2000_0000));
  writeU32(padded, padded.length - 4, bytes.length * 8);
  const state = Int32Array.of(0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0);
  const words = new Int32Array(80);
  for (let at = 0; at < padded.length; at += BLOCK_BYTES) addBlock(state, words, padded, at);
  const digest = new Uint8Array(20);
  for (let i = 0; i < 5; i++) writeU32(digest, i * 4, state[i]!);
  return digest;
}

function addBlock(state: Int32Array, words: Int32Array, bytes: Uint8Array, at: number): void {
  for (let i = 0; i < 16; i++) words[i] = readU32(bytes, at + i * 4);
  for (let i = 16; i < 80; i++) {
    words[i] = rotate(words[i - 3]! ^ words[i - 8]! ^ words[i - 14]! ^ words[i - 16]!, 1);
  }
  let a = state[0]!;
  let b = state[1]!;
  let c = state[2]!;
  let d = state[3]!;
  let e = state[4]!;
  for (let i = 0; i < 80; i++) {
    const mixed = (rotate(a, 5) + mix(i, b, c, d) + e + words[i]!) | 0;
    e = d;
    d = c;
    c = rotate(b, 30);
    b = a;
    a = mixed;
  }
  state[0]! += a;
  state[1]! += b;
  state[2]! += c;
  state[3]! += d;
  state[4]! += e;
}

/** The function and the constant of round `i`. */
function mix(i: number, b: number, c: number, d: number): number {
  if (i < 20) return ((b & c) | (~b & d)) + 0x5a82_7999;
  if (i < 40) return (b ^ c ^ d) + 0x6ed9_eba1;
  if (i < 60) return ((b & c) | (b & d) | (c & d)) + 0x8f1b_bcdc;
  return (b ^ c ^ d) + 0xca62_c1d6;
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}
