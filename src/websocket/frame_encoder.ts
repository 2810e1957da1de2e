/**
 * Writes what our engine sends as WebSocket frames, into one output buffer at a time. Small bodies are copied
 * there, masked if we are the client; large ones of a server go out by reference. Never is anything masked in
 * the engine's memory, which is the user's.
 *
 * @module
 */

import { NO_BYTES, viewOf } from "../bytes/bytes.ts";
import { readSize } from "../zmtp/frame_decoder.ts";
import { FLAG_LONG, FLAG_MORE, LONG_HEADER_BYTES } from "../zmtp/wire.ts";
import { FIN, HEADER_BYTES_MAX, MASK, PING, PONG, WHOLE_BINARY, writeHeader } from "./frame_wire.ts";
import { copyInto, keyAfter, maskInto, type MaskKeys, type Words, wordsOf } from "./mask.ts";
import {
  ZWS_ALIVE,
  ZWS_DONE,
  ZWS_MESSAGE,
  ZWS_PART,
  ZWS_PING,
  ZWS_PONG,
  ZWS_WHOLE,
  type ZwsOutbound,
} from "./zws/outbound.ts";
import { FRAME_COST_BYTES, type SendCredit } from "./zws/flow.ts";

/** Larger bodies of a server go out where they are. */
const REFERENCE_BYTES_MIN = 16_384;
/** A buffer with less room than this takes no further frame: a control frame and any header fit. */
const ROOM_BYTES_MIN = 160;

/** The frame encoder of one connection. */
export class FrameEncoder {
  readonly #outbound: ZwsOutbound;
  readonly #credit: SendCredit;
  /** A client's supply of mask keys; a server has none. */
  readonly #keys: MaskKeys | undefined;
  readonly #mask: number;
  /** The engine's chunk, and whatever else a body comes from. */
  #chunk: Words = NOTHING;
  /** What of a body is still to be written: `[at, end)` of `#source`. */
  #source: Words = NOTHING;
  #sourceAt = 0;
  #sourceEnd = 0;
  /** The key for the next byte of the body. */
  #key = 0;
  #used = true;
  /** The buffer, and the range of it that is not in {@link chunks} yet. */
  #buffer: Words = NOTHING;
  #start = 0;
  #end = 0;
  #chunks: Uint8Array[] = [];
  /** The peer's credit is used up. */
  blocked = false;
  /** No frame is begun any longer: what is left of the engine's chunk is thrown away. */
  ending = false;

  constructor(outbound: ZwsOutbound, credit: SendCredit, keys: MaskKeys | undefined) {
    this.#outbound = outbound;
    this.#credit = credit;
    this.#keys = keys;
    this.#mask = keys === undefined ? 0 : MASK;
  }

  /** Whether all of the engine's chunk was written. */
  get used(): boolean {
    return this.#used;
  }

  /** Whether no frame has begun that is not finished, so that a control frame may follow. */
  get between(): boolean {
    return this.#outbound.between && this.#sourceAt === this.#sourceEnd;
  }

  /** Bytes of the engine's chunk that are not written yet. */
  get bytesLeft(): number {
    const rest = this.#sourceEnd - this.#sourceAt;
    return this.#used ? rest : rest + this.#chunk.bytes.length - this.#outbound.at;
  }

  /** Whether large bodies go out where they are. */
  get refers(): boolean {
    return this.#keys === undefined;
  }

  /** The engine's next chunk. The one before it is used up. */
  begin(chunk: Uint8Array): void {
    this.#chunk = wordsOf(chunk);
    this.#outbound.begin(chunk);
    this.#used = chunk.length === 0;
  }

  /** Writes into `buffer` from here on. */
  open(buffer: Words): void {
    this.#buffer = buffer;
    this.#start = this.#end = 0;
    this.#chunks = [];
  }

  /** Whether anything was written since {@link open}. */
  get written(): boolean {
    return this.#end > 0 || this.#chunks.length > 0;
  }

  /** What was written since {@link open}, in order. Nothing may be written after it. */
  take(): readonly Uint8Array[] {
    this.#cut();
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#buffer = NOTHING;
    this.#start = this.#end = 0;
    return chunks;
  }

