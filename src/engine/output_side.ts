/**
 * The output side of a connection: handshake bytes first, then commands, then the pipe's segments as they
 * are. At most one write is in flight; polling while one is in flight returns nothing.
 *
 * @module
 */

import { assert } from "../assert.ts";
import { PeerError } from "../errors.ts";
import {
  encodeCancel,
  encodeCommandFrame,
  encodeLegacySubscription,
  encodePong,
  encodeSubscribe,
} from "../zmtp/commands.ts";
import { encodeFrame } from "../zmtp/frame_encoder.ts";
import { readSize } from "../zmtp/frame_decoder.ts";
import type { SealingMechanism } from "../zmtp/mechanism/mechanism.ts";
import { REFERENCE_BYTES_MIN, type Segment } from "../zmtp/segment.ts";
import { FLAG_COMMAND, FLAG_LONG } from "../zmtp/wire.ts";
import { concat, copyOf, countBytes, viewOf } from "../bytes/bytes.ts";
import type { Outbound } from "./link.ts";
import { SubscriptionFeed } from "./subscription_feed.ts";

/** Bytes of subscriptions that are framed at a time. */
const SUBSCRIPTION_BATCH_BYTES = 65_536;

/** The output side of one connection. */
export class OutputSide {
  /** Set when a body that was passed by reference changed its length. Nothing is written after it. */
  error: PeerError | undefined;
  /** Bytes of the last write that was handed out. Counted only when segments are written in parts. */
  writeBytes = 0;
  /** A 3.0 peer takes subscriptions as messages (RFC 37). */
  legacySubscriptions = false;
  readonly #commandsMax: number;
  #outbound: Outbound | undefined;
  #sealer: SealingMechanism | undefined;
  // None of these lists is made before it is needed: an idle connection has nothing to write.
  #subscriptions: SubscriptionFeed | undefined;
  /** Whole chunks that go out ahead of everything: the greeting and handshake commands, as they are. */
  #early: Uint8Array[] | undefined;
  /** Bodies of commands. */
  #commands: Uint8Array[] | undefined;
  #pong: Uint8Array | undefined;
  #current: Segment | undefined;
  /** What is left of {@link #current}, if it is written in parts. Nothing else is written before it. */
  #parts: (readonly Uint8Array[])[] | undefined;
  /** Bytes of {@link #current} in the parts that were taken. */
  #takenBytes = 0;
  #inFlight = false;
  readonly #writeBytesMax: number;
  /** How many segments of the pipe were taken. */
  #taken = 0;

  /** `writeBytesMax`: larger segments are written in parts of this many bytes. */
  constructor(commandsMax: number, writeBytesMax: number = Infinity) {
    this.#commandsMax = commandsMax;
    this.#writeBytesMax = writeBytesMax;
  }

  /** Whether a write was handed out and is not yet taken. */
  get inFlight(): boolean {
    return this.#inFlight;
  }

  /** Whether a command that is pushed now goes out with the next write, between two messages. */
  get takesCommands(): boolean {
    return !this.#inFlight && this.#parts === undefined && this.#early === undefined &&
      this.#outbound !== undefined;
  }

  /** Whether there is anything to write now or after the write in flight. */
  get hasOutput(): boolean {
    return this.#parts !== undefined || this.hasUrgentOutput || (this.#outbound?.hasSegments ?? false);
  }

  /** Whether what is there to write is worth a write at once. */
  get presses(): boolean {
    return this.#parts !== undefined || this.hasUrgentOutput || (this.#outbound?.presses ?? false);
  }

  /** Whether anything waits that is never gathered: handshake bytes, commands or subscriptions. */
  get hasUrgentOutput(): boolean {
    return this.#early !== undefined || this.#commands !== undefined || this.#pong !== undefined ||
      this.unsentSubscriptions > 0;
  }

  /** Subscriptions and cancellations that were not sent yet. */
  get unsentSubscriptions(): number {
    return this.#subscriptions?.size ?? 0;
  }

  /** Attaches the pipe. The mechanism that seals what it sends, if one does, is already set. */
  attach(outbound: Outbound): void {
    this.#outbound = outbound;
  }

