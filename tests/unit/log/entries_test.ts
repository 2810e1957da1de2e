import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "../../support/properties.ts";
import { concat } from "../../../src/bytes/bytes.ts";
import { crc32 } from "../../../src/bytes/crc32.ts";
import {
  decodeEntryHeader,
  decodeRound,
  encodeEntry,
  encodeEntryHeader,
  encodeRound,
  ENTRY_HEADER_BYTES,
  ENTRY_MARK,
  ENTRY_TYPES,
  entryBytes,
  type EntryType,
  FORMAT_VERSION,
  ORDER_HEAD_BYTES,
  ORDER_ROW_BYTES,
  type OrderRow,
} from "../../../src/log/order/entries.ts";
import { rowOf } from "./entries_bench.ts";

const TYPES = Object.keys(ENTRY_TYPES) as EntryType[];
const U64_MAX = 0xffff_ffff_ffff_ffffn;

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const u64 = fc.bigInt({ min: 0n, max: U64_MAX });
const offsets = fc.oneof(
  fc.integer({ min: 0, max: 1_000 }),
  fc.constantFrom(2 ** 32 - 8, 2 ** 32, 2 ** 32 + 8, 2 ** 40, Number.MAX_SAFE_INTEGER),
);

/** A header with a checksum that is right, whatever it says. */
function signed(header: Uint8Array): Uint8Array {
  const view = new DataView(header.buffer, header.byteOffset, header.length);
  view.setUint32(44, crc32(header.subarray(0, 44), 0), true);
  return header;
}

test("a header reads as it was written, at any place and any offset", () => {
  fc.assert(fc.property(
    fc.record({
      type: fc.constantFrom(...TYPES),
      flags: fc.integer({ min: 0, max: 255 }),
      id: u64,
      epoch: u32,
      count: u32,
      number: u64,
      bodyBytes: u32,
      bodyCrc: u32,
    }),
    offsets,
    fc.integer({ min: 0, max: 9 }),
    ({ type, ...fields }, offset, at) => {
      const header = encodeEntryHeader(type, fields, offset, crc32);
      assertEquals(header.length, ENTRY_HEADER_BYTES);
      const bytes = concat([new Uint8Array(at), header, new Uint8Array(3)]);
      assertEquals(decodeEntryHeader(bytes, at, offset, crc32), { type, version: FORMAT_VERSION, ...fields });
    },
  ));
});

test("every type has a number of its own, and fields that are not given are 0", () => {
  assertEquals(new Set(Object.values(ENTRY_TYPES)).size, TYPES.length);
  for (const type of TYPES) {
    assertEquals(decodeEntryHeader(encodeEntryHeader(type, {}, 0, crc32), 0, 0, crc32), {
      type,
      flags: 0,
      version: FORMAT_VERSION,
      id: 0n,
      epoch: 0,
      count: 0,
      number: 0n,
      bodyBytes: 0,
      bodyCrc: 0,
    });
  }
});

test("any flipped bit of a header is found", () => {
  const fields = { id: 0x1234n, epoch: 3, count: 9, number: 77n, bodyBytes: 640, bodyCrc: 0xdead_beef };
  const header = encodeEntryHeader("payload", fields, 4_096, crc32);
  for (let at = 0; at < header.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const damaged = header.slice();
      damaged[at]! ^= 1 << bit;
      assertEquals(decodeEntryHeader(damaged, 0, 4_096, crc32), at < 4 ? "mark" : "checksum");
    }
  }
});

test("a header is refused by name: short, mark, checksum, offset, version, type", () => {
  const header = encodeEntryHeader("fence", {}, 64, crc32);
  for (let bytes = 0; bytes < ENTRY_HEADER_BYTES; bytes++) {
    assertEquals(decodeEntryHeader(header.subarray(0, bytes), 0, 64, crc32), "short");
  }
  assertEquals(decodeEntryHeader(header, 1, 64, crc32), "short");
  assertEquals(decodeEntryHeader(new Uint8Array(48), 0, 64, crc32), "mark");
  assertEquals(decodeEntryHeader(header, 0, 128, crc32), "offset");
  const newer = header.slice();
  newer[6] = FORMAT_VERSION + 1;
  assertEquals(decodeEntryHeader(newer, 0, 64, crc32), "checksum");
  assertEquals(decodeEntryHeader(signed(newer), 0, 64, crc32), "version");
  for (let type = 0; type < 256; type++) {
    const other = header.slice();
    other[4] = type;
    const known = Object.values(ENTRY_TYPES).includes(type as never);
    assertEquals(decodeEntryHeader(signed(other), 0, 64, crc32) === "type", !known, `type ${type}`);
  }
});

