/**
 * A topic's bytes in memory: gone with the process, and written the moment they are appended.
 *
 * @module
 */

import { assert } from "../../assert.ts";
import { countBytes } from "../../bytes/bytes.ts";
import { BugError } from "../../errors.ts";
import { Segment, segmentAt } from "./segment.ts";
import { SegmentPool } from "./segment_pool.ts";
import type {
  Durability,
  SegmentInfo,
  StoreEvents,
  StoreFactory,
  StoreFailure,
  StoreOptions,
  StoreRead,
  TopicStore,
} from "./store.ts";

function nothing(): void {}

/**
 * See the module. `written` and `synced` move inside `append`, which calls both events, and `read` answers at once.
 * `memoryBytesMax` bounds the bytes that were appended and not trimmed: room comes back by `trim` alone.
 */
export class MemoryStore implements TopicStore {
  readonly durability: Durability = "none";
  readonly #options: StoreOptions;
  readonly #events: StoreEvents;
  readonly #pool: SegmentPool;
  readonly #onClosed: () => void;
  /** Never changed, but replaced: who holds the list sees the segments of that moment. */
  #segments: readonly Segment[];
  #tail = 0;
  #closed = false;

  /** `closed` is called by {@link MemoryStore.close}. */
  constructor(options: StoreOptions, events: StoreEvents, pool: SegmentPool, closed: () => void = nothing) {
    this.#options = options;
    this.#events = events;
    this.#pool = pool;
    this.#onClosed = closed;
    this.#segments = [new Segment(0, options.segmentBytes, pool)];
  }

  get tail(): number {
    return this.#tail;
  }

  get written(): number {
    return this.#tail;
  }

  get synced(): number {
    return this.#tail;
  }

  get segments(): readonly SegmentInfo[] {
    return this.#segments;
  }

  hasRoom(bytes: number): boolean {
    return !this.#closed && this.#tail - this.#segments[0]!.base + bytes <= this.#options.memoryBytesMax;
  }

  append(expected: number, chunks: readonly Uint8Array[]): void {
    assert(!this.#closed, "a closed store takes nothing");
    if (expected !== this.#tail) throw new BugError(`append at ${expected}, but the tail is ${this.#tail}`);
    const active = this.#segments.at(-1)!;
    if (!active.append(chunks)) {
      throw new BugError(
        `append of ${countBytes(chunks)} bytes, but the segment has room for ${active.room}`,
      );
    }
    this.#tail = active.end;
    this.#events.written(this.#tail);
    if (!this.#closed) this.#events.synced(this.#tail);
  }

  roll(): void {
    assert(!this.#closed, "a closed store takes nothing");
    const active = this.#segments.at(-1)!;
    if (active.bytes === 0) return;
    active.seal();
    this.#segments = [...this.#segments, new Segment(this.#tail, this.#options.segmentBytes, this.#pool)];
  }

  sync(): void {}

  read(offset: number, bytes: number, done: (result: StoreRead | StoreFailure) => void): void {
    assert(!this.#closed, "a closed store answers nothing");
    const segment = segmentAt(this.#segments, offset);
    if (segment?.has(offset, bytes) === true) return done(segment.read(offset, bytes));
    const message = `No segment holds the ${bytes} bytes at offset ${offset}`;
    done({ kind: "corrupt", message, offset });
  }

  trim(before: number): void {
    const kept = this.#segments.filter((one, index) =>
      index === this.#segments.length - 1 || one.end > before
    );
    const removed = this.#segments.filter((one) => !kept.includes(one));
    this.#segments = kept;
    for (const segment of removed) segment.retire();
  }

  /** There is nothing to recover, so `tail` can only be 0. */
  truncate(tail: number, done: (failure?: StoreFailure) => void): void {
    assert(tail === 0 && this.#tail === 0, "a memory store begins empty");
    done();
  }

  close(done: (failure?: StoreFailure) => void): void {
    assert(!this.#closed, "a store is closed once");
    this.#closed = true;
    for (const segment of this.#segments) segment.retire();
    this.#segments = [];
    this.#onClosed();
    done();
  }
}

/** Opens memory stores. They share memory that is not in use. A topic that was closed begins anew when it is opened again. */
export class MemoryStores implements StoreFactory {
  readonly durability: Durability = "none";
  readonly #pool: SegmentPool;
  readonly #open: Set<string> = new Set();

  constructor(pool: SegmentPool = new SegmentPool()) {
    this.#pool = pool;
  }

  list(done: (topics: readonly string[]) => void): void {
    done([...this.#open]);
  }

  open(
    topic: string,
    options: StoreOptions,
    events: StoreEvents,
    done: (store: TopicStore | StoreFailure) => void,
  ): void {
    assert(!this.#open.has(topic), "a topic is opened once at a time");
    this.#open.add(topic);
    done(new MemoryStore(options, events, this.#pool, () => this.#open.delete(topic)));
  }

  close(done: () => void): void {
    assert(this.#open.size === 0, "topic stores are closed first");
    this.#pool.clear();
    done();
  }
}
