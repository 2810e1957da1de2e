/**
 * The batches of a publisher that are not acknowledged, in the order of submission, sent or not.
 *
 * @module
 */

import type { LogError } from "../errors.ts";

/** A sealed batch, until it is acknowledged. */
export class OutgoingBatch<Token> {
  readonly body: Uint8Array;
  /** Memory of the pool behind the body; `undefined`: the body is memory of its own. */
  readonly memory: Uint8Array | undefined;
  /** How many of the publisher's records stand before it. */
  readonly firstRecord: number;
  readonly count: number;
  readonly crc: number;
  readonly lastSequence: bigint | undefined;
  /** Who waits for its records, and which of its records each waits for. */
  readonly tokens: readonly Token[] | undefined;
  readonly tokenRecords: readonly number[] | undefined;

  /** Ordered and written; of its epoch, whatever becomes of it. */
  committed = false;
  /** Those who wait were told. */
  settled = false;
  /** Why it will never be taken. */
  error: LogError | undefined = undefined;
  /** Of its first record, once known. */
  position: bigint | undefined = undefined;
  /** Times it was sent in this epoch. */
  sends = 0;
  /** When it was sent last. */
  sentMs = 0;
  /** Times its body was found damaged on arrival. */
  damages = 0;
  /** Some transport may still hold its memory although it was answered for: it was sent more than once, or its link broke. */
  shared = false;

  constructor(init: OutgoingBatchInit<Token>) {
    this.body = init.body;
    this.memory = init.memory;
    this.firstRecord = init.firstRecord;
    this.count = init.count;
    this.crc = init.crc;
    this.lastSequence = init.lastSequence;
    this.tokens = init.tokens;
    this.tokenRecords = init.tokenRecords;
  }

  /** It was handed to a link. */
  markSent(nowMs: number): void {
    if (this.sends > 0) this.shared = true;
    this.sends++;
    this.sentMs = nowMs;
  }
}

/** What a batch is made of; see {@link OutgoingBatch}. */
export type OutgoingBatchInit<Token> = Pick<
  OutgoingBatch<Token>,
  "body" | "memory" | "firstRecord" | "count" | "crc" | "lastSequence" | "tokens" | "tokenRecords"
>;

/** Taken places at the front that are tolerated before the list is moved up. */
const GAP_MAX = 256;

/**
 * A queue of batches with their numbers. The first `older` ones are of epochs that are over: committed, and kept until they
 * are synced. The others have consecutive numbers that end with `nextNumber - 1`.
 */
export class Window<Token> {
  #batches: OutgoingBatch<Token>[] = [];
  #from = 0;
  #bytes = 0;
  /** Batches at the front that are of older epochs, and their bytes. */
  older = 0;
  olderBytes = 0;
  /** The number of the next batch that is pushed. */
  nextNumber = 0;

  get length(): number {
    return this.#batches.length - this.#from;
  }

  /** Bytes of all bodies. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The number of the first batch of this epoch that is still here: all below are acknowledged. */
  get baseNumber(): number {
    return this.nextNumber - this.length + this.older;
  }

  /** `index` is below `length`. */
  at(index: number): OutgoingBatch<Token> {
    return this.#batches[this.#from + index]!;
  }

  /** Where the batch of this epoch with such a number is, was or will be. */
  indexOf(number: number): number {
    return number - this.nextNumber + this.length;
  }

  numberAt(index: number): number {
    return this.nextNumber - this.length + index;
  }

  push(batch: OutgoingBatch<Token>): void {
    this.#batches.push(batch);
    this.#bytes += batch.body.length;
    this.nextNumber++;
  }

  /** Takes out the first one. */
  shift(): OutgoingBatch<Token> {
    const batch = this.at(0);
    this.#from++;
    this.#bytes -= batch.body.length;
    if (this.older > 0) {
      this.older--;
      this.olderBytes -= batch.body.length;
    }
    if (this.#from > GAP_MAX && this.#from * 2 > this.#batches.length) {
      this.#batches = this.#batches.slice(this.#from);
      this.#from = 0;
    }
    return batch;
  }

  /** Takes out one that has not been sent in this epoch: those behind it move up. */
  remove(index: number): OutgoingBatch<Token> {
    const batch = this.at(index);
    this.#batches.splice(this.#from + index, 1);
    this.#bytes -= batch.body.length;
    this.nextNumber--;
    return batch;
  }

  /**
   * The epoch is over. Batches for which `fate` says "keep" are numbered from 0 again, those that are "older" come before
   * them, "gone" ones are answered.
   */
  renumber(fate: (batch: OutgoingBatch<Token>) => "keep" | "older" | "gone"): OutgoingBatch<Token>[] {
    const kept: OutgoingBatch<Token>[] = [];
    const older: OutgoingBatch<Token>[] = [];
    const gone: OutgoingBatch<Token>[] = [];
    const lists = { keep: kept, older, gone };
    for (let index = 0; index < this.length; index++) {
      const batch = this.at(index);
      lists[index < this.older ? "older" : fate(batch)].push(batch);
    }
    for (const batch of gone) this.#bytes -= batch.body.length;
    this.#batches = [...older, ...kept];
    this.#from = 0;
    this.older = older.length;
    this.olderBytes = older.reduce((bytes, { body }) => bytes + body.length, 0);
    this.nextNumber = kept.length;
    return gone;
  }
}
