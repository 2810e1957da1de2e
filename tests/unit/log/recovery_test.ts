import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { crc32 } from "../../../src/bytes/crc32.ts";
import { LogError } from "../../../src/log/errors.ts";
import { decodeRound, ENTRY_HEADER_BYTES, FORMAT_VERSION } from "../../../src/log/order/entries.ts";
import { loadSegmentRows } from "../../../src/log/order/recovery.ts";
import type { SegmentIndex } from "../../../src/log/order/order_index.ts";
import { Random } from "../../support/random.ts";
import type { PlacedEntry } from "./entries_bench.ts";
import {
  assertCorrupt,
  assertModel,
  assertRecovered,
  LogWriter,
  type Model,
  recover,
  writeAny,
} from "./recovery_bench.ts";

/** What an entry names as synced. */
function namedBy({ type, body, fields }: PlacedEntry): number {
  if (type === "order") return decodeRound(body, fields.count!)!.syncedThrough;
  if (type === "cleanStop") return Number(fields.number);
  if (type === "segment") return JSON.parse(new TextDecoder().decode(body)).syncedThrough;
  return 0;
}

/** The segment that a log is opened from, if the entries in `damaged` cannot be read. */
function startOf({ bases, steps }: LogWriter, damaged: Damaged): number {
  const entries = steps.map(({ entry }) => entry);
  const usable = (at: number): boolean => {
    const own = entries.filter(({ offset }) => offset >= bases[at]!);
    const [opening, snapshot] = own as [PlacedEntry, PlacedEntry];
    const named = own.filter((entry) => entry.type === "segment" && !damaged.has(entry)).map(namedBy);
    return !damaged.has(opening) && !damaged.has(snapshot) && Math.max(0, ...named) >= bases[at]!;
  };
  let start = bases.length - 1;
  while (start > 0 && !usable(start)) start--;
  return bases[start]!;
}

/** Entries with the offsets of what is wrong in them. */
type Damaged = ReadonlyMap<PlacedEntry, number>;

/** Behind what is wrong together: a header, or a whole entry. Bytes that were not synced together may be torn by a crash. */
function wrongEnd({ offset, end }: PlacedEntry, place: number): number {
  return place < offset + ENTRY_HEADER_BYTES ? offset + ENTRY_HEADER_BYTES : end;
}

/** Recovers a log with damage, and judges it by what the entries say. */
function judge(log: LogWriter, damaged: Damaged): "whole" | "refused" | "cut" {
  const { bytes, steps } = log;
  const start = startOf(log, damaged);
  const first = steps.find(({ entry }) => entry.offset >= start && damaged.has(entry))?.entry;
  const result = recover(bytes);
  const unread = steps.map(({ entry }) => entry).filter((entry) =>
    entry.offset < start && damaged.has(entry)
  );
  const bad = unread.find(({ type }) => type === "segment");
  if (bad !== undefined) {
    assertCorrupt(result, bad.offset);
    return "refused";
  }
  if (first === undefined) {
    assertRecovered(result);
    assertEquals(result.cut, undefined);
    assertModel(result, log.model);
    return "whole";
  }
  let synced = 0;
  for (const { entry } of steps) {
    if (!damaged.has(entry) && entry.offset >= start) synced = Math.max(synced, namedBy(entry));
  }
  if (wrongEnd(first, damaged.get(first)!) <= synced) {
    assertCorrupt(result, first.offset);
    assertEquals(bytes.truncatedTo, undefined);
    return "refused";
  }
  assertRecovered(result);
  const batches = steps.filter(({ entry }) =>
    entry.offset > first.offset && entry.type === "payload" && !damaged.has(entry)
  );
  const end = log.steps.at(-1)!.entry.end;
  // A segment without its snapshot is not gone on with.
  const offset = first.type === "snapshot"
    ? Math.max(...log.bases.filter((base) => base < first.offset))
    : first.offset;
  const cut = first.type === "snapshot" && offset > 0 ? offset : first.offset;
  assertEquals(result.cut, { offset: cut, bytes: end - cut, batches: batches.length });
  assertEquals(bytes.truncatedTo, cut);
  assertModel(result, log.before(cut));
  return "cut";
}

