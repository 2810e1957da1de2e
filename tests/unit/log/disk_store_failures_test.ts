import { test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { DiskStore } from "../../../src/log/store/disk_store.ts";
import type { StoreFailure } from "../../../src/log/store/store.ts";
import { RETRY_MS_MAX, RETRY_MS_MIN } from "../../../src/log/store/writer.ts";
import { pattern, Scene, type SceneOptions, TOPIC } from "./disk_store_scene.ts";

function append(scene: Scene, store: DiskStore, bytes: number): void {
  scene.call(() => store.append(store.tail, [pattern(store.tail, bytes)]));
}

/** A store with so many bytes appended and written. */
function opened(
  bytes: number,
  options: SceneOptions = {},
): { readonly scene: Scene; readonly store: DiskStore } {
  const scene = new Scene(options);
  const store = scene.open();
  if (bytes > 0) append(scene, store, bytes);
  scene.settle();
  scene.calls.length = 0;
  return { scene, store };
}

/** Runs until virtual time has passed by so much. */
function pass(scene: Scene, ms: number): void {
  const end = scene.loop.nowMs + ms;
  while (scene.loop.nextAtMs <= end) scene.loop.step();
}

test("a full disk: nothing moves, it is told once, and the same offset is written again", () => {
  const { scene, store } = opened(20);
  scene.disk.spaceBytes = 25;
  append(scene, store, 10);
  pass(scene, 3_000);
  append(scene, store, 10);
  pass(scene, 3_000);
  assertEquals([store.written, store.tail, scene.calls], [20, 40, ["failed full"]]);
  assertEquals([scene.failures[0]?.offset, store.stopped], [20, undefined]);
  assertMatch(scene.failures[0]!.message, /Cannot write 0{20}\.segment: no space left/);
  assert(scene.disk.counts.write > 4, "it was not tried again");
  assertEquals(scene.readBytes(store, 0, 40), pattern(0, 40));
  scene.disk.spaceBytes = Infinity;
  scene.settle();
  assertEquals(scene.calls.slice(0, 3), ["failed full", "resumed", "written 40"]);
  assertEquals(scene.files(), pattern(0, 40));
});

test("a disk that fills up again is told again", () => {
  const { scene, store } = opened(0);
  for (let round = 1; round <= 2; round++) {
    scene.disk.spaceBytes = scene.disk.usedBytes;
    append(scene, store, 10);
    pass(scene, 1_000);
    scene.disk.spaceBytes = Infinity;
    scene.settle();
  }
  assertEquals(scene.calls, ["failed full", "resumed", "written 10", "failed full", "resumed", "written 20"]);
});

test("a full disk is tried again later and later, up to a bound", () => {
  const { scene, store } = opened(20);
  scene.disk.spaceBytes = 20;
  const triesAt: number[] = [];
  scene.disk.fail = ({ kind }) => {
    if (kind === "write") triesAt.push(scene.loop.nowMs);
    return undefined;
  };
  append(scene, store, 10);
  pass(scene, 20_000);
  const waits = triesAt.slice(1).map((at, index) => at - triesAt[index]!);
  // A write takes up to 2 ms, a timer may be 1 ms late.
  const expected = waits.map((_, index) => Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** index));
  waits.forEach((wait, index) => {
    assert(
      wait >= expected[index]! && wait <= expected[index]! + 3,
      `${wait} ms instead of ${expected[index]}`,
    );
  });
  assert(waits.length > 8);
  // What has worked once begins with the shortest wait again.
  scene.disk.spaceBytes = 30;
  scene.settle();
  triesAt.length = 0;
  append(scene, store, 10);
  pass(scene, 100);
  assertEquals([store.written, triesAt.length], [30, 2]);
  assert(triesAt[1]! - triesAt[0]! <= RETRY_MS_MIN + 3);
});

