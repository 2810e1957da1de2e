/**
 * Takes in the batches of one publisher connection. Bodies of batches go straight into staging memory: this is the
 * `BodyAllocator` of the connection. Whatever cannot be taken is discarded in step with the framing, and its sender is told.
 *
 * A batch is judged once, by its header: size, session, epoch, window, room. With an empty pool its connection is paused in front
 * of its body, and so it is while earlier batches of it wait for a slot: one topic that is behind holds little of the pool.
 * A body that is whole is checked and goes to the store and the ring, or waits in the topic's line. *Nothing is dropped*: an
 * admitted batch is stored, or its publisher is told, by a refusal or by the end of its connection.
 *
 * Over transports that give no place for an allocator (inproc, sealed frames), and in the embedded form, bodies arrive in ordinary
 * memory, and the same phases run when the message is there.
 *
 * @module
 */

import { assert } from "../../assert.ts";
import { MisuseError } from "../../errors.ts";
import { next } from "../../state_table.ts";
import type { PlacingAllocator } from "../../zmtp/frame_sink.ts";
import { LogError } from "../errors.ts";
import type { Batch } from "../wire/messages.ts";
import { CONTROL_BYTES_MAX } from "../wire/layout.ts";
import { IncomingBatch, type IncomingSurroundings } from "./incoming.ts";
import type { IngestInit } from "./ingest_types.ts";
import type { StagingWaiter } from "./staging_pool.ts";
import {
  INGEST_TRANSITIONS,
  type IngestInput,
  type IngestRefusal,
  type IngestState,
  ROOM_REFUSALS,
} from "./states.ts";

export type { IngestEvents, IngestInit, IngestTarget, IngestTargets } from "./ingest_types.ts";

/**
 * A body is looked at so often in the time that it may stand still, and must not have grown at any of these: a process that did
 * not run for long sees one look too late, not all of them.
 */
const LOOKS = 4;

/** See the module. */
export class Ingest implements PlacingAllocator, StagingWaiter {
  readonly #init: IngestInit;
  readonly #surroundings: IncomingSurroundings;
  #state: IngestState = "init";
  /** Batches whose message was not delivered yet, by its first frame. */
  readonly #incoming: Map<Uint8Array, IncomingBatch> = new Map();
  /** The last of them, while its body is awaited. */
  #current: IncomingBatch | undefined;
  /** Batches of this connection that wait for a slot. */
  #waitingForSlot = 0;
  /** What had arrived when the first frame of the message began. */
  #headerReceivedBytes = 0;
  #lookAtMs: number;
  #lookedAt: IncomingBatch | undefined;
  #lookedBytes = 0;
  #quietLooks = 0;

