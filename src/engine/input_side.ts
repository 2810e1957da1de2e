/**
 * The input side of a connection, a true proactor: reading stays armed while the application is slow, and
 * what cannot be decoded yet waits in `pending`, in order and within a bound.
 *
 * @module
 */

import type { PeerError } from "../errors.ts";
import { isSubscriptionCommand } from "../zmtp/commands.ts";
import { CommandScanner } from "../zmtp/command_scanner.ts";
import { type BodyAllocator, FrameDecoder, type FrameOpener, type FrameSink } from "../zmtp/frame_decoder.ts";
import type { Limits } from "./limits.ts";
import type { Inbound } from "./link.ts";
import { INPUT_TRANSITIONS, type InputInput, type InputState } from "./states.ts";
import { next } from "../state_table.ts";
import { type HalfReceived, PendingChunks, type PendingTotal } from "./pending_chunks.ts";
import { brokenRule } from "./transport_rules.ts";

/** Who is told what an {@link InputSide} finds. */
export interface InputOwner {
  /**
   * Handles the body of one command: a subscription in its place, any other on arrival. A returned error
   * closes the connection.
   */
  command(body: Uint8Array): PeerError | undefined;
  /** Ends this connection when others need the memory of its half-received message, which has stalled. */
  giveUp?(why: PeerError): void;
}

/** What an {@link InputSide} needs. */
export interface InputSideInit {
  readonly limits: Limits;
  readonly pendingTotal: PendingTotal;
  /** Unwraps the frames of a sealing mechanism. Commands inside cannot be seen before they are decoded. */
  readonly opener?: FrameOpener | undefined;
  readonly allocator?: BodyAllocator | undefined;
  /** Allocates memory with arbitrary content. */
  readonly memory?: ((bytes: number) => Uint8Array) | undefined;
}

const NOTHING = new Uint8Array(0);

/** A connection is never paused for a half-received message up to this size: it costs as much itself. */
const HALF_BYTES_MIN = 16_384;

/** Decodes into an {@link Inbound} as far as it has room, and keeps the rest. */
export class InputSide implements HalfReceived, FrameSink {
  error: PeerError | undefined;
  #state: InputState = "detached";
  #inbound: Inbound | undefined;
  readonly #init: InputSideInit;
  readonly #owner: InputOwner;
  /** Made for the first message or command: many connections wait long for theirs. */
  #decoder: FrameDecoder | undefined;
  /** Created when input first stops, and never for a mechanism that seals commands. */
  #scanner: CommandScanner | undefined;
  /** Made for the first chunk that must wait. */
  #pending: PendingChunks | undefined;
  /** Whether some pending bytes were not scanned for commands. */
  #blind = false;
  heardMs = 0;
  heardBytes = 0;
  suspectedMs = -1;
  /** Memory of the half-received message, as last counted. */
  #halfBytes = 0;
  #restarting = false;
  #restartAgain = false;

  /** `owner`: who is told, if that is not `init` itself. */
  constructor(init: InputSideInit & InputOwner);
  constructor(init: InputSideInit, owner: InputOwner);
  constructor(init: InputSideInit, owner: InputOwner = init as InputSideInit & InputOwner) {
    this.#init = init;
    this.#owner = owner;
  }

  get state(): InputState {
    return this.#state;
  }

  /** Bytes of memory held by undecoded chunks. */
  get pendingBytes(): number {
    return this.#pending?.bytes ?? 0;
  }

  /** Bytes held for a message that has not arrived whole. */
  get assemblyBytes(): number {
    return this.#decoder?.heldBytes ?? 0;
  }

  /** Whether some of a message has arrived and the rest has not. */
  get midMessage(): boolean {
    return this.#decoder !== undefined && this.#decoder.midMessage;
  }

  /** Where the next bytes belong, if they are the rest of a large body and nothing waits in front of them. */
  get bodyMemory(): Uint8Array | undefined {
    return this.#state === "running" && this.error === undefined ? this.#decoder?.bodyRest : undefined;
  }

