import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { copyInto, keyAfter, maskInto, MaskKeys, maskKeysOf, wordsOf } from "../../../src/websocket/mask.ts";
import { Random, World } from "../../support/world.ts";

/** RFC 6455 §5.3, letter by letter. */
function naive(bytes: Uint8Array, key: number, from = 0): Uint8Array {
  const octets = [key, key >> 8, key >> 16, key >> 24];
  return bytes.map((byte, index) => byte ^ octets[(index + from) % 4]!);
}

test("bytes are masked as the RFC says, at every length and place, into other memory and into their own", () => {
  const seed = 1 + Math.floor(Math.random() * 1e9);
  const random = new Random(seed);
  for (let round = 0; round < 2_000; round++) {
    const [count, from, to] = [random.integer(0, 70), random.integer(0, 9), random.integer(0, 9)];
    const key = random.integer(-0x8000_0000, 0x7fff_ffff);
    const source = new Uint8Array(100).map(() => random.integer(0, 255));
    const expected = naive(source.slice(from, from + count), key);
    const target = wordsOf(new Uint8Array(100).fill(0xaa));
    maskInto(wordsOf(source), from, target, to, count, key);
    assertEquals(target.bytes.slice(to, to + count), expected, `seed ${seed}`);
    assert(target.bytes.every((byte, index) => byte === 0xaa || (index >= to && index < to + count)));
    const own = wordsOf(source);
    const place = Math.min(from, to);
    maskInto(own, from, own, place, count, key);
    assertEquals(own.bytes.slice(place, place + count), expected, `seed ${seed}, in place`);
  }
});

test("a payload that comes in parts is masked by the same key throughout", () => {
  const bytes = new Uint8Array(50).map((_, index) => index);
  const key = 0x81_02_f3_04 | 0;
  for (let cut = 0; cut <= bytes.length; cut++) {
    const words = wordsOf(bytes.slice());
    maskInto(words, 0, words, 0, cut, key);
    maskInto(words, cut, words, cut, bytes.length - cut, keyAfter(key, cut));
    assertEquals(words.bytes, naive(bytes, key), `cut at ${cut}`);
  }
});

test("copies of every length are exact, also to an overlapping place in front", () => {
  for (const count of [0, 1, 3, 4, 15, 16, 127, 128, 129, 5_000]) {
    const bytes = new Uint8Array(count + 10).map((_, index) => index * 5);
    const expected = bytes.slice(7, 7 + count);
    const target = wordsOf(new Uint8Array(count + 2));
    copyInto(wordsOf(bytes), 7, target, 1, count);
    assertEquals(target.bytes.slice(1, 1 + count), expected);
    const own = wordsOf(bytes);
    copyInto(own, 7, own, 5, count);
    assertEquals(own.bytes.slice(5, 5 + count), expected);
  }
});

test("keys are random, come from the host, and are used once", () => {
  const { host } = new World(3);
  const keys = maskKeysOf(host);
  assertEquals(maskKeysOf(host), keys);
  const drawn = new Set(Array.from({ length: 10_000 }, () => keys.next()));
  assert(drawn.size > 9_990, `${drawn.size} of 10 000 keys differ`);
  let draws = 0;
  const counted = new MaskKeys({ ...host, random: (into) => (draws++, host.random(into)) });
  for (let i = 0; i < 2_048; i++) counted.next();
  assertEquals(draws, 1);
  counted.next();
  assertEquals(draws, 2);
});
