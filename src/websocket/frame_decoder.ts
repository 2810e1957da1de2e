/**
 * Reads WebSocket frames (RFC 6455 §5) and turns what is in them into ZMTP *in place*: a frame of ZWS is
 * never shorter than the same frame of ZMTP, apart from unmasked ones of 256 to 65 535 bytes, so a chunk of
 * many messages becomes one chunk of ZMTP without memory of its own. Bodies of large frames stay where they
 * are.
 *
 * ```
 *   chunk   │ hdr key f body │ hdr key f body │ hdr …          read from `at`
 *           │ hdr body hdr body │                              written to `#end`, which never passes `at`
 *             ^ #start          ^ #end                          delivered as one chunk
 * ```
 *
 * @module
 */

import { NO_BYTES, readU16, readU53, viewOf } from "../bytes/bytes.ts";
import { writeFrameHeader } from "../zmtp/frame_encoder.ts";
import { Fragments, type FragmentsTotal } from "./fragments.ts";
import {
  BINARY,
  CLOSE,
  CONTINUATION,
  FIN,
  HEADER_BYTES_MAX,
  LENGTH_16,
  LENGTH_64,
  MASK,
  OPCODE_BITS,
  PING,
  PONG,
  RESERVED_BITS,
  SHORT_PAYLOAD_BYTES_MAX,
  TEXT,
  WHOLE_BINARY,
} from "./frame_wire.ts";
import { copyInto, keyAfter, maskInto, type Words, wordsOf } from "./mask.ts";
import { INBOUND_COLLECT, INBOUND_PASS, zmtpFlags, type ZwsInbound } from "./zws/inbound.ts";
import { CLOSE_UNSUPPORTED, tooLarge, type Violation, violation, ZWS_COMMAND } from "./zws/wire.ts";

/** Who is told what a {@link FrameDecoder} finds. */
export interface FrameDecoderSink {
  /** ZMTP for our engine, which owns its memory. */
  data(chunk: Uint8Array): void;
  /** Control frames. Their payloads are used again. */
  ping(payload: Uint8Array): void;
  pong(payload: Uint8Array): void;
  closed(payload: Uint8Array): void;
  /** Nothing is read after it. */
  violated(why: Violation): void;
}

/** What a {@link FrameDecoder} needs. */
export interface FrameDecoderInit {
  /** Whether the peer masks: it is a client. */
  readonly masked: boolean;
  readonly inbound: ZwsInbound;
  readonly frameBytesMax: number;
  readonly fragmentsTotal: FragmentsTotal;
  /** Allocates memory with arbitrary content. */
  readonly memory: (bytes: number) => Uint8Array;
}

/** Bodies of this size stay where they are: moving them would cost more than another delivery. */
const UNMOVED_BYTES_MIN = 4_096;
/** Where a header has no room in front of its body, smaller bodies are copied to where it has. */
const VIEW_BYTES_MIN = 16_384;

const HEADER = 0;
/** The body goes up as it arrives. */
const BODY = 1;
/** The payload is collected: a control frame, a command, a fragment. */
const CONTROL = 2;
const COMMAND = 3;
const FRAGMENT = 4;

/** The frame decoder of one connection. */
export class FrameDecoder {
  /** Nothing is read any longer. */
  stopped = false;
  readonly #init: FrameDecoderInit;
  readonly #sink: FrameDecoderSink;
  readonly #masked: boolean;
  readonly #fragments: Fragments;
  #mode = HEADER;
  readonly #header = new Uint8Array(HEADER_BYTES_MAX + 1);
  #headerBytes = 0;
  /** Of the frame whose header was read. */
  #first = 0;
  #key = 0;
  /** Bytes of its payload, or of its body, that have not arrived. */
  #left = 0;
  /** What is collected. */
  #collected: Uint8Array = NO_BYTES;
  #filled = 0;
  #control: Uint8Array = NO_BYTES;
  /** The chunk that is read. */
  #source: Words = NOTHING;
  /** What is written, and not delivered yet: `[start, end)` of the chunk itself or of other memory. */
  #target: Words = NOTHING;
  #start = 0;
  #end = 0;

