import { test } from "node:test";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  connectLog,
  type Durability,
  type LogError,
  MemoryStores,
  MisuseError,
  openFileStores,
  openLog,
  type SegmentInfo,
  startBroker,
  type StoreEvents,
  type StoreFactory,
  type StoreFailure,
  type StoreOptions,
  type StoreRead,
  type TopicStore,
} from "../../../log.ts";
import { Context } from "../../../src/socket/context.ts";
import { freshFolder, logCodeOf, logErrorOf, nextEvent, takeTexts, values } from "./client_places.ts";
import { freshPath } from "../support.ts";

interface Piece {
  readonly base: number;
  readonly bytes: number[];
}

/** A topic in arrays of numbers: the smallest store that keeps the port's rules. */
class ArrayStore implements TopicStore {
  readonly durability: Durability = "process";
  readonly #pieces: Piece[];
  readonly #events: StoreEvents;
  /** Bytes that it can write before it is full. */
  #bytesMax: number;
  #written: number;
  #full = false;
  #closed = false;

  constructor(pieces: Piece[], events: StoreEvents, bytesMax: number) {
    if (pieces.length === 0) pieces.push({ base: 0, bytes: [] });
    this.#pieces = pieces;
    this.#events = events;
    this.#bytesMax = bytesMax;
    this.#written = this.tail;
  }

  get tail(): number {
    const { base, bytes } = this.#pieces.at(-1)!;
    return base + bytes.length;
  }

  get written(): number {
    return this.#written;
  }

  get synced(): number {
    return this.#written;
  }

  get segments(): readonly SegmentInfo[] {
    return this.#pieces.map(({ base, bytes }) => ({ base, bytes: bytes.length }));
  }

  hasRoom(): boolean {
    return this.tail - this.#written <= 65_536;
  }