  sealWith(mechanism: SealingMechanism): void {
    this.#sealer = mechanism;
  }

  /** Queues a subscription (`on`) or cancellation, which goes out after the pipe's next `ahead` segments. */
  subscribe(topic: Uint8Array, on: boolean, ahead: number): void {
    this.#subscriptions ??= new SubscriptionFeed();
    this.#subscriptions.push(topic, on, this.#taken + ahead);
  }

  /** Queues bytes of the greeting or of a handshake command's frame. */
  pushEarly(bytes: Uint8Array): void {
    if (this.#early === undefined) this.#early = [bytes];
    else this.#early.push(bytes);
  }

  /** Queues a command's body. Returns `false` when too many wait because the peer does not read. */
  pushCommand(body: Uint8Array): boolean {
    const commands = this.#commands ??= [];
    if (commands.length >= this.#commandsMax) return false;
    commands.push(body);
    return true;
  }

  /** Queues a PONG in place of one that was not written yet: a flood of PINGs produces only one PONG. */
  pushPong(context: Uint8Array): void {
    this.#pong = copyOf(context);
  }

  /** The next chunks to write, or `undefined` when there are none or a write is in flight. */
  pollTransmit(): readonly Uint8Array[] | undefined {
    if (this.#inFlight || this.error !== undefined) return undefined;
    const chunks = this.#nextChunks();
    this.#inFlight = chunks !== undefined;
    if (chunks !== undefined && this.#writeBytesMax < Infinity) this.writeBytes = countBytes(chunks);
    return chunks;
  }

  /** How the transport took what {@link pollTransmit} returned. `false`: it is lent until {@link drained}. */
  transmitted(taken: boolean): void {
    assert(this.#inFlight, "transmitted() without a write in flight");
    if (taken) this.drained();
  }

  /** What was lent is free again. */
  drained(): void {
    if (!this.#inFlight) return;
    this.#inFlight = false;
    if (this.#parts !== undefined) {
      this.#takenBytes += this.writeBytes;
      return;
    }
    const segment = this.#current;
    this.#current = undefined;
    this.#takenBytes = 0;
    if (segment !== undefined) this.#outbound!.release(segment);
  }

  /**
   * The transport took the first `bytes` of the write in flight and refused the rest. Nothing more is
   * written; the messages that it did not take whole go back to the pipe.
   */
  refused(bytes: number): void {
    const segment = this.#current;
    const handedBytes = this.#takenBytes + bytes;
    // Messages that a mechanism sealed can no longer be told apart.
    if (segment === undefined || (this.#sealer !== undefined && handedBytes > 0)) return;
    if (this.#outbound?.giveBack === undefined) return;
    this.#current = undefined;
    this.#parts = undefined;
    this.#outbound.giveBack(segment, handedBytes);
  }

  /** The connection is gone; what was handed to the transport is lost, the rest stays in the pipe. */
  abandon(): void {
    const segment = this.#current;
    this.#current = undefined;
    this.#inFlight = false;
    if (segment !== undefined) this.#outbound!.discard(segment);
    this.#outbound = undefined;
    this.#early = undefined;
    this.#commands = undefined;
    this.#parts = undefined;
  }

  #nextChunks(): readonly Uint8Array[] | undefined {
    if (this.#parts !== undefined) return this.#isIntact(this.#current!) ? this.#nextPart() : undefined;
    if (this.#early !== undefined) {
      const chunks = this.#early;
      this.#early = undefined;
      return chunks.length === 1 ? chunks : [concat(chunks)];
    }
    if (this.#outbound === undefined) return undefined;
    if (this.#pong !== undefined || this.#commands !== undefined) return [this.#takeCommands()];
    if (this.#maySubscribe) return [this.#takeSubscriptions()];
    const segment = this.#outbound.take();
    if (segment === undefined) return undefined;
    this.#taken++;
    this.#current = segment;
    if (!this.#isIntact(segment)) return undefined;
    const chunks = this.#sealer === undefined ? segment.chunks() : [sealSegment(this.#sealer, segment)];
    if (segment.bytes <= this.#writeBytesMax) return chunks;
    this.#parts = partsOf(chunks, this.#writeBytesMax);
    return this.#nextPart();
  }

  #nextPart(): readonly Uint8Array[] {
    const part = this.#parts!.shift()!;
    if (this.#parts!.length === 0) this.#parts = undefined;
    return part;
  }

  #isIntact(segment: Segment): boolean {
    if (segment.intact) return true;
    this.error = new PeerError(
      "ERR_PEER_BODY_CHANGED",
      `Cannot write message: a body of ${REFERENCE_BYTES_MIN} bytes or more was resized or ` +
        "transferred after it was sent",
    );
    return false;
  }

  #takeCommands(): Uint8Array {
    const bodies = this.#commands ?? [];
    this.#commands = undefined;
    if (this.#pong !== undefined) bodies.unshift(encodePong(this.#pong));
    this.#pong = undefined;
    return concat(bodies.map((body) => this.#frame(FLAG_COMMAND, body)));
  }

  /** Whether it is the next word's turn. What it waits for may have been dropped from the pipe meanwhile. */
  get #maySubscribe(): boolean {
    if (this.unsentSubscriptions === 0) return false;
    return this.#subscriptions!.nextAfter <= this.#taken || !this.#outbound!.hasSegments;
  }

  #takeSubscriptions(): Uint8Array {
    const frames: Uint8Array[] = [];
    let bytes = 0;
    while (bytes < SUBSCRIPTION_BATCH_BYTES && this.#maySubscribe) {
      const word = this.#subscriptions!.shift();
      if (word === undefined) break;
      const frame = this.#frameSubscription(word.topic, word.name === "SUBSCRIBE");
      frames.push(frame);
      bytes += frame.length;
    }
    if (this.unsentSubscriptions === 0) this.#subscriptions = undefined;
    return concat(frames, bytes);
  }

  #frameSubscription(topic: Uint8Array, on: boolean): Uint8Array {
    if (this.legacySubscriptions) return this.#frame(0, encodeLegacySubscription(topic, on));
    return this.#frame(FLAG_COMMAND, on ? encodeSubscribe(topic) : encodeCancel(topic));
  }

  #frame(flags: number, body: Uint8Array): Uint8Array {
    if (this.#sealer !== undefined) return encodeFrame(0, this.#sealer.seal(flags, body));
    return flags === FLAG_COMMAND ? encodeCommandFrame(body) : encodeFrame(flags, body);
  }
}

/** The same bytes as gather writes of at most `bytesMax`, without copying. */
function partsOf(chunks: readonly Uint8Array[], bytesMax: number): (readonly Uint8Array[])[] {
  const parts: Uint8Array[][] = [];
  let part: Uint8Array[] = [];
  let left = bytesMax;
  for (const chunk of chunks) {
    for (let at = 0; at < chunk.length;) {
      const end = Math.min(chunk.length, at + left);
      part.push(viewOf(chunk, at, end));
      left -= end - at;
      at = end;
      if (left > 0) continue;
      parts.push(part);
      part = [];
      left = bytesMax;
    }
  }
  if (part.length > 0) parts.push(part);
  return parts;
}

/** Re-frames a segment for a mechanism that wraps every frame. */
function sealSegment(sealer: SealingMechanism, segment: Segment): Uint8Array {
  const { buffer } = segment;
  const frames: Uint8Array[] = [];
  let at = 0;
  let cut = 0;
  while (at < segment.end) {
    const flags = buffer[at]!;
    const long = (flags & FLAG_LONG) !== 0;
    const size = long ? readSize(buffer, at + 1) : buffer[at + 1]!;
    at += long ? 9 : 2;
    let body: Uint8Array;
    if (segment.cuts[cut] === at) {
      body = segment.bodies[cut++]!;
    } else {
      body = buffer.subarray(at, at + size);
      at += size;
    }
    frames.push(encodeFrame(0, sealer.seal(flags & ~FLAG_LONG, body)));
  }
  return concat(frames);
}
