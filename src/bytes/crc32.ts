/**
 * CRC-32 with zlib's polynomial (0xEDB88320, reflected), as `zlib.crc32` of every runtime computes it.
 *
 * @module
 */

/**
 * The CRC-32 of `bytes`, an unsigned 32-bit number. `seed` is 0, or the CRC-32 of the bytes before:
 * `crc(b, crc(a, 0))` is the CRC-32 of `a` followed by `b`.
 */
export type Crc32 = (bytes: Uint8Array, seed: number) => number;

const POLYNOMIAL = 0xedb8_8320;
/** The number of tables, of 256 entries each: table k holds the effect of a byte that k more follow. */
const SLICES = 8;
const TABLE = makeTable();

/** Below this many bytes, a call into native code costs more than the tables do. */
const NATIVE_BYTES_MIN = 256;

/** Uses {@link crc32} for few bytes, and the host's native CRC-32, if there is one, for more. */
export function crc32Of(host: { readonly crc32?: Crc32 }): Crc32 {
  if (host.crc32 === undefined) return crc32;
  return (bytes, seed) => bytes.length < NATIVE_BYTES_MIN ? crc32(bytes, seed) : host.crc32!(bytes, seed);
}

/** {@link Crc32} without native code: eight bytes per step, each with its own table. 1 to 2 GB/s. */
export function crc32(bytes: Uint8Array, seed: number): number {
  const table = TABLE;
  const end = bytes.length;
  let crc = ~seed;
  let at = 0;
  for (const whole = end - 7; at < whole; at += 8) {
    const low = crc ^ (bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24);
    crc = table[1792 + (low & 0xff)]! ^ table[1536 + (low >>> 8 & 0xff)]! ^
      table[1280 + (low >>> 16 & 0xff)]! ^ table[1024 + (low >>> 24)]! ^
      table[768 + bytes[at + 4]!]! ^ table[512 + bytes[at + 5]!]! ^
      table[256 + bytes[at + 6]!]! ^ table[bytes[at + 7]!]!;
  }
  for (; at < end; at++) crc = crc >>> 8 ^ table[(crc ^ bytes[at]!) & 0xff]!;
  return ~crc >>> 0;
}

function makeTable(): Int32Array {
  const table = new Int32Array(256 * SLICES);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : crc >>> 1 ^ POLYNOMIAL;
    table[byte] = crc;
  }
  for (let at = 256; at < table.length; at++) {
    const before = table[at - 256]!;
    table[at] = before >>> 8 ^ table[before & 0xff]!;
  }
  return table;
}
