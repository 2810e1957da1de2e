/**
 * Messages that go to many peers: framed once, one after another, into memory that the queues of all those
 * peers refer to. A queue refers to a stretch of it, from where it joined to the last message that it took
 * without missing one. What is before the end never changes while anyone refers to any of it.
 *
 * @module
 */

import { viewOf } from "../bytes/bytes.ts";
import { hasReferences, Segment, SEGMENT_BYTES, segmentBytesOf, type SegmentOwner } from "./segment.ts";

/** Where the memory of a run counts: the bound on what all queues of a context hold. */
export interface RunBound {
  bytes: number;
}

/** Framed messages that many queues refer to. Its memory counts once, while any queue refers to it. */
export class SharedRun implements SegmentOwner {
  /** Where the newest message begins. */
  from = 0;
  /** Where it ends. */
  end = 0;
  readonly #framed: Segment = new Segment(SEGMENT_BYTES);
  /** How many queues and writes refer to any of it. */
  #holders = 0;
  /** Something may still read the memory, and nobody will say when it no longer does. */
  #abandoned = false;
  /** Many queues take the same stretch: it is made once. */
  #stretch: Segment | undefined;
  #stretchFrom = 0;
  #bound: RunBound | undefined;

  /** Whether a message can be shared: not if it is too large, or if its bodies are passed by reference. */
  static takes(message: Uint8Array | readonly Uint8Array[]): boolean {
    return !hasReferences(message) && segmentBytesOf(message) <= SEGMENT_BYTES;
  }

  /** Whether nobody refers to any of it, so that it can begin anew. */
  get idle(): boolean {
    return this.#holders === 0 && !this.#abandoned;
  }

  /** Frames a message and returns `true`, or returns `false` if there is no room. */
  add(message: Uint8Array | readonly Uint8Array[]): boolean {
    if (this.idle) {
      this.#framed.clear();
      this.#stretch = undefined;
    }
    if (!this.#framed.fits(segmentBytesOf(message))) return false;
    this.from = this.#framed.end;
    this.#framed.addMessage(message);
    this.end = this.#framed.end;
    return true;
  }

  /** A queue refers to the newest message. It gives that up with {@link release} or {@link abandon}. */
  join(bound: RunBound): void {
    if (this.#holders++ > 0) return;
    this.#bound = bound;
    bound.bytes += SEGMENT_BYTES;
  }

  /** Adds the newest message to a segment that has room for it. */
  copyInto(segment: Segment): void {
    segment.addSegment(this.stretch(this.from, this.end, 1));
  }

  /** Messages in a row as a segment, which others may get too: it must not be changed. */
  stretch(from: number, end: number, messages: number): Segment {
    const last = this.#stretch;
    if (last !== undefined && this.#stretchFrom === from && last.end === end - from) return last;
    this.#stretchFrom = from;
    return this.#stretch = Segment.over(viewOf(this.#framed.buffer, from, end), messages, this);
  }

  release(): void {
    if (--this.#holders === 0) this.#bound!.bytes -= SEGMENT_BYTES;
  }

  abandon(): void {
    this.#abandoned = true;
    this.release();
  }
}
