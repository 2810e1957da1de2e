import { test } from "node:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { assert, assertEquals, assertInstanceOf, assertMatch } from "@std/assert";
import { createHost } from "../../../adapters/host.ts";
import { openFileStores } from "../../../adapters/store/file_store.ts";
import { LogError } from "../../../src/log/errors.ts";
import type {
  StoreEvents,
  StoreFactory,
  StoreFailure,
  StoreRead,
  TopicStore,
} from "../../../src/log/store/store.ts";
import { errorOf, withProgram } from "../support.ts";

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(`${tmpdir()}/hawser-files-`);
  try {
    await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What a store told, for those who wait. */
class Told implements StoreEvents {
  readonly failures: StoreFailure[] = [];
  #waiting: { readonly met: () => boolean; readonly done: () => void }[] = [];

  written(): void {
    this.#look();
  }

  synced(): void {
    this.#look();
  }

  failed(failure: StoreFailure): void {
    this.failures.push(failure);
  }

  resumed(): void {}

  until(met: () => boolean): Promise<void> {
    return new Promise((done) => {
      this.#waiting.push({ met, done });
      this.#look();
    });
  }

  #look(): void {
    this.#waiting = this.#waiting.filter(({ met, done }) => {
      if (met()) done();
      else return true;
      return false;
    });
  }
}

const SEGMENT_BYTES = 65_536;

async function openTopic(stores: StoreFactory, topic: string, told: Told = new Told()): Promise<TopicStore> {
  const options = { segmentBytes: SEGMENT_BYTES, memoryBytesMax: 0 };
  const store = await new Promise<TopicStore | StoreFailure>((done) =>
    stores.open(topic, options, told, done)
  );
  assert(!("kind" in store), JSON.stringify(store));
  return store;
}

async function readAll(store: TopicStore): Promise<Uint8Array> {
  const whole = new Uint8Array(store.tail - store.segments[0]!.base);
  let at = 0;
  for (const { base, bytes } of store.segments) {
    const read = await new Promise<StoreRead | StoreFailure>((done) => store.read(base, bytes, done));
    if ("kind" in read) throw new Error(read.message);
    whole.set(read.bytes, at);
    at += bytes;
    read.release(true);
  }
  return whole;
}

const closeStore = (store: TopicStore): Promise<StoreFailure | undefined> =>
  new Promise((done) => store.close(done));
const closeStores = (stores: StoreFactory): Promise<void> => new Promise((done) => stores.close(done));
const listTopics = (stores: StoreFactory): Promise<readonly string[] | StoreFailure> =>
  new Promise((done) => stores.list(done));

function pattern(offset: number, bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, at) => (offset + at) % 251);
}

function append(store: TopicStore, bytes: number): void {
  if (store.segments.at(-1)!.bytes + bytes > SEGMENT_BYTES) store.roll();
  store.append(store.tail, [pattern(store.tail, bytes)]);
}

test("topics in files are there again after they were closed", () =>
  withFolder(async (folder) => {
    const dir = `${folder}/deep/er/data`;
    const first = await openFileStores({ dir, host: createHost() });
    assertEquals([first.durability, await listTopics(first)], ["machine", []]);
    const told = new Told();
    const orders = await openTopic(first, "Orders", told);
    for (let batch = 0; batch < 20; batch++) append(orders, 10_000);
    orders.sync();
    await told.until(() => orders.synced === 200_000);
    const logs = await openTopic(first, "logs");
    append(logs, 5);
    assertEquals([await closeStore(orders), await closeStore(logs)], [undefined, undefined]);
    await closeStores(first);
    assertEquals(readdirSync(dir).sort(), ["logs", "orders~1"]);
    assertEquals(readdirSync(`${dir}/orders~1`).length, 4);

    const second = await openFileStores({ dir: `${dir}/`, host: createHost() });
    assertEquals(await listTopics(second), ["Orders", "logs"]);
    const again = await openTopic(second, "Orders");
    assertEquals([again.tail, again.segments.length], [200_000, 4]);
    assertEquals(await readAll(again), pattern(0, 200_000));
    again.trim(130_000);
    append(again, 100);
    assertEquals(await closeStore(again), undefined);
    await closeStores(second);

    const third = await openFileStores({ dir, host: createHost() });
    const last = await openTopic(third, "Orders");
    const { base } = last.segments[0]!;
    assertEquals(await readAll(last), pattern(base, last.tail - base));
    assertEquals(last.tail, 200_100);
    await closeStore(last);
    await closeStores(third);
  }));