test("an empty store is a log that was never begun", () => {
  const result = recover(new LogWriter().bytes);
  assertRecovered(result);
  assertEquals([result.opening, result.cut, result.index.segments], [undefined, undefined, []]);
  assertEquals(result.state.nextPosition, 0n);
});

for (const later of [false, true]) {
  test(`any log is opened as its entries add up, from a store that answers ${later ? "later" : "at once"}`, () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = new Random(seed);
      const log = writeAny(random, random.integer(0, 60));
      log.bytes.later = later;
      const result = recover(log.bytes);
      assertRecovered(result);
      assertEquals(result.cut, undefined);
      assertModel(result, log.model);
      assertEquals(result.index.segments.map(({ base }) => base), log.bases);
      assertEquals(result.opening?.base, log.bases.at(-1));
    }
  });
}

test("rows of segments that were not replayed are read when somebody needs them", () => {
  const log = writeAny(new Random(3), 60);
  log.synced = log.bytes.tail;
  log.roll();
  const result = recover(log.bytes);
  assertRecovered(result);
  const rows = result.index.segments.slice(0, -1).flatMap(({ base, firstPosition, index }) => {
    assertEquals(index, undefined, "it was replayed without need");
    const found: SegmentIndex[] = [];
    loadSegmentRows(log.bytes.store, crc32, base, firstPosition, (read) => {
      assert(!("kind" in read));
      found.push(read);
    });
    log.bytes.settle();
    const [one] = found as [SegmentIndex];
    return Array.from({ length: one.rows }, (_, row) => ({
      position: one.positionOf(row),
      offset: one.offsetOf(row),
      count: one.countOf(row),
    }));
  });
  assertEquals(rows, log.model.rows);
});

test("rows of a segment that is gone or damaged are not made up", () => {
  const log = writeAny(new Random(5), 30);
  const failures: string[] = [];
  const load = (base: number): void => {
    loadSegmentRows(log.bytes.store, crc32, base, 0n, (read) => {
      failures.push("kind" in read ? `${read.kind} ${read.offset}` : "rows");
    });
    log.bytes.settle();
  };
  load(8);
  const order = log.steps.find(({ entry }) => entry.type === "order")!.entry;
  log.bytes.flip(order.offset + 60);
  load(0);
  log.bytes.failure = { kind: "stopped", message: "no" };
  load(0);
  assertEquals(failures, ["corrupt 8", `corrupt ${order.offset}`, "stopped undefined"]);
});

test("scenario 56: wherever a log is cut off, an entry is there whole or not at all", () => {
  for (const seed of [5]) {
    const log = writeAny(new Random(seed), 8);
    const content = log.bytes.pieces.map(({ bytes }) => bytes);
    const end = log.bytes.tail;
    for (let tail = end; tail >= 0; tail--) {
      log.bytes.truncatedTo = undefined;
      restore(log, content);
      shorten(log, tail);
      const result = recover(log.bytes);
      const left = log.steps.filter(({ entry }) => entry.end <= tail);
      const reached = left.at(-1)?.entry.end ?? 0;
      const synced = Math.max(0, ...left.map(({ entry }) => namedBy(entry)));
      assert(reached >= synced, "an unsynced end");
      assertRecovered(result);
      const model: Model = log.before(tail);
      assertModel(result, model);
      const cut = tail === reached ? undefined : { offset: reached, bytes: tail - reached, batches: 0 };
      assertEquals(result.cut, cut);
    }
  }
});

function restore(log: LogWriter, content: readonly Uint8Array[]): void {
  log.bytes.pieces.splice(0);
  log.bases.forEach((base, at) => log.bytes.pieces.push({ base, bytes: content[at]!.slice() }));
}

