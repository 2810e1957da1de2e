/**
 * The batch that is being filled. It knows when it is full, and is told when it has waited long enough.
 *
 * @module
 */

import { copyOf } from "../../bytes/bytes.ts";
import type { Crc32 } from "../../bytes/crc32.ts";
import { LogError } from "../errors.ts";
import { BatchBuilder, recordBytes, type RecordOptions } from "../wire/batch_builder.ts";
import { BatchMemory } from "./batch_memory.ts";
import { OutgoingBatch } from "./window.ts";

/** What a publisher gives with a record. */
export interface PublishedRecordOptions extends RecordOptions {
  /** Of a named publisher: rises with each record that has one. u64. */
  readonly sequence?: bigint | undefined;
}

/** What a {@link Sealer} is made of. */
export interface SealerInit {
  /** Bytes of a batch, unless a single record has more. */
  readonly batchBytes: number;
  readonly batchRecordsMax: number;
  /** Bytes of the largest batch that the broker takes. */
  readonly batchBytesMax: number;
  /** Free buffers that are kept. */
  readonly buffersKept: number;
  readonly crc32: Crc32;
  /** Memory with any content. */
  readonly memory: (bytes: number) => Uint8Array;
}

/** A body that fills less than this part of its buffer is copied, so that few bytes do not hold much memory. */
const COPY_PART = 4;

/** See the module. */
export class Sealer<Token> {
  /** Records that were taken, sealed or not. */
  records = 0;
  /** What is here is to be sealed as soon as it can be sent. */
  due = false;
  readonly #init: SealerInit;
  #batchBytesMax: number;
  #pool: BatchMemory;
  #buffer: Uint8Array;
  readonly #builder: BatchBuilder;
  #tokens: Token[] | undefined;
  #tokenRecords: number[] | undefined;
  #lastSequence: bigint | undefined;

  constructor(init: SealerInit) {
    this.#init = init;
    this.#batchBytesMax = init.batchBytesMax;
    this.#pool = this.#makePool();
    // Most publishers that never publish never need a buffer.
    this.#buffer = NO_BUFFER;
    this.#builder = new BatchBuilder(NO_BUFFER);
  }

  get count(): number {
    return this.#builder.count;
  }

  get bytes(): number {
    return this.#builder.bytes;
  }

  /** Whether nothing more is to be added. */
  get full(): boolean {
    return this.#builder.count >= this.#init.batchRecordsMax || this.#builder.bytes >= this.#buffer.length;
  }

  /** Another broker, with other bounds: they hold from the next batch on. */
  limit(batchBytesMax: number): void {
    if (batchBytesMax === this.#batchBytesMax) return;
    this.#batchBytesMax = batchBytesMax;
    this.#pool = this.#makePool();
  }

  /** Adds a record. `false`: it does not fit behind the others. Throws `MisuseError` for one that is none. */
  add(
    value: Uint8Array | string,
    options: PublishedRecordOptions | undefined,
    token: Token | undefined,
  ): boolean {
    if (this.#buffer === NO_BUFFER) this.#useBuffer();
    if (!this.#builder.append(value, options)) return false;
    if (token !== undefined) this.#remember(token);
    if (options?.sequence !== undefined) this.#lastSequence = options.sequence;
    this.records++;
    return true;
  }

  /** A batch of one record that is too large to be one of many. `undefined`: it is not. @throws {LogError} `ERR_LOG_BATCH_TOO_LARGE` */
  large(
    value: Uint8Array | string,
    options: PublishedRecordOptions | undefined,
  ): number | undefined {
    const bytes = recordBytes(value, options);
    if (bytes > this.#batchBytesMax) {
      const text =
        `A record of ${bytes} bytes, with its lengths, is above the broker's batchBytesMax (${this.#batchBytesMax})`;
      throw new LogError("ERR_LOG_BATCH_TOO_LARGE", text);
    }
    return bytes > this.#pool.bufferBytes ? bytes : undefined;
  }

  /** Makes a batch of a record for which {@link large} answered `bytes`. What is here must have been sealed. */
  sealLarge(
    bytes: number,
    value: Uint8Array | string,
    options: PublishedRecordOptions | undefined,
    token: Token | undefined,
  ): OutgoingBatch<Token> {
    const builder = new BatchBuilder(this.#init.memory(bytes));
    builder.append(value, options);
    const body = builder.body();
    const tokens = token === undefined ? undefined : [token];
    return new OutgoingBatch({
      body,
      memory: undefined,
      firstRecord: this.records++,
      count: 1,
      crc: this.#init.crc32(body, 0),
      lastSequence: options?.sequence,
      tokens,
      tokenRecords: tokens && [0],
    });
  }

  /** Ends the batch, which has records, and begins another. */
  seal(): OutgoingBatch<Token> {
    const small = this.#builder.bytes * COPY_PART <= this.#buffer.length;
    const body = small ? copyOf(this.#builder.body()) : this.#builder.body();
    const count = this.#builder.count;
    const batch = new OutgoingBatch<Token>({
      body,
      memory: small ? undefined : this.#buffer,
      firstRecord: this.records - count,
      count,
      crc: this.#init.crc32(body, 0),
      lastSequence: this.#lastSequence,
      tokens: this.#tokens,
      tokenRecords: this.#tokenRecords,
    });
    if (small && this.#buffer.length === this.#pool.bufferBytes) this.#builder.reset();
    else this.#useBuffer();
    this.#tokens = undefined;
    this.#tokenRecords = undefined;
    this.#lastSequence = undefined;
    this.due = false;
    return batch;
  }

  /** A batch is answered for, and nobody reads its memory any more. */
  recycle(memory: Uint8Array): void {
    this.#pool.give(memory);
  }

  #useBuffer(): void {
    this.#buffer = this.#pool.take();
    this.#builder.reset(this.#buffer);
  }

  #remember(token: Token): void {
    this.#tokens ??= [];
    this.#tokenRecords ??= [];
    this.#tokens.push(token);
    this.#tokenRecords.push(this.#builder.count - 1);
  }

  #makePool(): BatchMemory {
    const { batchBytes, buffersKept, memory } = this.#init;
    return new BatchMemory(Math.min(batchBytes, this.#batchBytesMax), buffersKept, memory);
  }
}

const NO_BUFFER: Uint8Array = new Uint8Array(0);
