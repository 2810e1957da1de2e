import { test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { crc32 } from "../../src/bytes/crc32.ts";
import { decodeMessage, WireError } from "../../src/log/wire/codec.ts";
import { TYPES } from "../../src/log/wire/layout.ts";
import { flips, type LogVector, playLog, readLogVectors, replaced } from "./log_player.ts";
import { bytesOf } from "./notation.ts";

const vectors = readLogVectors();

for (const { vector } of vectors) test(`${vector.spec}: ${vector.name}`, () => playLog(vector));

test("every vector names its clause, and no two prove the same sentence", () => {
  assert(vectors.length > 200, `only ${vectors.length} vectors were found`);
  const seen = new Set<string>();
  for (const { file, vector } of vectors) {
    assert(vector.spec.startsWith("log: ") && vector.name.length > 0, file);
    const sentence = `${vector.spec}: ${vector.name}`;
    assert(!seen.has(sentence), `${file} repeats "${sentence}"`);
    seen.add(sentence);
  }
});

test("every type of message has a vector that is played both ways, and one that is malformed", () => {
  const types = new Set(Object.values(TYPES));
  const good = new Set<number>();
  const bad = new Set<number>();
  for (const { vector } of vectors) {
    if (!("frames" in vector) || vector.frames.length === 0) continue;
    const type = bytesOf(vector.frames[0]!)[1]!;
    if (vector.play === "message") good.add(type);
    else if (vector.play === "message.decode" && vector.error !== undefined) bad.add(type);
  }
  assertEquals([...types].filter((type) => !good.has(type)), []);
  // What has fields of the header alone fails as every other type of that kind does.
  const alike = [
    TYPES.unsubscribe,
    TYPES.closeSession,
    TYPES.subscribed,
    TYPES.commit,
    TYPES.done,
    TYPES.consumerSuperseded,
    TYPES.closeConsumer,
    TYPES.refused,
  ];
  assertEquals([...types].filter((type) => !bad.has(type) && !alike.includes(type)), []);
});

test("no flipped bit makes another message of one: what is covered by a CRC is refused, and nothing throws", () => {
  let played = 0;
  for (const { vector } of vectors) {
    if (vector.play !== "message") continue;
    const frames = vector.frames.map(bytesOf);
    const carriesRecords = frames[0]![1] === TYPES.batch || frames[0]![1] === TYPES.records;
    for (const { frame, bit, frames: changed } of flips(frames)) {
      played++;
      const decoded = decodeMessage(changed, crc32);
      // The bodies of batches and records are checked by those who read them.
      const open = frame > (frames[0]![1] === TYPES.batch ? 0 : 1) && carriesRecords;
      assertEquals(decoded instanceof WireError, !open, `${vector.name}: bit ${bit} of frame ${frame}`);
    }
  }
  assert(played > 40_000, `${played} bits`);
});

test("no message is read where it ends early, at any byte of any frame", () => {
  for (const { vector } of vectors) {
    if (vector.play !== "message") continue;
    const frames = vector.frames.map(bytesOf);
    for (let frame = 0; frame < frames.length; frame++) {
      const lengths = frames[frame]!.length;
      for (let length = 0; length < lengths; length++) {
        const cut = replaced(frames, frame, frames[frame]!.subarray(0, length));
        assert(decodeMessage(cut, crc32) instanceof WireError, `${vector.name}: ${length} of frame ${frame}`);
      }
      if (frame > 0) {
        assert(decodeMessage(frames.slice(0, frame), crc32) instanceof WireError, vector.name);
      }
    }
    assert(decodeMessage([...frames, new Uint8Array(9)], crc32) instanceof WireError, vector.name);
  }
});

test("the player fails where a vector tells something else than the codec does", () => {
  const wrong = vectors.map(({ vector }): LogVector => {
    if (vector.play === "crc32") return { ...vector, crc: vector.crc + 1 };
    if (vector.play === "records.build") return { ...vector, body: `${vector.body} 00` };
    if (vector.play === "message" || vector.play === "message.encode") {
      return { ...vector, message: { ...vector.message as object, request: 77, batch: 77, cursor: 77 } };
    }
    return { ...vector, error: vector.error === undefined ? "ERR_LOG_MALFORMED" : "ERR_LOG_CLOSED" };
  });
  for (const vector of wrong) assertThrows(() => playLog(vector), Error, undefined, vector.name);
  const unknown = { ...wrong[0]!, play: "message.dance" } as unknown as LogVector;
  assertThrows(() => playLog(unknown), Error, "unknown play");
});