/** As after a crash of the machine: files end earlier, later ones are missing. */
function shorten({ bytes: { pieces } }: LogWriter, tail: number): void {
  while (pieces.length > 1 && pieces.at(-1)!.base >= tail) pieces.pop();
  const last = pieces.at(-1)!;
  last.bytes = last.bytes.slice(0, Math.max(0, tail - last.base));
}

test("a flipped bit anywhere: below what is known synced it is refused, above it is cut, always with its offset", () => {
  const outcomes = { whole: 0, refused: 0, cut: 0 };
  for (let seed = 1; seed <= 6; seed++) {
    const random = new Random(seed);
    const log = writeAny(random, 25);
    if (random.chance(0.3)) {
      log.synced = log.bytes.tail;
      log.cleanStop();
    }
    const content = log.bytes.pieces.map(({ bytes }) => bytes);
    for (const { entry } of log.steps) {
      const places = [0, 3, 4, 8, 30, 44, 47].map((at) => entry.offset + at);
      if (entry.body.length > 0) {
        const body = entry.offset + ENTRY_HEADER_BYTES;
        places.push(body, body + random.integer(0, entry.body.length - 1), body + entry.body.length - 1);
      }
      for (const place of places) {
        restore(log, content);
        log.bytes.truncatedTo = undefined;
        log.bytes.flip(place, random.integer(0, 7));
        outcomes[judge(log, new Map([[entry, place]]))]++;
      }
    }
  }
  for (const [outcome, count] of Object.entries(outcomes)) assert(count > 60, `${outcome}: ${count}`);
});

test("several damages: the first one decides where the log ends, all are looked behind", () => {
  const outcomes = { whole: 0, refused: 0, cut: 0 };
  for (let seed = 1; seed <= 120; seed++) {
    const random = new Random(seed);
    const log = writeAny(random, random.integer(5, 40));
    const damaged = new Map<PlacedEntry, number>();
    for (let count = random.integer(1, 4); count > 0; count--) {
      const { entry } = random.pick(log.steps);
      if (damaged.has(entry)) continue;
      const place = entry.offset + random.integer(0, ENTRY_HEADER_BYTES + entry.body.length - 1);
      damaged.set(entry, place);
      log.bytes.flip(place);
    }
    log.bytes.later = random.chance(0.5);
    outcomes[judge(log, damaged)]++;
  }
  for (const [outcome, count] of Object.entries(outcomes)) assert(count > 10, `${outcome}: ${count}`);
});

test("a log whose last snapshot is damaged is opened from the one before, not from nothing", () => {
  const log = writeAny(new Random(8), 30);
  log.synced = log.bytes.tail;
  log.roll();
  const snapshot = log.steps.at(-1)!.entry;
  log.bytes.flip(snapshot.offset + ENTRY_HEADER_BYTES + 3);
  const result = recover(log.bytes);
  assertRecovered(result);
  assertEquals(result.cut?.offset, log.bases.at(-1));
  assertModel(result, log.before(snapshot.offset));
  assert(result.state.nextPosition > 0n);
});

test("a topic whose creation was torn begins anew", () => {
  const whole = new LogWriter().roll().bytes.tail;
  for (let tail = 0; tail <= whole; tail++) {
    for (const filled of [false, true]) {
      const log = new LogWriter().roll();
      const piece = log.bytes.pieces[0]!;
      const left = piece.bytes.slice(0, tail);
      piece.bytes = filled ? new Uint8Array(whole) : left;
      piece.bytes.set(left);
      const result = recover(log.bytes);
      assertRecovered(result);
      assertEquals(result.state.nextPosition, 0n);
    }
  }
});

test("a first segment that is not the log's beginning must have a whole opening and a whole snapshot", () => {
  for (const entry of [0, 1]) {
    const log = writeAny(new Random(4), 40);
    log.roll();
    const base = log.bases.at(-1)!;
    log.bytes.pieces.splice(0, log.bytes.pieces.length - 1);
    const { offset } = log.steps.filter((step) => step.entry.offset >= base)[entry]!.entry;
    log.bytes.flip(offset + 50);
    assertCorrupt(recover(log.bytes), entry === 0 ? base : offset);
  }
});