test("an offset above 32 bits is told from its neighbours, not from one 4 GiB away", () => {
  const at = 2 ** 32 + 4_096;
  const header = encodeEntryHeader("order", {}, at, crc32);
  assert(typeof decodeEntryHeader(header, 0, at, crc32) === "object");
  assertEquals(decodeEntryHeader(header, 0, at + 8, crc32), "offset");
  assert(typeof decodeEntryHeader(header, 0, 4_096, crc32) === "object");
});

test("the mark reads HAWS", () => {
  const header = encodeEntryHeader("order", {}, 0, crc32);
  assertEquals(new TextDecoder().decode(header.subarray(0, 4)), "HAWS");
  assertEquals(new DataView(header.buffer).getUint32(0, true), ENTRY_MARK);
});

test("an entry ends on 8 bytes, its padding is 0, and its body's checksum is the giver's where he gives one", () => {
  for (let length = 0; length <= 17; length++) {
    const body = new Uint8Array(length).fill(0xff);
    const entry = concat(encodeEntry("payload", {}, body, 0, crc32));
    assertEquals(entry.length, entryBytes(length));
    assertEquals(entry.length % 8, 0);
    assertEquals(entry.subarray(ENTRY_HEADER_BYTES, ENTRY_HEADER_BYTES + length), body);
    assert(entry.subarray(ENTRY_HEADER_BYTES + length).every((byte) => byte === 0));
    const header = decodeEntryHeader(entry, 0, 0, crc32);
    assert(typeof header === "object");
    assertEquals([header.bodyBytes, header.bodyCrc], [length, length === 0 ? 0 : crc32(body, 0)]);
    const given = decodeEntryHeader(
      concat(encodeEntry("payload", { bodyCrc: 5 }, body, 0, crc32)),
      0,
      0,
      crc32,
    );
    assert(typeof given === "object");
    assertEquals(given.bodyCrc, 5);
  }
});

const rows: fc.Arbitrary<OrderRow> = fc.record({
  position: u64,
  session: u64,
  epoch: u32,
  count: u32,
  batch: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  offset: offsets,
  bodyBytes: u32,
  bodyCrc: u32,
  lastSequence: fc.option(u64, { nil: undefined }),
  broker: u32,
});

test("a round reads as it was written, with any rows", () => {
  fc.assert(fc.property(
    fc.array(rows, { maxLength: 5 }),
    fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
    offsets,
    (list, timestampMs, syncedThrough) => {
      const round = { timestampMs, syncedThrough, rows: list };
      const body = encodeRound(round);
      assertEquals(body.length, ORDER_HEAD_BYTES + list.length * ORDER_ROW_BYTES);
      assertEquals(decodeRound(body, list.length), round);
      // In the middle of other bytes as well.
      const within = concat([new Uint8Array(3), body, new Uint8Array(5)]).subarray(3, 3 + body.length);
      assertEquals(decodeRound(within, list.length), round);
    },
  ));
});

test("scenario 52: positions near 2^32, 2^53 and 2^64, and sequences of 0, are as good as others", () => {
  for (const position of [2n ** 32n - 1n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n + 1n, U64_MAX]) {
    const row = rowOf({ position, lastSequence: 0n });
    const round = { timestampMs: 1, syncedThrough: 0, rows: [row] };
    assertEquals(decodeRound(encodeRound(round), 1)!.rows[0], row);
    const header = decodeEntryHeader(encodeEntryHeader("order", { number: position }, 0, crc32), 0, 0, crc32);
    assert(typeof header === "object");
    assertEquals(header.number, position);
  }
});

test("a round whose length or numbers are wrong is none", () => {
  const body = encodeRound({ timestampMs: 5, syncedThrough: 6, rows: [rowOf(), rowOf({ batch: 1 })] });
  for (const count of [0, 1, 3]) assertEquals(decodeRound(body, count), undefined);
  assertEquals(decodeRound(body.subarray(0, body.length - 1), 2), undefined);
  assertEquals(decodeRound(new Uint8Array(0), 0), undefined);
  for (const at of [0, 8]) {
    const unsafe = body.slice();
    new DataView(unsafe.buffer).setBigUint64(at, 2n ** 53n, true);
    assertEquals(decodeRound(unsafe, 2), undefined);
  }
});
