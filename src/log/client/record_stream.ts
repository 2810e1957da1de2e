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

  /** The position behind the last record that was read; `undefined`: none was. */
  get position(): bigint | undefined {
    const reader = this.#reader;
    if (reader === undefined || reader.index < 0) return this.#position;
    return reader.batch.position + BigInt(reader.index + 1);
  }

  deliver(batch: DeliveredBatch): void {
    if (this.#ended) return;
    this.#queue.push(batch);
    this.#waits.first()?.resolve();
  }

  /** Nothing follows what was delivered. `error` is told once it is read. */
  end(error: LogError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#waits.resolveAll();
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
    this.#waits.resolveAll();
  }

  /** The next record. */
  next(): Promise<IteratorResult<LogRecord>> {
    if (this.#waits.size === 0 && this.#advance()) {
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
    while (true) {
      const value = this.#waits.size === 0 ? take() : undefined;
      if (value !== undefined) return { value, done: false };
      if (this.#ended && this.#isEmpty) {
        const error = this.#error;
        this.#error = undefined;
        if (error !== undefined) throw error;
        return DONE;
      }
      await this.#waits.wait(undefined);
      const woken = take();
      if (woken === undefined) continue;
      // Others may wait for what is left.
      if (!this.#isEmpty) this.#waits.first()?.resolve();
      return { value: woken, done: false };
    }
  }

  get #isEmpty(): boolean {
    return this.#batch === undefined && this.#from >= this.#queue.length;
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
