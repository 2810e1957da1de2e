import { test } from "node:test";
import { assert, assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import { LogError } from "../../../src/log/errors.ts";
import { BatchBuilder } from "../../../src/log/wire/batch_builder.ts";
import { checkRecords, RecordBatch } from "../../../src/log/wire/record.ts";
import fc from "../../support/properties.ts";

const OPTIONS = { key: "key", headers: { a: "1", longer: "two" }, timestampMs: 1_700_000_000_000 };

function sample(): { readonly body: Uint8Array; readonly count: number } {
  const builder = new BatchBuilder(new Uint8Array(1_000));
  for (let index = 0; index < 5; index++) {
    builder.append(`value ${index}`, index % 2 === 0 ? undefined : OPTIONS);
  }
  return { body: builder.body(), count: builder.count };
}

function opened(body: Uint8Array, count: number, position = 0n): RecordBatch {
  const batch = RecordBatch.open(body, { position, timestampMs: 42, count });
  assert(!(batch instanceof LogError), String(batch));
  return batch;
}

/** What a reader could see of a body, or the code of its refusal. Throws if a view would leave the body. */
function seen(body: Uint8Array, count: number): unknown {
  const batch = RecordBatch.open(body, { position: 0n, timestampMs: 0, count });
  if (batch instanceof LogError) return batch.code;
  return batch.records().map(({ value, key, headers, producerTimestampMs }) => {
    const views = [value, ...(key === undefined ? [] : [key]), ...headers.values()];
    for (const view of views) {
      assert(view.byteOffset >= body.byteOffset);
      assert(view.byteOffset + view.length <= body.byteOffset + body.length);
    }
    return { value, key, headers, producerTimestampMs };
  });
}

test("positions rise by one from the batch's, and the time is the batch's", () => {
  const { body, count } = sample();
  const records = opened(body, count, (1n << 63n) + 5n).records();
  assertEquals(records.map(({ position }) => position - (1n << 63n)), [5n, 6n, 7n, 8n, 9n]);
  assertEquals(records.map(({ timestampMs }) => timestampMs), [42, 42, 42, 42, 42]);
});

test("a record's bytes are views of its batch, made when they are asked for", () => {
  const { body, count } = sample();
  const [, second] = opened(body, count).records();
  assertStrictEquals(second!.value.buffer, body.buffer);
  assertStrictEquals(second!.value, second!.value);
  assertStrictEquals(second!.key!.buffer, body.buffer);
  assertStrictEquals(second!.headers, second!.headers);
  assertEquals(new TextDecoder().decode(second!.value), "value 1");
  assertEquals(new TextDecoder().decode(second!.key), "key");
  assertEquals([...second!.headers.keys()], ["a", "longer"]);
  assertEquals(second!.producerTimestampMs, 1_700_000_000_000);
});

test("a record without key, headers and time says so", () => {
  const { body, count } = sample();
  const [first] = opened(body, count).records();
  assertEquals([first!.key, first!.headers.size, first!.producerTimestampMs], [undefined, 0, undefined]);
});

test("a reader tells where values are, without making anything", () => {
  const { body, count } = sample();
  const batch = opened(body, count);
  const reader = batch.reader();
  assertEquals(reader.index, -1);
  for (const [index, record] of batch.records().entries()) {
    assertEquals(reader.next(), true);
    assertEquals(reader.index, index);
    const { valueAt, valueBytes } = reader;
    assertEquals(body.subarray(valueAt, valueAt + valueBytes), record.value);
    assertEquals(reader.keyBytes, record.key?.length ?? 0);
    assertEquals(reader.headersBytes > 0, record.headers.size > 0);
    assertEquals(reader.record().position, record.position);
  }
  assertEquals([reader.next(), reader.next(), reader.index], [false, false, count - 1]);
});

test("records() begins behind those that are skipped, and has none where all are", () => {
  const { body, count } = sample();
  const batch = opened(body, count, 10n);
  for (let skip = 0; skip <= count + 2; skip++) {
    const positions = batch.records(skip).map(({ position }) => position);
    assertEquals(positions, [10n, 11n, 12n, 13n, 14n].slice(skip));
  }
  const reader = batch.reader();
  reader.skip(2);
  assertEquals([reader.next(), reader.index], [true, 2]);
});

test("a body that ends early, at any byte, is refused", () => {
  const { body, count } = sample();
  for (let length = 0; length < body.length; length++) {
    const error = checkRecords(body.subarray(0, length), count);
    assertInstanceOf(error, LogError);
    assertEquals(error.code, "ERR_LOG_MALFORMED");
  }
  assertEquals(checkRecords(body, count), undefined);
  assertEquals(checkRecords(new Uint8Array(0), 0), undefined);
});

test("a body of other many records than it says is refused", () => {
  const { body, count } = sample();
  for (const wrong of [0, 1, count - 1, count + 1, 0xffff_ffff]) {
    assertInstanceOf(checkRecords(body, wrong), LogError, `${wrong}`);
  }
});

test("whatever stands in a body, no view leaves it and nothing throws", () => {
  const { body, count } = sample();
  let read = 0;
  for (let at = 0; at < body.length; at++) {
    for (let value = 0; value < 256; value++) {
      const changed = body.slice();
      changed[at] = value;
      const outcome = seen(changed, count);
      if (typeof outcome !== "string") read++;
      else assert(outcome === "ERR_LOG_MALFORMED" || outcome === "ERR_LOG_UNSUPPORTED");
    }
  }
  assert(read > body.length, "bytes of values may be anything");
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(12), (bytes, records) => {
    seen(bytes, records);
  }));
});

test("random structures of small numbers are refused or read whole", () => {
  // Small lengths make headers, keys and records meet at every border.
  const small = fc.array(fc.nat(12), { maxLength: 60 }).map((bytes) => Uint8Array.from(bytes));
  fc.assert(
    fc.property(small, fc.integer({ min: 1, max: 4 }), (bytes, count) => {
      const outcome = seen(bytes, count);
      if (typeof outcome !== "string") assertEquals((outcome as unknown[]).length, count);
    }),
    { numRuns: 3_000 },
  );
});
