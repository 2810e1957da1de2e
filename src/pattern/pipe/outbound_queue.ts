/**
 * The sending half of a pipe over a byte stream: segments that hold framed messages until a transport takes
 * them. The high-water mark counts messages until then. The queue outlives connections: what was not handed
 * to a transport goes to the next one unchanged.
 *
 * @module
 */

import { copyOf } from "../../bytes/bytes.ts";
import type { Outbound, OutboundListener } from "../../engine/link.ts";
import {
  hasReferences,
  REFERENCE_BYTES_MIN,
  type Segment,
  SEGMENT_BYTES,
  segmentBytesOf,
  type SegmentPool,
  SMALL_SEGMENT_BYTES,
} from "../../zmtp/segment.ts";
import type { SharedRun } from "../../zmtp/shared_run.ts";
import { SharedBound, type WaitingQueue } from "./shared_bound.ts";

/** A queue that missed a message of a run copies what it referred to, if that is less than this. */
const STRETCH_BYTES_MIN = 16_384;

/** A message to send: one frame, or several. */
export type Outgoing = Uint8Array | readonly Uint8Array[];

/**
 * Returns a message that can be framed later. Small bodies are copied, because once a send has returned, the
 * caller may reuse them.
 */
export function keepForLater(message: Outgoing): Outgoing {
  return message instanceof Uint8Array ? keepBody(message) : message.map(keepBody);
}

function keepBody(body: Uint8Array): Uint8Array {
  return body.length < REFERENCE_BYTES_MIN ? copyOf(body) : body;
}

/** When a queue is full. 0 means no limit. */
export interface HighWaterMark {
  readonly messages: number;
  /** Bytes, in addition to messages. A message is accepted while the bytes before it are below the mark. */
  readonly bytes: number;
}

/** What {@link OutboundQueue} is made from. */
export interface OutboundInit {
  readonly pool: SegmentPool;
  readonly mark: HighWaterMark;
  /** Keep only the newest message. The mark does not apply then. */
  readonly conflate?: boolean;
  /** The bound that it shares with other queues. Default: none. */
  readonly total?: SharedBound;
}

/** What {@link OutboundQueue} reports. */
export interface OutboundEvents {
  /**
   * A queue that refused a message has room again: at half its mark or, if the shared bound was the reason,
   * once there is room below that.
   */
  writable(): void;
  /** Called with `true` when the queue gets its first message, with `false` when the last one has left. */
  busy?(on: boolean): void;
}

/** The messages that wait to be written to a peer, framed into segments. */
export class OutboundQueue implements Outbound, WaitingQueue {
  /** Messages that no transport has taken, including those in flight. */
  messages = 0;
  /** Their bytes, framing included. */
  bytes = 0;
  /** The connection, while there is one. */
  listener: OutboundListener | undefined;
  readonly #pool: SegmentPool;
  readonly #events: OutboundEvents;
  readonly #conflate: boolean;
  readonly #total: SharedBound;
  #mark: HighWaterMark;
  #messagesMax: number;
  #muted = false;
  /** Whether the last refusal was for the shared bound, with room below the queue's own mark. */
  atTotal = false;
  /** Bytes of memory that its segments and the bodies they refer to take. */
  #heldBytes = 0;
  /** `undefined` until the first segment is full: few queues ever hold more than an open one. */
  #sealed: Segment[] | undefined;
  #open: Segment | undefined;
  /** In place of an open segment: messages in a row that others were sent too. */
  #run: SharedRun | undefined;
  #runFrom = 0;
  #runEnd = 0;
  #runMessages = 0;
  #announced = false;
  #latest: Outgoing | undefined;
  /** Whether the last segment outgrew a small one, so that the next one is a large one from the start. */
  #sendsMuch = false;

  /** `events`: what it reports to, if that is not `init` itself. */
  constructor(init: OutboundInit & OutboundEvents);
  constructor(init: OutboundInit, events: OutboundEvents);
  constructor(init: OutboundInit, events: OutboundEvents = init as OutboundInit & OutboundEvents) {
    this.#pool = init.pool;
    this.#mark = init.mark;
    this.#messagesMax = init.mark.messages || Infinity;
    this.#events = events;
    this.#conflate = init.conflate ?? false;
    this.#total = init.total ?? new SharedBound(Infinity);
  }

  /** Changes the mark at once. A queue above the new one refuses until it has drained. */
  setMark(mark: HighWaterMark): void {
    this.#mark = mark;
    this.#messagesMax = mark.messages || Infinity;
    this.#credit();
  }