  constructor(sink: FrameDecoderSink, init: FrameDecoderInit) {
    this.#sink = sink;
    this.#init = init;
    this.#masked = init.masked;
    this.#fragments = new Fragments(
      init.fragmentsTotal,
      init.frameBytesMax + 1,
      (why) => this.#refuse(why),
    );
  }

  /** Bytes that are the rest of a body, and so may be read in place. */
  get bodyLeft(): number {
    return this.#mode === BODY && !this.stopped ? this.#left : 0;
  }

  /** Takes a chunk, whose memory is ours. */
  receive(chunk: Uint8Array): void {
    if (this.stopped || chunk.length === 0) return;
    this.#source = this.#target = wordsOf(chunk);
    this.#start = this.#end = 0;
    let at = 0;
    while (at < chunk.length && !this.stopped) {
      if (this.#mode !== HEADER) at = this.#readPayload(chunk, at);
      else {
        if (this.#headerBytes === 0 && this.#init.inbound.plain && !this.#fragments.active) {
          at = this.#masked ? this.#walkMasked(chunk, at) : this.#walk(chunk, at);
        }
        if (at < chunk.length) at = this.#readHeader(chunk, at);
      }
    }
    this.#deliver();
    this.#source = this.#target = NOTHING;
  }

  /** The connection is gone. */
  release(): void {
    this.stopped = true;
    this.#fragments.release();
  }

  #deliver(): void {
    const { bytes } = this.#target;
    const start = this.#start;
    const end = this.#end;
    this.#start = end;
    if (start === end) return;
    this.#sink.data(start === 0 && end === bytes.length ? bytes : viewOf(bytes, start, end));
  }

  #refuse(why: Violation): void {
    if (this.stopped) return;
    this.stopped = true;
    this.#sink.violated(why);
  }

  // Whole frames of messages that lie in one chunk. Anything else is left to the slow path.

  #walkMasked(chunk: Uint8Array, from: number): number {
    const source = this.#source;
    const target = this.#target;
    const { view } = source;
    const end = chunk.length;
    const payloadBytesMax = this.#init.frameBytesMax + 1;
    let at = from;
    let to = this.#end;
    while (at + 7 <= end && chunk[at] === WHOLE_BINARY) {
      let bytes = chunk[at + 1]! - MASK;
      let keyAt = at + 2;
      if (bytes === LENGTH_16 && at + 9 <= end) {
        bytes = chunk[at + 2]! << 8 | chunk[at + 3]!;
        keyAt = at + 4;
        if (bytes <= SHORT_PAYLOAD_BYTES_MAX) break;
      } else if (bytes > SHORT_PAYLOAD_BYTES_MAX) break;
      const next = keyAt + 4 + bytes;
      if (bytes <= 0 || next > end || bytes > payloadBytesMax) break;
      const flags = chunk[keyAt + 4]! ^ chunk[keyAt]!;
      if (flags >= ZWS_COMMAND) break;
      const key = view.getInt32(keyAt, true);
      to = writeFrameHeader(target.bytes, to, flags, bytes - 1);
      maskInto(source, keyAt + 5, target, to, bytes - 1, (key >>> 8) | (key << 24));
      to += bytes - 1;
      at = next;
    }
    this.#end = to;
    return at;
  }

  #walk(chunk: Uint8Array, from: number): number {
    const source = this.#source;
    const target = this.#target;
    const inPlace = source === target;
    const end = chunk.length;
    const payloadBytesMax = this.#init.frameBytesMax + 1;
    let at = from;
    let to = this.#end;
    while (at + 3 <= end && chunk[at] === WHOLE_BINARY) {
      let bytes = chunk[at + 1]!;
      let flagsAt = at + 2;
      if (bytes === LENGTH_16 && at + 5 <= end) {
        bytes = chunk[at + 2]! << 8 | chunk[at + 3]!;
        flagsAt = at + 4;
        if (bytes <= SHORT_PAYLOAD_BYTES_MAX || bytes > UNMOVED_BYTES_MIN) break;
        // The long header of ZMTP may have no room.
        if (inPlace && to + 9 > flagsAt + 1) break;
      } else if (bytes > SHORT_PAYLOAD_BYTES_MAX) break;
      const next = flagsAt + bytes;
      if (bytes === 0 || next > end || bytes > payloadBytesMax) break;
      const flags = chunk[flagsAt]!;
      if (flags >= ZWS_COMMAND) break;
      to = writeFrameHeader(target.bytes, to, flags, bytes - 1);
      copyInto(source, flagsAt + 1, target, to, bytes - 1);
      to += bytes - 1;
      at = next;
    }
    this.#end = to;
    return at;
  }

  // The slow path: one header, or as much of a payload as has arrived.

  #readHeader(chunk: Uint8Array, from: number): number {
    const header = this.#header;
    let at = from;
    while (at < chunk.length) {
      header[this.#headerBytes++] = chunk[at++]!;
      const have = this.#headerBytes;
      if (have < 2) continue;
      if (have === 2) {
        const wrong = this.#checkStart();
        if (wrong !== undefined) return this.#stop(wrong, at);
      }
      const length = header[1]! & ~MASK;
      const lengthEnd = length === LENGTH_64 ? 10 : length === LENGTH_16 ? 4 : 2;
      const keyEnd = this.#masked ? lengthEnd + 4 : lengthEnd;
      if (have < keyEnd) continue;
      const payloadBytes = length === LENGTH_64
        ? readU53(header, 2)
        : length === LENGTH_16
        ? readU16(header, 2)
        : length;
      // The flags byte of ZWS says what becomes of the rest.
      const whole = header[0] === WHOLE_BINARY;
      if (have === keyEnd) {
        const wrong = this.#checkLength(length, payloadBytes);
        if (wrong !== undefined) return this.#stop(wrong, at);
        if (whole) continue;
      }
      this.#headerBytes = 0;
      this.#first = header[0]!;
      this.#key = this.#masked ? wordOf(header, lengthEnd) : 0;
      if (whole) this.#beginMessage(header[keyEnd]! ^ (this.#key & 0xff), payloadBytes - 1, at);
      else this.#beginCollecting(payloadBytes);
      return at;
    }
    return at;
  }

  #stop(wrong: Violation, at: number): number {
    this.#deliver();
    this.#refuse(wrong);
    return at;
  }

  /** What the first two bytes of a frame tell. */
  #checkStart(): Violation | undefined {
    const first = this.#header[0]!;
    const second = this.#header[1]!;
    const opcode = first & OPCODE_BITS;
    if ((first & RESERVED_BITS) !== 0) return violation("reserved bits are set (RFC 6455 §5.2)");
    if ((second & MASK) === 0 && this.#masked) {
      return violation("a client's frame is not masked (RFC 6455 §5.1)");
    }
    if ((second & MASK) !== 0 && !this.#masked) {
      return violation("a server's frame is masked (RFC 6455 §5.1)");
    }
    if (opcode >= CLOSE) return this.#checkControl(first, second & ~MASK, opcode);
    if (opcode > BINARY) return violation(`the opcode ${opcode} is reserved (RFC 6455 §5.2)`);
    if (opcode === TEXT) return violation("ZWS has no text messages (RFC 45)", CLOSE_UNSUPPORTED);
    if (opcode === CONTINUATION && !this.#fragments.active) {
      return violation("a fragment continues no message (RFC 6455 §5.4)");
    }
    if (opcode !== CONTINUATION && this.#fragments.active) {
      return violation("a message begins among the fragments of another (RFC 6455 §5.4)");
    }
    return undefined;
  }

  #checkControl(first: number, length: number, opcode: number): Violation | undefined {
    if (opcode > PONG) return violation(`the opcode ${opcode} is reserved (RFC 6455 §5.2)`);
    if ((first & FIN) === 0) return violation("a control frame is fragmented (RFC 6455 §5.5)");
    if (length > SHORT_PAYLOAD_BYTES_MAX) {
      return violation("a control frame has more than 125 bytes (RFC 6455 §5.5)");
    }
    return undefined;
  }

  #checkLength(length: number, payloadBytes: number): Violation | undefined {
    if (length === LENGTH_64 && (this.#header[2]! & 0x80) !== 0) {
      return violation("a length has its highest bit set (RFC 6455 §5.2)");
    }
    const { frameBytesMax } = this.#init;
    if (payloadBytes < 0) return tooLarge(Number.MAX_SAFE_INTEGER, frameBytesMax);
    const shorter = length === LENGTH_64 ? 0xffff : length === LENGTH_16 ? SHORT_PAYLOAD_BYTES_MAX : -1;
    if (payloadBytes <= shorter) return violation("a length is longer than it must be (RFC 6455 §5.2)");
    const first = this.#header[0]!;
    if (first >= (FIN | CLOSE)) return undefined;
    const bytes = this.#fragments.bytes + payloadBytes;
    if (bytes > frameBytesMax + 1) return tooLarge(bytes - 1, frameBytesMax);
    if (first === WHOLE_BINARY) return payloadBytes === 0 ? emptyMessage() : undefined;
    const last = (first & FIN) !== 0;
    return last && bytes === 0 ? emptyMessage() : this.#fragments.begin(payloadBytes, last);
  }

  /** A message that is one frame: its header and its flags were read, up to `at`. */
  #beginMessage(flags: number, bodyBytes: number, at: number): void {
    this.#key = keyAfter(this.#key, 1);
    const step = this.#init.inbound.begin(flags, bodyBytes);
    this.#left = bodyBytes;
    if (step === INBOUND_PASS) {
      this.#writeHeader(zmtpFlags(flags), bodyBytes, at);
      if (bodyBytes > 0) this.#mode = BODY;
    } else if (step === INBOUND_COLLECT) {
      this.#mode = COMMAND;
      this.#first = flags;
      this.#collected = new Uint8Array(bodyBytes);
      this.#filled = 0;
      if (bodyBytes === 0) this.#collectedAll();
    } else {
      this.#stop(this.#init.inbound.violation!, at);
    }
  }

  #beginCollecting(payloadBytes: number): void {
    this.#left = payloadBytes;
    if ((this.#first & OPCODE_BITS) < CLOSE) this.#mode = FRAGMENT;
    else {
      this.#mode = CONTROL;
      this.#collected = this.#control.length === 0
        ? this.#control = new Uint8Array(SHORT_PAYLOAD_BYTES_MAX)
        : this.#control;
      this.#filled = 0;
    }
    if (payloadBytes === 0) this.#collectedAll();
  }

  /** Writes a header of ZMTP in front of the body that begins at `bodyAt` of the chunk. */
  #writeHeader(flags: number, bodyBytes: number, bodyAt: number): void {
    const headerBytes = bodyBytes > 255 ? 9 : 2;
    const inPlace = this.#target === this.#source;
    const large = bodyBytes >= UNMOVED_BYTES_MIN && !this.#masked;
    if (inPlace && !large && this.#end + headerBytes <= bodyAt) {
      this.#end = writeFrameHeader(this.#target.bytes, this.#end, flags, bodyBytes);
      return;
    }
    if (!inPlace && bodyBytes < VIEW_BYTES_MIN) {
      this.#end = writeFrameHeader(this.#target.bytes, this.#end, flags, bodyBytes);
      return;
    }
    const before = inPlace ? this.#end : 0;
    if (before + headerBytes <= bodyAt && large) {
      this.#deliver();
      this.#target = this.#source;
      this.#start = bodyAt - headerBytes;
      this.#end = writeFrameHeader(this.#target.bytes, this.#start, flags, bodyBytes);
      return;
    }
    this.#deliver();
    if (bodyBytes >= VIEW_BYTES_MIN || bodyAt === this.#source.bytes.length) {
      const header = new Uint8Array(headerBytes);
      writeFrameHeader(header, 0, flags, bodyBytes);
      this.#sink.data(header);
      this.#target = this.#source;
      this.#start = this.#end = bodyAt;
      return;
    }
    // Frames of 256 bytes and more need four bytes more than they have; others need no more.
    const rest = this.#source.bytes.length - bodyAt;
    this.#target = wordsOf(this.#init.memory(rest + 9 + 4 * Math.ceil(rest / 260)));
    this.#start = 0;
    this.#end = writeFrameHeader(this.#target.bytes, 0, flags, bodyBytes);
  }

  #readPayload(chunk: Uint8Array, at: number): number {
    const count = Math.min(this.#left, chunk.length - at);
    const key = this.#key;
    this.#left -= count;
    this.#key = keyAfter(key, count);
    if (this.#mode === BODY) this.#takeBody(at, count, key);
    else if (this.#mode === FRAGMENT) {
      if (key !== 0) maskInto(this.#source, at, this.#source, at, count, key);
      this.#fragments.push(viewOf(chunk, at, at + count));
    } else {
      for (let i = 0; i < count; i++) {
        this.#collected[this.#filled + i] = chunk[at + i]! ^ (key >>> ((i & 3) * 8));
      }
      this.#filled += count;
    }
    if (this.#left === 0 && !this.stopped) this.#collectedAll();
    return at + count;
  }

  #takeBody(at: number, count: number, key: number): void {
    const target = this.#target;
    const to = this.#end;
    this.#end = to + count;
    if (key !== 0) maskInto(this.#source, at, target, to, count, key);
    else if (target !== this.#source || to !== at) copyInto(this.#source, at, target, to, count);
  }

  /** The payload of the frame is whole. */
  #collectedAll(): void {
    const mode = this.#mode;
    this.#mode = HEADER;
    if (mode === BODY) return;
    if (mode === FRAGMENT) {
      if ((this.#first & FIN) !== 0) this.#collectedMessage();
      return;
    }
    this.#deliver();
    if (mode === COMMAND) return this.#collectedCommand(this.#first, this.#collected);
    const payload = viewOf(this.#collected, 0, this.#filled);
    const opcode = this.#first & OPCODE_BITS;
    if (opcode === PING) this.#sink.ping(payload);
    else if (opcode === PONG) this.#sink.pong(payload);
    else {
      this.stopped = true;
      this.#sink.closed(payload);
    }
  }

  #collectedCommand(flags: number, body: Uint8Array): void {
    const { inbound } = this.#init;
    const frame = inbound.collected(flags, body);
    this.#collected = NO_BYTES;
    if (inbound.violation !== undefined) this.#refuse(inbound.violation);
    else if (frame.length > 0) this.#sink.data(frame);
  }

  #collectedMessage(): void {
    const message = this.#fragments.take();
    this.#deliver();
    const flags = message[0]!;
    const body = viewOf(message, 1, message.length);
    const step = this.#init.inbound.begin(flags, body.length);
    if (step === INBOUND_COLLECT) return this.#collectedCommand(flags, body);
    if (step !== INBOUND_PASS) return this.#refuse(this.#init.inbound.violation!);
    const header = new Uint8Array(body.length > 255 ? 9 : 2);
    writeFrameHeader(header, 0, zmtpFlags(flags), body.length);
    this.#sink.data(header);
    if (body.length > 0 && !this.stopped) this.#sink.data(body);
  }
}

const NOTHING: Words = wordsOf(NO_BYTES);

function emptyMessage(): Violation {
  return violation("a message of ZWS without flags (RFC 45)");
}

/** The mask key at `at`. */
function wordOf(bytes: Uint8Array, at: number): number {
  return bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24;
}
