/**
 * Records whose content follows from a seed, their publisher and their number in it: whoever reads one knows byte for byte
 * what it had to be, and needs to remember nothing.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { Random } from "../support/random.ts";

/** Bytes of the publisher's number and the record's. */
const HEAD_BYTES = 12;
const NOISE_BYTES = 65_536;
/** Most records are small, one in eight is up to so long. */
const LARGE_BYTES = 4_096;
const SMALL_BYTES = 300;

/** Makes records, and checks them. */
export class RecordSource {
  readonly #noise: Uint8Array;
  readonly #salt: number;
  /** Bytes of every record; `undefined`: they differ. */
  readonly #bytes: number | undefined;
  /** Of the longest record. The last one that was made. */
  readonly #value: Buffer;

  constructor(seed: string, bytes?: number) {
    const random = new Random(`records:${seed}`);
    this.#salt = random.uint32();
    this.#noise = random.bytes(NOISE_BYTES);
    this.#bytes = bytes;
    this.#value = Buffer.alloc(bytes ?? HEAD_BYTES + LARGE_BYTES);
  }

  /** Record `index` of a publisher. It is valid until the next one is made. */
  make(publisher: number, index: number): Uint8Array {
    const mixed = this.#mix(publisher, index);
    const value = this.#value;
    const bytes = this.#bytes ?? HEAD_BYTES + drawBytes(mixed);
    value.writeUInt32LE(publisher, 0);
    // Two halves: the number has more than 32 bits.
    value.writeUInt32LE(index >>> 0, 4);
    value.writeUInt32LE(Math.floor(index / 0x1_0000_0000), 8);
    const from = mixed % (NOISE_BYTES - value.length);
    value.set(this.#noise.subarray(from, from + bytes - HEAD_BYTES), HEAD_BYTES);
    return value.subarray(0, bytes);
  }

  /** Whether `value` is exactly this record. */
  matches(value: Uint8Array, publisher: number, index: number): boolean {
    return Buffer.compare(value, this.make(publisher, index)) === 0;
  }

  #mix(publisher: number, index: number): number {
    let mixed = Math.imul(index ^ this.#salt, 0x9e37_79b1) ^ Math.imul(publisher + 1, 0x85eb_ca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b_3c6d);
    return (mixed ^ (mixed >>> 13)) >>> 0;
  }
}

function drawBytes(mixed: number): number {
  return (mixed & 7) === 0 ? (mixed >>> 3) % LARGE_BYTES : (mixed >>> 3) % SMALL_BYTES;
}

/** What a record says about itself. */
export interface RecordClaim {
  readonly publisher: number;
  readonly index: number;
}

/** `undefined`: it is none of ours. */
export function readClaim(value: Uint8Array): RecordClaim | undefined {
  if (value.length < HEAD_BYTES) return undefined;
  const view = new DataView(value.buffer, value.byteOffset, HEAD_BYTES);
  const high = view.getUint32(8, true);
  return { publisher: view.getUint32(0, true), index: high * 0x1_0000_0000 + view.getUint32(4, true) };
}
