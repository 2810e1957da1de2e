import { test } from "node:test";
import { Buffer } from "node:buffer";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { MisuseError } from "../../src/errors.ts";
import { keepForLater } from "../../src/pattern/pipe/outbound_queue.ts";
import { messageBytes, type MessageLike, toOutgoing } from "../../src/socket/message.ts";

/** Every frame as text. */
function texts(input: MessageLike | MessageLike[]): string[] {
  const outgoing = toOutgoing(input);
  const frames = outgoing instanceof Uint8Array ? [outgoing] : outgoing;
  return frames.map((frame) => new TextDecoder().decode(frame));
}

test("text, numbers and null become bytes; bytes stay what they are", () => {
  assertEquals(texts("grün €😀"), ["grün €😀"]);
  assertEquals([texts(""), texts(null), texts(0), texts(-1.5), texts(NaN)], [[""], [""], ["0"], ["-1.5"], [
    "NaN",
  ]]);
  const bytes = Uint8Array.of(1, 2);
  assert(toOutgoing(bytes) === bytes);
  const list = [bytes, bytes];
  assert(toOutgoing(list) === list, "no copy where none is needed");
});

test("every view and every buffer is taken for its own bytes, offset and length included", () => {
  const buffer = new Uint8Array([9, 9, 0x61, 0x62, 9, 9]).buffer;
  for (
    const part of [
      new DataView(buffer, 2, 2),
      new Uint8ClampedArray(buffer, 2, 2),
      new Int8Array(buffer, 2, 2),
      new Uint16Array(buffer, 2, 1),
      Buffer.from(buffer, 2, 2),
    ]
  ) {
    assertEquals(texts(part), ["ab"], part.constructor.name);
  }
  assertEquals([...(toOutgoing(buffer) as Uint8Array)], [9, 9, 0x61, 0x62, 9, 9]);
  const shared = new SharedArrayBuffer(2);
  new Uint8Array(shared).set([0x61, 0x62]);
  assertEquals(texts([shared, "x"]).length, 2);
});

test("a list of one is that frame, a mixed list is made of bytes throughout", () => {
  assert(toOutgoing(["x"]) instanceof Uint8Array);
  assertEquals(texts(["a", Uint8Array.of(0x62), null, 3]), ["a", "b", "", "3"]);
});

test("anything else is refused, and the error says what is allowed", () => {
  for (
    const wrong of [undefined, {}, true, 1n, Symbol("s"), () => {}, new Map(), [[]], ["a", {}], [undefined]]
  ) {
    const error = assertThrows(() => toOutgoing(wrong as MessageLike), MisuseError);
    assertEquals(error.code, "ERR_MESSAGE");
    assert(error.message.includes("Uint8Array"), error.message);
  }
  assertEquals(assertThrows(() => toOutgoing([]), MisuseError).code, "ERR_MESSAGE");
});

test("bytes are counted over all frames", () => {
  assertEquals([
    messageBytes(new Uint8Array(7)),
    messageBytes([new Uint8Array(7), new Uint8Array(0), new Uint8Array(1)]),
  ], [7, 8]);
});

test("what is kept for later is a copy of small bodies and the large ones themselves; a Buffer's copy is one, too", () => {
  const [small, large] = [Buffer.from("small"), new Uint8Array(16_384)];
  const kept = keepForLater([small, large]) as Uint8Array[];
  small.fill(0x78);
  assertEquals([new TextDecoder().decode(kept[0]), kept[1] === large], ["small", true]);
  assertEquals(kept[0]!.constructor, Uint8Array);
  assert(keepForLater(large) === large);
});

test("what cannot be sent is named as what it is", () => {
  const cases: readonly (readonly [unknown, string])[] = [
    [{ a: 1 }, "Cannot send a plain object (JSON.stringify makes text of it):"],
    [Object.create(null), "Cannot send a plain object (JSON.stringify makes text of it):"],
    [["one", ["two"]], "Cannot send an array inside a message:"],
    [new Map(), "Cannot send a Map:"],
    [new Date(0), "Cannot send a Date:"],
    [undefined, "Cannot send undefined:"],
    [true, "Cannot send a boolean:"],
    [5n, "Cannot send a bigint:"],
    [() => {}, "Cannot send a function:"],
  ];
  for (const [input, said] of cases) {
    const error = assertThrows(() => toOutgoing(input as MessageLike), MisuseError);
    assertEquals(error.code, "ERR_MESSAGE");
    assertStringIncludes(error.message, said);
  }
});