  /** Whether {@link write} would take a message. */
  get canWrite(): boolean {
    if (this.#conflate) return true;
    if (this.#muted) return false;
    return this.#belowMark() || this.#makeRoom();
  }

  /** Frames a message into the open segment. Returns `false`, taking nothing, at the high-water mark. */
  write(message: Outgoing): boolean {
    if (this.#conflate) return this.#writeLatest(message);
    if (this.#muted) return false;
    if (!this.#belowMark() && !this.#makeRoom()) return false;
    this.#append(message);
    return true;
  }

  /** As {@link write}, for the newest message of `run`, which others take too. Mostly it is not copied. */
  writeShared(run: SharedRun, message: Outgoing): boolean {
    // The common case: this queue has taken all that the run got since it joined.
    if (this.#run === run && this.#runEnd === run.from && !this.#muted && this.#belowMark()) {
      const bytes = run.end - this.#runEnd;
      this.#runEnd = run.end;
      this.#runMessages++;
      this.messages++;
      this.bytes += bytes;
      this.#hold(bytes);
      return true;
    }
    if (this.#conflate) return this.#writeLatest(message);
    if (!this.canWrite) return false;
    const bytes = run.end - run.from;
    if (this.#run !== undefined) this.#leaveRun();
    else if (this.#open !== undefined && this.#open.end + bytes > SEGMENT_BYTES) this.#seal();
    if (this.#open === undefined) {
      this.#joinRun(run, bytes);
      this.#added(bytes, 1);
      return true;
    }
    const segment = this.#segmentFor(bytes);
    run.copyInto(segment);
    this.#added(bytes, 1);
    if (segment.full) this.#seal();
    return true;
  }

  get hasSegments(): boolean {
    return this.#open !== undefined || this.#run !== undefined || this.hasFullSegment ||
      this.#latest !== undefined;
  }

  get presses(): boolean {
    return this.hasFullSegment || this.#muted;
  }

  /** Whether a segment is full, so that it is worth a write before the loop's turn ends. */
  get hasFullSegment(): boolean {
    return this.#sealed !== undefined && this.#sealed.length > 0;
  }

  /**
   * Ends the open segment, so that something else can go out before the next one. Returns how many segments
   * are queued ahead of that point.
   */
  barrier(): number {
    this.#seal();
    return (this.#sealed?.length ?? 0) + (this.#latest === undefined ? 0 : 1);
  }

  take(): Segment | undefined {
    if (this.#latest !== undefined) this.#frameLatest();
    const segment = this.hasFullSegment ? this.#sealed!.shift() : this.#end();
    this.#announced = this.hasSegments;
    return segment;
  }

  release(segment: Segment): void {
    const { messages, bytes } = segment;
    this.#hold(-memoryOf(segment));
    if (segment.end <= SMALL_SEGMENT_BYTES) this.#sendsMuch = false;
    this.#free(segment);
    this.#left(messages, bytes);
  }

  discard(segment: Segment): void {
    this.#hold(-memoryOf(segment));
    segment.owner?.abandon();
    this.#left(segment.messages, segment.bytes);
  }

  reconsider(): void {
    if (!this.#muted) return;
    if (this.#belowMark()) {
      this.#muted = false;
      this.#events.writable();
    } else if (this.#total.isFull(this.#heldBytes)) {
      this.#total.waiting.add(this);
    }
  }

  giveBack(taken: Segment, handedBytes: number): void {
    const { bytes } = taken;
    const segment = taken.owner === undefined ? taken : this.#copyOf(taken);
    const heldBytes = memoryOf(segment);
    this.messages -= segment.forget(handedBytes);
    this.bytes -= bytes - segment.bytes;
    this.#hold(memoryOf(segment) - heldBytes);
    (this.#sealed ??= []).unshift(segment);
    this.#announced = true;
    this.#credit();
  }

  /** Drops everything that is queued. A segment in flight stays with the connection. */
  clear(): void {
    for (let segment = this.take(); segment !== undefined; segment = this.take()) {
      this.#hold(-memoryOf(segment));
      const { messages, bytes } = segment;
      segment.owner?.release();
      this.#left(messages, bytes);
    }
  }

  #belowMark(): boolean {
    return this.#belowOwnMark() && !this.#total.isFull(this.#heldBytes);
  }

  #belowOwnMark(): boolean {
    return this.messages < this.#messagesMax && (this.#mark.bytes === 0 || this.bytes < this.#mark.bytes);
  }

  /** At the mark, an idle connection may take what is queued at once. Otherwise waits until half is gone. */
  #makeRoom(): boolean {
    this.listener?.writeNow();
    if (this.#belowMark()) return true;
    this.#muted = true;
    this.atTotal = this.#belowOwnMark();
    if (this.#total.isFull(this.#heldBytes)) this.#total.waiting.add(this);
    return false;
  }

  #credit(): void {
    if (!this.#muted) return;
    const { messages, bytes } = this.#mark;
    // Credit at half the mark: a writer that is woken for every message would never batch.
    if (messages !== 0 && this.messages > messages - ((messages + 1) >> 1)) return;
    if (bytes !== 0 && this.bytes > bytes / 2) return;
    this.#muted = false;
    this.#total.waiting.delete(this);
    this.#events.writable();
  }

  #append(message: Outgoing): void {
    // The common case, one small frame into a segment with room, without a call.
    const open = this.#open;
    if (open !== undefined && message instanceof Uint8Array) {
      const length = message.length;
      if (length < REFERENCE_BYTES_MIN && open.fits(length + 9)) {
        const before = open.bytes;
        open.messages++;
        open.addFrame(0, message);
        this.#added(open.bytes - before, 1);
        if (open.full) this.#seal();
        return;
      }
    }
    const copied = segmentBytesOf(message);
    const segment = this.#segmentFor(copied, hasReferences(message));
    const before = segment.bytes;
    segment.addMessage(message);
    const added = segment.bytes - before;
    this.#hold(added - copied);
    this.#added(added, 1);
    if (segment.full) this.#seal();
  }

  #added(bytes: number, messages: number): void {
    if (this.messages === 0) this.#begin();
    this.messages += messages;
    this.bytes += bytes;
    if (!this.#announced) {
      this.#announced = true;
      this.listener?.queued();
    }
  }

  /** The first message was added to an empty queue. */
  #begin(): void {
    this.#total.queues++;
    this.#events.busy?.(true);
  }

  #left(messages: number, bytes: number): void {
    this.messages -= messages;
    this.bytes -= bytes;
    if (this.messages === 0) {
      this.#total.queues--;
      this.#events.busy?.(false);
    }
    this.#credit();
    this.#total.left();
  }

  /** Returns a segment with room for `bytes`. An open one without room is sealed. */
  #segmentFor(bytes: number, small = false): Segment {
    if (this.#run !== undefined) this.#leaveRun();
    if (this.#open !== undefined) {
      if (this.#open.fits(bytes)) return this.#open;
      if (this.#open.end + bytes <= SEGMENT_BYTES && !this.#open.full) return this.#enlarge(this.#open);
      this.#seal();
    }
    const open = this.#pool.take(bytes, small || !this.#sendsMuch);
    this.#hold(open.buffer.length);
    return this.#open = open;
  }

  /** Moves what the open, small segment holds to a large one: two writes cost more than the copy. */
  #enlarge(small: Segment): Segment {
    const open = this.#pool.take(SEGMENT_BYTES);
    open.addSegment(small);
    this.#hold(open.buffer.length - small.buffer.length);
    this.#pool.give(small);
    this.#sendsMuch = true;
    return this.#open = open;
  }

  #joinRun(run: SharedRun, bytes: number): void {
    run.join(this.#total);
    this.#run = run;
    this.#runFrom = run.from;
    this.#runEnd = run.end;
    this.#runMessages = 1;
    this.#hold(bytes);
  }

  /** Ends what the queue refers to. If that would not be worth a write, it becomes the open segment. */
  #leaveRun(): void {
    if (this.#runEnd - this.#runFrom >= STRETCH_BYTES_MIN) return this.#seal();
    this.#open = this.#copyOf(this.#end()!);
  }

  /** Copies a segment whose memory is shared. */
  #copyOf(shared: Segment): Segment {
    const segment = this.#pool.take(shared.end, !this.#sendsMuch);
    segment.addSegment(shared);
    this.#hold(segment.buffer.length - shared.end);
    shared.owner!.release();
    return segment;
  }

  /** Ends the segment that more could have been added to, and returns it. */
  #end(): Segment | undefined {
    const run = this.#run;
    if (run !== undefined) {
      this.#run = undefined;
      return run.stretch(this.#runFrom, this.#runEnd, this.#runMessages);
    }
    const open = this.#open;
    this.#open = undefined;
    return open;
  }

  #free(segment: Segment): void {
    if (segment.owner === undefined) this.#pool.give(segment);
    else segment.owner.release();
  }

  /** Counts memory that the queue holds, or (negative) no longer holds. */
  #hold(bytes: number): void {
    this.#heldBytes += bytes;
    this.#total.bytes += bytes;
  }

  #seal(): void {
    const segment = this.#end();
    if (segment === undefined) return;
    (this.#sealed ??= []).push(segment);
    this.listener?.writeNow();
  }

  #writeLatest(message: Outgoing): boolean {
    if (this.#latest === undefined) {
      if (this.messages === 0) this.#begin();
      this.messages++;
    }
    this.#latest = keepForLater(message);
    if (!this.#announced) {
      this.#announced = true;
      this.listener?.queued();
    }
    return true;
  }

  /** Frames the newest message, now that it is its turn. It has been counted already. */
  #frameLatest(): void {
    const message = this.#latest!;
    this.#latest = undefined;
    const segment = this.#pool.take(segmentBytesOf(message));
    segment.addMessage(message);
    this.bytes += segment.bytes;
    this.#hold(memoryOf(segment));
    (this.#sealed ??= []).push(segment);
  }
}

/** Bytes of memory that a segment and the bodies it refers to take. */
function memoryOf(segment: Segment): number {
  return segment.buffer.length + segment.bytes - segment.end;
}
