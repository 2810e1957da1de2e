/**
 * Records whose publisher waits for them, and which wait for room themselves, first come first served.
 *
 * @module
 */

import { copyOf } from "../../bytes/bytes.ts";
import { MisuseError } from "../../errors.ts";
import type { LogError } from "../errors.ts";
import type { Published, PublishOptions } from "./publish_types.ts";
import { abortedError, type Holds, type LogWaitOptions, Waits } from "./waits.ts";

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
  readonly value: Uint8Array | string;
  readonly options: PublishOptions | undefined;
  readonly token: PublishToken;
}

/** Records that may wait for room. */
const WAITING_MAX = 65_536;
const NO_POSITION: Published = Object.freeze({ position: undefined });

/** See the module. */
export class PublishQueue {
  readonly #target: PublishQueueTarget;
  readonly #holds: Holds;
  readonly #waiting: Set<WaitingRecord> = new Set();
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
    const signal = options?.signal;
    if (signal?.aborted === true) return Promise.reject(abortedError(signal));
    return new Promise((resolve, reject) => {
      const token: PublishToken = signal === undefined
        ? { resolve, reject }
        : this.#abortable(signal, resolve, reject);
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
    if (this.#waiting.size >= WAITING_MAX) {
      throw new MisuseError(
        "ERR_WAITERS",
        `${WAITING_MAX} records wait for room: await what publish answers`,
      );
    }
    // The caller may change the memory of its value as soon as this has returned.
    this.#waiting.add({ value: value instanceof Uint8Array ? copyOf(value) : value, options, token });
    this.#holds.hold();
  }

  #append(value: Uint8Array | string, options: PublishOptions | undefined, token: PublishToken): boolean {
    if (!this.#target.append(value, options, token)) return false;
    if (this.#target.resolvesAtOnce()) token.resolve(NO_POSITION);
    return true;
  }

  #remove(record: WaitingRecord): void {
    if (!this.#waiting.delete(record)) return;
    this.#holds.release();
    for (const waiter of this.#drains) if (waiter.task === record) waiter.resolve();
  }

  /** A token whose wait ends with the signal. A record that still waits for room is not published then. */
  #abortable(
    signal: NonNullable<PublishOptions["signal"]>,
    resolve: (published: Published) => void,
    reject: (error: Error) => void,
  ): PublishToken {
    const end = (): void => signal.removeEventListener("abort", onAbort);
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
    const onAbort = (): void => {
      token.reject(abortedError(signal));
      for (const record of this.#waiting) if (record.token === token) this.#remove(record);
    };
    signal.addEventListener("abort", onAbort);
    return token;
  }
}
