import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "../../support/properties.ts";
import { crc32 } from "../../../src/bytes/crc32.ts";
import { ENTRY_HEADER_BYTES } from "../../../src/log/order/entries.ts";
import { type ScanEnd, scanEntries, type ScanInit } from "../../../src/log/order/scan.ts";
import { searchEntries } from "../../../src/log/order/search.ts";
import { Random } from "../../support/random.ts";
import { BytesStore, type PlacedEntry } from "./entries_bench.ts";

interface Visit {
  readonly offset: number;
  readonly type: string;
  readonly body: Uint8Array | undefined;
}

/** A run of entries of every size around the alignment, with a few larger ones. */
function written(seed: number, count: number, bytesMax = 40): BytesStore {
  const random = new Random(seed);
  const bytes = new BytesStore();
  for (let i = 0; i < count; i++) {
    if (random.chance(0.6)) bytes.payload(random.bytes(random.integer(0, bytesMax)));
    else bytes.append(random.pick(["fence", "commit", "trim"]), { number: BigInt(i) }, random.bytes(i % 9));
  }
  return bytes;
}

function scan(bytes: BytesStore, change: Partial<ScanInit> = {}): { visits: Visit[]; end: ScanEnd } {
  const visits: Visit[] = [];
  const ends: ScanEnd[] = [];
  scanEntries({
    store: bytes.store,
    crc32,
    from: 0,
    to: bytes.tail,
    payloads: true,
    visit: ({ type }, offset, body) => {
      visits.push({ type, offset, body: body?.slice() });
      return undefined;
    },
    ...change,
  }, (end) => ends.push(end));
  bytes.settle();
  assertEquals(ends.length, 1, "ends once");
  return { visits, end: ends[0]! };
}

function search(bytes: BytesStore, from: number, to = bytes.tail): number[] {
  const found: number[] = [];
  let ended = 0;
  searchEntries({
    store: bytes.store,
    crc32,
    from,
    to,
    payloads: true,
    visit: (_header, offset) => {
      found.push(offset);
      return undefined;
    },
  }, (failure) => {
    assertEquals(failure, undefined);
    ended++;
  });
  bytes.settle();
  assertEquals(ended, 1, "ends once");
  return found;
}

const visitOf = ({ offset, type, body }: PlacedEntry): Visit => ({ offset, type, body });
const offsetOf = ({ offset }: { readonly offset: number }): number => offset;

for (const later of [false, true]) {
  const how = later ? "from a store that answers later" : "from a store that answers at once";

  test(`a scan visits every entry with its body, in order, ${how}`, () => {
    for (let seed = 1; seed <= 20; seed++) {
      const bytes = written(seed, 30);
      bytes.later = later;
      const { visits, end } = scan(bytes);
      assertEquals(visits, bytes.entries.map(visitOf));
      assertEquals(end, { offset: bytes.tail });
    }
  });

  test(`a scan goes on over pieces of 1 MiB, and through entries that are larger, ${how}`, () => {
    const bytes = new BytesStore();
    bytes.later = later;
    const random = new Random(3);
    for (const size of [700_000, 348_450, 10, 1_500_000, 8, 1_048_576, 0, 5]) {
      bytes.payload(random.bytes(size));
    }
    const { visits, end } = scan(bytes);
    assertEquals(visits.map(offsetOf), bytes.entries.map(offsetOf));
    for (const [at, { body }] of visits.entries()) assert(equal(body!, bytes.entries[at]!.body));
    assertEquals(end.fault, undefined);
    assert(bytes.reads > 3 && bytes.reads <= 9, `${bytes.reads} reads`);
  });
}

function equal(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, at) => byte === right[at]);
}

test("a scan can begin at any entry, and end where it is told to", () => {
  const bytes = written(4, 20);
  for (const [at, { offset }] of bytes.entries.entries()) {
    assertEquals(scan(bytes, { from: offset }).visits, bytes.entries.slice(at).map(visitOf));
    const { visits, end } = scan(bytes, { to: offset });
    assertEquals(visits, bytes.entries.slice(0, at).map(visitOf));
    assertEquals(end, { offset });
  }
});

test("a visitor that has seen enough stops it behind the entry", () => {
  const bytes = written(5, 10);
  let seen = 0;
  const { end } = scan(bytes, { visit: () => ++seen === 4 ? "stop" : undefined });
  assertEquals([seen, end.offset, end.fault], [4, bytes.entries[3]!.end, undefined]);
});

test("without payloads their bodies are neither read nor checked, and all others are", () => {
  const bytes = new BytesStore();
  const large = bytes.payload(new Uint8Array(3_000_000).fill(1));
  bytes.append("commit", { number: 1n }, Uint8Array.of(1, 2, 3));
  bytes.flip(large.offset + ENTRY_HEADER_BYTES + 5);
  const { visits, end } = scan(bytes, { payloads: false });
  assertEquals(visits.map(({ body }) => body?.length), [undefined, 3]);
  assertEquals(end.fault, undefined);
  assertEquals(scan(bytes).end.fault, "body");
});

