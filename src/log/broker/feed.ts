/**
 * The broker's side of a subscription: sends committed batches as far as the reader's credit goes.
 *
 * What is sent is memory of the store, pinned until the reader's credit says that it has it. A reader that vanishes may
 * have left its transport holding those bytes, so their memory is then left to the garbage collector.
 *
 * @module
 */

import { LogError } from "../errors.ts";
import type { StoreFailure, StoreRead } from "../store/store.ts";
import type { Records } from "../wire/messages.ts";
import { type BatchRun, type BatchSource, readBatches } from "./batch_reader.ts";

/** Bodies in one message, and bytes of them, at most. */
const RUN_BYTES_MAX = 1_048_576;

/** The topic that is read. */
export interface FeedTopic extends BatchSource {
  /** The first position that is kept, and the one behind the last that readers may see. */
  readonly earliest: bigint;
  readonly visibleTail: bigint;
  readonly generation: number;
}

/** Where a feed's messages go. */
export interface FeedTarget {
  /** Whether bodies must be copied, since the reader is in this process and will keep them. */
  readonly local: boolean;
  /** False: not now; `pump` is called when it is worth another try. */
  trySendRecords(records: Records, bodies: readonly Uint8Array[]): boolean;
  /** The feed is over. */
  ended(error: LogError): void;
}

interface Pin {
  readonly read: StoreRead;
  /** Bytes sent when it was. */
  readonly until: number;
}

/** See the module. */
export class Feed {
  readonly cursor: number;
  /** The next position to send. */
  position: bigint;
  readonly #topic: FeedTopic;
  readonly #target: FeedTarget;
  #creditBytes: number;
  #sentBytes = 0;
  #consumedBytes = 0;
  readonly #pins: Pin[] = [];
  #ready: BatchRun | undefined;
  #reading = false;
  #pumping = false;
  #ended = false;

  constructor(
    cursor: number,
    position: bigint,
    creditBytes: number,
    topic: FeedTopic,
    target: FeedTarget,
  ) {
    this.cursor = cursor;
    this.position = position;
    this.#creditBytes = creditBytes;
    this.#topic = topic;
    this.#target = target;
  }

  /** Whether it has records that its target did not take. */
  get blocked(): boolean {
    return this.#ready !== undefined;
  }

  /** The reader consumed so many bytes of bodies since it began; more than was sent is ignored. */
  consumed(bytes: number): void {
    this.#consumedBytes = Math.max(this.#consumedBytes, Math.min(bytes, this.#sentBytes));
    while (this.#pins.length > 0 && this.#pins[0]!.until <= this.#consumedBytes) {
      this.#pins.shift()!.read.release(true);
    }
    this.pump();
  }

  /** Something was committed, the target is writable again, or credit came. */
  pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#step());
    this.#pumping = false;
  }

  /** The reader is gone. Bytes it had not confirmed may still be in its transport's hands. */
  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#ready?.read.release(true);
    this.#ready = undefined;
    for (const pin of this.#pins.splice(0)) pin.read.release(false);
  }

  /** Whether there may be more to do at once. */
  #step(): boolean {
    if (this.#ended || this.#reading) return false;
    if (this.#ready !== undefined) return this.#send(this.#ready);
    const { earliest, visibleTail } = this.#topic;
    if (this.position < earliest) {
      this.#fail(
        new LogError(
          "ERR_LOG_TRIMMED",
          `Positions ${this.position} to ${earliest} were removed by retention`,
          {
            from: this.position,
            to: earliest,
          },
        ),
      );
      return false;
    }
    if (this.position >= visibleTail) return false;
    const credit = this.#creditBytes - (this.#sentBytes - this.#consumedBytes);
    if (credit <= 0) return false;
    this.#reading = true;
    const bytesMax = Math.min(credit, RUN_BYTES_MAX);
    readBatches(this.#topic, this.position, visibleTail, bytesMax, (run) => this.#read(run));
    return true;
  }

  #read(run: BatchRun | StoreFailure): void {
    this.#reading = false;
    if ("kind" in run) {
      if (this.#ended) return;
      // It was there and is not any more: retention took it while it was being read.
      if (this.position < this.#topic.earliest) return this.pump();
      const { offset, cause } = run;
      return this.#fail(new LogError("ERR_LOG_CORRUPT", `Cannot read: ${run.message}`, { offset, cause }));
    }
    if (this.#ended) return run.read.release(true);
    this.#ready = run;
    this.pump();
  }

  #send(run: BatchRun): boolean {
    const { local } = this.#target;
    const bodies = local ? copiesOf(run.bodies) : run.bodies;
    const records: Records = {
      type: "records",
      request: 0,
      cursor: this.cursor,
      position: run.entries[0]!.position,
      tail: this.#topic.visibleTail,
      generation: this.#topic.generation,
      entries: run.entries,
    };
    if (!this.#target.trySendRecords(records, bodies)) return false;
    this.#ready = undefined;
    this.position = run.next;
    this.#sentBytes += run.bytes;
    if (local || !run.read.pinned) run.read.release(true);
    else this.#pins.push({ read: run.read, until: this.#sentBytes });
    return true;
  }

  #fail(error: LogError): void {
    this.close();
    this.#target.ended(error);
  }
}

/** One allocation for all of them. */
function copiesOf(bodies: readonly Uint8Array[]): Uint8Array[] {
  let bytes = 0;
  for (const body of bodies) bytes += body.length;
  const memory = new Uint8Array(bytes);
  let at = 0;
  return bodies.map((body) => {
    memory.set(body, at);
    at += body.length;
    return new Uint8Array(memory.buffer, at - body.length, body.length);
  });
}
