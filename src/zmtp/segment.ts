/**
 * A segment holds whole messages, framed and ready for the wire: small bodies are copied into pooled memory,
 * and large ones are references in between. A segment *is* a write batch.
 *
 * ```
 *   buffer  | hdr body hdr body hdr | hdr body …        |
 *                                   ^ cut: bodies[0] goes out here, by reference
 * ```
 *
 * A message never spans two segments, so a connection that is lost with one segment in flight never leaves
 * half a message at the head of the next.
 *
 * @module
 */

import { viewOf } from "../bytes/bytes.ts";
import { readSize } from "./frame_decoder.ts";
import { frameHeaderBytes, writeFrameHeader } from "./frame_encoder.ts";
import { FLAG_LONG, FLAG_MORE } from "./wire.ts";

/** Buffer bytes of one pooled segment. */
export const SEGMENT_BYTES = 65_536;
/** Buffer bytes of one that mostly holds references, or what a connection sends that sends little. */
export const SMALL_SEGMENT_BYTES = 2_048;
/** Bodies of this size or more are passed by reference; smaller ones are copied. */
export const REFERENCE_BYTES_MIN = 16_384;
/**
 * A segment with this many bytes, referenced ones included, is full. Readers are fastest with large writes.
 */
const SEGMENT_TOTAL_BYTES_MAX = 524_288;

/** Whose memory a segment refers to, if it is not its own. */
export interface SegmentOwner {
  /** The segment no longer refers to it. */
  release(): void;
  /** The same, but something may still read the memory. */
  abandon(): void;
}

/** Framed messages in pooled memory. Its owner's hot paths read the fields; only the methods change them. */
export class Segment {
  readonly buffer: Uint8Array;
  /** Set if the memory is shared. Nothing in such a segment may change. */
  readonly owner: SegmentOwner | undefined;
  /** Bytes of `buffer` in use. */
  end = 0;
  /** Messages in this segment. */
  messages = 0;
  /** Bytes on the wire, referenced bodies included. */
  bytes = 0;
  /** Offsets in `buffer` at which the body with the same index goes out. */
  readonly cuts: number[] = [];
  readonly bodies: Uint8Array[] = [];
  /** Lengths of `bodies` when they were added: a resized one must not reach the wire under its old header. */
  readonly bodyBytes: number[] = [];

  constructor(memory: number | Uint8Array, owner?: SegmentOwner) {
    this.buffer = memory instanceof Uint8Array ? memory : new Uint8Array(memory);
    this.owner = owner;
  }

  /** A segment of `messages` that are framed already and fill `memory`, which belongs to `owner`. */
  static over(memory: Uint8Array, messages: number, owner: SegmentOwner): Segment {
    const segment = new Segment(memory, owner);
    segment.messages = messages;
    segment.end = segment.bytes = memory.length;
    return segment;
  }

  /** Whether nothing can be added. A small one that is used up is not full: its owner can enlarge it. */
  get full(): boolean {
    if (this.bytes >= SEGMENT_TOTAL_BYTES_MAX) return true;
    return this.end === this.buffer.length && this.end >= SEGMENT_BYTES;
  }

  /** Whether the segment is not full and its buffer has room for `bytes` more. */
  fits(bytes: number): boolean {
    return this.end + bytes <= this.buffer.length && this.bytes < SEGMENT_TOTAL_BYTES_MAX;
  }

  /** Adds one frame. Its header, and its body if that is copied, must fit. */
  addFrame(flags: number, body: Uint8Array): void {
    const length = body.length;
    const at = writeFrameHeader(this.buffer, this.end, flags, length);
    this.bytes += at - this.end + length;
    if (length < REFERENCE_BYTES_MIN) {
      copyInto(this.buffer, at, body);
      this.end = at + length;
      return;
    }
    this.end = at;
    this.cuts.push(at);
    this.bodies.push(body);
    this.bodyBytes.push(length);
  }

  /** Adds all frames of one message, which must fit. */
  addMessage(message: Uint8Array | readonly Uint8Array[]): void {
    this.messages++;
    if (message instanceof Uint8Array) return this.addFrame(0, message);
    const last = message.length - 1;
    for (let i = 0; i < last; i++) this.addFrame(FLAG_MORE, message[i]!);
    this.addFrame(0, message[last]!);
  }

  /** Adds the messages of another segment: one memory copy, large bodies shared. They must fit. */
  addSegment(other: Segment): void {
    const at = this.end;
    copyInto(this.buffer, at, usedBytesOf(other));
    this.end = at + other.end;
    this.messages += other.messages;
    this.bytes += other.bytes;
    for (let i = 0; i < other.cuts.length; i++) {
      this.cuts.push(at + other.cuts[i]!);
      this.bodies.push(other.bodies[i]!);
      this.bodyBytes.push(other.bodyBytes[i]!);
    }
  }

  /** Whether every referenced body still has the length that its header states. */
  get intact(): boolean {
    for (let i = 0; i < this.bodies.length; i++) {
      if (this.bodies[i]!.length !== this.bodyBytes[i]) return false;
    }
    return true;
  }