test("a flip of any bit but of padding ends the scan at its entry, with what was before visited", () => {
  const bytes = written(6, 6, 12);
  for (const [at, { offset, end, body }] of bytes.entries.entries()) {
    for (let byte = offset; byte < end; byte++) {
      const bit = byte % 8;
      bytes.flip(byte, bit);
      const { visits, end: ended } = scan(bytes);
      const padding = byte >= offset + ENTRY_HEADER_BYTES + body.length;
      if (padding) assertEquals(ended, { offset: bytes.tail });
      else {
        assertEquals(visits, bytes.entries.slice(0, at).map(visitOf));
        assertEquals(ended.offset, offset);
        const wanted = byte < offset + 4 ? "mark" : byte < offset + ENTRY_HEADER_BYTES ? "checksum" : "body";
        assertEquals(ended.fault, wanted);
      }
      bytes.flip(byte, bit);
    }
  }
});

test("wherever the bytes end, the scan ends at the entry that is not whole", () => {
  const bytes = written(7, 8, 20);
  const whole = bytes.pieces[0]!.bytes;
  for (let length = 0; length <= whole.length; length++) {
    bytes.pieces[0]!.bytes = whole.slice(0, length);
    const { visits, end } = scan(bytes);
    const complete = bytes.entries.filter((entry) => entry.end <= length);
    assertEquals(visits, complete.map(visitOf));
    const reached = complete.at(-1)?.end ?? 0;
    const short: ScanEnd = { offset: reached, fault: "short", faultEnd: length + 1 };
    assertEquals(end, reached === length ? { offset: reached } : short);
  }
});

test("an entry that stands elsewhere than it was written is not taken", () => {
  const bytes = written(8, 5);
  const { bytes: content } = bytes.pieces[0]!;
  bytes.pieces[0]!.bytes = new Uint8Array([...content, ...content]);
  const { visits, end } = scan(bytes);
  assertEquals(visits.length, 5);
  const { length } = content;
  assertEquals(end, { offset: length, fault: "offset", faultEnd: length + ENTRY_HEADER_BYTES });
});

test("what a store says instead of bytes is passed on", () => {
  const bytes = written(9, 3);
  bytes.failure = { kind: "stopped", message: "no" };
  const { visits, end } = scan(bytes);
  assertEquals([visits.length, end.failure], [0, bytes.failure]);
});

test("a search finds every whole entry behind damage of any kind and length", () => {
  fc.assert(
    fc.property(
      fc.nat(),
      fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 60 })), { minLength: 1, maxLength: 4 }),
      fc.boolean(),
      (seed, damages, later) => {
        const bytes = written(seed, 12);
        bytes.later = later;
        const random = new Random(seed);
        const damaged = new Set<PlacedEntry>();
        for (const [place, length] of damages) {
          const from = place % bytes.tail;
          const to = Math.min(bytes.tail, from + length);
          for (let at = from; at < to; at++) bytes.pieces[0]!.bytes[at]! ^= random.integer(1, 255);
          for (const entry of bytes.entries) {
            const end = entry.offset + ENTRY_HEADER_BYTES + entry.body.length;
            if (from < end && to > entry.offset) damaged.add(entry);
          }
        }
        const found = new Set(search(bytes, 0));
        for (const entry of bytes.entries) {
          // Damage over damage may have healed it.
          if (!damaged.has(entry)) {
            assert(found.has(entry.offset), `the entry at ${entry.offset} was not found`);
          }
        }
        for (const offset of found) assert(bytes.entries.some((entry) => entry.offset === offset));
      },
    ),
    { numRuns: 150 },
  );
});

test("a search finds entries over the ends of its pieces", () => {
  // The header of the second entry lies before, on and behind the end of the first MiB, at every step.
  for (let at = 1_048_576 - 64; at <= 1_048_576 + 8; at += 8) {
    const bytes = new BytesStore();
    bytes.payload(new Uint8Array(at - ENTRY_HEADER_BYTES).fill(0xff));
    const second = bytes.append("fence", { number: 3n }, Uint8Array.of(1, 2, 3, 4));
    bytes.payload(new Uint8Array(1_048_576 * 2));
    const last = bytes.append("trim");
    bytes.flip(0);
    const { length } = bytes.entries;
    assertEquals(search(bytes, 0), [second.offset, bytes.entries[length - 2]!.offset, last.offset]);
  }
});

test("a search in what is too short or holds nothing finds nothing", () => {
  for (const length of [0, 1, 47, 48, 49, 1_000, 1_048_576, 1_048_584]) {
    const bytes = new BytesStore();
    bytes.roll();
    bytes.pieces[0]!.bytes = new Uint8Array(length);
    assertEquals(search(bytes, 0), []);
  }
});

test("a search begins at the next 8 bytes behind where it is told to, and keeps to its end", () => {
  const bytes = written(10, 6);
  const [first, second] = bytes.entries as [PlacedEntry, PlacedEntry];
  assertEquals(search(bytes, first.offset + 1)[0], second.offset);
  const to = second.end - 1;
  assertEquals(search(bytes, 0, to), [first.offset]);
});
