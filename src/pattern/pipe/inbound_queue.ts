/**
 * The receiving half of a pipe: whole messages in order. They are kept as runs of wire bytes, whose frames
 * become views only when a message is taken, or as frames that were assembled before.
 *
 * @module
 */

import type { Inbound, InboundSource } from "../../engine/link.ts";
import { readSize } from "../../zmtp/frame_decoder.ts";
import { FLAG_LONG, FLAG_MORE } from "../../zmtp/wire.ts";
import type { HighWaterMark } from "./outbound_queue.ts";
import { SharedBound, type WaitingQueue } from "./shared_bound.ts";

/** What a run or a frame costs besides its bytes: an empty one is not free. */
const OBJECT_BYTES = 128;

/** Whole messages back to back in one chunk. */
class Run {
  readonly bytes: Uint8Array;
  readonly buffer: ArrayBufferLike;
  readonly base: number;
  readonly end: number;
  readonly source: InboundSource | undefined;
  at: number;
  /** Messages not yet taken. */
  left: number;
  /** What it counts toward the shared bound until all its messages are taken. */
  heldBytes = 0;

  constructor(
    bytes: Uint8Array,
    start: number,
    end: number,
    messages: number,
    source: InboundSource | undefined,
  ) {
    this.bytes = bytes;
    this.buffer = bytes.buffer;
    this.base = bytes.byteOffset;
    this.at = start;
    this.end = end;
    this.left = messages;
    this.source = source;
  }
}

/** What {@link InboundQueue} reports to its pipe. */
export interface InboundEvents {
  /** Messages were added to an empty queue. */
  readable(): void;
  /** A queue that was full has drained to half its mark, or others have made room: resume decoding. */
  drained(): void;
  /** This many messages cannot be read: their memory changed after they were received. */
  corrupted?(messages: number): void;
  /** An assembled message will not be taken: its frames may belong to an allocator. */
  dropped?(frames: readonly Uint8Array[]): void;
}

/** The received messages of a pipe, until the socket takes them. */
export class InboundQueue implements Inbound, WaitingQueue {
  /** Messages not yet taken. */
  messages = 0;
  /** Their bytes. */
  bytes = 0;
  /** The connection that delivers. It is notified when memory has changed. */
  source: InboundSource | undefined;
  readonly #events: InboundEvents;
  readonly #conflate: boolean;
  readonly #total: SharedBound;
  #mark: HighWaterMark;
  /** At this many messages a queue that was full asks for more; -1: it was not full. */
  #lowMessages = -1;
  #announced = false;
  #dropped = false;
  /** What this queue counts toward the shared bound. */
  #heldBytes = 0;
  /** The run that was added last, while messages of it are left. */
  #newestRun: Run | undefined;
  #run: Run | undefined;
  /** Functions among the messages are called once all messages before them have been taken or dropped. */
  #entries: (Run | Uint8Array[] | (() => void))[] = [];
  #head = 0;

  constructor(init: {
    readonly mark: HighWaterMark;
    readonly events: InboundEvents;
    /** Keep only the newest message. */
    readonly conflate?: boolean;
    /** The bound that it shares with other queues. Default: none. */
    readonly total?: SharedBound;
  }) {
    this.#mark = init.mark;
    this.#events = init.events;
    this.#conflate = init.conflate ?? false;
    this.#total = init.total ?? new SharedBound(Infinity);
  }

