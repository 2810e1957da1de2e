/**
 * A disk store on a simulated disk, in virtual time.
 *
 * @module
 */

import { assert } from "@std/assert";
import type { DiskStore } from "../../../src/log/store/disk_store.ts";
import { DiskStores } from "../../../src/log/store/disk_stores.ts";
import { SegmentPool } from "../../../src/log/store/segment_pool.ts";
import type { StoreEvents, StoreFailure, StoreRead } from "../../../src/log/store/store.ts";
import { EventLoop } from "../../support/event_loop.ts";
import { SimulatedDisk } from "../../support/log_disk.ts";
import { Random } from "../../support/random.ts";

export interface SceneOptions {
  readonly seed?: number;
  readonly segmentBytes?: number;
  readonly memoryBytesMax?: number;
  readonly writeBehindBytesMax?: number;
  readonly writeBytesMax?: number;
  readonly durability?: "process" | "machine";
  readonly sectorBytes?: number;
}

export const TOPIC = "orders";

/** One topic's store on one disk, over any number of lives. */
export class Scene {
  readonly random: Random;
  readonly loop: EventLoop;
  readonly disk: SimulatedDisk;
  readonly options: SceneOptions;
  pool: SegmentPool = new SegmentPool();
  stores: DiskStores;
  /** What the store told, in order. */
  readonly calls: string[] = [];
  readonly failures: StoreFailure[] = [];
  /** What the store that is open has told of its frontiers. */
  toldWritten = 0;
  toldSynced = 0;
  /** While a method of the store runs. */
  #inside = false;

  constructor(options: SceneOptions = {}) {
    this.options = options;
    this.random = new Random(options.seed ?? 1);
    this.loop = new EventLoop(this.random.fork("loop"), {
      startMs: 5,
      turnEventsMax: 3,
      shuffleTies: true,
      timerLateMsMax: 1,
      timerEarlyMsMax: 0,
    });
    this.disk = new SimulatedDisk({
      random: this.random.fork("disk"),
      schedule: (delayMs, run) => this.loop.io(delayMs, "disk", run),
      sectorBytes: options.sectorBytes ?? 16,
    });
    this.stores = this.#makeStores();
  }

  /** Opens the topic, and waits for it. */
  open(): DiskStore {
    const store = this.tryOpen();
    assert(!("kind" in store), JSON.stringify(store));
    return store;
  }

  tryOpen(): DiskStore | StoreFailure {
    const { segmentBytes = 64, memoryBytesMax = 64 } = this.options;
    let opened: DiskStore | StoreFailure | undefined;
    this.stores.open(TOPIC, { segmentBytes, memoryBytesMax }, this.#events(), (store) => {
      opened = store as DiskStore | StoreFailure;
    });
    this.until(() => opened !== undefined);
    return opened!;
  }

  /** Runs a method of the store, in which no event may be called. */
  call<Answer>(run: () => Answer): Answer {
    this.#inside = true;
    try {
      return run();
    } finally {
      this.#inside = false;
    }
  }

  /** Runs until nothing is left to happen. */
  settle(): void {
    while (this.loop.step());
  }

  /** Runs up to so many events. */
  steps(count: number): void {
    for (let step = 0; step < count && this.loop.step(); step++);
  }

  until(reached: () => boolean): void {
    while (!reached()) assert(this.loop.step(), "nothing is left to happen");
  }

  /** Reads, and waits for the answer. */
  read(store: DiskStore, offset: number, bytes: number): StoreRead | StoreFailure {
    let answer: StoreRead | StoreFailure | undefined;
    store.read(offset, bytes, (result) => answer = result);
    this.until(() => answer !== undefined);
    return answer!;
  }

  /** As {@link Scene.read}: a copy of what was read. */
  readBytes(store: DiskStore, offset: number, bytes: number): Uint8Array {
    const answer = this.read(store, offset, bytes);
    if ("kind" in answer) throw new Error(answer.message);
    const copy = answer.bytes.slice();
    answer.release(true);
    return copy;
  }

  /** Everything that the store's segments hold. */
  readAll(store: DiskStore): Uint8Array {
    return joined(store.segments.map(({ base, bytes }) => this.readBytes(store, base, bytes)));
  }

  close(store: DiskStore): StoreFailure | undefined {
    let answer: { readonly failure: StoreFailure | undefined } | undefined;
    store.close((failure) => answer = { failure });
    this.until(() => answer !== undefined);
    return answer!.failure;
  }

  /** All files together, as they are. */
  files(): Uint8Array {
    return joined(this.disk.names(TOPIC).map((name) => this.disk.content(TOPIC, name)!));
  }

  /** The process dies, and comes again. */
  kill(): void {
    this.disk.kill();
    this.#restart();
  }

  /** The machine dies, and comes again. */
  powerLoss(): void {
    this.disk.powerLoss();
    this.#restart();
  }

  #restart(): void {
    this.#life++;
    this.pool = new SegmentPool();
    this.stores = this.#makeStores();
    this.toldWritten = this.toldSynced = 0;
  }

  #life = 0;

  #makeStores(): DiskStores {
    const { durability, writeBehindBytesMax, writeBytesMax } = this.options;
    const life = this.#life;
    const ofLife = (run: () => void): () => void => () => {
      if (life === this.#life) run();
    };
    return new DiskStores({
      folders: this.disk.folders,
      host: {
        schedule: (delayMs, run, referenced) => this.loop.timer(delayMs, ofLife(run), referenced),
        microtask: (run) => this.loop.microtask(ofLife(run)),
        // Content of any kind, so that nobody relies on zeros.
        memory: (bytes) => new Uint8Array(bytes).fill(0xdb),
      },
      durability,
      writeBehindBytesMax,
      writeBytesMax,
      pool: this.pool,
    });
  }

  #events(): StoreEvents {
    this.toldWritten = this.toldSynced = 0;
    const tell = (text: string): void => {
      assert(!this.#inside, `${text} was told from inside a call`);
      this.calls.push(text);
    };
    return {
      written: (frontier) => {
        assert(frontier > this.toldWritten, "written rises");
        this.toldWritten = frontier;
        tell(`written ${frontier}`);
      },
      synced: (frontier) => {
        assert(frontier > this.toldSynced, "synced rises");
        this.toldSynced = frontier;
        tell(`synced ${frontier}`);
      },
      failed: (failure) => {
        this.failures.push(failure);
        tell(`failed ${failure.kind}`);
      },
      resumed: () => tell("resumed"),
    };
  }
}

export function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/** `count` bytes whose values tell where they stand. */
export function pattern(offset: number, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, (_, index) => (offset + index) * 7 + ((offset + index) >> 8));
}
