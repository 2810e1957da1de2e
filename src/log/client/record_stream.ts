/**
 * Records as they are read: one by one or in arrays, in the order of their positions. What was read is told to the
 * subscription, which asks for more.
 *
 * @module
 */

import type { LogError } from "../errors.ts";
import type { DeliveredBatch } from "../reader/subscriber_cursor.ts";
import type { LogRecord, RecordReader } from "../wire/record.ts";
import { type Holds, Waits } from "./waits.ts";

const DONE: IteratorReturnResult<undefined> = { value: undefined, done: true };

/** See the module. */
export class RecordStream {
  readonly #consumed: (batch: DeliveredBatch) => void;
  readonly #waits: Waits<undefined, void>;
  #queue: DeliveredBatch[] = [];
  #from = 0;
  /** Waits that were ended and have not gone on yet: what comes next is theirs. */
  #woken = 0;
  /** The batch that is being read, and where it is read. */
  #batch: DeliveredBatch | undefined;
  #reader: RecordReader | undefined;
  #ended = false;
  #error: LogError | undefined;
  #position: bigint | undefined;

  /** `consumed`: the reader is done with a batch. */
  constructor(holds: Holds, consumed: (batch: DeliveredBatch) => void) {
    this.#consumed = consumed;
    this.#waits = new Waits(holds);
  }

  /** Whether nothing will come any more. */
  get ended(): boolean {
    return this.#ended;
  }

  /** The position behind the last record that was read, or of the first one that was delivered; `undefined`: there is neither. */
  get position(): bigint | undefined {
    const reader = this.#reader;
    if (reader !== undefined) return reader.batch.position + BigInt(reader.index + 1);
    const next = this.#queue[this.#from];
    return this.#position ?? (next && next.records.position + BigInt(next.skip));
  }

  deliver(batch: DeliveredBatch): void {
    if (this.#ended) return;
    this.#queue.push(batch);
    this.#wakeFirst();
  }

  /** Nothing follows what was delivered. `error` is told once it is read. */
  end(error: LogError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#wakeFirst();
  }

  /** Nothing is wanted any more, not even what was delivered. */
  close(error?: LogError): void {
    this.#ended = true;
    this.#error = error;
    this.#position = this.position;
    this.#queue = [];
    this.#from = 0;
    this.#batch = undefined;
    this.#reader = undefined;
    this.#wakeFirst();
  }

  /** The next record. */
  next(): Promise<IteratorResult<LogRecord>> {
    if (this.#isNext && this.#advance()) {
      return Promise.resolve({ value: this.#reader!.record(), done: false });
    }
    return this.#wait(() => this.#advance() ? this.#reader!.record() : undefined);
  }

  /** The rest of a batch, `max` records at most. */
  nextBatch(max: number): Promise<IteratorResult<LogRecord[]>> {
    return this.#wait(() => {
      if (!this.#advance()) return undefined;
      const reader = this.#reader!;
      const records = [reader.record()];
      while (records.length < max && reader.next()) records.push(reader.record());
      return records;
    });
  }

  async #wait<T>(take: () => T | undefined): Promise<IteratorResult<T>> {
    let isNext = this.#isNext;
    while (true) {
      const value = isNext ? take() : undefined;
      if (value !== undefined) {
        // What is left, or the end, is for whoever waits next.
        if (this.#hasMore || this.#ended) this.#wakeFirst();
        return { value, done: false };
      }
      if (isNext && this.#ended) {
        const error = this.#error;
        this.#error = undefined;
        this.#wakeFirst();
        if (error !== undefined) throw error;
        return DONE;
      }
      await this.#waits.wait(undefined);
      this.#woken--;
      isNext = true;
    }
  }

  /** Whether nobody waits who came earlier. */
  get #isNext(): boolean {
    return this.#waits.size === 0 && this.#woken === 0;
  }

  #wakeFirst(): void {
    const first = this.#waits.first();
    if (first === undefined) return;
    this.#woken++;
    first.resolve();
  }

  get #hasMore(): boolean {
    const reader = this.#reader;
    return this.#from < this.#queue.length ||
      (reader !== undefined && reader.index + 1 < reader.batch.count);
  }

  /** Goes to the next record. False: it is not here yet. */
  #advance(): boolean {
    while (true) {
      if (this.#reader?.next() === true) return true;
      if (!this.#nextBatch()) return false;
    }
  }

  #nextBatch(): boolean {
    const before = this.#batch;
    if (before !== undefined) {
      this.#position = this.position;
      this.#batch = undefined;
      this.#reader = undefined;
      this.#consumed(before);
    }
    const batch = this.#queue[this.#from];
    if (batch === undefined) return false;
    this.#from++;
    if (this.#from === this.#queue.length) {
      this.#queue = [];
      this.#from = 0;
    }
    this.#batch = batch;
    this.#reader = batch.records.reader();
    this.#reader.skip(batch.skip);
    return true;
  }
}
