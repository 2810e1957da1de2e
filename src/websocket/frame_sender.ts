/**
 * The sending side of a WebSocket over a byte stream: what leaves next, and when. A frame once begun is
 * finished before anything else; control frames go in front of the next one; the close frame goes last.
 *
 * @module
 */

import { copyOf } from "../bytes/bytes.ts";
import type { Host, Transport } from "../ports.ts";
import type { FrameEncoder } from "./frame_encoder.ts";
import { CLOSE, PING, PONG } from "./frame_wire.ts";
import type { Words } from "./mask.ts";
import { giveBuffer, LARGE_BUFFER_BYTES, takeBuffer } from "./output_buffers.ts";
import { RawWriter } from "./raw_writer.ts";

/** Who is told what becomes of what is sent. */
export interface FrameSenderOwner {
  /** All of what {@link FrameSender.send} did not take at once was taken. */
  sent(): void;
  /** After {@link FrameSender.finish}: everything was written, or cannot be (`false`). */
  finished(complete: boolean): void;
}

const NO_CHUNKS: readonly Uint8Array[] = [];

/** Sends the bytes of the upgrade, then frames. */
export class FrameSender {
  /** When something was written last. */
  lastSentMs = 0;
  readonly #owner: FrameSenderOwner;
  readonly #host: Host;
  readonly #writer: RawWriter;
  #encoder: FrameEncoder | undefined;
  #upgrade: Uint8Array[] = [];
  /** What our engine handed over, and how many of the chunks were begun. */
  #chunks: readonly Uint8Array[] = NO_CHUNKS;
  #begun = 0;
  /** Whether our engine waits for all of it to be taken. */
  #lent = false;
  #pumping = false;
  /** The buffer that the stream keeps. */
  #buffer: Words | undefined;
  #ping: Uint8Array | undefined;
  #pong: Uint8Array | undefined;
  #close: Uint8Array | undefined;
  #finishing = false;

  constructor(owner: FrameSenderOwner, stream: Transport, host: Host) {
    this.#owner = owner;
    this.#host = host;
    this.#writer = new RawWriter(stream);
  }

  /** Sends bytes of the upgrade. */
  upgrade(bytes: Uint8Array): void {
    this.#upgrade.push(bytes);
    this.resume();
  }

  /** From here on frames are sent. */
  upgraded(encoder: FrameEncoder): void {
    this.#encoder = encoder;
  }

  /** Sends what our engine wrote. `false`: it is lent until `sent`. */
  send(chunks: readonly Uint8Array[]): boolean {
    this.#chunks = chunks;
    this.#begun = 0;
    this.#pump();
    this.#lent = !this.#used;
    return !this.#lent;
  }

  /** Whether PINGs are pointless: something is on its way already. */
  get busy(): boolean {
    return this.#writer.lent;
  }

  /** Sends a PING. */
  ping(payload: Uint8Array): void {
    this.#ping = payload;
    this.resume();
  }

  /** A PONG leaves with {@link resume}. Of those that wait only the latest is sent (RFC 6455 §5.5.3). */
  pong(payload: Uint8Array): void {
    this.#pong = copyOf(payload);
  }

  /** Whether what was read may let something leave: a PONG waits, or did credit. */
  get waits(): boolean {
    return this.#pong !== undefined || (this.#encoder !== undefined && this.#encoder.blocked);
  }