  append(expected: number, chunks: readonly Uint8Array[]): void {
    assertEquals(expected, this.tail);
    for (const chunk of chunks) this.#pieces.at(-1)!.bytes.push(...chunk);
    queueMicrotask(() => this.#moved());
  }

  roll(): void {
    this.#pieces.push({ base: this.tail, bytes: [] });
  }

  sync(): void {}

  read(offset: number, bytes: number, done: (result: StoreRead | StoreFailure) => void): void {
    const piece = this.#pieces.filter(({ base }) => base <= offset).at(-1)!;
    const at = offset - piece.base;
    const read = Uint8Array.from(piece.bytes.slice(at, at + bytes));
    if (read.length < bytes) return done({ kind: "corrupt", message: "never appended", offset });
    done({ bytes: read, pinned: false, release: () => {} });
  }

  trim(before: number): void {
    while (this.#pieces.length > 1 && this.#pieces[1]!.base <= before) this.#pieces.shift();
  }

  truncate(tail: number, done: (failure?: StoreFailure) => void): void {
    while (this.#pieces.length > 1 && this.#pieces.at(-1)!.base > tail) this.#pieces.pop();
    const { base, bytes } = this.#pieces.at(-1)!;
    bytes.length = tail - base;
    this.#written = tail;
    done();
  }

  close(done: (failure?: StoreFailure) => void): void {
    this.#closed = true;
    done();
  }

  /** Room for more. */
  grow(bytes: number): void {
    this.#bytesMax += bytes;
    this.#full = false;
    this.#events.resumed();
    this.#moved();
  }

  #moved(): void {
    if (this.#closed || this.#full) return;
    this.#full = this.tail > this.#bytesMax;
    if (this.#full) return this.#events.failed({ kind: "full", message: "the array is full" });
    this.#written = this.tail;
    this.#events.written(this.tail);
    this.#events.synced(this.tail);
  }
}

/** Topics in a map that outlives the log. */
class ArrayStores implements StoreFactory {
  readonly durability: Durability = "process";
  readonly opened: Map<string, ArrayStore> = new Map();
  readonly #topics: Map<string, Piece[]>;
  readonly #bytesMax: number;
  closed = 0;
  failure: StoreFailure | undefined;

  constructor(topics: Map<string, Piece[]> = new Map(), bytesMax = Infinity) {
    this.#topics = topics;
    this.#bytesMax = bytesMax;
  }

  list(done: (topics: readonly string[]) => void): void {
    done([...this.#topics.keys()]);
  }

  open(
    topic: string,
    _options: StoreOptions,
    events: StoreEvents,
    done: (store: TopicStore | StoreFailure) => void,
  ): void {
    if (this.failure !== undefined) return done(this.failure);
    const pieces = this.#topics.get(topic) ?? [];
    this.#topics.set(topic, pieces);
    const store = new ArrayStore(pieces, events, this.#bytesMax);
    this.opened.set(topic, store);
    done(store);
  }

  close(done: () => void): void {
    this.closed++;
    done();
  }
}

test("a store of the user's own carries topics, embedded and of a broker, over several lives of the log", async () => {
  const topics = new Map<string, Piece[]>();
  const first = new ArrayStores(topics);
  let generation = -1;
  {
    await using log = await openLog({ stores: first });
    const publisher = log.publisher("t", { name: "job" });
    for (const value of values(20)) await publisher.publish(value);
    assertEquals((await log.openTopic("t")).durability, "process");
    assertEquals(await logCodeOf(log.openTopic("u", { ack: 2 })), "ERR_LOG_TOPIC");
    await log.consumer("t", "billing").commit(5n);
    generation = (await log.openTopic("t")).generation;
  }
  assertEquals(first.closed, 1);
  const second = new ArrayStores(topics);
  {
    await using broker = await startBroker({ stores: second, listen: [`ipc://${freshPath()}`] });
    await using log = await connectLog(broker.endpoints);
    await log.publisher("t", { name: "job" }).publish("more");
    assertEquals(await takeTexts(log.consumer("t", "billing"), 16), [...values(15, 5), "more"]);
    assertEquals((await log.openTopic("t")).generation, generation, "nothing was cut");
  }
  assertEquals(second.closed, 1);
});

test("a store that is full makes publishers wait, and says so; when it has room they go on", async () => {
  const stores = new ArrayStores(new Map(), 4_096);
  await using log = await openLog({
    stores,
    stagingBufferBytes: 1_024,
    topics: { "*": { segmentBytes: 8_192 } },
  });
  const publisher = log.publisher("t", { batchBytes: 256, windowBytes: 1_024 });
  const full = nextEvent(log, "storeFull");
  const published = values(400).map((value) => publisher.publish(value));
  const told = await full;
  assertEquals([told.topic, (told.error as LogError).code], ["t", "ERR_LOG_STORE_FULL"]);
  assert(publisher.progress().acknowledged < 400);
  const resumed = nextEvent(log, "storeResumed");
  stores.opened.get("t")!.grow(1_000_000);
  await resumed;
  const positions = (await Promise.all(published)).map(({ position }) => position);
  assertEquals(positions, values(400).map((_, index) => BigInt(index)));
});

test("a store that cannot be opened is told to whoever asks for its topic, and tried again for the next", async () => {
  const stores = new ArrayStores();
  await using log = await openLog({ stores });
  stores.failure = { kind: "stopped", message: "the engine is away" };
  const error = await logErrorOf(log.openTopic("t"));
  assertEquals([error.code, error.topic], ["ERR_LOG_STORE_FAILED", "t"]);
  assert(error.message.includes("the engine is away"), error.message);
  assertEquals(await logCodeOf(log.publisher("t").publish("x")), "ERR_LOG_STORE_FAILED");
  stores.failure = { kind: "corrupt", message: "not what was written", offset: 7 };
  assertEquals(await logCodeOf(log.openTopic("t")), "ERR_LOG_CORRUPT");
  stores.failure = undefined;
  assertEquals(await log.publisher("t").publish("x"), { position: 0n });
});

test("stores of memory and of files can be made by hand", async () => {
  await using memory = await openLog({ stores: new MemoryStores() });
  assertEquals((await memory.openTopic("t")).durability, "none");
  const dir = freshFolder();
  try {
    const stores = await openFileStores({ dir, durability: "process", writeBytesMax: 65_536 });
    assertEquals(stores.durability, "process");
    {
      await using log = await openLog({ stores });
      for (const value of values(3)) await log.publisher("t").publish(value);
      assertEquals((await log.openTopic("t")).durability, "process");
      assertEquals(await logCodeOf(openLog({ dir })), "ERR_LOG_LOCKED");
    }
    await using log = await openLog({ dir });
    assertEquals(await takeTexts(log.subscribe("t", { from: "earliest" }), 3), values(3));
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test("a log that cannot be opened leaves nothing behind: no folder, no lock, no stores", async () => {
  const parent = freshFolder();
  const dir = join(parent, "log");
  const closed = new Context({ host: (await import("../../../adapters/host.ts")).createHost() });
  closed.close();
  try {
    const wrong = { stagingBuffers: 0 };
    await assertRejects(() => openLog({ dir, ...wrong }), MisuseError, '"stagingBuffers" to 0');
    await assertRejects(() => startBroker({ dir, ...wrong }), MisuseError, '"stagingBuffers" to 0');
    await assertRejects(() => openLog({ dir, closeTimeoutMs: -1 }), MisuseError, '"closeTimeoutMs"');
    assert(!existsSync(dir), "a folder was made");

    const listen = [`ipc://${join(parent, "a file", "socket")}`];
    for (
      const open of [
        () => startBroker({ dir, listen }),
        () => startBroker({ dir, listen: ["tcp://127.0.0.1:0"], context: closed }),
        () => openLog({ dir, context: closed }),
      ]
    ) {
      await assertRejects(open as () => Promise<unknown>, MisuseError);
      // Nobody holds it.
      await (await openLog({ dir })).close();
    }

    for (
      const open of [
        (stores: StoreFactory) => openLog({ stores, dir }),
        (stores: StoreFactory) => openLog({ stores, ...wrong }),
        (stores: StoreFactory) => openLog({ stores, context: closed }),
        (stores: StoreFactory) => openLog({ stores, topics: { t: { ack: 2 } } }),
        (stores: StoreFactory) => startBroker({ stores, dir }),
        (stores: StoreFactory) => startBroker({ stores, listen }),
      ]
    ) {
      const stores = new ArrayStores();
      await assertRejects(() => open(stores) as Promise<unknown>, MisuseError);
      assertEquals(stores.closed, 1, String(open));
    }

    const file = join(parent, "file");
    writeFileSync(file, "");
    mkdirSync(join(parent, "taken"));
    assertEquals(await logCodeOf(openLog({ dir: file })), "ERR_LOG_STORE_FAILED");
    const holder = await openLog({ dir: join(parent, "taken") });
    assertEquals(await logCodeOf(startBroker({ dir: join(parent, "taken") })), "ERR_LOG_LOCKED");
    await holder.close();
  } finally {
    rmSync(parent, { recursive: true });
  }
});

test("a topic may be called as the lock of its folder is", async () => {
  const dir = freshFolder();
  for (const name of ["lock", "Lock", "lock-1"]) {
    const log = await openLog({ dir });
    await log.publisher(name).publish(name);
    await log.close();
    await using again = await openLog({ dir });
    assertEquals(await takeTexts(again.subscribe(name, { from: "earliest" }), 1), [name]);
  }
  rmSync(dir, { recursive: true });
});
