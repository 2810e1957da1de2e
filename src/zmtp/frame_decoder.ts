/**
 * Decodes frames into messages, incrementally and within bounds (RFC 23/37 "framing").
 *
 * The fast path only walks headers: whole messages that lie in one chunk are reported as a *run*, and views
 * of their frames are made when they are taken. A message that crosses a chunk's end is assembled frame by
 * frame:
 *
 * - a frame of up to 1 MiB gets its own exactly sized buffer once its size has passed the limits; that may be
 *   the memory of an earlier chunk that was copied whole and is not shared;
 * - a larger one keeps its chunks until an eighth of it has arrived, and only then gets its memory, so its
 *   header alone never makes us allocate. When memory is short, this applies to all but small frames, and
 *   chunks are kept until the frame is complete.
 *
 * Where the rest of a large body belongs is {@link FrameDecoder.bodyRest}: bytes that were read into that
 * place are recognized and not copied.
 *
 * @module
 */

import { NO_BYTES, viewOf } from "../bytes/bytes.ts";
import { PeerError } from "../errors.ts";
import { BodyParts } from "./body_parts.ts";
import {
  type BodyAllocator,
  DISCARDED,
  type FrameDecoderOptions,
  type FrameLimits,
  type FrameOpener,
  type FrameSink,
} from "./frame_sink.ts";
import { FLAG_COMMAND, FLAG_LONG, FLAG_MORE } from "./wire.ts";

export { DISCARDED };
export type { BodyAllocator, FrameDecoderOptions, FrameLimits, FrameOpener, FrameSink };

/** Frames above this size keep their chunks until enough of them has arrived. */
const EXACT_BUFFER_BYTES_MAX = 1_048_576;

/** Memory for all of a larger frame is taken when one part in this many has arrived. */
const WHOLE_BODY_PARTS = 8;

/** Smaller bodies are not offered to be read in place: most of them lie whole in one chunk. */
const OFFERED_BYTES_MIN = 16_384;

/** Smaller chunks are not kept for reuse, and smaller frames do not use one. */
const SPARE_BYTES_MIN = 32_768;

/** What a frame costs besides its bytes: an empty one is not free. */
const FRAME_OBJECT_BYTES = 128;

const HEADER = 0;
const BODY_EXACT = 1;
const BODY_CHUNKS = 2;
const BODY_DISCARD = 3;
const BODY_LATER = 4;

/** The frame decoder of one connection. */
export class FrameDecoder {
  /** Set once, by the first frame that is refused; nothing is decoded after it. */
  error: PeerError | undefined;
  /** The connection is gone: an allocator's `"later"` counts as `"discard"`. */
  finishing = false;
  readonly #sink: FrameSink;
  readonly #limits: FrameLimits;
  readonly #opener: FrameOpener | undefined;
  readonly #allocator: BodyAllocator | undefined;
  readonly #memory: (bytes: number) => Uint8Array;
  readonly #sparing: (bytes: number) => boolean;
  readonly #broken: (rule: "dataMemory" | "bodyMemory") => PeerError;
  readonly #walks: boolean;
  /** Whether bodies may be read in place. */
  readonly #offers: boolean;
  #credit = 0;
  /** Frames of the message that is being assembled; `undefined` between messages on the fast path. */
  #frames: Uint8Array[] | undefined;
  #messageBytes = 0;
  /** Bytes of memory that `#frames` hold, and the last memory that was counted. */
  #framesMemory = 0;
  #countedMemory: ArrayBufferLike | undefined;
  /** Which of `#frames` came from the allocator. */
  readonly #allocated: Uint8Array[] = [];
  #mode = HEADER;
  #header: Uint8Array = NO_BYTES;
  #headerBytes = 0;
  #flags = 0;
  #size = 0;
  #body: Uint8Array = DISCARDED;
  #filled = 0;
  /** Whether the place of this body's rest was given to the transport. */
  #offered = false;
  /** Created for the first body that needs it. */
  #parts: BodyParts | undefined;
  /** A chunk whose bytes were all copied: memory for the next frame that fits. */
  #spare: Uint8Array = NO_BYTES;
  /** Whether a view of the chunk that is being decoded was handed out. */
  #chunkShared = false;