  /** Goes on: the peer granted credit, or a control frame waits. */
  resume(): void {
    this.#pump();
    if (this.#pumping) return;
    this.#settle();
    if (this.#finishing) this.#checkFinished();
  }

  /** The stream took what was lent to it. */
  drained(): void {
    if (!this.#writer.drained()) return;
    this.#release();
    this.resume();
  }

  /**
   * Sends no more than what has been handed over; with `now`, than the frame that has begun. A close frame
   * with this payload goes last, if there is one.
   */
  finish(close: Uint8Array | undefined, now: boolean): void {
    if (now && this.#encoder !== undefined) this.#encoder.ending = true;
    if (!this.#finishing) this.#close = close;
    this.#finishing = true;
    this.resume();
  }

  /** Nothing is written any longer. The memory that the stream has is left to it. */
  stop(): void {
    this.#writer.close();
    this.#buffer = undefined;
    this.#chunks = NO_CHUNKS;
    this.#begun = 0;
    this.#upgrade = [];
    this.#finishing = false;
  }

  /** Whether all that our engine handed over was written and taken. */
  get #used(): boolean {
    return this.#begun === this.#chunks.length && this.#writer.free && this.#encoder?.used === true;
  }

  #settle(): void {
    if (!this.#lent || !this.#used) return;
    this.#lent = false;
    this.#chunks = NO_CHUNKS;
    this.#begun = 0;
    this.#owner.sent();
  }

  /** Writes until nothing is left, the stream keeps what it got, or the peer's credit is used up. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#writer.free && this.#writeOnce());
    this.#pumping = false;
  }

  #writeOnce(): boolean {
    const bytes = this.#upgrade.shift();
    if (bytes !== undefined) return this.#writer.write([bytes]);
    const encoder = this.#encoder;
    if (encoder === undefined || !this.#hasWork(encoder)) return false;
    const buffer = takeBuffer(this.#bytesToCopy(encoder));
    encoder.open(buffer);
    if (encoder.between) this.#writeControls(encoder);
    this.#writeChunks(encoder);
    if (this.#close !== undefined && this.#mayClose(encoder) && encoder.hasRoom) {
      encoder.control(CLOSE, this.#close);
      this.#close = undefined;
    }
    if (!encoder.written) {
      giveBuffer(buffer);
      return false;
    }
    this.lastSentMs = this.#host.nowMs();
    this.#buffer = buffer;
    if (!this.#writer.write(encoder.take())) return false;
    this.#release();
    return true;
  }

  #hasWork(encoder: FrameEncoder): boolean {
    if (this.#begun < this.#chunks.length || !encoder.used) return true;
    const controls = this.#ping !== undefined || this.#pong !== undefined || this.#close !== undefined;
    return controls && encoder.between;
  }

  /** How much of what our engine handed over may be copied, for the choice of a buffer. */
  #bytesToCopy(encoder: FrameEncoder): number {
    let bytes = encoder.bytesLeft;
    for (let i = this.#begun; i < this.#chunks.length; i++) bytes += this.#chunks[i]!.length;
    return encoder.refers ? Math.min(bytes, LARGE_BUFFER_BYTES) : bytes;
  }

  #writeControls(encoder: FrameEncoder): void {
    if (this.#pong !== undefined) encoder.control(PONG, this.#pong);
    if (this.#ping !== undefined) encoder.control(PING, this.#ping);
    this.#ping = this.#pong = undefined;
  }

  #writeChunks(encoder: FrameEncoder): void {
    for (;;) {
      encoder.write();
      if (!encoder.used || this.#begun === this.#chunks.length) return;
      encoder.begin(this.#chunks[this.#begun++]!);
    }
  }

  /** Whether nothing may come in front of the close frame any longer. */
  #mayClose(encoder: FrameEncoder): boolean {
    return this.#finishing && encoder.used && encoder.between && this.#begun === this.#chunks.length;
  }

  #checkFinished(): void {
    if (!this.#writer.free || this.#upgrade.length > 0) return;
    const encoder = this.#encoder;
    if (encoder !== undefined) {
      if (!encoder.used || this.#begun < this.#chunks.length) return;
      if (encoder.between && this.#close !== undefined) return;
    }
    this.#finishing = false;
    this.#writer.close();
    // Half a frame whose rest our engine will not send: nothing can follow it.
    this.#owner.finished(encoder === undefined || encoder.between);
  }

  #release(): void {
    if (this.#buffer !== undefined) giveBuffer(this.#buffer);
    this.#buffer = undefined;
  }
}
