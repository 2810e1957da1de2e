import { test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "../support/properties.ts";
import { asciiBytes } from "../../src/bytes/bytes.ts";
import { BugError } from "../../src/errors.ts";
import {
  acceptMechanism,
  encodeGreeting,
  GreetingDecoder,
  understandsSubscribeCommand,
} from "../../src/zmtp/greeting.ts";
import { forEachChunking } from "../conformance/chunks.ts";

function decode(chunks: readonly Uint8Array[]) {
  const decoder = new GreetingDecoder();
  let consumed = 0;
  for (const chunk of chunks) consumed += decoder.push(chunk, 0);
  return { consumed, result: decoder.result, error: decoder.error?.code };
}

function greetingWith(changes: Readonly<Record<number, number>>): Uint8Array {
  const greeting = encodeGreeting({ mechanism: "NULL", asServer: false });
  for (const [at, byte] of Object.entries(changes)) greeting[Number(at)] = byte;
  return greeting;
}

test("encodeGreeting() writes 64 bytes: signature, 3.1, mechanism, as-server, and zeros", () => {
  const expected = new Uint8Array(64);
  expected[0] = 0xff;
  expected[9] = 0x7f;
  expected[10] = 3;
  expected[11] = 1;
  expected.set(asciiBytes("NULL"), 12);
  assertEquals(encodeGreeting({ mechanism: "NULL", asServer: false }), expected);
  expected.set(asciiBytes("CURVE"), 12);
  expected[32] = 1;
  expected[11] = 0;
  assertEquals(encodeGreeting({ mechanism: "CURVE", asServer: true, minor: 0 }), expected);
});

test("encodeGreeting() takes a mechanism's name of 20 characters, and none that is longer, empty or not ASCII", () => {
  const name = "ABCDEFGHIJKLMNOPQRST";
  const greeting = encodeGreeting({ mechanism: name, asServer: false });
  assertEquals(decode([greeting]).result?.mechanism, name);
  for (const mechanism of [`${name}U`, "", "NÜLL"]) {
    assertThrows(() => encodeGreeting({ mechanism, asServer: false }), BugError);
  }
});

test("GreetingDecoder reads a greeting cut anywhere, and leaves what follows to the first frame", () => {
  const stream = new Uint8Array(70);
  stream.set(encodeGreeting({ mechanism: "PLAIN", asServer: true }));
  stream.set([4, 4, 9, 9, 9, 9], 64);
  forEachChunking(stream, (chunks, size) => {
    assertEquals(
      decode(chunks),
      { consumed: 64, result: { major: 3, minor: 1, mechanism: "PLAIN", asServer: true }, error: undefined },
      `chunks of ${size}`,
    );
  });
});

test("GreetingDecoder begins at the offset that it is given", () => {
  const chunk = new Uint8Array(70);
  chunk.set(encodeGreeting({ mechanism: "NULL", asServer: false }), 3);
  const decoder = new GreetingDecoder();
  assertEquals(decoder.push(chunk, 3), 64);
  assertEquals(decoder.result?.mechanism, "NULL");
  assertEquals(decoder.push(chunk, 0), 0);
});

test("GreetingDecoder has no result before the 64th byte", () => {
  const greeting = encodeGreeting({ mechanism: "NULL", asServer: false });
  for (let bytes = 0; bytes < 64; bytes++) {
    assertEquals(decode([greeting.slice(0, bytes)]), {
      consumed: bytes,
      result: undefined,
      error: undefined,
    });
  }
});

test("GreetingDecoder refuses any first byte but FF at once", () => {
  for (let first = 0; first < 0xff; first++) {
    assertEquals(decode([greetingWith({ 0: first })]), {
      consumed: 1,
      result: undefined,
      error: "ERR_PEER_VERSION",
    });
  }
});

test("GreetingDecoder looks only at the lowest bit of the tenth byte", () => {
  for (let byte = 0; byte <= 0xff; byte++) {
    const { consumed, error } = decode([greetingWith({ 9: byte })]);
    const odd = (byte & 1) === 1;
    assertEquals(consumed, odd ? 64 : 10, `byte ${byte}`);
    assertEquals(error, odd ? undefined : "ERR_PEER_VERSION", `byte ${byte}`);
  }
});

test("GreetingDecoder refuses major versions below 3 at their byte and takes all others", () => {
  for (let major = 0; major <= 0xff; major++) {
    const { consumed, error, result } = decode([greetingWith({ 10: major })]);
    assertEquals(consumed, major >= 3 ? 64 : 11);
    assertEquals(error, major >= 3 ? undefined : "ERR_PEER_VERSION");
    assertEquals(result?.major, major >= 3 ? major : undefined);
  }
});

test("GreetingDecoder names the version that it refuses", () => {
  for (
    const [changes, version] of [[{ 0: 1 }, "1.0"], [{ 9: 0 }, "1.0"], [{ 10: 0 }, "1.0"], [
      { 10: 1 },
      "2.0",
    ]] as const
  ) {
    const decoder = new GreetingDecoder();
    decoder.push(greetingWith(changes), 0);
    assert(decoder.error!.message.includes(`ZMTP ${version}`), decoder.error!.message);
  }
});

test("GreetingDecoder stays refused: no later byte is consumed", () => {
  const decoder = new GreetingDecoder();
  decoder.push(Uint8Array.of(1), 0);
  const error = decoder.error;
  assertEquals(decoder.push(encodeGreeting({ mechanism: "NULL", asServer: false }), 0), 0);
  assertEquals(decoder.error, error);
  assertEquals(decoder.result, undefined);
});

test("padding, filler and the as-server byte decide nothing", () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 64, maxLength: 64 }), (noise) => {
    const greeting = noise.slice();
    const proper = encodeGreeting({ mechanism: "NULL", asServer: false });
    greeting[0] = proper[0]!;
    greeting.set(proper.subarray(9, 32), 9);
    const { result, error } = decode([greeting]);
    assertEquals(error, undefined);
    assertEquals(result, { major: 3, minor: 1, mechanism: "NULL", asServer: noise[32] === 1 });
  }));
});