  constructor(sink: FrameSink, limits: FrameLimits, options: FrameDecoderOptions = {}) {
    this.#sink = sink;
    this.#limits = limits;
    this.#opener = options.opener;
    this.#allocator = options.allocator;
    this.#memory = options.memory ?? ((bytes): Uint8Array => new Uint8Array(bytes));
    this.#sparing = options.sparing ?? ((): boolean => false);
    this.#broken = options.broken ?? memoryError;
    this.#walks = options.opener === undefined && options.allocator === undefined;
    this.#offers = options.allocator === undefined || options.allocator.forfeit !== undefined;
  }

  /** Whether the allocator returned `"later"`: nothing is decoded until {@link decode} asks it again. */
  get waitsForMemory(): boolean {
    return this.#mode === BODY_LATER;
  }

  /** Whether some of a message has arrived and the rest has not. */
  get midMessage(): boolean {
    return this.#frames !== undefined || this.#headerBytes > 0 || this.#mode !== HEADER;
  }

  /**
   * Where the next bytes belong: the rest of the memory of a large body that has begun, or `undefined`. An
   * allocator's memory is offered only if it can be forfeited.
   */
  get bodyRest(): Uint8Array | undefined {
    const body = this.#body;
    if (this.#mode !== BODY_EXACT || this.#size < OFFERED_BYTES_MIN || !this.#offers) return undefined;
    // Only if its memory was given away.
    if (body.length !== this.#size) return undefined;
    this.#offered = true;
    return viewOf(body, this.#filled, this.#size);
  }

  /** Bytes held for the unfinished message. */
  get heldBytes(): number {
    let bytes = this.#messageBytes;
    if (this.#mode === BODY_EXACT || this.#mode === BODY_CHUNKS) bytes += this.#filled;
    return bytes;
  }

  /**
   * Bytes of memory that the unfinished message holds: all of a chunk that a frame is a view of, and all of a
   * body that has only begun. 0 with an allocator, which accounts for its own memory.
   */
  get heldMemory(): number {
    if (this.#allocator !== undefined) return 0;
    let bytes = this.#framesMemory;
    if (this.#mode === BODY_EXACT) bytes += this.#body.buffer.byteLength;
    else if (this.#mode === BODY_CHUNKS) bytes += this.#parts!.memoryBytes;
    return bytes;
  }

  /**
   * Decodes `chunk` from offset `from` and returns the offset reached: short of the end when `credit`
   * messages were delivered, the allocator returned `"later"`, or an error was found. What is delivered may
   * keep `chunk`'s memory.
   */
  decode(chunk: Uint8Array, from: number, credit: number): number {
    let at = from;
    this.#credit = credit;
    this.#chunkShared = from > 0;
    if (this.#mode === BODY_LATER && !this.#beginBody()) return at;
    while (at < chunk.length && this.error === undefined && this.#credit > 0) {
      at = this.#walks && !this.midMessage ? this.#walk(chunk, at) : this.#step(chunk, at);
      if (this.#mode === BODY_LATER) break;
    }
    if (!this.#chunkShared && at === chunk.length && chunk.length >= SPARE_BYTES_MIN) this.#spare = chunk;
    return at;
  }

  /**
   * Releases what an unfinished message holds. Call when nothing more is decoded, perhaps long before the
   * transport has closed: until then it may read on into a body that it was offered.
   */
  abandon(): void {
    if (this.#allocator !== undefined) this.#releaseAllocated(this.#allocator);
    this.#frames = undefined;
    this.#parts = undefined;
    this.#mode = HEADER;
    this.#headerBytes = 0;
    this.#forgetMessage();
  }

  #releaseAllocated(allocator: BodyAllocator): void {
    const allocated = this.#allocated;
    // Before the frames in front of it: an allocator may take their release for the whole message's.
    if (this.#mode === BODY_EXACT && this.#offered && allocated[allocated.length - 1] === this.#body) {
      allocator.forfeit!(allocated.pop()!);
    }
    for (const memory of allocated) allocator.release(memory);
    allocated.length = 0;
  }

  #forgetMessage(): void {
    this.#messageBytes = 0;
    this.#framesMemory = 0;
    this.#countedMemory = undefined;
  }

  /** Walks whole messages in place. Stops before the first one that does not end in this chunk. */
  #walk(chunk: Uint8Array, from: number): number {
    const end = chunk.length;
    const frameBytesMax = this.#limits.frameBytesMax;
    const credit = this.#credit;
    const runStart = from;
    let messageStart = from;
    let messages = 0;
    let frames = 0;
    let bodyBytes = 0;
    let at = from;
    while (messages < credit && at + 2 <= end) {
      const flags = chunk[at]!;
      let size: number;
      let bodyAt: number;
      if ((flags & FLAG_LONG) === 0) {
        size = chunk[at + 1]!;
        bodyAt = at + 2;
      } else {
        bodyAt = at + 9;
        if (bodyAt > end) break;
        size = readSize(chunk, at + 1);
      }
      // An illegal frame is left to the slow path, which reports the error after the messages before it. The
      // last comparison is also false for bytes that are not there because their memory was given away.
      if (flags > FLAG_COMMAND + FLAG_LONG || size > frameBytesMax || !(bodyAt + size <= end)) break;
      if (flags >= FLAG_COMMAND) {
        // A command between the frames of a message is legal (libzmq sends PINGs there): slow path.
        if (at !== messageStart || (flags & FLAG_MORE) !== 0) break;
        if (messages > 0) this.#sink.run(chunk, runStart, messageStart, messages);
        this.#credit -= messages;
        const error = this.#sink.command(viewOf(chunk, bodyAt, bodyAt + size));
        if (error !== undefined) this.error = error;
        if (messages > 0) this.#chunkShared = true;
        return bodyAt + size;
      }
      at = bodyAt + size;
      if ((flags & FLAG_MORE) === 0) {
        if (bodyBytes + size > this.#limits.messageBytesMax) break;
        messages++;
        messageStart = at;
        frames = 0;
        bodyBytes = 0;
      } else {
        frames++;
        bodyBytes += size;
        if (frames >= this.#limits.messageFramesMax || bodyBytes > this.#limits.messageBytesMax) break;
      }
    }
    if (messages > 0) {
      this.#sink.run(chunk, runStart, messageStart, messages);
      this.#chunkShared = true;
    }
    this.#credit -= messages;
    if (messageStart < end && this.#credit > 0) this.#frames = [];
    return messageStart;
  }

  /** The slow path: one header or one body, or as much of it as has arrived. */
  #step(chunk: Uint8Array, at: number): number {
    switch (this.#mode) {
      case HEADER:
        return this.#stepHeader(chunk, at);
      case BODY_EXACT: {
        const take = Math.min(this.#size - this.#filled, chunk.length - at);
        if (!this.#fill(chunk, at, take)) return at;
        if (this.#filled === this.#size) this.#endFrame(this.#body);
        return at + take;
      }
      case BODY_CHUNKS: {
        const take = Math.min(this.#size - this.#filled, chunk.length - at);
        if (this.#parts!.add(chunk, at, take)) this.#chunkShared = true;
        this.#filled += take;
        if (this.#filled === this.#size) {
          this.#endFrame(this.#parts!.take(this.#size));
        } else if (this.#filled * WHOLE_BODY_PARTS >= this.#size && !this.#sparing(this.#size)) {
          this.#body = this.#parts!.take(this.#size);
          this.#mode = BODY_EXACT;
        }
        return at + take;
      }
      default: { // BODY_DISCARD
        const take = Math.min(this.#size - this.#filled, chunk.length - at);
        this.#filled += take;
        if (this.#filled === this.#size) this.#endFrame(DISCARDED);
        return at + take;
      }
    }
  }

  /** Puts `chunk[at, at + bytes)` into the body, unless it was read there. `false`: a rule was broken. */
  #fill(chunk: Uint8Array, at: number, bytes: number): boolean {
    const body = this.#body;
    if (body.length !== this.#size) {
      this.error = this.#broken("dataMemory");
      return false;
    }
    if (!this.#offered || chunk.buffer !== body.buffer) {
      body.set(chunk.subarray(at, at + bytes), this.#filled);
    } else {
      this.#chunkShared = true;
      // An allocator's buffer may go on behind the body.
      const beyond = chunk.length - at > this.#size - this.#filled;
      if (beyond || chunk.byteOffset + at !== body.byteOffset + this.#filled) {
        this.error = this.#broken("bodyMemory");
        return false;
      }
    }
    this.#filled += bytes;
    return true;
  }

  #stepHeader(chunk: Uint8Array, from: number): number {
    let at = from;
    if (this.#header === NO_BYTES) this.#header = new Uint8Array(9);
    const header = this.#header;
    while (at < chunk.length) {
      header[this.#headerBytes++] = chunk[at++]!;
      if (this.#headerBytes === 1 && !this.#acceptFlags(header[0]!)) return at;
      if (this.#headerBytes === ((header[0]! & FLAG_LONG) === 0 ? 2 : 9)) break;
    }
    const long = (header[0]! & FLAG_LONG) !== 0;
    if (this.#headerBytes < (long ? 9 : 2)) return at;
    this.#headerBytes = 0;
    this.#flags = header[0]!;
    this.#size = long ? readSize(header, 1) : header[1]!;
    if (!this.#acceptSize(this.#size)) return at;
    const available = chunk.length - at;
    if (this.#allocator === undefined && available >= this.#size) {
      const body = viewOf(chunk, at, at + this.#size);
      this.#chunkShared = true;
      at += this.#size;
      this.#endFrame(body);
      return at;
    }
    this.#beginBody();
    return at;
  }

  #acceptFlags(flags: number): boolean {
    if (flags > (FLAG_MORE | FLAG_LONG | FLAG_COMMAND)) {
      this.error = new PeerError(
        "ERR_PEER_FRAME",
        `Cannot decode frame: reserved flag bits set in 0x${flags.toString(16)}`,
      );
      return false;
    }
    if (this.#opener === undefined && (flags & FLAG_COMMAND) !== 0 && (flags & FLAG_MORE) !== 0) {
      this.error = new PeerError("ERR_PEER_FRAME", "Cannot decode frame: a command with the MORE flag");
      return false;
    }
    return true;
  }

  #acceptSize(size: number): boolean {
    if (size > this.#limits.frameBytesMax) {
      const told = size === Infinity ? "a size beyond 2^53" : `${size} bytes`;
      this.error = new PeerError(
        "ERR_PEER_FRAME_SIZE",
        `Cannot accept frame: ${told}, more than the limit of ${this.#limits.frameBytesMax}`,
      );
      return false;
    }
    // A frame that does not fit into the message is refused at its header: nothing is held for it. Exempt are
    // commands, which are not part of a message, sealed frames, whose size says nothing about the body
    // inside, and allocators, which may discard what is too large.
    if ((this.#flags & FLAG_COMMAND) !== 0 || this.#opener !== undefined || this.#allocator !== undefined) {
      return true;
    }
    return this.#acceptMessageBytes(this.#messageBytes + size);
  }

  /** Finds memory for the body whose header is complete. Returns `false` when the allocator asks to wait. */
  #beginBody(): boolean {
    const size = this.#size;
    this.#filled = 0;
    this.#offered = false;
    const command = (this.#flags & FLAG_COMMAND) !== 0;
    // A sealed frame's size says nothing about the body inside, so sealing mechanisms use no allocator.
    if (this.#allocator !== undefined && this.#opener === undefined && !command) {
      const answer = this.#allocator.allocate(size, this.#frames ?? []);
      const memory = answer === "later" && this.finishing ? "discard" : answer;
      if (memory === "later") {
        this.#mode = BODY_LATER;
        return false;
      }
      if (memory === "discard") {
        this.#mode = BODY_DISCARD;
      } else {
        this.#allocated.push(memory);
        this.#body = memory;
        this.#mode = BODY_EXACT;
      }
    } else if (size < SPARE_BYTES_MIN || (size <= EXACT_BUFFER_BYTES_MAX && !this.#sparing(0))) {
      this.#body = this.#takeMemory(size);
      this.#mode = BODY_EXACT;
    } else {
      this.#parts ??= new BodyParts(this.#memory);
      this.#mode = BODY_CHUNKS;
    }
    if (size === 0) this.#endFrame(this.#mode === BODY_DISCARD ? DISCARDED : this.#body);
    return true;
  }

  #takeMemory(size: number): Uint8Array {
    if (size < SPARE_BYTES_MIN) return new Uint8Array(size);
    const spare = this.#spare;
    if (spare.length < size || size * 4 < spare.buffer.byteLength) return this.#memory(size);
    this.#spare = NO_BYTES;
    return viewOf(spare, 0, size);
  }

  #endFrame(wireBody: Uint8Array): void {
    this.#mode = HEADER;
    this.#body = DISCARDED;
    let more = (this.#flags & FLAG_MORE) !== 0;
    let command = (this.#flags & FLAG_COMMAND) !== 0;
    let body = wireBody;
    if (this.#opener !== undefined) {
      const opened = this.#opener.open(wireBody);
      if (opened instanceof PeerError) {
        this.error = opened;
        return;
      }
      more = (opened.flags & FLAG_MORE) !== 0;
      command = (opened.flags & FLAG_COMMAND) !== 0;
      body = opened.body;
    }
    if (command) {
      this.error = this.#sink.command(body);
      if (this.#frames !== undefined && this.#frames.length === 0) this.#frames = undefined;
      return;
    }
    const frames = this.#frames ??= [];
    frames.push(body);
    this.#messageBytes += body.length;
    if (body.buffer !== this.#countedMemory) {
      this.#countedMemory = body.buffer;
      this.#framesMemory += body.buffer.byteLength;
    }
    this.#framesMemory += FRAME_OBJECT_BYTES;
    if (!this.#acceptMessage(frames.length)) return;
    if (more) return;
    const bytes = this.#messageBytes;
    this.#frames = undefined;
    this.#forgetMessage();
    this.#allocated.length = 0;
    this.#credit--;
    this.#sink.message(frames, bytes);
  }

  #acceptMessageBytes(bytes: number): boolean {
    const { messageBytesMax } = this.#limits;
    if (bytes <= messageBytesMax) return true;
    this.error = new PeerError(
      "ERR_PEER_MESSAGE_SIZE",
      `Cannot accept message: more than the limit of ${messageBytesMax} bytes`,
    );
    return false;
  }

  #acceptMessage(frames: number): boolean {
    const { messageFramesMax } = this.#limits;
    if (!this.#acceptMessageBytes(this.#messageBytes)) return false;
    if (frames > messageFramesMax) {
      this.error = new PeerError(
        "ERR_PEER_MESSAGE_SIZE",
        `Cannot accept message: more than the limit of ${messageFramesMax} frames`,
      );
      return false;
    }
    return true;
  }
}

function memoryError(): PeerError {
  return new PeerError("ERR_TRANSPORT", "Memory of chunks or bodies was used again");
}

/**
 * The eight-byte size at `at`; `Infinity` for one that a JavaScript number cannot represent exactly, which no
 * limit allows.
 */
export function readSize(bytes: Uint8Array, at: number): number {
  const high = bytes[at]! * 0x100_0000 + (bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!);
  if (high > 0x1f_ffff) return Infinity;
  return high * 0x1_0000_0000 + bytes[at + 4]! * 0x100_0000 +
    (bytes[at + 5]! << 16 | bytes[at + 6]! << 8 | bytes[at + 7]!);
}