  /** The bytes for the wire, in order, without copying. */
  chunks(): Uint8Array[] {
    if (this.cuts.length === 0) return [usedBytesOf(this)];
    const chunks: Uint8Array[] = [];
    let from = 0;
    for (let i = 0; i < this.cuts.length; i++) {
      const cut = this.cuts[i]!;
      if (cut > from) chunks.push(this.buffer.subarray(from, cut));
      chunks.push(this.bodies[i]!);
      from = cut;
    }
    if (this.end > from) chunks.push(this.buffer.subarray(from, this.end));
    return chunks;
  }

  /**
   * Forgets the messages that lie wholly in the first `handedBytes` of the wire; what is left begins with a
   * message. Returns how many were forgotten.
   */
  forget(handedBytes: number): number {
    let at = 0;
    let cut = 0;
    let wire = 0;
    let messages = 0;
    const kept = { at, cut, wire, messages };
    while (at < this.end) {
      const flags = this.buffer[at]!;
      const size = (flags & FLAG_LONG) === 0 ? this.buffer[at + 1]! : readSize(this.buffer, at + 1);
      const bodyAt = at + ((flags & FLAG_LONG) === 0 ? 2 : 9);
      wire += bodyAt - at + size;
      if (wire > handedBytes) break;
      const isReference = this.cuts[cut] === bodyAt;
      if (isReference) cut++;
      at = isReference ? bodyAt : bodyAt + size;
      if ((flags & FLAG_MORE) === 0) Object.assign(kept, { at, cut, wire, messages: ++messages });
    }
    this.buffer.copyWithin(0, kept.at, this.end);
    this.end -= kept.at;
    this.bytes -= kept.wire;
    this.messages -= kept.messages;
    this.bodies.splice(0, kept.cut);
    this.bodyBytes.splice(0, kept.cut);
    this.cuts.splice(0, kept.cut);
    for (let i = 0; i < this.cuts.length; i++) this.cuts[i]! -= kept.at;
    return kept.messages;
  }

  clear(): void {
    this.end = 0;
    this.messages = 0;
    this.bytes = 0;
    this.cuts.length = 0;
    this.bodies.length = 0;
    this.bodyBytes.length = 0;
  }
}

/** The used part of the buffer. Shared memory is used as a whole: it is a view already. */
function usedBytesOf(segment: Segment): Uint8Array {
  return segment.owner === undefined ? viewOf(segment.buffer, 0, segment.end) : segment.buffer;
}

/** The bytes of segment buffer that a message needs: its headers, and the bodies that are copied. */
export function segmentBytesOf(message: Uint8Array | readonly Uint8Array[]): number {
  if (message instanceof Uint8Array) return segmentBytesOfBody(message.length);
  let bytes = 0;
  for (let i = 0; i < message.length; i++) bytes += segmentBytesOfBody(message[i]!.length);
  return bytes;
}

function segmentBytesOfBody(length: number): number {
  return frameHeaderBytes(length) + (length < REFERENCE_BYTES_MIN ? length : 0);
}

/** `set` costs some tens of nanoseconds, a loop costs per byte: they break even at about sixteen bytes. */
function copyInto(into: Uint8Array, at: number, body: Uint8Array): void {
  const length = body.length;
  if (length > 16) {
    into.set(body, at);
    return;
  }
  for (let i = 0; i < length; i++) into[at + i] = body[i]!;
}

/** Whether any body of the message is passed by reference. */
export function hasReferences(message: Uint8Array | readonly Uint8Array[]): boolean {
  if (message instanceof Uint8Array) return message.length >= REFERENCE_BYTES_MIN;
  for (let i = 0; i < message.length; i++) if (message[i]!.length >= REFERENCE_BYTES_MIN) return true;
  return false;
}

/** What a pool keeps at most, in bytes of unused segments. */
const POOL_BYTES_MAX = 4_194_304;

/** Keeps cleared segments for the next writer, so that steady traffic allocates nothing. */
export class SegmentPool {
  readonly #free: Segment[] = [];
  readonly #freeSmall: Segment[] = [];
  readonly #bytesMax: number;
  #bytes = 0;

  /** `bytesMax`: how much memory of unused segments is kept. */
  constructor(bytesMax: number = POOL_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  /** Returns a cleared segment with room for at least `bytesMin`. `small`: little more will be added. */
  take(bytesMin: number, small = false): Segment {
    if (bytesMin > SEGMENT_BYTES) return new Segment(bytesMin);
    const isSmall = small && bytesMin <= SMALL_SEGMENT_BYTES;
    const segment = isSmall ? this.#freeSmall.pop() : this.#free.pop();
    if (segment === undefined) return new Segment(isSmall ? SMALL_SEGMENT_BYTES : SEGMENT_BYTES);
    this.#bytes -= segment.buffer.length;
    return segment;
  }

  /** Takes back a segment that is no longer read. */
  give(segment: Segment): void {
    segment.clear();
    const { length } = segment.buffer;
    if (this.#bytes + length > this.#bytesMax) return;
    if (length === SEGMENT_BYTES) this.#free.push(segment);
    else if (length === SMALL_SEGMENT_BYTES) this.#freeSmall.push(segment);
    else return;
    this.#bytes += length;
  }
}