test("acceptMechanism() compares all 20 bytes", () => {
  const name = asciiBytes("NULL");
  for (let at = 0; at < 20; at++) {
    const greeting = greetingWith({ [12 + at]: (name[at] ?? 0) ^ 1 });
    const error = acceptMechanism("NULL", decode([greeting]).result!);
    assertEquals(error?.code, "ERR_PEER_MECHANISM", `byte ${at} differs`);
  }
  assertEquals(acceptMechanism("NULL", decode([greetingWith({})]).result!), undefined);
  assertEquals(acceptMechanism("CURVE", decode([greetingWith({})]).result!)?.code, "ERR_PEER_MECHANISM");
});

test("acceptMechanism() tells a foreign name without obeying it", () => {
  const greeting = decode([greetingWith({ 12: 0x1b, 13: 0xff })]).result!;
  const { message } = acceptMechanism("NULL", greeting)!;
  assert(message.includes('"\\x1b\\xffLL"'), message);
});

test("understandsSubscribeCommand() asks for 3.1, or any later major version", () => {
  const base = { mechanism: "NULL", asServer: false };
  const answers = [[3, 0], [3, 1], [3, 2], [4, 0]].map(([major, minor]) =>
    understandsSubscribeCommand({ ...base, major: major!, minor: minor! })
  );
  assertEquals(answers, [false, true, true, true]);
});

test("random bytes in random chunks give a greeting or a PeerError, the same as in one piece", () => {
  const almost = fc.uint8Array({ maxLength: 100 }).map((noise) => {
    const bytes = noise.slice();
    if (bytes.length > 0) bytes[0] = 0xff;
    if (bytes.length > 10) bytes[10] = 3;
    return bytes;
  });
  fc.assert(
    fc.property(
      fc.oneof(fc.uint8Array({ maxLength: 100 }), almost),
      fc.integer({ min: 1, max: 70 }),
      (bytes, size) => {
        const chunks: Uint8Array[] = [];
        for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.slice(at, at + size));
        const cut = decode(chunks);
        assertEquals(cut, decode([bytes]));
        assert(cut.consumed <= 64);
        if (bytes.length >= 64) assert(cut.result !== undefined || cut.error !== undefined);
      },
    ),
  );
});