  /** Writes a control frame. Only {@link between} two frames; `payload` has at most 125 bytes. */
  control(opcode: number, payload: Uint8Array): void {
    this.#writeHeader(FIN | opcode, payload.length);
    const to = this.#end;
    const bytes = this.#buffer.bytes;
    for (let i = 0; i < payload.length; i++) bytes[to + i] = payload[i]! ^ (this.#key >>> ((i & 3) * 8));
    this.#end = to + payload.length;
  }

  /** Whether the buffer takes another frame. */
  get hasRoom(): boolean {
    return this.#end + ROOM_BYTES_MIN <= this.#buffer.bytes.length;
  }

  /** Writes as much of the engine's chunk as the buffer and the peer's credit have room for. */
  write(): void {
    while (this.hasRoom) {
      if (this.#sourceAt < this.#sourceEnd) {
        this.#writeBody();
        continue;
      }
      if (this.#used) return;
      if (this.#outbound.usedUp || (this.ending && this.#outbound.between)) return this.#useUp();
      if (this.#outbound.between) {
        this.blocked = !this.#credit.maySend;
        if (this.blocked) return;
        if (this.#outbound.atHeader) this.#walk();
        if (!this.hasRoom || !this.#credit.maySend) continue;
      }
      this.#step();
    }
  }

  /** Messages whose bodies are copied and fit: they lie whole in the chunk, and find room in the buffer. */
  #walk(): void {
    const outbound = this.#outbound;
    const credit = this.#credit;
    const keys = this.#keys;
    const chunk = this.#chunk;
    const from = chunk.bytes;
    const buffer = this.#buffer;
    const into = buffer.bytes;
    const mask = this.#mask;
    const last = into.length - HEADER_BYTES_MAX;
    let at = outbound.at;
    let to = this.#end;
    while (at + 2 <= from.length && credit.sentBytes < credit.limitBytes) {
      const flags = from[at]!;
      let bytes = from[at + 1]!;
      let bodyAt = at + 2;
      if (flags >= FLAG_LONG) {
        // Commands, and what is cut off or may go out by reference, are left to the slow path.
        if (flags > FLAG_LONG + FLAG_MORE || at + LONG_HEADER_BYTES > from.length) break;
        bodyAt = at + LONG_HEADER_BYTES;
        bytes = readSize(from, at + 1);
        if (bytes >= REFERENCE_BYTES_MIN) break;
      }
      if (bodyAt + bytes > from.length || to + bytes > last) break;
      credit.sentBytes += FRAME_COST_BYTES + bytes;
      if (bytes < 125) {
        into[to] = WHOLE_BINARY;
        into[to + 1] = mask | (bytes + 1);
        to += 2;
      } else to = writeHeader(into, to, WHOLE_BINARY, mask, bytes + 1);
      if (keys === undefined) {
        into[to] = flags & FLAG_MORE;
        copyInto(chunk, bodyAt, buffer, to + 1, bytes);
      } else {
        const key = keys.next();
        buffer.view.setInt32(to, key, true);
        to += 4;
        into[to] = (flags & FLAG_MORE) ^ key;
        maskInto(chunk, bodyAt, buffer, to + 1, bytes, (key >>> 8) | (key << 24));
      }
      to += 1 + bytes;
      at = bodyAt + bytes;
    }
    outbound.skipTo(at);
    this.#end = to;
  }

  #step(): void {
    const outbound = this.#outbound;
    switch (outbound.next()) {
      case ZWS_DONE:
        return this.#useUp();
      case ZWS_MESSAGE:
        this.#credit.begun(outbound.bodyBytes);
        this.#begin(outbound.flags, outbound.bodyBytes);
        return this.#bodyIs(this.#chunk, outbound.partStart, outbound.partEnd);
      case ZWS_PART:
        return this.#bodyIs(this.#chunk, outbound.partStart, outbound.partEnd);
      case ZWS_WHOLE:
        this.#begin(outbound.flags, outbound.bodyBytes);
        return this.#bodyIs(wordsOf(outbound.body), 0, outbound.bodyBytes);
      case ZWS_PING:
        return this.control(PING, outbound.body);
      case ZWS_PONG:
        return this.control(PONG, outbound.body);
      case ZWS_ALIVE:
        // A stream can always send PINGs.
        return;
    }
  }

  #useUp(): void {
    this.#used = true;
    this.blocked = false;
    this.#chunk = NOTHING;
  }

  /** Writes header, key and flags of a message. */
  #begin(flags: number, bodyBytes: number): void {
    this.#writeHeader(WHOLE_BINARY, bodyBytes + 1);
    this.#buffer.bytes[this.#end++] = flags ^ this.#key;
    this.#key = keyAfter(this.#key, 1);
  }

  #writeHeader(first: number, payloadBytes: number): void {
    this.#end = writeHeader(this.#buffer.bytes, this.#end, first, this.#mask, payloadBytes);
    if (this.#keys === undefined) return;
    this.#key = this.#keys.next();
    this.#buffer.view.setInt32(this.#end, this.#key, true);
    this.#end += 4;
  }

  #bodyIs(source: Words, start: number, end: number): void {
    this.#source = source;
    this.#sourceAt = start;
    this.#sourceEnd = end;
  }

  #writeBody(): void {
    const source = this.#source;
    const from = this.#sourceAt;
    const bytes = this.#sourceEnd - from;
    if (this.#keys === undefined && bytes >= REFERENCE_BYTES_MIN) {
      this.#cut();
      this.#chunks.push(
        bytes === source.bytes.length ? source.bytes : viewOf(source.bytes, from, from + bytes),
      );
      return this.#bodyIs(NOTHING, 0, 0);
    }
    const count = Math.min(bytes, this.#buffer.bytes.length - this.#end);
    if (this.#keys === undefined) copyInto(source, from, this.#buffer, this.#end, count);
    else {
      maskInto(source, from, this.#buffer, this.#end, count, this.#key);
      this.#key = keyAfter(this.#key, count);
    }
    this.#end += count;
    this.#sourceAt += count;
    if (this.#sourceAt === this.#sourceEnd) this.#bodyIs(NOTHING, 0, 0);
  }

  #cut(): void {
    if (this.#start < this.#end) this.#chunks.push(viewOf(this.#buffer.bytes, this.#start, this.#end));
    this.#start = this.#end;
  }
}

const NOTHING: Words = wordsOf(NO_BYTES);