test("trimmed files leave the folder", () =>
  withFolder(async (dir) => {
    const stores = await openFileStores({ dir, host: createHost() });
    const told = new Told();
    const store = await openTopic(stores, "orders", told);
    for (let batch = 0; batch < 20; batch++) append(store, 10_000);
    store.sync();
    await told.until(() => store.synced === store.tail);
    store.trim(store.tail);
    assertEquals(store.segments.length, 1);
    assertEquals(await readAll(store), pattern(180_000, 20_000));
    await closeStore(store);
    await closeStores(stores);
    const left = readdirSync(`${dir}/orders`).sort();
    assertEquals(left.at(-1), "00000000000000180000.segment");
    assertEquals(left.length, 1);
  }));

test("a folder has one owner at a time", () =>
  withFolder(async (dir) => {
    const stores = await openFileStores({ dir, host: createHost() });
    const error = await errorOf(() => openFileStores({ dir, host: createHost() }));
    assertInstanceOf(error, LogError);
    assertEquals(error.code, "ERR_LOG_LOCKED");
    await closeStores(stores);
    await closeStores(await openFileStores({ dir, host: createHost() }));
  }));

test("a folder that cannot be made is refused by name", () =>
  withFolder(async (folder) => {
    writeFileSync(`${folder}/file`, "x");
    const error = await errorOf(() => openFileStores({ dir: `${folder}/file/data`, host: createHost() }));
    assertInstanceOf(error, LogError);
    assertEquals(error.code, "ERR_LOG_STORE_FAILED");
    assertMatch(error.message, /^Cannot use the folder .*\/file\/data: ENOTDIR/);
  }));

test("what is no topic's folder is left out, and cannot be opened", () =>
  withFolder(async (dir) => {
    mkdirSync(`${dir}/lost+found`);
    mkdirSync(`${dir}/orders`);
    writeFileSync(`${dir}/notes`, "x");
    const stores = await openFileStores({ dir, host: createHost() });
    assertEquals(await listTopics(stores), ["orders"]);
    const options = { segmentBytes: SEGMENT_BYTES, memoryBytesMax: 0 };
    for (const topic of ["../orders", "notes"]) {
      const answer = await new Promise<object>((done) => stores.open(topic, options, new Told(), done));
      assertEquals("kind" in answer && answer.kind, "stopped", topic);
    }
    await closeStores(stores);
    assertEquals(readdirSync(dir).sort(), ["lost+found", "notes", "orders"]);
  }));

test("a process that is killed loses nothing that written has told", () =>
  withFolder(async (dir) => {
    let told = 0;
    await withProgram(["append_forever", dir], async (program) => {
      await new Promise<void>((resolve) => {
        program.process.stdout!.on("data", (chunk) => {
          for (const line of String(chunk).split("\n")) told = Math.max(told, Number(line));
          if (told > 10_000_000) resolve();
        });
      });
    });
    const stores = await openFileStores({ dir, host: createHost() });
    const store = await openTopic(stores, "orders");
    assert(store.tail >= told, `${told} bytes were written, ${store.tail} are left`);
    let end = 0;
    for (const { base, bytes } of store.segments) {
      assertEquals(base, end, "no holes");
      end += bytes;
    }
    const found = await readAll(store);
    let same = 0;
    while (same < found.length && found[same] === same % 251) same++;
    assertEquals(same, store.tail, "the bytes are not those that were appended");
    store.sync();
    assertEquals(await closeStore(store), undefined);
    await closeStores(stores);
  }));
