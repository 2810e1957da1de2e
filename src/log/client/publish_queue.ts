/**
 * Records whose publisher waits for them, and which wait for room themselves, first come first served.
 *
 * @module
 */

import { copyOf } from "../../bytes/bytes.ts";
import { MisuseError } from "../../errors.ts";
import { formatSize } from "../configuration/units.ts";
import type { LogError } from "../errors.ts";
import { checkOptions } from "../publisher/given.ts";
import type { OutgoingBatch } from "../publisher/window.ts";
import type { Ack } from "../topic_options.ts";
import { headerEntries } from "../wire/batch_builder.ts";
import type { Published, PublishOptions } from "./publish_types.ts";
import { abortedError, type Holds, type LogWaitOptions, refusedEnd, timeoutError, Waits } from "./waits.ts";

/** Whoever waits for a record. Only the first call counts. */
export interface PublishToken {
  resolve(published: Published): void;
  reject(error: Error): void;
}

/** The publisher behind the queue. */
export interface PublishQueueTarget {
  /** False: there is no room. Throws why the record cannot be published. */
  append(value: Uint8Array | string, options: PublishOptions | undefined, token: PublishToken): boolean;
  /** Whether a record counts as published as soon as it was taken. */
  resolvesAtOnce(): boolean;
}

interface WaitingRecord {
  readonly bytes: number;
  readonly value: Uint8Array | string;
  readonly options: PublishOptions | undefined;
  readonly token: PublishToken;
}

/** Records that may wait for room. */
const WAITING_MAX = 65_536;
/** And their bytes: a single record may have more. */
const WAITING_BYTES_MAX = 67_108_864;
const NO_POSITION: Published = Object.freeze({ position: undefined });

/** See the module. */
export class PublishQueue {
  readonly #target: PublishQueueTarget;
  readonly #holds: Holds;
  readonly #waiting: Set<WaitingRecord> = new Set();
  #waitingBytes = 0;
  readonly #drains: Waits<WaitingRecord, void>;

  constructor(holds: Holds, target: PublishQueueTarget) {
    this.#holds = holds;
    this.#target = target;
    this.#drains = new Waits(holds);
  }

  /** Records that wait for room. */
  get size(): number {
    return this.#waiting.size;
  }

  publish(value: Uint8Array | string, options: PublishOptions | undefined): Promise<Published> {
    const ends = options !== undefined && options !== null &&
      (options.signal !== undefined || options.timeoutMs !== undefined);
    const refused = ends ? refusedEnd(options) : undefined;
    if (refused !== undefined) return Promise.reject(refused);
    return new Promise((resolve, reject) => {
      const token: PublishToken = ends ? this.#endable(options, resolve, reject) : { resolve, reject };
      try {
        this.#take(value, options, token);
      } catch (error) {
        token.reject(error as Error);
      }
    });
  }

