import { test } from "node:test";
import { assert, assertEquals, assertNotStrictEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "../support/properties.ts";
import {
  asciiBytes,
  asciiText,
  binaryKey,
  concat,
  copyOf,
  countBytes,
  equalBytes,
  NO_BYTES,
  printableText,
  readU16,
  readU32,
  readU53,
  viewOf,
  writeU16,
  writeU32,
  writeU53,
} from "../../src/bytes/bytes.ts";
import { encodeBase64 } from "../../src/bytes/base64.ts";
import { decodeUtf8, decodeUtf8Strict, encodeUtf8, writeUtf8 } from "../../src/bytes/utf8.ts";
import { BugError } from "../../src/errors.ts";

function of(...bytes: number[]): Uint8Array {
  return Uint8Array.from(bytes);
}

test("equalBytes() compares length and every byte", () => {
  assert(equalBytes(of(), of()));
  assert(equalBytes(of(1, 2, 3), of(1, 2, 3)));
  assert(!equalBytes(of(1, 2, 3), of(1, 2)));
  assert(!equalBytes(of(1, 2), of(1, 2, 3)));
  for (let i = 0; i < 3; i++) {
    const other = of(1, 2, 3);
    other[i] = 9;
    assert(!equalBytes(of(1, 2, 3), other), `byte ${i} differs`);
  }
});

test("concat() joins chunks in order, with or without the total", () => {
  const chunks = [of(1, 2), of(), of(3)];
  assertEquals(concat(chunks), of(1, 2, 3));
  assertEquals(concat(chunks, 3), of(1, 2, 3));
  assertEquals(concat([]), of());
  assertEquals(countBytes(chunks), 3);
});

test("concat() refuses a total that is too large, instead of answering trailing zeros", () => {
  assertThrows(() => concat([of(1)], 2), BugError);
});

test("copyOf() answers exactly sized memory of its own, as a plain Uint8Array", () => {
  const large = of(0, 1, 2, 3);
  const copy = copyOf(large.subarray(1, 3));
  assertEquals(copy, of(1, 2));
  assertEquals(copy.buffer.byteLength, 2);
  large[1] = 9;
  assertEquals(copy, of(1, 2));
  assertStrictEquals(copyOf(Buffer.from([5, 6])).constructor, Uint8Array);
});

test("viewOf() shares memory and is a plain Uint8Array, also for a view with an offset", () => {
  const large = of(0, 1, 2, 3, 4);
  const view = viewOf(large.subarray(1), 1, 3);
  assertEquals(view, of(2, 3));
  large[2] = 9;
  assertEquals(view, of(9, 3));
  assertStrictEquals(viewOf(Buffer.from([5, 6, 7]), 1, 3).constructor, Uint8Array);
});

test("ASCII goes out and comes back, and other characters are a bug", () => {
  assertEquals(asciiBytes("A~ "), of(0x41, 0x7e, 0x20));
  assertEquals(asciiBytes(""), of());
  assertThrows(() => asciiBytes("é"), BugError);
  assertThrows(() => asciiBytes("\u0141"), BugError);
});

test("asciiText() gives different text for different bytes", () => {
  const texts = new Set(Array.from({ length: 256 }, (_, byte) => asciiText(of(byte))));
  assertEquals(texts.size, 256);
  assertEquals(asciiText(of(0x41, 0xff)), "A\u00ff");
});

test("printableText() lets nothing through that a terminal or a log would obey", () => {
  assertEquals(printableText(asciiBytes("plain text")), "plain text");
  assertEquals(printableText(of(0x1b, 0x5b, 0x0a, 0x7f, 0xff, 0x00)), "\\x1b[\\x0a\\x7f\\xff\\x00");
  assertEquals(printableText(asciiBytes("a\\b")), "a\\x5cb");
  assertEquals(printableText(asciiBytes("abcdef"), 3), "abc…");
  assertEquals(printableText(asciiBytes("abc"), 3), "abc");
});

test("integers are big-endian", () => {
  const bytes = new Uint8Array(20);
  assertEquals(writeU16(bytes, 1, 0x1234), 3);
  assertEquals(writeU32(bytes, 3, 0x89abcdef), 7);
  assertEquals(writeU53(bytes, 7, 0x1f_ffff_ffff_fffe), 15);
  assertEquals(
    bytes,
    of(0, 0x12, 0x34, 0x89, 0xab, 0xcd, 0xef, 0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0, 0, 0, 0, 0),
  );
  assertEquals(readU16(bytes, 1), 0x1234);
  assertEquals(readU32(bytes, 3), 0x89abcdef);
  assertEquals(readU53(bytes, 7), 0x1f_ffff_ffff_fffe);
});

test("readU53() answers -1 for the first value that a number cannot tell exactly, and above", () => {
  assertEquals(readU53(of(0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), 0), Number.MAX_SAFE_INTEGER);
  assertEquals(readU53(of(0, 0x20, 0, 0, 0, 0, 0, 0), 0), -1);
  assertEquals(readU53(of(0x80, 0, 0, 0, 0, 0, 0, 0), 0), -1);
  assertEquals(readU53(of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), 0), -1);
});

