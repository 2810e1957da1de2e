import { test } from "node:test";
import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { concat } from "../../../src/bytes/bytes.ts";
import { crc32 } from "../../../src/bytes/crc32.ts";
import { BugError } from "../../../src/errors.ts";
import {
  decodeMessage,
  encodeBatchHeader,
  encodeMessage,
  encodeRecordsHeader,
  isClientMessage,
  peekBatchHeader,
  WireError,
} from "../../../src/log/wire/codec.ts";
import {
  BODY_BYTES_AT,
  BODY_CRC_AT,
  HEADER_BYTES,
  HEADER_CRC_AT,
  TYPE_AT,
  TYPES,
  VERSION_AT,
} from "../../../src/log/wire/layout.ts";
import type { Batch, LogMessage, Records } from "../../../src/log/wire/messages.ts";
import { DISCARDED } from "../../../src/zmtp/frame_sink.ts";
import fc, { type Arbitrary } from "../../support/properties.ts";
import { MESSAGES } from "./wire_messages.ts";

const ALL: readonly (readonly [string, Arbitrary<LogMessage>])[] = Object.entries(MESSAGES);
const ANY: Arbitrary<LogMessage> = fc.oneof(...ALL.map(([, message]) => message));

/** The frames as they arrive: with the bodies that others append, and in the middle of other memory. */
function arrived(message: LogMessage): Uint8Array[] {
  const frames = encodeMessage(message, crc32);
  if (message.type === "batch") frames.push(new Uint8Array(message.bodyBytes));
  if (message.type === "records") {
    for (const { bodyBytes } of message.entries) frames.push(new Uint8Array(bodyBytes));
  }
  return frames.map((frame) => concat([Uint8Array.of(1, 2, 3), frame, Uint8Array.of(4)]).subarray(3, -1));
}

/** A header as it is, but for the CRCs, which are made right. */
function sealed(header: Uint8Array, body: Uint8Array | undefined): Uint8Array {
  const copy = header.slice();
  const view = new DataView(copy.buffer);
  if (body !== undefined) {
    view.setUint32(BODY_BYTES_AT, body.length, true);
    view.setUint32(BODY_CRC_AT, crc32(body, 0), true);
  }
  view.setUint32(HEADER_CRC_AT, crc32(copy.subarray(0, HEADER_CRC_AT), 0), true);
  return copy;
}

const BATCH: Batch = {
  type: "batch",
  session: 5n,
  epoch: 2,
  batch: 7,
  count: 3,
  lastSequence: undefined,
  bodyBytes: 30,
  bodyCrc: 99,
};

for (const [type, messages] of ALL) {
  test(`any "${type}" comes out of its frames as it went in`, () => {
    fc.assert(fc.property(messages, (message) => {
      const decoded = decodeMessage(arrived(message), crc32);
      assertEquals(decoded, message);
      assertEquals((decoded as LogMessage).type, type);
    }));
  });
}

test("any message's first frame has 64 bytes, and tells allocators whether a batch follows", () => {
  fc.assert(fc.property(ANY, (message) => {
    const [header] = encodeMessage(message, crc32);
    assertEquals(header!.length, HEADER_BYTES);
    assertEquals(peekBatchHeader(header!, crc32), message.type === "batch" ? message : "control");
  }));
});

test("types have numbers of their own, odd ones for what clients send", () => {
  assertEquals(new Set(Object.values(TYPES)).size, ALL.length);
  const fromClients = ALL.flatMap(([type, messages]) =>
    isClientMessage(fc.sample(messages, 1)[0]!) ? [type] : []
  );
  assertEquals(fromClients.sort(), [
    "batch",
    "closeConsumer",
    "closeSession",
    "commit",
    "credit",
    "hello",
    "openConsumer",
    "openSession",
    "openTopic",
    "read",
    "status",
    "subscribe",
    "trim",
    "unsubscribe",
    "unsupported",
    "yield",
  ]);
});

test("random frames never throw and are never read", () => {
  const frame = fc.uint8Array({ maxLength: 200 });
  const header = fc.uint8Array({ minLength: HEADER_BYTES, maxLength: HEADER_BYTES });
  fc.assert(fc.property(fc.oneof(frame, header), fc.array(frame, { maxLength: 3 }), (first, rest) => {
    assertInstanceOf(decodeMessage([first, ...rest], crc32), WireError);
    assertInstanceOf(peekBatchHeader(first, crc32), WireError);
  }));
});

