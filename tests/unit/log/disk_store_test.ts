import { test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { BugError } from "../../../src/errors.ts";
import type { TopicStore } from "../../../src/log/store/store.ts";
import { pattern, Scene, TOPIC } from "./disk_store_scene.ts";

const bounds = (store: TopicStore): number[][] => store.segments.map(({ base, bytes }) => [base, bytes]);

/** Appends so many bytes of the pattern at the tail. */
function append(scene: Scene, store: TopicStore, bytes: number): void {
  scene.call(() => store.append(store.tail, [pattern(store.tail, bytes)]));
}

const FIRST = "00000000000000000000.segment";

test("a new store is empty, and touches the disk with the first append", () => {
  const scene = new Scene();
  const store = scene.open();
  assertEquals([store.durability, store.tail, store.written, store.synced], ["machine", 0, 0, 0]);
  assertEquals([bounds(store), scene.disk.names(TOPIC)], [[[0, 0]], []]);
  append(scene, store, 5);
  assertEquals([store.tail, store.written, bounds(store)], [5, 0, [[0, 5]]]);
  scene.settle();
  assertEquals([store.written, store.synced, scene.calls], [5, 0, ["written 5"]]);
  assertEquals(scene.disk.content(TOPIC, FIRST), pattern(0, 5));
});

test("everything of one callback goes out in one write, everything during a write in the next", () => {
  const scene = new Scene();
  const store = scene.open();
  append(scene, store, 5);
  append(scene, store, 6);
  scene.until(() => scene.disk.counts.write === 1);
  append(scene, store, 7);
  append(scene, store, 8);
  scene.settle();
  assertEquals([scene.disk.counts.write, scene.calls], [2, ["written 11", "written 26"]]);
  assertEquals(scene.files(), pattern(0, 26));
});

test("a long write goes out in pieces, so that written moves", () => {
  const scene = new Scene({ writeBytesMax: 10 });
  const store = scene.open();
  append(scene, store, 25);
  scene.settle();
  assertEquals(scene.calls, ["written 10", "written 20", "written 25"]);
});

test("the write is the segment's memory itself", () => {
  const scene = new Scene();
  const store = scene.open();
  const chunk = pattern(0, 20);
  scene.call(() => store.append(0, [chunk.subarray(0, 9), chunk.subarray(9)]));
  // The chunks are the caller's again.
  chunk.fill(0);
  scene.until(() => scene.disk.counts.write === 1);
  const seen = scene.read(store, 0, 20);
  assert(!("kind" in seen) && seen.pinned);
  // The simulated disk finds memory that changes while it is lent: so what is written is what is read here.
  const kept = seen.bytes[3]!;
  seen.bytes[3] = kept + 1;
  assertThrows(() => scene.settle(), Error, "changed before the write had ended");
});

test("a roll begins a new file: names are base offsets of 20 digits", () => {
  const scene = new Scene();
  const store = scene.open();
  store.roll();
  append(scene, store, 30);
  const before = store.segments;
  scene.call(() => store.roll());
  scene.call(() => store.roll());
  assertEquals([bounds(store), before.length], [[[0, 30], [30, 0]], 1]);
  append(scene, store, 12);
  scene.settle();
  assertEquals(bounds(store), [[0, 30], [30, 12]]);
  assertEquals(scene.disk.names(TOPIC), [FIRST, "00000000000000000030.segment"]);
  assertEquals(scene.disk.content(TOPIC, "00000000000000000030.segment"), pattern(30, 12));
});

test("a rolled file is synced and closed; the next one stays open", () => {
  const scene = new Scene();
  const store = scene.open();
  append(scene, store, 30);
  store.roll();
  scene.settle();
  assertEquals([store.written, store.synced, scene.disk.openFiles], [30, 30, 1]);
  for (let roll = 0; roll < 9; roll++) {
    append(scene, store, 10);
    store.roll();
  }
  append(scene, store, 1);
  scene.settle();
  assertEquals([store.synced, scene.disk.names(TOPIC).length], [120, 11]);
  // One is written to, and four are kept for readers.
  assertEquals(scene.disk.openFiles, 5);
});

test("sync covers what is appended when it is asked for; whoever asks meanwhile shares the next", () => {
  const scene = new Scene();
  const store = scene.open();
  append(scene, store, 5);
  scene.call(() => store.sync());
  scene.until(() => scene.disk.counts.sync === 1);
  for (let batch = 0; batch < 5; batch++) {
    append(scene, store, 5);
    scene.call(() => store.sync());
  }
  scene.settle();
  assertEquals([store.synced, scene.disk.counts.sync, scene.disk.counts.syncFolder], [30, 2, 1]);
  assertEquals(scene.calls.filter((call) => call.startsWith("synced")), ["synced 5", "synced 30"]);
  store.sync();
  scene.settle();
  assertEquals(scene.disk.counts.sync, 2, "everything is synced already");
});

test("syncs go on although more is always appended and asked for", () => {
  const scene = new Scene({ segmentBytes: 100_000 });
  const store = scene.open();
  for (let round = 0; round < 500; round++) {
    append(scene, store, 10);
    scene.call(() => store.sync());
    scene.steps(1);
  }
  assert(scene.toldSynced > 2_000, `only ${scene.toldSynced} of 5000 bytes were synced under load`);
});

test("the folder is synced before a new file is written", () => {
  const scene = new Scene();
  const store = scene.open();
  append(scene, store, 5);
  store.sync();
  scene.until(() => scene.disk.counts.syncFolder === 1);
  assertEquals(scene.disk.counts.write, 0);
  scene.settle();
  assertEquals([store.synced, [...scene.disk.state(TOPIC).platter.keys()]], [5, [FIRST]]);
  append(scene, store, 5);
  store.sync();
  scene.settle();
  assertEquals([store.synced, scene.disk.counts.syncFolder], [10, 1]);
});

test("a file is created only when the names of those before it survive the machine", () => {
  const scene = new Scene();
  scene.disk.put(TOPIC, FIRST, pattern(0, 30));
  // As a process leaves it that dies between the creation and the sync of the folder.
  const { platter, changes, entries } = scene.disk.state(TOPIC);
  platter.delete(FIRST);
  changes.push({ name: FIRST, file: entries.get(FIRST) });
  const store = scene.open();
  store.roll();
  append(scene, store, 10);
  scene.until(() => entries.size === 2);
  assert(platter.has(FIRST), "a power loss could leave the second file without the first");
  assertEquals(scene.close(store), undefined);
});

test("without a machine's durability nothing is synced", () => {
  const scene = new Scene({ durability: "process" });
  const store = scene.open();
  assertEquals([store.durability, scene.stores.durability], ["process", "process"]);
  append(scene, store, 5);
  store.sync();
  store.roll();
  append(scene, store, 5);
  scene.settle();
  assertEquals([store.written, store.synced, scene.disk.counts.sync], [10, 0, 0]);
  assertEquals([scene.close(store), scene.disk.counts.sync, scene.disk.openFiles], [undefined, 0, 0]);
});

test("reads: from memory before and after the write, from the file when the memory is gone", () => {
  const scene = new Scene({ memoryBytesMax: 64 });
  const store = scene.open();
  append(scene, store, 40);
  const early = scene.read(store, 5, 10);
  assert(!("kind" in early) && early.pinned);
  assertEquals(early.bytes, pattern(5, 10));
  early.release(true);
  for (let roll = 0; roll < 3; roll++) {
    store.roll();
    append(scene, store, 40);
  }
  scene.settle();
  // One written segment's memory is kept.
  const pinned = bounds(store).map(([base]) => {
    const answer = scene.read(store, base!, 40);
    assert(!("kind" in answer));
    assertEquals(answer.bytes, pattern(base!, 40));
    answer.release(true);
    return answer.pinned;
  });
  assertEquals(pinned, [false, false, true, true]);
  assertEquals([scene.pool.fresh, scene.pool.idleBytes], [4, 128]);
});

test("memory of written segments is used again, once readers have let go", () => {
  const scene = new Scene({ memoryBytesMax: 0 });
  const store = scene.open();
  append(scene, store, 40);
  const held = scene.read(store, 0, 40);
  assert(!("kind" in held));
  for (let roll = 0; roll < 5; roll++) {
    store.roll();
    append(scene, store, 40);
    scene.settle();
  }
  assertEquals([held.bytes, scene.pool.fresh, scene.pool.recycled], [pattern(0, 40), 2, 4]);
  held.release(true);
  assertEquals(scene.pool.idleBytes, 64 * scene.pool.fresh - 64);
});

test("reads of what is not there, or in two segments, fail", () => {
  const scene = new Scene();
  const store = scene.open();
  append(scene, store, 20);
  store.roll();
  append(scene, store, 20);
  for (const [offset, bytes] of [[0, 21], [19, 2], [40, 1], [39, 2], [900, 1]] as const) {
    const answer = scene.read(store, offset, bytes);
    assert("kind" in answer, `${offset}+${bytes} was read`);
    assertEquals([answer.kind, answer.offset], ["corrupt", offset]);
  }
});

test("an append elsewhere than at the tail, or too large for the segment, is a bug and changes nothing", () => {
  const scene = new Scene();
  const store = scene.open();
  append(scene, store, 60);
  assertThrows(() => store.append(59, [pattern(0, 1)]), BugError, "append at 59, but the tail is 60");
  assertThrows(() => store.append(60, [pattern(0, 5)]), BugError, "room for 4");
  append(scene, store, 4);
  scene.settle();
  assertEquals([store.written, scene.files()], [64, pattern(0, 64)]);
});

test("room is what is not written yet", () => {
  const scene = new Scene({ writeBehindBytesMax: 30 });
  const store = scene.open();
  assertEquals([store.hasRoom(30), store.hasRoom(64)], [true, true], "a large batch passes alone");
  append(scene, store, 20);
  assertEquals([store.hasRoom(10), store.hasRoom(11)], [true, false]);
  scene.settle();
  assertEquals(store.hasRoom(31), true);
});

test("a trim removes whole files that are written and synced, never the last one", () => {
  const scene = new Scene();
  const store = scene.open();
  for (let segment = 0; segment < 4; segment++) {
    if (segment > 0) store.roll();
    append(scene, store, 20);
  }
  store.trim(59);
  assertEquals(bounds(store).length, 4, "nothing is written yet");
  scene.settle();
  assertEquals([bounds(store), scene.disk.names(TOPIC).length], [[[40, 20], [60, 20]], 2]);
  store.trim(1_000);
  scene.settle();
  assertEquals([bounds(store), scene.disk.names(TOPIC)], [[[60, 20]], ["00000000000000000060.segment"]]);
  assertEquals([...scene.disk.state(TOPIC).platter.keys()], scene.disk.names(TOPIC));
  assert("kind" in scene.read(store, 40, 1));
  assertEquals(scene.readBytes(store, 60, 20), pattern(60, 20));
});

test("a segment stays until something of the next one is durable, so that there is always a beginning", () => {
  for (const durability of ["process", "machine"] as const) {
    const scene = new Scene({ durability });
    const store = scene.open();
    append(scene, store, 20);
    store.roll();
    scene.settle();
    store.trim(20);
    scene.settle();
    assertEquals(bounds(store), [[0, 20], [20, 0]]);
    append(scene, store, 5);
    store.sync();
    scene.settle();
    assertEquals([bounds(store), scene.disk.names(TOPIC).length], [[[20, 5]], 1], durability);
  }
});

test("a file that is being read is removed when the read has ended", () => {
  const scene = new Scene({ memoryBytesMax: 0 });
  const store = scene.open();
  append(scene, store, 20);
  store.roll();
  append(scene, store, 20);
  store.sync();
  scene.settle();
  let answer: Uint8Array | undefined;
  store.read(0, 20, (result) => answer = "kind" in result ? undefined : result.bytes);
  store.trim(20);
  assertEquals(bounds(store).length, 1);
  scene.settle();
  assertEquals([answer, scene.disk.names(TOPIC).length], [pattern(0, 20), 1]);
});

test("files are removed one by one, each with a sync of the folder", () => {
  const scene = new Scene();
  const store = scene.open();
  for (let segment = 0; segment < 5; segment++) {
    append(scene, store, 20);
    store.roll();
  }
  append(scene, store, 1);
  store.sync();
  scene.settle();
  const before = scene.disk.counts.syncFolder;
  store.trim(100);
  scene.until(() => scene.disk.counts.remove === 1);
  assertEquals(scene.disk.counts.syncFolder, before);
  scene.until(() => scene.disk.counts.remove === 2);
  assertEquals([scene.disk.counts.syncFolder, [...scene.disk.state(TOPIC).platter.keys()].length], [
    before + 1,
    5,
  ]);
  scene.settle();
  assertEquals([scene.disk.counts.remove, scene.disk.counts.syncFolder], [5, before + 5]);
});

test("close writes, syncs and lets go; only done is called", () => {
  const scene = new Scene();
  const store = scene.open();
  append(scene, store, 20);
  store.roll();
  append(scene, store, 30);
  const answered: string[] = [];
  store.read(0, 5, () => answered.push("at once"));
  const called = scene.calls.length;
  assertEquals(scene.close(store), undefined);
  scene.settle();
  assertEquals([scene.calls.length, scene.disk.openFiles, answered], [called, 0, ["at once"]]);
  assertEquals([store.synced, scene.files()], [50, pattern(0, 50)]);
  scene.powerLoss();
  assertEquals(scene.readAll(scene.open()), pattern(0, 50));
});

test("a read from a file that is under way when the store is closed is not answered", () => {
  const scene = new Scene({ memoryBytesMax: 0 });
  const store = scene.open();
  append(scene, store, 20);
  store.roll();
  scene.settle();
  let answers = 0;
  store.read(0, 20, () => answers++);
  assertEquals(scene.close(store), undefined);
  scene.settle();
  assertEquals([answers, scene.disk.openFiles], [0, 0]);
});

test("all memory comes back when a store is closed", () => {
  const scene = new Scene();
  const store = scene.open();
  for (let segment = 0; segment < 4; segment++) {
    append(scene, store, 20);
    store.roll();
  }
  append(scene, store, 20);
  scene.close(store);
  assertEquals(scene.pool.idleBytes, 64 * scene.pool.fresh);
});

test("a store that is opened again has its bytes, and goes on in the last file", () => {
  const scene = new Scene();
  const first = scene.open();
  append(scene, first, 30);
  first.roll();
  append(scene, first, 20);
  scene.close(first);
  const store = scene.open();
  assertEquals([bounds(store), store.tail, store.written, store.synced], [[[0, 30], [30, 20]], 50, 50, 0]);
  append(scene, store, 10);
  assertThrows(() => append(scene, store, 35), BugError, "room for 34");
  // What was found lies in the file, what was appended in memory.
  assertEquals(scene.readBytes(store, 30, 30), pattern(30, 30));
  assertEquals(scene.readBytes(store, 45, 15), pattern(45, 15));
  assertEquals(scene.readBytes(store, 50, 10), pattern(50, 10));
  store.sync();
  scene.settle();
  assertEquals([store.synced, scene.files(), scene.disk.counts.sync >= 3], [60, pattern(0, 60), true]);
});

test("a last file without bytes is removed: a hole may lie in front of it", () => {
  const scene = new Scene();
  scene.disk.put(TOPIC, FIRST, pattern(0, 30));
  scene.disk.put(TOPIC, "00000000000000000040.segment", pattern(0, 0));
  scene.disk.put(TOPIC, "00000000000000000060.segment", pattern(0, 0));
  const store = scene.open();
  assertEquals([bounds(store), scene.disk.names(TOPIC)], [[[0, 30]], [FIRST]]);
  append(scene, store, 30);
  assertEquals([scene.close(store), scene.files()], [undefined, pattern(0, 60)]);
});

test("other files in the folder are left alone", () => {
  const scene = new Scene();
  for (
    const name of ["notes.txt", "1.segment", "99999999999999999999.segment", "0000000000000000000x.segment"]
  ) {
    scene.disk.put(TOPIC, name, pattern(0, 9));
  }
  const store = scene.open();
  append(scene, store, 5);
  scene.close(store);
  assertEquals([store.tail, scene.disk.names(TOPIC).length], [5, 5]);
});

test("what is found is shown with its holes, and a file never reaches into the next", () => {
  const scene = new Scene();
  scene.disk.put(TOPIC, FIRST, pattern(0, 40));
  scene.disk.put(TOPIC, "00000000000000000030.segment", pattern(30, 10));
  scene.disk.put(TOPIC, "00000000000000000060.segment", pattern(60, 5));
  const store = scene.open();
  assertEquals([bounds(store), store.tail], [[[0, 30], [30, 10], [60, 5]], 65]);
  assert("kind" in scene.read(store, 45, 1));
});

test("truncate forgets what lies behind, in the file and after it, and it stays forgotten", () => {
  for (const tail of [0, 7, 30, 31, 44, 50, 65]) {
    const scene = new Scene({ seed: tail });
    scene.disk.put(TOPIC, FIRST, pattern(0, 30));
    scene.disk.put(TOPIC, "00000000000000000030.segment", pattern(30, 20));
    scene.disk.put(TOPIC, "00000000000000000050.segment", pattern(50, 15));
    const store = scene.open();
    let done = 0;
    store.truncate(tail, (failure) => {
      assertEquals(failure, undefined);
      done++;
    });
    scene.until(() => done === 1);
    assertEquals([store.tail, store.written], [tail, tail]);
    assertEquals(scene.readAll(store), pattern(0, tail));
    scene.powerLoss();
    const again = scene.open();
    assertEquals([again.tail, scene.readAll(again)], [tail, pattern(0, tail)]);
    append(scene, again, 3);
    assertEquals(scene.close(again), undefined);
    assertEquals(scene.files(), pattern(0, tail + 3));
  }
});

test("what is forgotten is not synced any more either", () => {
  const scene = new Scene();
  scene.disk.put(TOPIC, FIRST, pattern(0, 30));
  const store = scene.open();
  store.sync();
  assertThrows(() => store.truncate(10, () => {}), BugError);
  scene.settle();
  assertEquals(store.synced, 30);
  store.truncate(10, () => {});
  scene.settle();
  assertEquals([store.tail, store.written, store.synced], [10, 10, 10]);
});

test("truncate belongs before the first append, and inside what was found", () => {
  const scene = new Scene();
  scene.disk.put(TOPIC, FIRST, pattern(0, 30));
  scene.disk.put(TOPIC, "00000000000000000060.segment", pattern(60, 5));
  const store = scene.open();
  assertThrows(() => store.truncate(45, () => {}), BugError);
  let done = 0;
  store.truncate(30, () => done++);
  scene.settle();
  assertEquals([done, bounds(store)], [1, [[0, 30]]]);
  append(scene, store, 1);
  assertThrows(() => store.truncate(30, () => {}), BugError);
});

test("a store is closed after a truncation that is under way", () => {
  const scene = new Scene();
  scene.disk.put(TOPIC, FIRST, pattern(0, 30));
  scene.disk.put(TOPIC, "00000000000000000030.segment", pattern(30, 30));
  const store = scene.open();
  const done: string[] = [];
  store.truncate(10, () => done.push("truncated"));
  store.close(() => done.push("closed"));
  scene.settle();
  assertEquals([done, scene.files(), scene.disk.openFiles], [["closed"], pattern(0, 10), 0]);
});

test("the factory lists topics, and opens each once at a time", () => {
  const scene = new Scene();
  const list = (): readonly string[] => {
    let names: readonly string[] | undefined;
    scene.stores.list((found) => names = found as readonly string[]);
    scene.until(() => names !== undefined);
    return names!;
  };
  assertEquals(list(), []);
  const store = scene.open();
  assertEquals(list(), [TOPIC]);
  assertThrows(() => scene.tryOpen(), BugError);
  assertThrows(() => scene.stores.close(() => {}), BugError);
  scene.close(store);
  let closed = 0;
  scene.stores.close(() => closed++);
  scene.settle();
  assertEquals(closed, 1);
});