test("every safe integer survives a round trip, as DataView would write it", () => {
  fc.assert(fc.property(fc.maxSafeNat(), (value) => {
    const bytes = new Uint8Array(8);
    writeU53(bytes, 0, value);
    assertEquals(new DataView(bytes.buffer).getBigUint64(0), BigInt(value));
    assertEquals(readU53(bytes, 0), value);
  }));
  fc.assert(fc.property(fc.nat(0xffff), fc.integer({ min: 0, max: 0xffff_ffff }), (u16, u32) => {
    const bytes = new Uint8Array(6);
    writeU32(bytes, writeU16(bytes, 0, u16), u32);
    const view = new DataView(bytes.buffer);
    assertEquals([view.getUint16(0), view.getUint32(2)], [u16, u32]);
    assertEquals([readU16(bytes, 0), readU32(bytes, 2)], [u16, u32]);
  }));
});

test("UTF-8 goes out and comes back, a leading byte order mark included", () => {
  for (const text of ["", "plain", "é€😀", "\ufeffmarked"]) {
    assertEquals(decodeUtf8(encodeUtf8(text)), text);
    assertEquals(decodeUtf8Strict(encodeUtf8(text)), text);
  }
  assertEquals(encodeUtf8("€"), of(0xe2, 0x82, 0xac));
});

test("bytes that are not UTF-8 are replaced, or noticed", () => {
  for (const bytes of [of(0xff), of(0xc0, 0x80), of(0xed, 0xa0, 0x80), of(0xe2, 0x82)]) {
    assert(decodeUtf8(bytes).includes("\ufffd"));
    assertEquals(decodeUtf8Strict(bytes), undefined);
  }
  assertEquals(decodeUtf8(encodeUtf8("a\ud800b")), "a\ufffdb");
});

test("writeUtf8() writes in place, and answers -1 rather than half a text", () => {
  const into = new Uint8Array(8);
  assertEquals(writeUtf8(into, 1, "a€"), 5);
  assertEquals(into, of(0, 0x61, 0xe2, 0x82, 0xac, 0, 0, 0));
  assertEquals(writeUtf8(into, 6, "a"), -1);
  assertEquals(writeUtf8(into, 5, "a"), 6);
  assertEquals(writeUtf8(into, 8, ""), 8);
});

test("the shared empty array has no byte to change", () => {
  assertEquals(NO_BYTES.length, 0);
  assertNotStrictEquals(copyOf(NO_BYTES), NO_BYTES);
});

test("binaryKey() is equal exactly for equal bytes, short or long", () => {
  const sizes = [0, 1, 15, 16, 17, 4_095, 4_096, 4_097, 100_000];
  const keys = sizes.map((bytes) => binaryKey(new Uint8Array(bytes)));
  assertEquals(new Set(keys).size, sizes.length);
  for (const bytes of sizes.slice(1)) {
    for (const at of [0, bytes - 1]) {
      const other = new Uint8Array(bytes);
      other[at] = 0x80;
      assert(binaryKey(other) !== binaryKey(new Uint8Array(bytes)), `byte ${at} of ${bytes} differs`);
    }
    assertEquals(binaryKey(new Uint8Array(bytes + 7).subarray(7)), binaryKey(new Uint8Array(bytes)));
  }
  assertEquals(binaryKey(of(0xff, 0x00)), "\u00ff\u0000");
});

test("base64 is what the platform makes of the same bytes", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 20 }), (bytes) => {
    assertEquals(encodeBase64(bytes), btoa(String.fromCharCode(...bytes)));
  }));
});