  /**
   * Whether the transport should deliver more. While input runs, it is held back only to let other
   * connections finish a half-received message; otherwise by the bounds on pending memory.
   */
  get wantsRead(): boolean {
    if (this.#state === "running") return this.#halfBytes === 0 || !this.#total.mustWait(this);
    return this.pendingBytes < this.#init.limits.pendingBytesMax && this.#total.hasRoom;
  }

  get #total(): PendingTotal {
    return this.#init.pendingTotal;
  }

  /** Attaches the pipe. {@link restart} must follow: it decodes what arrived after the handshake. */
  attach(inbound: Inbound): void {
    this.#inbound = inbound;
    this.#go("attached");
  }

  /** Time has passed. A half-received message that we pause is not stalled, but has others reviewed. */
  tick(nowMs: number): void {
    if (this.#halfBytes === 0 || this.wantsRead) return;
    this.heardMs = nowMs;
    this.#total.review(nowMs);
  }

  giveUp(why: PeerError): void {
    this.#owner.giveUp?.(why);
  }

  /** Takes a chunk. This side owns its memory from then on. */
  receive(chunk: Uint8Array, nowMs = 0): void {
    this.heardMs = nowMs;
    this.heardBytes += chunk.length;
    if (this.error !== undefined || chunk.length === 0 || this.#state === "ended") return;
    if (this.#state !== "running") return this.#keep(chunk);
    const at = this.#decode(chunk);
    if (at < chunk.length && this.error === undefined) this.#keep(chunk.subarray(at));
    if (this.#halfBytes > 0) this.#total.review(nowMs);
    this.#inbound!.announce();
    // Not everything decoded takes up room (a subscription in message form does not); nothing else goes on.
    if (this.#canGoOn()) this.restart();
  }

  /**
   * The pipe has room, or the allocator has memory. Decodes pending chunks, any of which may stop input
   * again; then clears the state, announces what was decoded, and looks at `pending` again, since something
   * may have arrived meanwhile. Does nothing while input runs.
   */
  restart(): void {
    if (this.#restarting) {
      this.#restartAgain = true;
      return;
    }
    this.#restarting = true;
    do {
      this.#restartAgain = false;
      this.#restartOnce();
    } while (this.#restartAgain || this.#canGoOn());
    this.#restarting = false;
  }

  /**
   * No more bytes come. Delivers complete messages, above the high-water mark if need be: their memory is
   * held either way. Drops a half-received message.
   */
  finish(): void {
    if (this.#state === "ended") return;
    const inbound = this.#inbound;
    const bytes = this.pendingBytes;
    const total = this.#total;
    if (this.#decoder !== undefined) this.#decoder.finishing = true;
    const pending = this.#pending;
    if (inbound !== undefined && this.error === undefined && pending !== undefined && pending.length > 0) {
      const decoder = this.#makeDecoder();
      decoder.finishing = true;
      for (;;) {
        const chunk = pending.shift();
        if (chunk === undefined) break;
        decoder.decode(chunk, 0, Infinity);
        if (decoder.error !== undefined) break;
      }
    }
    this.#go("finished");
    this.#decoder?.abandon();
    this.#countHalf();
    pending?.clear();
    if (bytes > 0 && inbound?.hold !== undefined) {
      // A peer that comes, sends and goes must not evade the bound on pending memory.
      total.count(bytes);
      inbound.hold(() => total.count(-bytes));
    }
    inbound?.announce();
  }

  #canGoOn(): boolean {
    return this.#state !== "running" && this.#state !== "ended" && this.#state !== "waiting" &&
      this.error === undefined && this.#pending !== undefined && this.#pending.length > 0 &&
      this.#inbound !== undefined &&
      this.#inbound.credit > 0;
  }

  #restartOnce(): void {
    const inbound = this.#inbound;
    if (inbound === undefined || this.error !== undefined) return;
    if (this.#state !== "stopped" && this.#state !== "waiting") return;
    let stopped = false;
    while (!stopped && this.error === undefined) {
      const chunk = this.#pending?.shift();
      if (chunk === undefined && !this.#waitsForMemory) break;
      const bytes = chunk ?? NOTHING;
      // Empty chunks are never kept: the memory of this one was given away.
      if (chunk !== undefined && bytes.length === 0) this.error = brokenRule("dataMemory");
      const at = this.#decode(bytes);
      if (at < bytes.length && this.error === undefined) this.#pending!.unshift(bytes.subarray(at));
      stopped = at < bytes.length || this.#waitsForMemory;
    }
    if (!stopped && this.error === undefined) {
      this.#scanner?.reset();
      this.#blind = false;
      this.#go("drained");
    }
    inbound.announce();
  }

  /** A subscription was decoded: reports it to the pipe in its place among messages. */
  subscription(topic: Uint8Array, on: boolean): void {
    this.#inbound?.subscription?.(topic, on);
  }

  get #waitsForMemory(): boolean {
    return this.#decoder !== undefined && this.#decoder.waitsForMemory;
  }

  #makeDecoder(): FrameDecoder {
    const { limits, opener, allocator, memory, pendingTotal } = this.#init;
    const { sparing } = pendingTotal;
    const options = { opener, allocator, memory, sparing, broken: brokenRule };
    return this.#decoder ??= new FrameDecoder(this, limits, options);
  }

  /** Decodes `chunk` as far as the pipe has room and memory, and returns the offset reached. */
  #decode(chunk: Uint8Array): number {
    const decoder = this.#decoder ?? this.#makeDecoder();
    const { credit } = this.#inbound!;
    // A message that has begun is always finished: input stops only at a frame boundary.
    const at = decoder.decode(chunk, 0, credit === 0 && decoder.midMessage ? 1 : credit);
    this.#countHalf();
    if (decoder.error !== undefined) this.error = decoder.error;
    else if (decoder.waitsForMemory) this.#go("noMemory");
    else if (at < chunk.length) this.#go("full");
    return at;
  }

  #countHalf(): void {
    const bytes = this.#decoder?.heldMemory ?? 0;
    const before = this.#halfBytes;
    if (bytes === before) return;
    this.#halfBytes = bytes;
    this.#total.countHalf(this, bytes - before, bytes > HALF_BYTES_MIN);
  }

  /**
   * Keeps a chunk that arrived while input was stopped, and handles the commands in it ahead of the stopped
   * messages, except subscriptions: a publisher reads those in the order of the wire. While a body waits for
   * memory, commands cannot be found; from then on they keep their place until everything is decoded.
   */
  #keep(chunk: Uint8Array): void {
    this.#pending ??= new PendingChunks(this.#total);
    this.#pending.push(chunk);
    if (this.#state === "waiting") this.#blind = true;
    if (this.#blind || this.#init.opener !== undefined) return;
    this.#scanner ??= new CommandScanner();
    this.#scanner.scan(
      chunk,
      (body) => isSubscriptionCommand(body) ? undefined : this.#owner.command(body),
    );
  }

  // What the decoder finds.

  run(bytes: Uint8Array, start: number, end: number, messages: number): void {
    this.#inbound!.run(bytes, start, end, messages);
  }

  message(frames: Uint8Array[], bytes: number): void {
    this.#inbound!.message(frames, bytes);
  }

  command(body: Uint8Array): PeerError | undefined {
    if (this.#scanner !== undefined && this.#scanner.found > 0) {
      this.#scanner.found--;
      if (!isSubscriptionCommand(body)) return undefined;
    }
    return this.#owner.command(body);
  }

  #go(input: InputInput): void {
    this.#state = next(INPUT_TRANSITIONS, this.#state, input);
  }
}
