/**
 * Runs of entries as a topic writes them, and a store that holds them: damaged in any way, read at once or later, with every
 * piece of memory that was given out accounted for.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { concat } from "../../../src/bytes/bytes.ts";
import { crc32 } from "../../../src/bytes/crc32.ts";
import {
  encodeEntry,
  encodeRound,
  type EntryFields,
  type EntryType,
  type OrderRow,
} from "../../../src/log/order/entries.ts";
import { encodeOpening, type SegmentOpening } from "../../../src/log/order/segment_opening.ts";
import type { StoreFailure, StoreRead, TopicStore } from "../../../src/log/store/store.ts";
import type { TopicOptions } from "../../../src/log/topic_options.ts";

export const TOPIC_OPTIONS: TopicOptions = {
  order: 5,
  ack: 1,
  retention: { bytesMax: 0, ageMsMax: 0, keepFor: [] },
  segmentBytes: 65_536,
  leaseMs: 1_000,
  syncIntervalMs: 0,
};

/** An entry, and where it stands. */
export interface PlacedEntry {
  readonly type: EntryType;
  readonly fields: EntryFields;
  readonly body: Uint8Array;
  readonly offset: number;
  readonly end: number;
}

/** What a segment's first entry says by default. */
export function openingOf(base: number, change: Partial<SegmentOpening> = {}): SegmentOpening {
  return {
    topic: "orders",
    options: TOPIC_OPTIONS,
    reaches: base,
    syncedThrough: 0,
    startedMs: 0,
    ...change,
  };
}

/** A row of an order entry. */
export function rowOf(change: Partial<OrderRow> = {}): OrderRow {
  return {
    position: 0n,
    session: 7n,
    epoch: 1,
    count: 1,
    batch: 0,
    offset: 0,
    bodyBytes: 8,
    bodyCrc: 0,
    lastSequence: undefined,
    broker: 0,
    ...change,
  };
}

interface Piece {
  readonly base: number;
  bytes: Uint8Array;
}

/**
 * Segments of bytes. Writes entries one after the other; {@link BytesStore.store} is what recovery sees of it.
 */
export class BytesStore {
  readonly entries: PlacedEntry[] = [];
  readonly pieces: Piece[] = [];
  /** Reads that were answered and not released. */
  pinned = 0;
  reads = 0;
  /** Reads that were released, by whether their memory may be used again. */
  readonly released: { recycled: number; left: number } = { recycled: 0, left: 0 };
  /** What reads are answered with instead of bytes. */
  failure: StoreFailure | undefined;
  /** Answers when {@link BytesStore.settle} is called, not at once. */
  later = false;
  /** Where the log was cut. */
  truncatedTo: number | undefined;
  readonly #waiting: (() => void)[] = [];

  get tail(): number {
    const last = this.pieces.at(-1);
    return last === undefined ? 0 : last.base + last.bytes.length;
  }

  /** A new segment begins at the tail. */
  roll(): this {
    this.pieces.push({ base: this.tail, bytes: new Uint8Array(0) });
    return this;
  }

  append(type: EntryType, fields: EntryFields = {}, body: Uint8Array = new Uint8Array(0)): PlacedEntry {
    if (this.pieces.length === 0) this.roll();
    const offset = this.tail;
    const last = this.pieces.at(-1)!;
    last.bytes = concat([last.bytes, ...encodeEntry(type, fields, body, offset, crc32)]);
    const entry = { type, fields, body, offset, end: this.tail };
    this.entries.push(entry);
    return entry;
  }

  /** A segment with its first entry. */
  begin(firstPosition: bigint, change: Partial<SegmentOpening> = {}): PlacedEntry {
    this.roll();
    const base = this.tail;
    const fields = { id: BigInt(base), number: firstPosition, epoch: 1 };
    return this.append("segment", fields, encodeOpening(openingOf(base, change)));
  }

  payload(body: Uint8Array): PlacedEntry {
    return this.append("payload", { bodyCrc: crc32(body, 0) }, body);
  }

  round(rows: readonly OrderRow[], syncedThrough = 0, timestampMs = 1_000): PlacedEntry {
    const fields = { number: rows[0]!.position, count: rows.length };
    return this.append("order", fields, encodeRound({ timestampMs, syncedThrough, rows }));
  }

  /** Damages the byte at `offset`. */
  flip(offset: number, bit = 0): void {
    const piece = this.#pieceAt(offset)!;
    piece.bytes[offset - piece.base]! ^= 1 << bit;
  }

  /** What recovery sees. */
  get store(): TopicStore {
    const segments = (): { base: number; bytes: number }[] =>
      this.pieces.map(({ base, bytes }) => ({ base, bytes: bytes.length }));
    const part = {
      get segments() {
        return segments();
      },
      read: this.read,
      truncate: (tail: number, done: () => void) => this.#truncate(tail, done),
    };
    return part as unknown as TopicStore;
  }

  readonly read = (
    offset: number,
    bytes: number,
    done: (result: StoreRead | StoreFailure) => void,
  ): void => {
    this.reads++;
    if (this.later) this.#waiting.push(() => this.#answer(offset, bytes, done));
    else this.#answer(offset, bytes, done);
  };

  /** Answers what is asked until nothing is. */
  answer(): void {
    for (let answer = this.#waiting.shift(); answer !== undefined; answer = this.#waiting.shift()) answer();
  }

  /** As {@link BytesStore.answer}, and nobody keeps what he was given. */
  settle(): void {
    this.answer();
    assertEquals(this.pinned, 0, "a read was not released");
  }

  #answer(offset: number, bytes: number, done: (result: StoreRead | StoreFailure) => void): void {
    if (this.failure !== undefined) return done(this.failure);
    const piece = this.#pieceAt(offset);
    assert(
      piece !== undefined && offset + bytes <= piece.base + piece.bytes.length,
      `a read of ${bytes} bytes at ${offset} lies in no segment`,
    );
    const memory = piece.bytes.slice(offset - piece.base, offset - piece.base + bytes);
    let released = false;
    this.pinned++;
    done({
      bytes: memory,
      pinned: true,
      release: (recycle) => {
        assert(!released, "released twice");
        released = true;
        this.pinned--;
        if (recycle) this.released.recycled++;
        else this.released.left++;
        // As recycled memory is.
        if (recycle) memory.fill(0xee);
      },
    });
  }

  #truncate(tail: number, done: () => void): void {
    this.truncatedTo = tail;
    for (let last = this.pieces.at(-1)!; last.base > tail; last = this.pieces.at(-1)!) this.pieces.pop();
    const last = this.pieces.at(-1)!;
    last.bytes = last.bytes.slice(0, tail - last.base);
    done();
  }

  #pieceAt(offset: number): Piece | undefined {
    return [...this.pieces].reverse().find(({ base, bytes }) => base <= offset && bytes.length > 0);
  }
}