  /** @throws {MisuseError} `ERR_OPTION`: batches that are larger than the pool's buffers. */
  constructor(init: IngestInit) {
    if (init.batchBytesMax > init.pool.bufferBytes) {
      throw new MisuseError(
        "ERR_OPTION",
        `batchBytesMax is ${init.batchBytesMax}: a staging buffer has ${init.pool.bufferBytes} bytes`,
      );
    }
    this.#init = init;
    this.#surroundings = {
      pool: init.pool,
      counters: init.counters,
      left: (incoming) => this.#leftLine(incoming),
    };
    this.#lookAtMs = init.input === undefined ? Infinity : init.nowMs + init.payloadTimeoutMs / LOOKS;
  }

  get state(): IngestState {
    return this.#state;
  }

  /** Batches of this connection that are whole and wait for a slot. */
  get waitingForSlot(): number {
    return this.#waitingForSlot;
  }

  /** When {@link Ingest.handleTimeout} is due. `Infinity`: never. It changes only there and in {@link Ingest.closed}. */
  get nextTimeoutMs(): number {
    return this.#lookAtMs;
  }

  /** See `BodyAllocator`. Called by the connection's decoder for every frame. */
  allocate(bytes: number, framesBefore: readonly Uint8Array[]): Uint8Array | "later" | "discard" {
    if (this.#state === "closed") return this.#discard(bytes);
    const header = framesBefore[0];
    if (header === undefined) {
      this.#headerBegins();
      return this.#controlMemory(bytes);
    }
    if (framesBefore.length > 1) return this.#discard(bytes);
    const known = this.#incoming.get(header);
    if (known !== undefined) return this.#findMemory(known, bytes);
    const batch = this.#init.peekBatch(header);
    if (batch === undefined) return this.#discard(bytes);
    if (batch === "control") return this.#controlMemory(bytes);
    if (this.#receivedBytes !== this.#headerReceivedBytes) this.#init.counters.partialHeaders++;
    const incoming = this.#judge(batch, bytes);
    this.#incoming.set(header, incoming);
    if (incoming.refusal !== undefined) return this.#discard(bytes);
    this.#current = incoming;
    return this.#findMemory(incoming, bytes);
  }

  /** See `BodyAllocator`: the message that `memory` is a part of will not be delivered. */
  release(memory: Uint8Array): void {
    this.#giveUp(memory, true);
  }

  /** See `BodyAllocator`: as {@link Ingest.release}, for memory into which the transport may still read. */
  forfeit(memory: Uint8Array): void {
    this.#giveUp(memory, false);
  }

  /** The pool keeps a buffer for this connection. */
  resume(): void {
    this.#init.input!.restart();
  }

  /**
   * A message was delivered, in the order of their arrival. True: it was a batch and is taken care of. False: it is something else,
   * or cannot be read: the caller's. Its body, where it was not worth memory, is `DISCARDED` then.
   */
  messageArrived(frames: readonly Uint8Array[]): boolean {
    if (this.#state === "closed") return true;
    const header = frames[0];
    if (header === undefined) return false;
    let incoming = this.#incoming.get(header);
    if (incoming === undefined) {
      const batch = this.#init.peekBatch(header);
      if (batch === undefined || batch === "control") return false;
      if (this.#state === "init") this.#go("arrived");
      incoming = this.#judge(batch, frames[1]?.length ?? 0);
      if (incoming.refusal === undefined) incoming.granted();
      this.#settle(incoming, frames);
      return true;
    }
    this.#incoming.delete(header);
    if (incoming === this.#current) this.#currentIsWhole("arrived");
    this.#settle(incoming, frames);
    return true;
  }

  /** Ends the connection if a body has made no progress for too long. Call when {@link Ingest.nextTimeoutMs} has come. */
  handleTimeout(nowMs: number): void {
    if (nowMs < this.#lookAtMs) return;
    const { counters, events, payloadTimeoutMs } = this.#init;
    this.#lookAtMs = nowMs + payloadTimeoutMs / LOOKS;
    const current = this.#state === "waitPayload" ? this.#current : undefined;
    const quiet = current !== undefined && current === this.#lookedAt &&
      this.#receivedBytes === this.#lookedBytes;
    this.#quietLooks = quiet ? this.#quietLooks + 1 : 0;
    this.#lookedAt = current;
    this.#lookedBytes = this.#receivedBytes;
    if (this.#quietLooks < LOOKS) return;
    counters.payloadTimeouts++;
    this.closed();
    events.failed(
      new LogError("ERR_LOG_TIMEOUT", `The body of a batch made no progress for ${payloadTimeoutMs} ms`),
    );
  }

  /**
   * The connection is over. Its memory is free, its claims are given back and nobody waits for it any more; only what is whole
   * keeps its place in the line for a slot.
   */
  closed(): void {
    if (this.#state === "closed") return;
    this.#go("closed");
    this.#lookAtMs = Infinity;
    this.#current = undefined;
    this.#lookedAt = undefined;
    this.#init.pool.forget(this);
    const all = [...this.#incoming.values()];
    this.#incoming.clear();
    // The decoder may still be writing: this memory is not used again.
    for (const incoming of all) incoming.lose(false);
  }

  get #receivedBytes(): number {
    return this.#init.input?.receivedBytes ?? 0;
  }

  /** A new message: the one before it is whole, whether or not it was delivered. */
  #headerBegins(): void {
    this.#headerReceivedBytes = this.#receivedBytes;
    if (this.#current !== undefined) this.#currentIsWhole("header");
    else this.#go("header");
  }

  #currentIsWhole(input: "header" | "arrived"): void {
    const current = this.#current!;
    this.#current = undefined;
    this.#go(input);
    if (current.memory !== undefined && this.#receivedBytes !== current.receivedBytes) {
      this.#init.counters.partialPayloads++;
    }
  }

  #controlMemory(bytes: number): Uint8Array | "discard" {
    return bytes <= CONTROL_BYTES_MAX ? new Uint8Array(bytes) : this.#discard(bytes);
  }

  #discard(bytes: number): "discard" {
    this.#init.counters.discardedBytes += bytes;
    return "discard";
  }

  /** Decides by the header what becomes of a batch. */
  #judge(batch: Batch, bytes: number): IncomingBatch {
    const incoming = new IncomingBatch(batch, this.#surroundings);
    const refusal = this.#admit(incoming, bytes);
    if (refusal !== undefined) incoming.refuse(refusal);
    return incoming;
  }

  #admit(incoming: IncomingBatch, bytes: number): IngestRefusal | undefined {
    const { batch } = incoming;
    if (bytes !== batch.bodyBytes) return "malformed";
    if (bytes > this.#init.batchBytesMax) return "tooLarge";
    const target = this.#init.targets.find(batch.session);
    if (target === undefined) return "unknownSession";
    const admission = target.admit(batch);
    if (admission !== "take") return admission;
    incoming.admitted(target);
    return ROOM_REFUSALS[target.room(bytes)];
  }

  #findMemory(incoming: IncomingBatch, bytes: number): Uint8Array | "later" {
    // While earlier batches of this connection wait it gets no more; the end of their waiting asks again.
    const memory = this.#waitingForSlot === 0 ? this.#init.pool.allocate(bytes, this) : undefined;
    if (memory === undefined) {
      assert(this.#init.input !== undefined, "Ingest: an allocator without control of its input");
      incoming.paused();
      this.#go("noMemory");
      return "later";
    }
    incoming.receivedBytes = this.#receivedBytes;
    incoming.granted(memory);
    this.#go("granted");
    return memory;
  }

  /** A batch that was delivered: refused, checked, stored, or in the line. */
  #settle(incoming: IncomingBatch, frames: readonly Uint8Array[]): void {
    if (incoming.phase === "waitMemory") {
      // A connection that ends does not wait for memory: the body was discarded.
      this.#discard(incoming.batch.bodyBytes);
      this.#lose(incoming, true);
      return;
    }
    const refusal = incoming.refusal ?? this.#checkBody(incoming.batch, frames);
    if (refusal !== undefined) {
      if (incoming.refusal === undefined) incoming.refuse(refusal);
      this.#init.events.refused(incoming.batch, refusal);
      incoming.freeMemory();
      return;
    }
    incoming.arrived(frames[1]!);
    if (incoming.phase === "waitSlot") this.#waitingForSlot++;
    else this.#finish(incoming);
  }

  #checkBody(batch: Batch, frames: readonly Uint8Array[]): IngestRefusal | undefined {
    if (frames.length !== 2) return "malformed";
    const { trusted, crc32, checkBody } = this.#init;
    if (trusted === true) return undefined;
    const body = frames[1]!;
    if (crc32(body, 0) !== batch.bodyCrc) return "checksum";
    return checkBody === undefined || checkBody(batch, body) ? undefined : "malformed";
  }

  #leftLine(incoming: IncomingBatch): void {
    this.#waitingForSlot--;
    this.#finish(incoming);
    if (this.#waitingForSlot === 0 && this.#state === "waitMemory") this.#init.input!.restart();
  }

  /** Stored, or refused after it had been taken. Others may be resumed by its memory: last of all. */
  #finish(incoming: IncomingBatch): void {
    if (incoming.refusal !== undefined) this.#init.events.refused(incoming.batch, incoming.refusal);
    incoming.freeMemory();
  }

  #giveUp(memory: Uint8Array, recycle: boolean): void {
    for (const [header, incoming] of this.#incoming) {
      if (header !== memory && incoming.memory !== memory) continue;
      this.#incoming.delete(header);
      this.#lose(incoming, recycle);
      return;
    }
  }

  #lose(incoming: IncomingBatch, recycle: boolean): void {
    if (incoming === this.#current) {
      this.#current = undefined;
      this.#go("lost");
    }
    const waited = incoming.phase === "waitMemory";
    incoming.lose(recycle);
    if (waited) this.#init.pool.forget(this);
  }

  #go(input: IngestInput): void {
    this.#state = next(INGEST_TRANSITIONS, this.#state, input);
  }
}