test("whatever stands under right CRCs, nothing throws, and what is read is written the same way again", () => {
  // Headers of one type with some fields of another, and bodies that fit neither.
  const mixed = fc.tuple(
    ANY,
    ANY,
    fc.array(fc.nat(HEADER_BYTES - 5), { maxLength: 6 }),
    fc.option(fc.oneof(fc.uint8Array({ minLength: 1, maxLength: 80 }), fc.json().map(encode)), {
      nil: undefined,
    }),
  );
  let read = 0;
  fc.assert(
    fc.property(mixed, ([one, other, swaps, body]) => {
      const frames = arrived(one);
      const header = frames[0]!.slice();
      const donor = encodeMessage(other, crc32)[0]!;
      for (const at of swaps) if (at >= 4) header[at] = donor[at]!;
      const changed = [
        sealed(header, body ?? (one.type === "batch" ? undefined : frames[1])),
        ...(body === undefined ? frames.slice(1) : [body]),
      ];
      const decoded = decodeMessage(changed, crc32);
      peekBatchHeader(changed[0]!, crc32);
      if (decoded instanceof WireError || decoded.type === "unknown") return;
      read++;
      assertEquals(encodeMessage(decoded, crc32)[0]!.subarray(0, BODY_BYTES_AT), changed[0]!.subarray(0, 48));
    }),
    { numRuns: 2_000 },
  );
  assert(read > 200, `only ${read} were read`);
});

test("any type and version under a right CRC is read, unknown, or an error with the request", () => {
  for (let type = 0; type < 256; type++) {
    for (const version of [0, 1, 2, 255]) {
      const header = new Uint8Array(HEADER_BYTES);
      header[VERSION_AT] = version;
      header[TYPE_AT] = type;
      header[4] = 7;
      const decoded = decodeMessage([sealed(header, undefined)], crc32);
      if (decoded instanceof WireError) assertEquals(decoded.request, 7);
      else if (decoded.type === "unknown") {
        assertEquals(decoded, { type: "unknown", request: 7, unknownType: type });
        assertEquals(version, 1);
        assert(!Object.values(TYPES).includes(type));
      }
    }
  }
});

test("a batch whose body was discarded is a batch; any other discarded body is malformed", () => {
  assertEquals(decodeMessage([encodeBatchHeader(BATCH, crc32), DISCARDED], crc32), BATCH);
  assertInstanceOf(
    decodeMessage([encodeBatchHeader(BATCH, crc32), new Uint8Array(0)], crc32),
    WireError,
  );
  const [trim] = encodeMessage({ type: "trim", request: 3, topic: "a", before: 1n }, crc32);
  const refused = decodeMessage([trim!, DISCARDED], crc32);
  assertInstanceOf(refused, WireError);
  assertEquals([refused.code, refused.request], ["ERR_LOG_MALFORMED", 3]);
});

test("a batch's header may be written again and again to the same memory", () => {
  const into = new Uint8Array(HEADER_BYTES).fill(0xff);
  for (const batch of [{ ...BATCH, lastSequence: 1n << 63n }, BATCH]) {
    assertEquals(encodeBatchHeader(batch, crc32, into), encodeBatchHeader(batch, crc32));
    assertEquals(peekBatchHeader(into, crc32), batch);
  }
  assertThrows(() => encodeBatchHeader(BATCH, crc32, new Uint8Array(63)), BugError);
});

test("records are encoded without their bodies, and without batches as one frame", () => {
  const records: Records = {
    type: "records",
    request: 0,
    cursor: 1,
    position: 5n,
    tail: 6n,
    generation: 0,
    entries: [],
  };
  assertEquals(encodeRecordsHeader(records, crc32).length, 1);
  const entry = { position: 5n, timestampMs: 0, count: 1, bodyBytes: 9, bodyCrc: 0 };
  assertEquals(encodeRecordsHeader({ ...records, entries: [entry] }, crc32).map(({ length }) => length), [
    64,
    32,
  ]);
});

test("JSON that is nested as deep as a body is long does no harm", () => {
  const depth = 30_000;
  const text = `{"topic":"a","later":${"[".repeat(depth)}${"]".repeat(depth)}}`;
  const header = encodeMessage({ type: "openTopic", request: 1, topic: "a", options: {} }, crc32)[0]!;
  const decoded = decodeMessage([sealed(header, encode(text)), encode(text)], crc32);
  // Where a runtime refuses to go so deep, it is malformed.
  if (decoded instanceof WireError) assertEquals(decoded.code, "ERR_LOG_MALFORMED");
  else assertEquals(decoded, { type: "openTopic", request: 1, topic: "a", options: {} });
});

test("numbers that their fields cannot hold are bugs of ours, and are not written", () => {
  const wrong: readonly LogMessage[] = [
    { ...BATCH, epoch: -1 },
    { ...BATCH, epoch: 0x1_0000_0000 },
    { ...BATCH, count: 1.5 },
    { ...BATCH, batch: 2 ** 53 },
    { ...BATCH, session: -1n },
    { ...BATCH, lastSequence: 1n << 64n },
    { type: "credit", cursor: NaN, consumedBytes: 0 },
    { type: "credit", cursor: 1, consumedBytes: -1 },
    { type: "status", request: Infinity },
    { type: "done", request: 1, position: 1n << 64n },
    { type: "fenced", session: 1n, epoch: 1, nextBatch: 0, reason: "whim" as "gap" },
    {
      type: "ack",
      session: 1n,
      epoch: 1,
      nextBatch: 0,
      nextSyncedBatch: 0,
      limit: 0,
      runs: [{ batch: 0, batches: -1, position: 0n }],
    },
  ];
  for (const message of wrong) assertThrows(() => encodeMessage(message, crc32), BugError);
});

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
