import { test } from "node:test";
import { assert, assertEquals, assertInstanceOf, assertStringIncludes, assertThrows } from "@std/assert";
import { concat } from "../../../src/bytes/bytes.ts";
import { encodeUtf8 } from "../../../src/bytes/utf8.ts";
import { BugError, MisuseError } from "../../../src/errors.ts";
import {
  BatchBuilder,
  recordBytes,
  type RecordOptions,
  recordTooLarge,
} from "../../../src/log/wire/batch_builder.ts";
import { LogError } from "../../../src/log/errors.ts";
import { RecordBatch } from "../../../src/log/wire/record.ts";
import fc, { type Arbitrary } from "../../support/properties.ts";

type Value = Uint8Array | string;
type Input = readonly [Value, RecordOptions | undefined];

function bytes(value: Value): Uint8Array {
  return typeof value === "string" ? encodeUtf8(value) : value;
}

function u16(value: number): Uint8Array {
  return Uint8Array.of(value, value >> 8);
}

/** A record as the box in record.ts says, piece by piece. */
function naive([value, { key = "", headers = {}, timestampMs } = {}]: Input): Uint8Array {
  const time = new Uint8Array(8);
  new DataView(time.buffer).setBigUint64(0, BigInt(timestampMs ?? 0), true);
  const block = concat([
    ...(timestampMs === undefined ? [] : [Uint8Array.of(0, 8, 0), time]),
    ...Object.entries(headers).flatMap(([name, content]) => [
      Uint8Array.of(bytes(name).length),
      bytes(name),
      u16(bytes(content).length),
      bytes(content),
    ]),
  ]);
  const rest = concat([u16(bytes(key).length), u16(block.length), bytes(key), block, bytes(value)]);
  const length = rest.length;
  return concat([Uint8Array.of(length, length >> 8, length >> 16, length >> 24), rest]);
}

const bytesOrText: Arbitrary<Value> = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.string({ maxLength: 40 }),
  fc.string({ unit: "binary", maxLength: 40 }),
);
const options: Arbitrary<RecordOptions | undefined> = fc.option(
  fc.record({
    key: bytesOrText,
    headers: fc.dictionary(fc.string({ unit: "binary", minLength: 1, maxLength: 60 }), bytesOrText, {
      maxKeys: 3,
    }),
    timestampMs: fc.maxSafeNat(),
  }, { requiredKeys: [] }),
  { nil: undefined },
);
const record: Arbitrary<Input> = fc.tuple(bytesOrText, options);

test("any records stand back to back as piece by piece, up to the first that does not fit", () => {
  fc.assert(fc.property(fc.array(record), fc.nat(2_000), (inputs, capacity) => {
    const builder = new BatchBuilder(new Uint8Array(capacity));
    const expected: Uint8Array[] = [];
    for (const [value, given] of inputs) {
      const one = naive([value, given]);
      assertEquals(recordBytes(value, given), one.length);
      const before = builder.body().slice();
      const fits = builder.bytes + one.length <= capacity;
      assertEquals(builder.append(value, given), fits);
      if (fits) expected.push(one);
      else assertEquals(builder.body(), before);
      assertEquals(builder.count, expected.length);
    }
    assertEquals(builder.body(), concat(expected));
    assertEquals(builder.bytes, concat(expected).length);
  }));
});

test("what is built is read again", () => {
  fc.assert(fc.property(fc.array(record, { minLength: 1, maxLength: 20 }), (inputs) => {
    const builder = new BatchBuilder(new Uint8Array(65_536));
    for (const [value, given] of inputs) assert(builder.append(value, given));
    const batch = RecordBatch.open(builder.body(), { position: 0n, timestampMs: 0, count: builder.count });
    assert(!(batch instanceof LogError), String(batch));
    for (const [index, one] of batch.records().entries()) {
      const [value, { key = "", headers = {}, timestampMs } = {}] = inputs[index]!;
      assertEquals(one.value, bytes(value));
      assertEquals(one.key, bytes(key).length === 0 ? undefined : bytes(key));
      assertEquals(
        [...one.headers],
        Object.entries(headers).map(([name, content]) => [name, bytes(content)]),
      );
      assertEquals(one.producerTimestampMs, timestampMs);
    }
  }));
});

test("a record of exactly the memory's bytes fits, one of a byte more does not, whatever its kind", () => {
  const text = "wörld €";
  const kinds: readonly (readonly [Value, RecordOptions | undefined])[] = [
    ["short", undefined],
    [text, undefined],
    ["a text of more than sixteen characters", undefined],
    ["ein längerer Text mit mehr als sechzehn Zeichen €", undefined],
    [encodeUtf8(text), undefined],
    [text, { key: "k" }],
    ["", undefined],
  ];
  for (const [value, given] of kinds) {
    const needed = recordBytes(value, given);
    const tight = new BatchBuilder(new Uint8Array(needed));
    assert(tight.append(value, given), `${String(value)} in ${needed}`);
    assertEquals(tight.body(), naive([value, given]));
    const small = new BatchBuilder(new Uint8Array(needed - 1));
    assertEquals(small.append(value, given), false, String(value));
    assertEquals([small.count, small.bytes], [0, 0]);
  }
});