test("a folder without space for another file is a full disk as well", () => {
  const { scene, store } = opened(20);
  store.roll();
  scene.settle();
  scene.disk.spaceBytes = 20;
  append(scene, store, 10);
  pass(scene, 1_000);
  assertEquals([store.written, scene.calls], [20, ["synced 20", "failed full"]]);
  scene.disk.spaceBytes = 100;
  scene.settle();
  assertEquals([store.written, scene.files()], [30, pattern(0, 30)]);
});

test("a trim that frees space makes a full disk go on at once", () => {
  const { scene, store } = opened(40);
  store.roll();
  append(scene, store, 10);
  store.sync();
  scene.settle();
  scene.disk.spaceBytes = 50;
  append(scene, store, 20);
  pass(scene, 60_000);
  assertEquals(store.written, 50);
  store.trim(40);
  pass(scene, 20);
  assertEquals([store.written, scene.disk.usedBytes, scene.calls.slice(-2)], [70, 30, [
    "resumed",
    "written 70",
  ]]);
});

test("a full disk does not hold back syncs of what is written, nor reads", () => {
  const { scene, store } = opened(20);
  scene.disk.spaceBytes = 20;
  store.sync();
  append(scene, store, 10);
  pass(scene, 500);
  assertEquals([store.synced, store.written], [20, 20]);
  assertEquals(scene.readBytes(store, 15, 15), pattern(15, 15));
});

test("close on a full disk tries once more, says why it could not, and lets go", () => {
  for (const freed of [false, true]) {
    const { scene, store } = opened(20);
    scene.disk.spaceBytes = 25;
    append(scene, store, 10);
    pass(scene, 1_000);
    if (freed) scene.disk.spaceBytes = 100;
    const failure = scene.close(store);
    assertEquals([failure?.kind, scene.disk.openFiles], [freed ? undefined : "full", 0]);
    scene.settle();
    assertEquals(scene.calls, ["failed full"]);
    scene.disk.spaceBytes = Infinity;
    const again = scene.open();
    assert(again.tail >= (freed ? 30 : 20));
    assertEquals(scene.readAll(again), pattern(0, again.tail));
  }
});

test("a write that fails otherwise stops the store for good", () => {
  const { scene, store } = opened(20);
  scene.disk.failNext("write");
  append(scene, store, 10);
  scene.settle();
  assertEquals([store.written, scene.calls], [20, ["failed stopped"]]);
  assertEquals([store.stopped?.kind, store.stopped?.offset, store.hasRoom(0)], ["stopped", 20, false]);
  const writes = scene.disk.counts.write;
  append(scene, store, 10);
  store.sync();
  store.roll();
  append(scene, store, 10);
  store.trim(30);
  scene.settle();
  assertEquals([scene.disk.counts.write, scene.disk.counts.sync, scene.disk.counts.remove], [writes, 0, 0]);
  assertEquals(scene.readBytes(store, 0, 40), pattern(0, 40), "reads are still answered");
  assertEquals([scene.close(store)?.kind, scene.disk.openFiles, scene.calls.length], ["stopped", 0, 1]);
});

test("a file that cannot be opened or created stops the store", () => {
  const { scene, store } = opened(0);
  scene.disk.failNext("open");
  append(scene, store, 10);
  scene.settle();
  assertEquals([store.written, scene.calls, store.stopped?.kind], [0, ["failed stopped"], "stopped"]);
  assertMatch(scene.failures[0]!.message, /Cannot open/);
  assertEquals(scene.close(store)?.kind, "stopped");
});

test("a failed sync is never tried again: the store stops where it was", () => {
  for (const kind of ["sync", "syncFolder"] as const) {
    const scene = new Scene();
    const store = scene.open();
    scene.disk.failNext(kind);
    append(scene, store, 10);
    store.sync();
    append(scene, store, 10);
    scene.settle();
    assertEquals([store.synced, scene.calls.at(-1), scene.disk.counts[kind]], [0, "failed stopped", 1], kind);
    store.sync();
    scene.settle();
    assertEquals(scene.disk.counts[kind], 1);
    assertEquals([scene.close(store)?.kind, scene.disk.counts[kind], scene.disk.openFiles], [
      "stopped",
      1,
      0,
    ]);
  }
});

