/**
 * Makes segment files entry by entry, so that each can be right or wrong on purpose.
 *
 * @module
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "../../src/bytes/crc32.ts";
import {
  encodeEntry,
  encodeRound,
  type EntryFields,
  type EntryType,
  type OrderRow,
} from "../../src/log/order/entries.ts";
import { checkTopicOptions } from "../../src/log/configuration/topic.ts";
import { encodeOpening } from "../../src/log/order/segment_opening.ts";
import { encodeSnapshot } from "../../src/log/order/snapshot.ts";
import { segmentFileName } from "../../src/log/store/segment_files.ts";
import { BatchBuilder } from "../../src/log/wire/batch_builder.ts";

const EMPTY = new Uint8Array(0);

/** A topic's segments in the making. */
export class SegmentMaker {
  readonly topic: string;
  /** Behind everything that was added. */
  offset = 0;
  position = 0n;
  readonly #files: { readonly base: number; readonly chunks: Uint8Array[] }[] = [];
  #batch = 0;

  constructor(topic: string) {
    this.topic = topic;
    this.roll(0);
  }

  /** Begins a file. */
  roll(syncedThrough: number): void {
    this.#files.push({ base: this.offset, chunks: [] });
    const options = checkTopicOptions({ order: 5 });
    const opening = { topic: this.topic, options, reaches: this.offset, syncedThrough, startedMs: 0 };
    this.entry(
      "segment",
      { id: BigInt(this.offset), number: this.position, epoch: 1 },
      encodeOpening(opening),
    );
    const state = { lastTimestampMs: 0, trimmedTo: 0n, generations: [], consumers: [], sessions: [] };
    this.entry("snapshot", {}, encodeSnapshot({ nextPosition: this.position, ...state }));
  }

  /** Adds an entry and answers its offset. */
  entry(type: EntryType, fields: EntryFields, body: Uint8Array = EMPTY): number {
    const { offset } = this;
    const chunks = encodeEntry(type, fields, body, offset, crc32);
    this.#files.at(-1)!.chunks.push(...chunks);
    this.offset += chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    return offset;
  }

  /** Adds a batch and answers its row in the order, whose position is the next one. */
  payload(values: readonly string[]): OrderRow {
    const builder = new BatchBuilder(new Uint8Array(65_536));
    for (const value of values) builder.append(value, { key: `key of ${value}` });
    const body = builder.body().slice();
    const fields = { id: 7n, epoch: 1, count: values.length, number: BigInt(this.#batch) };
    const offset = this.entry("payload", fields, body);
    const row: OrderRow = {
      position: this.position,
      session: 7n,
      epoch: 1,
      count: values.length,
      batch: this.#batch++,
      offset,
      bodyBytes: body.length,
      bodyCrc: crc32(body, 0),
      lastSequence: undefined,
      broker: 0,
    };
    this.position += BigInt(values.length);
    return row;
  }

  /** Adds a round of such batches. */
  order(rows: readonly OrderRow[], syncedThrough: number = 0): number {
    const body = encodeRound({ timestampMs: 1_800_000_000_000, syncedThrough, rows });
    return this.entry("order", { number: rows[0]!.position, count: rows.length }, body);
  }

  /** A batch and its round. */
  batch(values: readonly string[], syncedThrough: number = 0): number {
    return this.order([this.payload(values)], syncedThrough);
  }

  /** Bytes of all files, by name. */
  files(): Map<string, Uint8Array> {
    return new Map(this.#files.map(({ base, chunks }) => {
      const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
      chunks.reduce((at, chunk) => (bytes.set(chunk, at), at + chunk.length), 0);
      return [segmentFileName(base), bytes];
    }));
  }

  /** Writes the files to `folder`; `damage` may change their bytes before. */
  write(
    folder: string,
    damage: (name: string, bytes: Uint8Array) => Uint8Array = (_, bytes) => bytes,
  ): string[] {
    mkdirSync(folder, { recursive: true });
    return [...this.files()].map(([name, bytes]) => {
      const path = join(folder, name);
      writeFileSync(path, damage(name, bytes));
      return path;
    });
  }
}