test("short texts are the same bytes with and without letters beyond ASCII, whatever their length", () => {
  for (let length = 0; length < 40; length++) {
    for (const odd of ["", "é", "€", "😀", "\ud800"]) {
      for (const text of [odd + "x".repeat(length), "x".repeat(length) + odd]) {
        const builder = new BatchBuilder(new Uint8Array(200));
        assert(builder.append("before") && builder.append(text) && builder.append("behind"));
        assertEquals(
          builder.body(),
          concat(["before", text, "behind"].map((one) => naive([one, undefined]))),
        );
      }
    }
  }
});

test("reset() begins anew, in the same memory or in other memory", () => {
  const first = new Uint8Array(64);
  const builder = new BatchBuilder(first);
  assert(builder.append("one"));
  const body = builder.body();
  assertEquals([body.buffer, body.byteOffset], [first.buffer, 0]);
  builder.reset();
  assertEquals([builder.count, builder.bytes, builder.capacity], [0, 0, 64]);
  assert(builder.append("two"));
  assertEquals(builder.body(), naive(["two", undefined]));
  const second = new Uint8Array(200).subarray(50, 150);
  builder.reset(second);
  assert(builder.append("three", { key: "k" }));
  assertEquals(builder.capacity, 100);
  assertEquals(builder.body().byteOffset, 50);
  assertEquals(builder.body(), naive(["three", { key: "k" }]));
  assertEquals(first.subarray(0, 11), naive(["two", undefined]), "the first memory is as it was left");
});

test("memory of 512 MiB or more could not be told apart from a codec", () => {
  const huge = { length: 0x2000_0000, buffer: new ArrayBuffer(0), byteOffset: 0 } as unknown as Uint8Array;
  const builder = new BatchBuilder(new Uint8Array(8));
  assertThrows(() => builder.reset(huge), BugError);
});

test("options out of their ranges are refused with field, value and range, and nothing changes", () => {
  const wrong: readonly (readonly [RecordOptions, string])[] = [
    [{ key: new Uint8Array(65_536) }, "key has 65536 bytes; 0 to 65535 are legal"],
    [{ key: 5 as unknown as string }, "key is number; a Uint8Array or a string is expected"],
    [{ headers: { "": "a" } }, "the name of a header has 0 bytes; 1 to 255 are legal"],
    [{ headers: { ["é".repeat(128)]: "a" } }, "the name of a header has 256 bytes; 1 to 255 are legal"],
    [{ headers: { a: null as unknown as string } }, 'the header "a" is null; a Uint8Array or a string'],
    [{ headers: { a: new Uint8Array(65_533) } }, "headers have 65537 bytes"],
    [{ headers: { a: new Uint8Array(65_522) }, timestampMs: 1 }, "headers have 65537 bytes"],
    [{ timestampMs: -1 }, "timestampMs is -1; integers from 0 to 2^53-1 are legal"],
    [{ timestampMs: 1.5 }, "timestampMs is 1.5"],
    [{ timestampMs: 2 ** 53 }, "timestampMs is 9007199254740992"],
  ];
  const builder = new BatchBuilder(new Uint8Array(200_000));
  assert(builder.append("before"));
  const before = builder.body().slice();
  for (const [given, message] of wrong) {
    for (const refused of [() => builder.append("value", given), () => recordBytes("value", given)]) {
      const error = assertThrows(refused, MisuseError);
      assertEquals(error.code, "ERR_MESSAGE");
      assertStringIncludes(error.message, message);
    }
  }
  for (const value of [5, null, undefined, {}, [1, 2], new ArrayBuffer(3)]) {
    for (const given of [undefined, { key: "k" }]) {
      const error = assertThrows(() => builder.append(value as unknown as string, given), MisuseError);
      assertStringIncludes(error.message, "value is");
    }
  }
  assertEquals(builder.body(), before);
  assertEquals(builder.count, 1);
});

test("keys and headers may be as large as their lengths can tell", () => {
  const builder = new BatchBuilder(new Uint8Array(200_000));
  const given: RecordOptions = {
    key: new Uint8Array(65_535).fill(1),
    headers: { ["n".repeat(255)]: new Uint8Array(65_535 - 3 - 255).fill(2) },
  };
  assert(builder.append("v", given));
  assertEquals(builder.body(), naive(["v", given]));
});

test("a record that no batch can hold is told with its bytes and the batch's", () => {
  const error = recordTooLarge(recordBytes(new Uint8Array(100)), 64);
  assertInstanceOf(error, MisuseError);
  assertEquals(error.code, "ERR_MESSAGE");
  assertStringIncludes(error.message, "108 bytes");
  assertStringIncludes(error.message, "batchBytes is 64");
});
