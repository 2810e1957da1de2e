/**
 * Appends a topic's entries to its store, segment after segment, and runs what waits for them to become durable, in order.
 *
 * @module
 */

import type { Crc32 } from "../../bytes/crc32.ts";
import { encodeEntry, entryBytes, type EntryFields, type EntryType } from "../order/entries.ts";
import type { TopicStore } from "../store/store.ts";

/** An entry to be written. */
export interface NewEntry {
  readonly type: EntryType;
  readonly fields: EntryFields;
  readonly body: Uint8Array;
}

/** Something that happens when everything below `end` is durable. */
interface Waiter {
  readonly end: number;
  readonly run: () => void;
}

/** What a {@link Journal} is made of. */
export interface JournalInit {
  readonly store: TopicStore;
  readonly crc32: Crc32;
  /** A segment is left when the next entry would make it longer than this. */
  readonly segmentBytes: number;
  /** What the topic calls durable. */
  readonly durable: "written" | "synced";
  /** The entries at the beginning of a segment at `base`. */
  readonly opening: (base: number) => readonly NewEntry[];
}

/** See the module. */
export class Journal {
  readonly #init: JournalInit;
  readonly #store: TopicStore;
  readonly #durable: Waiter[] = [];
  readonly #synced: Waiter[] = [];
  #running = false;
  #syncWanted = false;

  constructor(init: JournalInit) {
    this.#init = init;
    this.#store = init.store;
  }

  /** Offset behind everything that was appended. */
  get tail(): number {
    return this.#store.tail;
  }

  /** What waits to become durable or synced. */
  get waiting(): number {
    return this.#durable.length + this.#synced.length;
  }

  /** Offset below which everything is durable, as the topic understands it. */
  get durable(): number {
    return this.#init.durable === "synced" ? this.#store.synced : this.#store.written;
  }

  /** Whether an entry of such a body would make this segment too long, so that it begins a new one. */
  isLeftBy(bodyBytes: number): boolean {
    const segment = this.#store.segments.at(-1);
    const opened = segment !== undefined && segment.bytes > 0;
    return !opened || segment.bytes + entryBytes(bodyBytes) > this.#init.segmentBytes;
  }

  /** Begins a new segment if an entry of such a body would make this one too long. */
  makeRoom(bodyBytes: number): void {
    if (this.isLeftBy(bodyBytes)) this.roll();
  }

  /** Begins a new segment, unless the last one is empty. */
  roll(): void {
    const segment = this.#store.segments.at(-1);
    if (segment === undefined || segment.bytes > 0) this.#store.roll();
    for (const { type, fields, body } of this.#init.opening(this.#store.tail)) {
      this.appendHere(type, fields, body);
    }
    // What the new segment's beginning says of the old ones should hold soon.
    this.sync();
  }

  /** Appends an entry, in a new segment if need be, and answers where it stands. */
  append(type: EntryType, fields: EntryFields, body: Uint8Array): number {
    this.makeRoom(body.length);
    return this.appendHere(type, fields, body);
  }

  /**
   * Appends an entry to this segment, however long it is. For order entries: the sequencer is ahead of the store while a
   * round is being written, and no snapshot may be made then.
   */
  appendHere(type: EntryType, fields: EntryFields, body: Uint8Array): number {
    const { tail } = this.#store;
    this.#store.append(tail, encodeEntry(type, fields, body, tail, this.#init.crc32));
    return tail;
  }

  /** Runs `run` when everything that is appended now is durable: at once if it is. Runs keep their order. */
  whenDurable(run: () => void): void {
    this.#durable.push({ end: this.tail, run });
    if (this.#init.durable === "synced") this.sync();
    this.moved();
  }

  /** As {@link whenDurable}, but always for the machine's durability. Never runs where the store has none. */
  whenSynced(run: () => void): void {
    if (this.#store.durability !== "machine") return;
    this.#synced.push({ end: this.tail, run });
    this.moved();
  }

  /** Asks the store to sync what is appended. Merged until the appends of this round are in. */
  sync(): void {
    this.#syncWanted = this.#store.durability === "machine";
  }

  /** Passes a wanted sync on. Call it when a round's appends are done. */
  flush(): void {
    if (!this.#syncWanted) return;
    this.#syncWanted = false;
    this.#store.sync();
  }

  /** The store's frontiers moved. */
  moved(): void {
    if (this.#running) return;
    this.#running = true;
    // What runs may append more, to a store where that is durable at once.
    while (runUpTo(this.#durable, this.durable) + runUpTo(this.#synced, this.#store.synced) > 0);
    this.#running = false;
  }

  /** Nothing that waits will happen. */
  abandon(): void {
    this.#durable.length = 0;
    this.#synced.length = 0;
  }
}

/** Answers how many ran. */
function runUpTo(waiters: Waiter[], frontier: number): number {
  let count = 0;
  while (count < waiters.length && waiters[count]!.end <= frontier) waiters[count++]!.run();
  waiters.splice(0, count);
  return count;
}
