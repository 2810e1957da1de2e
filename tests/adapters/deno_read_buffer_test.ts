import { test } from "node:test";
import { assert, assertEquals, assertLess } from "@std/assert";
import { ReadBuffer } from "../../adapters/deno/read_buffer.ts";

/** Lets a read bring `length` bytes of `value`, or as many as there is room for. */
function read(buffer: ReadBuffer, length: number, value: number): Uint8Array {
  const target = buffer.target();
  const filled = Math.min(length, target.length);
  target.fill(value, 0, filled);
  return buffer.take(filled);
}

test("an idle stream waits with 1 KiB, and a busy one grows to 256 KiB and no further", () => {
  const buffer = new ReadBuffer();
  const sizes = Array.from({ length: 7 }, () => {
    const size = buffer.target().length;
    read(buffer, Infinity, 1);
    return size;
  });
  assertEquals(sizes, [1024, 4096, 16_384, 65_536, 262_144, 262_144, 262_144]);
});

test("a stream that falls idle gives its large buffer back, but not for one small read", () => {
  const buffer = new ReadBuffer();
  for (let i = 0; i < 5; i++) read(buffer, Infinity, 1);
  for (let i = 0; i < 15; i++) read(buffer, 10, 1);
  assertEquals(buffer.target().length, 262_144);
  for (let i = 0; i < 100; i++) read(buffer, 10, 1);
  assertEquals(buffer.target().length, 1024);
});

test("what was given away never changes, and a small part pins no large memory", () => {
  const buffer = new ReadBuffer();
  const given: [Uint8Array, number, number][] = [];
  for (let i = 0; i < 300; i++) {
    const length = [1_000_000, 1, 100, 70_000, 255, 40_000][i % 6] ?? 0;
    const chunk = read(buffer, length, i % 251);
    given.push([chunk, chunk.length, i % 251]);
    assertLess(chunk.buffer.byteLength, chunk.length * 4 + 1);
  }
  for (const [chunk, length, value] of given) {
    assertEquals(chunk.length, length);
    assert(chunk.every((byte) => byte === value), `memory with ${value} was used again`);
  }
});