test("a sync that fails while a write is in flight: nothing moves when that ends, and its memory is not used before", () => {
  // Whichever ends first: the simulated disk watches the memory of the write.
  for (let seed = 1; seed <= 30; seed++) {
    const { scene, store } = opened(20, { seed, memoryBytesMax: 0 });
    scene.disk.failNext("sync");
    store.sync();
    append(scene, store, 10);
    scene.until(() => scene.failures.length === 1);
    const { written } = store;
    const closed: (StoreFailure | undefined)[] = [];
    store.close((failure) => closed.push(failure));
    scene.settle();
    assertEquals([closed[0]?.kind, store.written, scene.disk.openFiles], ["stopped", written, 0]);
    assertEquals(scene.pool.idleBytes, 64 * scene.pool.fresh);
  }
});

test("a store that stopped is opened anew, and rewrites what the failed sync may have lost", () => {
  for (let seed = 1; seed <= 40; seed++) {
    const scene = new Scene({ seed });
    const store = scene.open();
    append(scene, store, 30);
    store.sync();
    scene.settle();
    scene.disk.failNext("sync");
    append(scene, store, 30);
    store.roll();
    append(scene, store, 25);
    scene.settle();
    assertEquals([store.synced, store.suspectFrom, scene.close(store)?.kind], [30, 30, "stopped"]);
    const again = scene.open();
    const { tail } = again;
    assert(tail >= 60);
    again.sync();
    scene.settle();
    assertEquals(again.synced, tail);
    assertEquals(scene.close(again), undefined);
    scene.powerLoss();
    assertEquals(scene.readAll(scene.open()), pattern(0, tail), `seed ${seed}`);
  }
});

test("suspicion outlives a store that could not sync either, and ends with one that could", () => {
  const { scene, store } = opened(30);
  scene.disk.failNext("sync");
  store.sync();
  scene.settle();
  assertEquals([scene.close(store)?.kind, store.suspectFrom], ["stopped", 0]);
  const second = scene.open();
  const writes = scene.disk.counts.write;
  scene.disk.failNext("write");
  append(scene, second, 5);
  scene.settle();
  assertEquals([scene.close(second)?.kind, second.suspectFrom], ["stopped", undefined]);
  const third = scene.open();
  assertEquals(scene.disk.counts.write, writes + 2, "the found bytes were not written again");
  assertEquals(scene.close(third), undefined);
  const fourth = scene.open();
  assertEquals([scene.disk.counts.write, scene.close(fourth)], [writes + 2, undefined]);
});

test("a store whose bytes cannot be rewritten does not open, and leaves no file open", () => {
  for (const kind of ["read", "write", "open"] as const) {
    const { scene, store } = opened(30);
    scene.disk.failNext("sync");
    store.sync();
    scene.settle();
    scene.close(store);
    scene.disk.failNext(kind);
    const answer = scene.tryOpen();
    assert("kind" in answer, kind);
    assertEquals([answer.kind, scene.disk.openFiles], ["stopped", 0]);
    assertEquals(scene.readAll(scene.open()), pattern(0, 30), "the topic can be opened again");
  }
});

test("a folder that cannot be read does not open", () => {
  const scene = new Scene();
  scene.disk.failNext("list");
  const answer = scene.tryOpen();
  assert("kind" in answer);
  assertEquals(answer.kind, "stopped");
  assertMatch(answer.message, /Cannot list the folder: no list today/);
  scene.open();
});

test("an empty last file that cannot be removed does not open", () => {
  for (const kind of ["remove", "syncFolder"] as const) {
    const scene = new Scene();
    scene.disk.put(TOPIC, "00000000000000000000.segment", pattern(0, 30));
    scene.disk.put(TOPIC, "00000000000000000040.segment", pattern(0, 0));
    scene.disk.failNext(kind);
    assert("kind" in scene.tryOpen(), kind);
    assertEquals(scene.readAll(scene.open()), pattern(0, 30));
  }
});

