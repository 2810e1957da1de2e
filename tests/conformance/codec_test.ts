import { test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { bytesOf } from "./notation.ts";
import { type CodecVector, playCodec, readVectors } from "./player.ts";

const vectors = readVectors<CodecVector | { play: "engine"; spec: string; name: string }>();

for (const { vector } of vectors) {
  if (vector.play !== "engine") test(`${vector.spec}: ${vector.name}`, () => playCodec(vector));
}

test("every vector names its clause, and no two prove the same sentence", () => {
  assert(vectors.length > 100, `only ${vectors.length} vectors were found`);
  const seen = new Set<string>();
  for (const { file, vector } of vectors) {
    assert(vector.spec.length > 0 && vector.name.length > 0, file);
    const sentence = `${vector.spec}: ${vector.name}`;
    assert(!seen.has(sentence), `${file} repeats "${sentence}"`);
    seen.add(sentence);
  }
});

test("the notation reads hexadecimal, text and repetition, and nothing else", () => {
  assertEquals(bytesOf(""), new Uint8Array(0));
  assertEquals(
    bytesOf("FF00 7f 'A b' 01*3 ''  'x'*2 "),
    Uint8Array.of(0xff, 0, 0x7f, 0x41, 0x20, 0x62, 1, 1, 1, 0x78, 0x78),
  );
  for (const wrong of ["F", "FFF", "GG", "'a", "'a'b", "00*", "00 * 3", "é"]) {
    assertThrows(() => bytesOf(wrong), SyntaxError, undefined, wrong);
  }
});

test("the player fails where a vector tells something else than the codec does", () => {
  const wrong = vectors.flatMap(({ vector }): CodecVector[] => {
    if (vector.play === "engine") return [];
    if ("out" in vector) return [{ ...vector, out: `${vector.out} 00` }];
    if (vector.play === "subscription.decode") {
      return [{ ...vector, subscription: { name: "ERROR", reason: "" } }];
    }
    const error = "error" in vector ? "ERR_PEER_BODY_CHANGED" : "ERR_PEER_METADATA";
    return [{ ...vector, error } as CodecVector];
  });
  assert(wrong.length > 100);
  for (const vector of wrong) {
    // The bodies of the largest are played often enough above.
    if ("in" in vector && vector.in.includes("65536")) continue;
    assertThrows(() => playCodec(vector), Error, undefined, vector.name);
  }
  assertThrows(
    () => playCodec({ ...wrong[0]!, play: "greeting.dance" } as unknown as CodecVector),
    Error,
    "unknown play",
  );
});
