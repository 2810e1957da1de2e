import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "../../support/properties.ts";
import { crc32 } from "../../../src/bytes/crc32.ts";
import { encodeUtf8 } from "../../../src/bytes/utf8.ts";
import { Consumers, consumerSnapshotBytes } from "../../../src/log/order/consumers.ts";
import { decodeEntryHeader, encodeEntryHeader, type EntryType } from "../../../src/log/order/entries.ts";
import { decodeOpening, encodeOpening } from "../../../src/log/order/segment_opening.ts";
import {
  decodeSnapshot,
  encodeSnapshot,
  RUN_SNAPSHOT_BYTES,
  runsThatFit,
  SESSION_SNAPSHOT_BYTES,
  sessionsThatFit,
  type Snapshot,
} from "../../../src/log/order/snapshot.ts";
import type { SessionSnapshot } from "../../../src/log/order/snapshot_types.ts";
import { openingOf } from "./entries_bench.ts";

const u64 = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn });
const optional = <Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> =>
  fc.option(value, { nil: undefined });
const ms = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const names = fc.oneof(fc.string(), fc.constantFrom("", '{"u64":"1"}', "__proto__", "ключ\u0000"));

const sessions: fc.Arbitrary<SessionSnapshot> = fc.record({
  session: u64,
  publisher: names,
  epoch: fc.integer({ min: 1, max: 0xffff_ffff }),
  fenced: fc.boolean(),
  nextBatch: ms,
  ahead: fc.array(ms, { maxLength: 3 }),
  lastSequence: optional(u64),
  ageMs: ms,
  runs: optional(
    fc.array(fc.record({ batch: ms, batches: ms, records: ms, position: u64 }), { maxLength: 3 }),
  ),
});

const snapshots: fc.Arbitrary<Snapshot> = fc.record({
  nextPosition: u64,
  lastTimestampMs: ms,
  trimmedTo: u64,
  generations: fc.array(fc.record({ generation: fc.nat(), firstPosition: u64 }), { maxLength: 3 }),
  consumers: fc.array(
    fc.record({ name: names, epoch: fc.nat(), position: optional(u64), generation: fc.nat() }),
    { maxLength: 3 },
  ),
  sessions: fc.array(sessions, { maxLength: 3 }),
});

/** What cannot be told from what is missing. */
function withoutUndefined(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutUndefined);
  if (typeof value !== "object" || value === null) return value;
  const given = Object.entries(value).filter(([, part]) => part !== undefined);
  return Object.fromEntries(given.map(([name, part]) => [name, withoutUndefined(part)]));
}

test("a snapshot reads as it was written", () => {
  fc.assert(fc.property(snapshots, (snapshot) => {
    assertEquals(withoutUndefined(decodeSnapshot(encodeSnapshot(snapshot))), withoutUndefined(snapshot));
  }));
});

test("what another program wrote is no snapshot", () => {
  const snapshot: Snapshot = {
    nextPosition: 5n,
    lastTimestampMs: 1,
    trimmedTo: 0n,
    generations: [],
    consumers: [],
    sessions: [],
  };
  assert(decodeSnapshot(encodeSnapshot(snapshot)) !== undefined);
  const without = (name: string): string =>
    new TextDecoder().decode(encodeSnapshot({ ...snapshot, [name]: undefined } as never));
  const runs = (text: string): string => {
    const session = {
      session: 1n,
      publisher: "",
      epoch: 1,
      fenced: false,
      nextBatch: 0,
      ahead: [],
      ageMs: 0,
    };
    const sessions = [{ ...session, lastSequence: undefined, runs: [] }];
    const whole = new TextDecoder().decode(encodeSnapshot({ ...snapshot, sessions }));
    assert(whole.includes('"runs":""'));
    return whole.replace('"runs":""', `"runs":${text}`);
  };
  assert(decodeSnapshot(encodeUtf8(runs('"0,1,1,0;1,2,3,18446744073709551615"'))) !== undefined);
  for (const text of ['"0"', '"0,1,1"', '"0,1,1,-1"', '";"', '"0,1,1,0;"', '"0,1,1,0,5"', "[]", "7", "{}"]) {
    assertEquals(decodeSnapshot(encodeUtf8(runs(text))), undefined, text);
  }
  const texts = ["", "null", "1", "[]", "{", "{}", '{"nextPosition":{"u64":"x"}}', '{"nextPosition":5}'];
  for (const text of [...texts, ...Object.keys(snapshot).map(without)]) {
    assertEquals(decodeSnapshot(encodeUtf8(text)), undefined, text);
  }
  assertEquals(decodeSnapshot(Uint8Array.of(0x22, 0xff, 0x22)), undefined);
});

test("a session takes up about as many bytes as segments are planned with", () => {
  const session: SessionSnapshot = {
    session: 0xffff_ffff_ffff_ffffn,
    publisher: "a publisher with a name",
    epoch: 0xffff_ffff,
    fenced: false,
    nextBatch: 123_456_789,
    ahead: [],
    lastSequence: 0xffff_ffff_ffff_ffffn,
    ageMs: 604_800_000,
  };
  const empty: Snapshot = {
    nextPosition: 0n,
    lastTimestampMs: 0,
    trimmedTo: 0n,
    generations: [],
    consumers: [],
    sessions: [],
  };
  const many = encodeSnapshot({ ...empty, sessions: Array.from({ length: 100 }, () => session) });
  assert(many.length / 100 <= SESSION_SNAPSHOT_BYTES, `${many.length / 100} bytes`);
  const runs = Array.from({ length: 100 }, (_, index) => {
    return { batch: 1_000_000_000 + index, batches: 1_000, records: 1_000_000, position: 2n ** 60n };
  });
  const withRuns = encodeSnapshot({ ...empty, sessions: [{ ...session, runs }] });
  const each = (withRuns.length - encodeSnapshot({ ...empty, sessions: [session] }).length) / 100;
  assert(each <= RUN_SNAPSHOT_BYTES, `${each} bytes for a run`);
  for (const segmentBytes of [4_096, 65_536, 1 << 20, 1 << 26, 2 ** 40]) {
    assert(runsThatFit(segmentBytes) * RUN_SNAPSHOT_BYTES <= segmentBytes / 16);
    assert(runsThatFit(segmentBytes) <= 16_384);
  }
});