test("a read that fails is told, and hurts nobody else", () => {
  const { scene, store } = opened(30, { memoryBytesMax: 0 });
  store.roll();
  scene.settle();
  scene.disk.failNext("read");
  const answer = scene.read(store, 5, 10);
  assert("kind" in answer);
  assertEquals([answer.kind, answer.offset], ["corrupt", 5]);
  assertMatch(answer.message, /Cannot read the 10 bytes at offset 5 in 0{20}\.segment: no read today/);
  assertEquals(scene.readBytes(store, 5, 10), pattern(5, 10));
  scene.close(store);
  const again = scene.open();
  scene.disk.failNext("open");
  assert("kind" in scene.read(again, 5, 10));
  assertEquals(scene.readBytes(again, 5, 10), pattern(5, 10));
});

test("two readers of a file that cannot be opened are both told", () => {
  const scene = new Scene();
  scene.disk.put(TOPIC, "00000000000000000000.segment", pattern(0, 30));
  const store = scene.open();
  scene.disk.failNext("open");
  const answers: string[] = [];
  for (const offset of [0, 5]) {
    store.read(offset, 5, (answer) => answers.push("kind" in answer ? answer.kind : "read"));
  }
  scene.settle();
  assertEquals(answers, ["corrupt", "corrupt"]);
  assertEquals([scene.close(store), scene.disk.openFiles], [undefined, 0]);
});

test("a file that became shorter is corrupt from there", () => {
  const { scene, store } = opened(30, { memoryBytesMax: 0 });
  store.roll();
  scene.settle();
  scene.disk.put(TOPIC, "00000000000000000000.segment", pattern(0, 12));
  const answer = scene.read(store, 5, 10);
  assert("kind" in answer);
  assertMatch(answer.message, /the file ends after 7/);
  assertEquals(scene.readBytes(store, 2, 10), pattern(2, 10));
});

test("a file that cannot be removed stays in front of the others, until the next time", () => {
  const { scene, store } = opened(20);
  for (let segment = 0; segment < 3; segment++) {
    store.roll();
    append(scene, store, 20);
  }
  store.sync();
  scene.settle();
  scene.disk.failNext("remove");
  store.trim(60);
  scene.settle();
  assertEquals([store.segments.length, scene.disk.names(TOPIC).length, store.stopped], [1, 4, undefined]);
  store.trim(60);
  scene.settle();
  assertEquals(scene.disk.names(TOPIC).length, 1);
});

test("a removal whose folder cannot be synced stops the store", () => {
  const { scene, store } = opened(20);
  store.roll();
  append(scene, store, 20);
  store.sync();
  scene.settle();
  scene.disk.failNext("syncFolder");
  store.trim(20);
  scene.settle();
  assertEquals([store.stopped?.kind, scene.calls.at(-1)], ["stopped", "failed stopped"]);
});

test("a store that has stopped removes nothing", () => {
  const { scene, store } = opened(20);
  store.roll();
  append(scene, store, 20);
  store.sync();
  scene.settle();
  scene.disk.failNext("write");
  append(scene, store, 10);
  scene.settle();
  store.trim(20);
  scene.settle();
  assertEquals([store.segments.length, scene.disk.names(TOPIC).length], [2, 2]);
});

test("a truncation that fails stops the store", () => {
  for (const kind of ["remove", "syncFolder", "open", "truncate", "sync"] as const) {
    const scene = new Scene();
    scene.disk.put(TOPIC, "00000000000000000000.segment", pattern(0, 30));
    scene.disk.put(TOPIC, "00000000000000000030.segment", pattern(30, 30));
    const store = scene.open();
    scene.disk.failNext(kind);
    let failure: StoreFailure | undefined;
    store.truncate(10, (answer) => failure = answer);
    scene.settle();
    assertEquals([failure?.kind, store.stopped?.kind, scene.calls], ["stopped", "stopped", []], kind);
    assertEquals([scene.close(store)?.kind, scene.disk.openFiles], ["stopped", 0]);
    const again = scene.open();
    again.truncate(10, () => {});
    scene.settle();
    assertEquals(scene.readAll(again), pattern(0, 10), kind);
  }
});
