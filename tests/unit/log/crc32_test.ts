import { test } from "node:test";
import { crc32 as zlibCrc32 } from "node:zlib";
import { assertEquals, assertNotEquals } from "@std/assert";
import { concat } from "../../../src/bytes/bytes.ts";
import { crc32, crc32Of } from "../../../src/bytes/crc32.ts";
import fc from "../../support/properties.ts";

/** Bit by bit, as the polynomial's definition says. */
function naive(bytes: Uint8Array, seed: number): number {
  let crc = ~seed;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc >>> 1 ^ (crc & 1) * 0xedb88320;
  }
  return ~crc >>> 0;
}

/** Bytes that do not repeat every 256. */
function sample(bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, index) => index * 31 + (index >> 8) * 7);
}

test("the CRC-32 of nothing is its seed, and the known ones are right", () => {
  const ascii = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));
  assertEquals(crc32(new Uint8Array(0), 0), 0);
  assertEquals(crc32(new Uint8Array(0), 0xdead_beef), 0xdead_beef);
  assertEquals(crc32(ascii("123456789"), 0), 0xcbf4_3926);
  assertEquals(crc32(ascii("a"), 0), 0xe8b7_be43);
  assertEquals(crc32(new Uint8Array(4).fill(0xff), 0), 0xffff_ffff);
});

test("every length from every offset is as bit by bit, and as the runtime's own", () => {
  const bytes = sample(300);
  for (let length = 0; length < 80; length++) {
    for (let offset = 0; offset < 9; offset++) {
      const view = bytes.subarray(offset, offset + length);
      assertEquals(crc32(view, 0), naive(view, 0), `${length} bytes from ${offset}`);
      assertEquals(crc32(view, 0), zlibCrc32(view, 0));
    }
  }
  const large = sample(1_000_003);
  assertEquals(crc32(large, 0), zlibCrc32(large, 0));
});

test("a seed goes on where another CRC-32 ended, wherever the bytes are cut", () => {
  const bytes = sample(70);
  for (let cut = 0; cut <= bytes.length; cut++) {
    assertEquals(crc32(bytes.subarray(cut), crc32(bytes.subarray(0, cut), 0)), naive(bytes, 0));
  }
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 40 })),
      fc.integer({ min: 0, max: 0xffff_ffff }),
      (chunks, seed) => {
        let crc = seed;
        for (const chunk of chunks) crc = crc32(chunk, crc);
        assertEquals(crc, naive(concat(chunks), seed));
        assertEquals(crc, zlibCrc32(concat(chunks), seed));
      },
    ),
  );
});

test("every single bit counts", () => {
  const bytes = sample(64);
  const whole = crc32(bytes, 0);
  for (let bit = 0; bit < 512; bit++) {
    const changed = bytes.slice();
    changed[bit >> 3]! ^= 1 << (bit & 7);
    assertNotEquals(crc32(changed, 0), whole);
  }
});

test("crc32Of() asks the host for many bytes, and the table for few", () => {
  assertEquals(crc32Of({}), crc32);
  const host = {
    offset: 5,
    crc32(bytes: Uint8Array, seed: number): number {
      return bytes.length + seed + this.offset;
    },
  };
  assertEquals(crc32Of(host)(sample(256), 100), 361);
  assertEquals(crc32Of(host)(sample(255), 100), naive(sample(255), 100));
  const native = crc32Of({ crc32: zlibCrc32 });
  for (const bytes of [0, 60, 255, 256, 1_000]) {
    assertEquals(native(sample(bytes), 7), naive(sample(bytes), 7));
  }
});
