/**
 * A subscription as its own side sees it: asks for a stream of batches, checks that each begins where the last one ended
 * and is what was written, and asks again where the stream was lost. What it delivers has no holes and no copies; where
 * records are gone, it says which, and never passes over them in silence.
 *
 * @module
 */

import type { Crc32 } from "../../bytes/crc32.ts";
import { next } from "../../state_table.ts";
import { LogError, type LogErrorCode } from "../errors.ts";
import type {
  Credit,
  CursorEnded,
  Records,
  RecordsEntry,
  Refused,
  RefusedError,
  StartKind,
  Subscribe,
  Subscribed,
  Unsubscribe,
} from "../wire/messages.ts";
import { RecordBatch } from "../wire/record.ts";
import { CURSOR_TRANSITIONS, type CursorInput, type CursorState } from "./states.ts";

/** A batch for the reader. */
export interface DeliveredBatch {
  readonly records: RecordBatch;
  /** Records at its beginning that the reader did not ask for. */
  readonly skip: number;
  /** The stream that it came with. */
  readonly cursor: number;
}

/** What a subscription is made of. */
export interface CursorInit {
  readonly topic: string;
  readonly start: StartKind;
  /** The position, or the timestamp in milliseconds. */
  readonly from: bigint;
  /** Of the position; 0: not known. */
  readonly generation: number;
  readonly creditBytes: number;
  /** `earliest`: goes on where records are kept again. */
  readonly onTrimmed: "earliest" | undefined;
  /** `undefined`: bodies have never left the memory of this process, and are not checked again. */
  readonly crc32: Crc32 | undefined;
  readonly target: CursorTarget;
}

/** The surroundings of a subscription. Nothing of it may call the subscription back from inside. */
export interface CursorTarget {
  /** Numbers for a request and for a stream. What carries one of them comes back here. */
  nextRequest(): number;
  nextCursor(): number;
  /** Sends now or later, in order, as long as the link lives. */
  send(message: Subscribe | Credit | Unsubscribe): void;
  deliver(batch: DeliveredBatch): void;
  /** Records were removed; see `from` and `to`. */
  happened(type: "trimmed" | "logCut", error: LogError): void;
  /** Nothing follows what was delivered. */
  ended(error: LogError): void;
}

/** Times in a row that a stream may be broken and bring nothing before that. */
const FAULTS_MAX = 3;

/** See the module. */
export class SubscriberCursor {
  readonly #init: CursorInit;
  readonly #target: CursorTarget;
  #state: CursorState = "offline";
  #start: StartKind;
  #from: bigint;
  #generation: number;
  /** The next position; `undefined`: the broker has not said yet where the stream begins. */
  #next: bigint | undefined;
  #tail = 0n;
  #cursor = 0;
  #request = 0;
  /** Bytes that were delivered and not consumed. */
  #queuedBytes = 0;
  /** Of this stream, as the broker knows it, and as it is. */
  #toldBytes = 0;
  #consumedBytes = 0;
  #faults = 0;

  constructor(init: CursorInit) {
    this.#init = init;
    this.#target = init.target;
    this.#start = init.start;
    this.#from = init.from;
    this.#generation = init.generation;
    if (init.start === "position") this.#next = init.from;
  }

  get state(): CursorState {
    return this.#state;
  }

  /** The next position that will be delivered, once it is known. */
  get position(): bigint | undefined {
    return this.#next;
  }

  /** Of the log, when the last batch came. */
  get generation(): number {
    return this.#generation;
  }

  /** The next position to be committed, as far as it was told. */
  get tail(): bigint {
    return this.#tail;
  }

  /** The stream in use; 0: none. */
  get cursor(): number {
    return this.#cursor;
  }

  /** There is a link. */
  linked(): void {
    this.#go("linked");
    this.#subscribe();
  }

  /** The link is gone. */
  unlinked(): void {
    this.#go("unlinked");
    this.#forgetStream();
  }

