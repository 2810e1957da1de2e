import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "../support/properties.ts";
import { encodeFrame, frameHeaderBytes, writeFrame, writeFrameHeader } from "../../src/zmtp/frame_encoder.ts";

test("a body up to 255 bytes has a short header, a longer one a long header", () => {
  assertEquals([0, 1, 254, 255, 256, 65_536, 2 ** 40].map(frameHeaderBytes), [2, 2, 2, 2, 9, 9, 9]);
});

test("header bytes, at every size where the layout changes", () => {
  const header = (flags: number, bytes: number): number[] => {
    const into = new Uint8Array(12).fill(0xee);
    const end = writeFrameHeader(into, 1, flags, bytes);
    assertEquals([into[0], into[end]], [0xee, 0xee], "nothing outside is touched");
    return [...into.subarray(1, end)];
  };
  assertEquals(header(0, 0), [0, 0]);
  assertEquals(header(1, 255), [1, 255]);
  assertEquals(header(0, 256), [2, 0, 0, 0, 0, 0, 0, 1, 0]);
  assertEquals(header(1, 256), [3, 0, 0, 0, 0, 0, 0, 1, 0]);
  assertEquals(header(4, 70_000), [6, 0, 0, 0, 0, 0, 1, 0x11, 0x70]);
  assertEquals(header(0, 2 ** 31), [2, 0, 0, 0, 0, 0x80, 0, 0, 0]);
  assertEquals(header(0, 2 ** 32 - 1), [2, 0, 0, 0, 0, 255, 255, 255, 255]);
  assertEquals(header(0, 2 ** 32), [2, 0, 0, 0, 1, 0, 0, 0, 0]);
  assertEquals(header(0, Number.MAX_SAFE_INTEGER), [2, 0, 0x1f, 255, 255, 255, 255, 255, 255]);
});

test("every size is the 64-bit number that a reader sees, its top bit clear", () => {
  fc.assert(fc.property(fc.nat(Number.MAX_SAFE_INTEGER).filter((size) => size > 255), (size) => {
    const into = new Uint8Array(9);
    assertEquals(writeFrameHeader(into, 0, 0, size), 9);
    assertEquals(new DataView(into.buffer).getBigUint64(1), BigInt(size));
    assert(into[1]! < 0x80);
  }));
});

test("a frame is its header and its body, and an encoded one has memory of its own", () => {
  const body = new Uint8Array(300).fill(5);
  const frame = encodeFrame(1, body);
  assertEquals([frame.length, frame.buffer.byteLength, frame[0]], [309, 309, 3]);
  body.fill(6);
  assertEquals(frame[308], 5);
  const into = new Uint8Array(20);
  assertEquals(writeFrame(into, 3, 0, Uint8Array.of(7, 8)), 7);
  assertEquals([...into.subarray(0, 9)], [0, 0, 0, 0, 2, 7, 8, 0, 0]);
});