  get credit(): number {
    const { messages, bytes } = this.#mark;
    if (this.#conflate) return Infinity;
    if (bytes !== 0 && this.bytes >= bytes) return 0;
    if (messages !== 0 && this.messages >= messages) return 0;
    if (this.#total.isFull(this.#heldBytes)) {
      // Others may have filled the bound: a decoder that finds no room stops, and must be asked for more.
      this.#full();
      return 0;
    }
    return messages === 0 ? Infinity : messages - this.messages;
  }

  /** Changes the mark at once. Messages above a lower one stay. */
  setMark(mark: HighWaterMark): void {
    this.#mark = mark;
    if (this.#lowMessages < 0) this.#full();
    else if (this.credit > 0) this.#askForMore();
  }

  run(bytes: Uint8Array, start: number, end: number, messages: number): void {
    if (this.#dropped) return;
    if (this.#conflate) return this.#keepNewest(bytes, start, end);
    const run = new Run(bytes, start, end, messages, this.source);
    const newest = this.#newestRun;
    if (newest !== undefined && newest.bytes === bytes) {
      run.heldBytes = newest.heldBytes;
      newest.heldBytes = 0;
    } else {
      // A run holds all of its chunk.
      run.heldBytes = bytes.length + OBJECT_BYTES;
      this.#hold(run.heldBytes);
    }
    this.#newestRun = run;
    this.#entries.push(run);
    this.messages += messages;
    this.bytes += end - start;
    this.#full();
  }

  message(frames: Uint8Array[], bytes: number): void {
    if (this.#dropped) {
      this.#events.dropped?.(frames);
      return;
    }
    if (this.#conflate) this.#forget();
    this.#entries.push(frames);
    this.messages++;
    this.bytes += bytes;
    this.#hold(bytes + frames.length * OBJECT_BYTES);
    this.#full();
  }

  announce(): void {
    // Replacing a message may have made room for others. They are not woken from inside a decoder.
    if (this.#conflate) this.#total.left();
    if (this.#announced || this.messages === 0) return;
    this.#announced = true;
    this.#events.readable();
  }

  /** Returns the oldest message, or `undefined` when there is none. */
  read(): Uint8Array[] | undefined {
    const run = this.#run;
    if (run === undefined) return this.#readEntry();
    const message = this.#readRun(run);
    if (message === undefined) return this.#skipRun(run);
    // Inside a run no memory is freed, and more messages follow.
    if (this.#run === undefined || this.messages <= this.#lowMessages) this.#taken();
    return message;
  }

  /** Nothing more will be read: drops what is there and whatever still arrives. */
  drop(): void {
    this.#dropped = true;
    this.clear();
  }

  hold(release: () => void): void {
    if (this.messages === 0) release();
    else this.#entries.push(release);
  }

  clear(): void {
    this.#forget();
    this.#total.waiting.delete(this);
    this.#total.left();
  }

  reconsider(): void {
    if (this.#lowMessages < 0 || this.#dropped) return;
    if (this.#total.isFull(this.#heldBytes)) this.#total.waiting.add(this);
    else if (this.credit > 0) this.#askForMore();
  }

  #forget(): void {
    const dropped = this.#entries;
    const from = this.#head;
    this.#entries = [];
    this.#head = 0;
    this.#run = undefined;
    this.messages = 0;
    this.#announced = false;
    this.#holdNothing();
    for (let i = from; i < dropped.length; i++) {
      const entry = dropped[i];
      if (typeof entry === "function") entry();
      else if (Array.isArray(entry)) this.#events.dropped?.(entry);
    }
  }

  #readEntry(): Uint8Array[] | undefined {
    if (this.#head === this.#entries.length) return undefined;
    const entry = this.#entries[this.#head++]!;
    if (this.#head === this.#entries.length) {
      this.#entries.length = 0;
      this.#head = 0;
    } else if (this.#head >= 1_024 && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
    if (entry instanceof Run) {
      this.#run = entry;
      return this.read();
    }
    if (typeof entry === "function") {
      entry();
      return this.#readEntry();
    }
    this.messages--;
    let bytes = 0;
    for (let i = 0; i < entry.length; i++) bytes += entry[i]!.length;
    this.bytes -= bytes;
    this.#hold(-(bytes + entry.length * OBJECT_BYTES));
    this.#taken();
    return entry;
  }

  /** Called last: a callee that reads on from inside must not overtake the message that is being read. */
  #taken(): void {
    // What an entry that has changed was counted with is not known any longer: nothing is left here.
    if (this.messages === 0) this.#holdNothing();
    if (this.messages <= this.#lowMessages) this.#askForMore();
    this.#total.left();
    // The next message after the last one is announced again.
    if (this.messages > 0) return;
    this.#announced = false;
    if (this.#run === undefined && this.#head < this.#entries.length) this.#readEntry();
  }

  /** Returns `undefined` if the run's bytes have changed since they were received. */
  #readRun(run: Run): Uint8Array[] | undefined {
    const bytes = run.bytes;
    const start = run.at;
    const flags = bytes[start]!;
    let message: Uint8Array[];
    let at: number;
    if ((flags & FLAG_MORE) === 0) {
      // Detached memory reads as `undefined`, and every comparison with that is false.
      if (!(flags <= FLAG_LONG)) return undefined;
      const size = flags === 0 ? bytes[start + 1]! : readSize(bytes, start + 1);
      const bodyAt = start + (flags === 0 ? 2 : 9);
      at = bodyAt + size;
      if (!(at <= run.end)) return undefined;
      message = [frameOf(run, bodyAt, size)];
    } else {
      message = [];
      at = readFrames(run, start, message);
    }
    const left = run.left - 1;
    if (left === 0 ? at !== run.end : !(at < run.end)) return undefined;
    run.at = at;
    run.left = left;
    this.messages--;
    this.bytes -= at - start;
    if (left === 0) this.#endRun(run);
    return message;
  }

  /** Drops the rest of a run whose bytes have changed, and reads on after it. */
  #skipRun(run: Run): Uint8Array[] | undefined {
    this.#endRun(run);
    this.messages -= run.left;
    this.bytes -= run.end - run.at;
    run.source?.memoryReused();
    this.#events.corrupted?.(run.left);
    const message = this.#readEntry();
    if (message === undefined) this.#taken();
    return message;
  }

  #endRun(run: Run): void {
    this.#run = undefined;
    if (this.#newestRun === run) this.#newestRun = undefined;
    this.#hold(-run.heldBytes);
  }

  /** Counts memory that the queue holds, or (negative) no longer holds. */
  #hold(bytes: number): void {
    const before = this.#heldBytes;
    const after = before + bytes;
    this.#heldBytes = after;
    this.#total.bytes += bytes;
    if ((before === 0) !== (after === 0)) this.#total.queues += after === 0 ? -1 : 1;
  }

  #holdNothing(): void {
    this.bytes = 0;
    this.#newestRun = undefined;
    this.#hold(-this.#heldBytes);
  }

  #keepNewest(bytes: Uint8Array, start: number, end: number): void {
    const scratch = new Run(bytes, start, end, 0, undefined);
    let newest: Uint8Array[] = [];
    while (scratch.at < end) {
      newest = [];
      scratch.at = readFrames(scratch, scratch.at, newest);
    }
    let size = 0;
    for (const frame of newest) size += frame.length;
    this.message(newest, size);
  }

  /** Once the mark, or its share of the shared bound, is reached, sets the level at which to ask for more. */
  #full(): void {
    if (this.#lowMessages >= 0) return;
    const { messages, bytes } = this.#mark;
    if ((messages === 0 || this.messages < messages) && (bytes === 0 || this.bytes < bytes)) {
      if (this.#conflate || !this.#total.isFull(this.#heldBytes)) return;
      this.#total.waiting.add(this);
    }
    // With a bound in bytes, that is half the number of messages that filled it.
    const full = messages === 0 ? this.messages : Math.min(messages, this.messages);
    this.#lowMessages = full - ((full + 1) >> 1);
  }

  #askForMore(): void {
    this.#lowMessages = -1;
    this.#total.waiting.delete(this);
    // A bound in bytes, or one that was lowered, may still be exceeded: ask again further down.
    this.#full();
    if (this.#lowMessages < 0) this.#events.drained();
  }
}

/**
 * Appends the frames of the message at `from`. Returns the offset after it, or `Infinity` when the bytes are
 * not frames inside the run.
 */
function readFrames(run: Run, from: number, into: Uint8Array[]): number {
  const bytes = run.bytes;
  let at = from;
  for (;;) {
    const flags = bytes[at]!;
    const long = (flags & FLAG_LONG) !== 0;
    const size = long ? readSize(bytes, at + 1) : bytes[at + 1]!;
    const bodyAt = at + (long ? 9 : 2);
    if (!(flags <= FLAG_MORE + FLAG_LONG && bodyAt + size <= run.end)) return Infinity;
    into.push(frameOf(run, bodyAt, size));
    at = bodyAt + size;
    if ((flags & FLAG_MORE) === 0) return at;
  }
}

function frameOf(run: Run, at: number, size: number): Uint8Array {
  return new Uint8Array(run.buffer as ArrayBuffer, run.base + at, size);
}