test("the snapshot of a first segment says what the segments that are gone did", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const log = writeAny(new Random(seed), 40);
    log.roll();
    const base = log.bases.at(-1)!;
    log.bytes.pieces.splice(0, log.bytes.pieces.length - 1);
    log.payload(1n, new Uint8Array(4));
    if (!log.model.sessions.get(1n)!.fenced) log.order(1);
    const result = recover(log.bytes);
    assertRecovered(result);
    assertModel(result, log.model);
    assertEquals(result.index.segments.map((segment) => segment.base), [base]);
  }
});

test("a hole between segments is damage where the first of them ends", () => {
  const log = writeAny(new Random(6), 20);
  while (log.bases.length < 3) log.roll();
  const first = log.bytes.pieces[0]!;
  const last = log.steps.filter(({ entry }) => entry.end <= log.bases[1]!).at(-1)!.entry;
  first.bytes = first.bytes.slice(0, last.offset);
  judge(log, new Map([[last, last.offset]]));
});

test("scenario 55: segments of another topic, and entries that are whole and make no sense, are refused", () => {
  const other = writeAny(new Random(1), 5);
  const refused = recover(other.bytes, { topic: "others" });
  assertCorrupt(refused, 0);
  const log = writeAny(new Random(2), 5);
  log.model.nextPosition += 1n;
  log.payload(1n, new Uint8Array(8));
  log.order();
  assertCorrupt(recover(log.bytes), log.steps.at(-1)!.entry.offset);
});

test("files of a newer format are refused as such, wherever that is seen", () => {
  for (const at of [0, 5]) {
    const log = writeAny(new Random(1), 10);
    const { entry } = log.steps[at]!;
    const piece = log.bytes.pieces[0]!;
    const header = piece.bytes.subarray(entry.offset, entry.offset + ENTRY_HEADER_BYTES);
    header[6] = FORMAT_VERSION + 1;
    new DataView(header.buffer, header.byteOffset).setUint32(44, crc32(header.subarray(0, 44), 0), true);
    const result = recover(log.bytes);
    assert(result instanceof LogError);
    assertEquals([result.code, result.offset], ["ERR_LOG_FORMAT", entry.offset]);
    assertEquals(log.bytes.truncatedTo, undefined);
  }
});

test("a store that cannot read is no damage", () => {
  const log = writeAny(new Random(1), 10);
  for (let reads = 0; reads < 3; reads++) {
    const { read } = log.bytes.store;
    let left = reads;
    const failing = {
      ...log.bytes.store,
      segments: log.bytes.store.segments,
      read: ((...given) => {
        if (left-- > 0) return read(...given);
        given[2]({ kind: "stopped", message: "input/output error", offset: 3 });
      }) as typeof read,
    };
    const result = recover(log.bytes, { store: failing });
    if (!(result instanceof LogError)) continue;
    assertEquals([result.code, result.offset], ["ERR_LOG_STORE_FAILED", 3]);
    assertEquals(log.bytes.truncatedTo, undefined);
  }
});

test("whether a log was closed in order is told by its very last entry", () => {
  const log = writeAny(new Random(1), 10);
  const stopped = (): boolean => {
    const result = recover(log.bytes);
    assertRecovered(result);
    return result.state.stoppedCleanly;
  };
  assertEquals(stopped(), false);
  log.synced = log.bytes.tail;
  log.cleanStop();
  assertEquals(stopped(), true);
  log.payload(1n, new Uint8Array(8));
  assertEquals(stopped(), false);
  log.cleanStop();
  assertEquals(stopped(), true);
  log.bytes.pieces.at(-1)!.bytes = new Uint8Array([...log.bytes.pieces.at(-1)!.bytes, 1, 2, 3]);
  const cut = recover(log.bytes);
  assertRecovered(cut);
  assertEquals([cut.cut?.bytes, cut.state.stoppedCleanly], [3, false]);
});