  /** The answer to `subscribe`. */
  subscribed({ cursor, position, tail, generation }: Subscribed): void {
    if (this.#state !== "subscribing" || cursor !== this.#cursor) return;
    this.#go("subscribed");
    this.#request = 0;
    this.#tail = tail;
    this.#generation = generation;
    const wanted = this.#next ?? position;
    this.#next = wanted;
    if (position > wanted) this.#trimmed(wanted, position, "The broker begins behind the position asked for");
  }

  /** Batches of the stream. */
  records(message: Records, bodies: readonly Uint8Array[]): void {
    if (this.#state !== "flowing" || message.cursor !== this.#cursor) return;
    this.#tail = message.tail;
    this.#generation = message.generation;
    for (let index = 0; index < message.entries.length; index++) {
      if (!this.#take(message.entries[index]!, bodies[index]!)) return;
    }
    this.#credit();
  }

  /** The reader is done with a batch. */
  consumed({ cursor, records }: DeliveredBatch): void {
    const bytes = records.body.length;
    this.#queuedBytes -= bytes;
    if (cursor === this.#cursor) {
      this.#consumedBytes += bytes;
      this.#credit();
    } else {
      this.#subscribe();
    }
  }

  /** The stream is over. */
  cursorEnded({ cursor, error }: CursorEnded): void {
    if (cursor === this.#cursor && cursor !== 0) this.#refused(error);
  }

  /** The stream did not begin. */
  refused({ request, error }: Refused): void {
    if (request === this.#request && request !== 0) this.#refused(error);
  }

  /** Nothing more is wanted. */
  close(): void {
    if (this.#cursor !== 0) this.#target.send({ type: "unsubscribe", cursor: this.#cursor });
    this.#forgetStream();
    this.#go("closed");
  }

  /** The topic cannot be read. */
  fail(error: LogError): void {
    if (this.#state !== "ended" && this.#state !== "closed") this.#end(error);
  }

  #go(input: CursorInput): void {
    this.#state = next(CURSOR_TRANSITIONS, this.#state, input);
  }

  /** Asks for the stream, when what was received before is consumed: a new stream has a whole credit. */
  #subscribe(): void {
    if (this.#state !== "waiting" || this.#queuedBytes > 0) return;
    this.#go("asked");
    this.#request = this.#target.nextRequest();
    this.#cursor = this.#target.nextCursor();
    this.#toldBytes = 0;
    this.#consumedBytes = 0;
    const known = this.#next !== undefined;
    this.#target.send({
      type: "subscribe",
      request: this.#request,
      cursor: this.#cursor,
      topic: this.#init.topic,
      start: known ? "position" : this.#start,
      from: this.#next ?? this.#from,
      generation: known ? this.#generation : 0,
      creditBytes: this.#init.creditBytes,
    });
  }

  /** Takes a batch. False: the stream cannot go on. */
  #take(entry: RecordsEntry, body: Uint8Array): boolean {
    const { position, count } = entry;
    const end = position + BigInt(count);
    const wanted = this.#next!;
    if (position > wanted) {
      this.#broken("ERR_LOG_MALFORMED", `The stream goes from position ${wanted} to ${position}`);
      return false;
    }
    if (end <= wanted) {
      this.#consumedBytes += body.length;
      return true;
    }
    const { crc32 } = this.#init;
    if (crc32 !== undefined && crc32(body, 0) !== entry.bodyCrc) {
      this.#broken("ERR_LOG_CORRUPT", `The batch at position ${position} is damaged`);
      return false;
    }
    const records = RecordBatch.open(body, entry);
    if (records instanceof LogError) {
      const text = `Cannot read the batch at position ${position}: ${records.message}`;
      this.#leave();
      this.#end(this.#error(records.code, text, wanted, end));
      return false;
    }
    this.#faults = 0;
    this.#next = end;
    this.#queuedBytes += body.length;
    this.#target.deliver({ records, skip: Number(wanted - position), cursor: this.#cursor });
    return true;
  }

  /** Tells what was consumed, when that is half of the credit. */
  #credit(): void {
    if (this.#consumedBytes - this.#toldBytes < this.#init.creditBytes / 2) return;
    this.#toldBytes = this.#consumedBytes;
    this.#target.send({ type: "credit", cursor: this.#cursor, consumedBytes: this.#consumedBytes });
  }

  /** What came is not what was asked for: it is asked for again, a few times. */
  #broken(code: LogErrorCode, text: string): void {
    this.#leave();
    if (++this.#faults > FAULTS_MAX) return this.#end(this.#error(code, text, this.#next));
    this.#go("broken");
    this.#subscribe();
  }

  #refused({ code, message, from, to }: RefusedError): void {
    // A broker that closes ends its links; the next one is asked again.
    if (code === "ERR_LOG_CLOSED") return;
    this.#forgetStream();
    if (code === "ERR_LOG_TRIMMED") return this.#trimmed(from, to, message);
    const error = this.#error(code, message, from, to);
    // A position that the program has named, and that was never read here, no crash has taken: it is not there yet.
    if (code === "ERR_LOG_CUT" && this.#generation !== 0) this.#target.happened("logCut", error);
    this.#end(error);
  }

  /** Records from `from` to `to` are not kept any more. */
  #trimmed(from: bigint | undefined, to: bigint | undefined, message: string): void {
    const error = this.#error("ERR_LOG_TRIMMED", message, from, to);
    this.#target.happened("trimmed", error);
    if (this.#init.onTrimmed === undefined) {
      this.#leave();
      return this.#end(error);
    }
    this.#next = to;
    this.#start = "earliest";
    this.#from = 0n;
    if (this.#cursor !== 0) return;
    this.#go("broken");
    this.#subscribe();
  }

  #leave(): void {
    if (this.#cursor !== 0) this.#target.send({ type: "unsubscribe", cursor: this.#cursor });
    this.#forgetStream();
  }

  #forgetStream(): void {
    this.#cursor = 0;
    this.#request = 0;
  }

  #end(error: LogError): void {
    this.#go("ended");
    this.#target.ended(error);
  }

  #error(code: LogErrorCode, message: string, from?: bigint, to?: bigint): LogError {
    return new LogError(code, message, { topic: this.#init.topic, from, to });
  }
}