  /** There may be room. */
  drain(): void {
    for (const record of this.#waiting) {
      try {
        if (!this.#append(record.value, record.options, record.token)) return;
      } catch (error) {
        record.token.reject(error as Error);
      }
      this.#remove(record);
    }
  }

  /** Resolves when everything that waits now has found room, or never will. */
  drained(options: LogWaitOptions): Promise<void> {
    let last: WaitingRecord | undefined;
    for (const record of this.#waiting) last = record;
    return last === undefined ? Promise.resolve() : this.#drains.wait(last, options);
  }

  /** There will be no room any more. */
  fail(error: LogError): void {
    for (const record of this.#waiting) {
      record.token.reject(error);
      this.#remove(record);
    }
  }

  #take(value: Uint8Array | string, options: PublishOptions | undefined, token: PublishToken): void {
    if (this.#waiting.size === 0 && this.#append(value, options, token)) return;
    if (options !== undefined) checkOptions(options);
    const bytes = memoryOf(value, options);
    const { size } = this.#waiting;
    if (size >= WAITING_MAX || (size > 0 && this.#waitingBytes + bytes > WAITING_BYTES_MAX)) {
      const what = `${size} records of ${formatSize(this.#waitingBytes)} wait for room`;
      const allowed = `${WAITING_MAX} records and ${formatSize(WAITING_BYTES_MAX)} may`;
      throw new MisuseError("ERR_WAITERS", `${what}, and ${allowed}: await what publish returns`);
    }
    // The caller may change the memory of what it gave as soon as this has returned.
    this.#waiting.add({ bytes, value: keep(value), options: keepOptions(options), token });
    this.#waitingBytes += bytes;
    this.#holds.hold();
  }

  #append(value: Uint8Array | string, options: PublishOptions | undefined, token: PublishToken): boolean {
    if (!this.#target.append(value, options, token)) return false;
    if (this.#target.resolvesAtOnce()) token.resolve(NO_POSITION);
    return true;
  }

  #remove(record: WaitingRecord): void {
    if (!this.#waiting.delete(record)) return;
    this.#waitingBytes -= record.bytes;
    this.#holds.release();
    for (const waiter of this.#drains) if (waiter.task === record) waiter.resolve();
  }

  /** A token whose wait ends with the signal, or in time. The record is published all the same. */
  #endable(
    { signal, timeoutMs }: PublishOptions,
    resolve: (published: Published) => void,
    reject: (error: Error) => void,
  ): PublishToken {
    const end = (): void => {
      signal?.removeEventListener("abort", onAbort);
      cancel?.();
    };
    const token: PublishToken = {
      resolve: (published) => {
        end();
        resolve(published);
      },
      reject: (error) => {
        end();
        reject(error);
      },
    };
    const onAbort = (): void => token.reject(abortedError(signal!));
    signal?.addEventListener("abort", onAbort);
    const cancel = timeoutMs === undefined
      ? undefined
      : this.#holds.after(timeoutMs, () => token.reject(timeoutError(timeoutMs)));
    return token;
  }
}

/** Tells whoever waits for records of a batch what became of it. `ack`: the publisher's. */
export function settleTokens(batch: OutgoingBatch<PublishToken>, ack: Ack): void {
  const { tokens, tokenRecords, position, error } = batch;
  if (tokens === undefined) return;
  for (let i = 0; i < tokens.length; i++) {
    if (error !== undefined) tokens[i]!.reject(error);
    // Of ack 0, some may have waited because nobody knew the topic yet. Not `&&`: position 0n is a position.
    else if (position === undefined || ack === 0) tokens[i]!.resolve(NO_POSITION);
    else tokens[i]!.resolve({ position: position + BigInt(tokenRecords![i]!) });
  }
}

function keep<T>(value: T): T {
  return value instanceof Uint8Array ? copyOf(value) as typeof value : value;
}

/** With copies of all that is bytes. What cannot be headers is refused as it would be later. */
function keepOptions(options: PublishOptions | undefined): PublishOptions | undefined {
  if (options === undefined) return undefined;
  const { key, headers } = options;
  if (headers === undefined) return { ...options, key: keep(key) };
  const kept: [string, Uint8Array | string][] = [];
  for (const [name, value] of headerEntries(headers)) kept.push([name, keep(value)]);
  return { ...options, key: keep(key), headers: new Map(kept) };
}

/** Bytes of memory that a record keeps while it waits. Text takes up to two for each of its units. */
function memoryOf(value: Uint8Array | string, options: PublishOptions | undefined): number {
  let bytes = lengthOf(value);
  if (options === undefined) return bytes;
  bytes += lengthOf(options.key);
  if (options.headers === undefined) return bytes;
  for (const [name, header] of headerEntries(options.headers)) bytes += lengthOf(name) + lengthOf(header);
  return bytes;
}

function lengthOf(part: Uint8Array | string | undefined): number {
  return typeof part === "string" ? part.length * 2 : part?.length ?? 0;
}