function headerOf(type: EntryType, id: bigint, number: bigint) {
  const header = decodeEntryHeader(encodeEntryHeader(type, { id, number }, 0, crc32), 0, 0, crc32);
  assert(typeof header === "object");
  return header;
}

test("a segment's opening reads as it was written, at its own place only", () => {
  const opening = openingOf(4_096, { reaches: 77, syncedThrough: 2_000, startedMs: 1_750_000_000_000 });
  const body = encodeOpening(opening);
  const header = headerOf("segment", 4_096n, 12n);
  assertEquals(decodeOpening(header, 4_096, body), { ...opening, base: 4_096, firstPosition: 12n });
  assertEquals(decodeOpening(header, 4_104, body), undefined);
  assertEquals(decodeOpening(headerOf("snapshot", 4_096n, 12n), 4_096, body), undefined);
});

test("what another program wrote is no opening", () => {
  const header = headerOf("segment", 0n, 0n);
  const good = openingOf(0);
  const bad: unknown[] = [
    null,
    1,
    [],
    {},
    { ...good, topic: 5 },
    { ...good, options: null },
    { ...good, options: "ack" },
    { ...good, reaches: "0" },
    { ...good, syncedThrough: 0.5 },
    { ...good, startedMs: 2 ** 53 },
  ];
  for (const value of bad) {
    const text = JSON.stringify(value);
    assertEquals(decodeOpening(header, 0, encodeUtf8(text)), undefined, text);
  }
  assertEquals(decodeOpening(header, 0, encodeUtf8("{")), undefined);
  assertEquals(decodeOpening(header, 0, Uint8Array.of(0xff)), undefined);
});

test("a consumer goes on where it committed, whoever reads; each newcomer raises its epoch", () => {
  const consumers = new Consumers();
  assertEquals(consumers.nextEpoch("a"), 1);
  consumers.opened("a", 1);
  assertEquals(consumers.get("a"), { name: "a", epoch: 1, position: undefined, generation: 0 });
  consumers.committed("a", 7n, 2);
  consumers.opened("a", consumers.nextEpoch("a"));
  assertEquals(consumers.get("a"), { name: "a", epoch: 2, position: 7n, generation: 2 });
  consumers.committed("a", 3n, 3);
  assertEquals(consumers.get("a"), { name: "a", epoch: 2, position: 3n, generation: 3 });
  // In a log whose older segments are gone, a commit may be the first that is seen of a consumer.
  consumers.committed("b", 9n, 1);
  assertEquals(consumers.get("b"), { name: "b", epoch: 0, position: 9n, generation: 1 });
  const copy = new Consumers();
  copy.import(consumers.list());
  assertEquals([copy.list(), copy.size], [consumers.list(), 2]);
});

test("the lowest position of those that hold retention; one that has not begun needs everything", () => {
  const consumers = new Consumers();
  assertEquals(consumers.lowest([]), undefined);
  assertEquals(consumers.lowest(["nobody"]), 0n);
  consumers.opened("a", 1);
  assertEquals(consumers.lowest(["a"]), 0n);
  consumers.committed("a", 7n, 1);
  consumers.committed("b", 5n, 1);
  assertEquals(consumers.lowest(["a"]), 7n);
  assertEquals(consumers.lowest(["a", "b"]), 5n);
  assertEquals(consumers.lowest(["a", "b", "c"]), 0n);
});

test("all sessions, consumers and runs that may be there fit into a segment and a half, whatever their names", () => {
  const worst: SessionSnapshot = {
    session: 0xffff_ffff_ffff_ffffn,
    publisher: '"'.repeat(255),
    epoch: 0xffff_ffff,
    fenced: false,
    nextBatch: Number.MAX_SAFE_INTEGER,
    ahead: [],
    lastSequence: 0xffff_ffff_ffff_ffffn,
    ageMs: Number.MAX_SAFE_INTEGER,
    runs: [],
  };
  const none = { nextPosition: 0n, lastTimestampMs: 0, trimmedTo: 0n, generations: [] };
  const bytesOf = (some: Partial<Snapshot>): number => {
    return encodeSnapshot({ ...none, consumers: [], sessions: [], ...some }).length;
  };
  const session = bytesOf({ sessions: [worst, worst] }) - bytesOf({ sessions: [worst] });
  const name = "\\".repeat(255);
  const consumer = { name, epoch: 0xffff_ffff, position: 0xffff_ffff_ffff_ffffn, generation: 0xffff_ffff };
  const one = bytesOf({ consumers: [consumer, consumer] }) - bytesOf({ consumers: [consumer] });
  assert(one <= consumerSnapshotBytes(name), `${one} bytes of a consumer`);
  for (const segmentBytes of [1_048_576, 16_777_216, 67_108_864, 1_073_741_824]) {
    const sessions = sessionsThatFit(segmentBytes) * session;
    const runs = runsThatFit(segmentBytes) * 2 * RUN_SNAPSHOT_BYTES;
    // Consumers get a 32nd: see TopicReaders.
    assert(
      sessions + segmentBytes / 32 + runs <= 1.5 * segmentBytes,
      `${segmentBytes}: ${sessions}, ${runs}`,
    );
  }
  assertEquals(sessionsThatFit(8), 1);
});
