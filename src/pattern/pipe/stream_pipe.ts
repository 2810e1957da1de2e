/**
 * A pipe over a byte stream. On a connecting socket without `immediate` it outlives its connections: what is
 * queued goes to the next one.
 *
 * @module
 */

import type { Driver } from "../../engine/driver.ts";
import type { Engine } from "../../engine/engine.ts";
import { DISCARDED } from "../../zmtp/frame_sink.ts";
import type { SegmentPool } from "../../zmtp/segment.ts";
import type { SharedRun } from "../../zmtp/shared_run.ts";
import { type InboundEvents, InboundQueue } from "./inbound_queue.ts";
import { type OutboundEvents, OutboundQueue, type Outgoing } from "./outbound_queue.ts";
import type { Pattern, PatternOptions } from "../pattern.ts";
import { type Message, Pipe } from "./pipe.ts";
import type { SharedBound } from "./shared_bound.ts";

/** The session that owns a pipe. */
export interface PipeOwner {
  /** Called with `true` when messages start to wait for a write, with `false` when none do any longer. */
  busy(on: boolean): void;
  /** The pattern refuses the peer. `flush`: what is queued may leave first. */
  refuse(why: Error, flush: boolean): void;
}

/** What a pipe is made from. */
export interface StreamPipeInit {
  readonly pattern: Pattern;
  readonly options: PatternOptions;
  /** Keep only the newest message, in both directions. */
  readonly conflate: boolean;
  readonly pool: SegmentPool;
  /** The bound on what all pipes of a context hold for sending. */
  readonly queuedTotal: SharedBound;
  /** The bound on what all pipes of a context have received and the application has not read. */
  readonly receivedTotal: SharedBound;
}

/** A pipe over a byte stream: an inbound and an outbound queue that join one connection at a time. */
export class StreamPipe extends Pipe implements OutboundEvents, InboundEvents {
  readonly outbound: OutboundQueue;
  readonly inbound: InboundQueue;
  readonly #owner: PipeOwner;
  readonly #pattern: Pattern;
  #driver: Driver | undefined;
  #begun = false;

  constructor(owner: PipeOwner, init: StreamPipeInit) {
    super();
    this.#owner = owner;
    this.#pattern = init.pattern;
    const { pool, options, conflate, queuedTotal, receivedTotal } = init;
    this.outbound = new OutboundQueue({ pool, mark: options.sendMark, conflate, total: queuedTotal }, this);
    this.inbound = new InboundQueue({
      mark: options.receiveMark,
      conflate,
      total: receivedTotal,
      events: this,
    });
  }

  /** Joins a connection whose handshake is done. Nothing is received before {@link begin}. */
  join(engine: Engine, driver: Driver): void {
    this.#driver = driver;
    this.connected = true;
    this.outbound.listener = driver;
    this.inbound.source = driver;
    engine.attach(this.#pattern.sinkOf(this), this.outbound);
  }

  /** The pattern knows the peer: decodes what came after the handshake and writes what is queued. */
  begin(): void {
    this.#begun = true;
    this.#driver?.resumeDecoding();
    if (this.outbound.hasSegments) this.#driver?.queued();
  }

  /** The connection is gone. */
  part(): void {
    this.connected = false;
    this.#begun = false;
    this.#driver = undefined;
    this.outbound.listener = undefined;
    this.inbound.source = undefined;
  }

  get canWrite(): boolean {
    return !this.closed && this.outbound.canWrite;
  }

  override get fullAt(): string {
    return this.outbound.atTotal
      ? "at its share of what may wait for all peers together (queuedTotalBytesMax)"
      : super.fullAt;
  }

  write(message: Outgoing): boolean {
    return !this.closed && this.outbound.write(message);
  }

  writeShared(run: SharedRun, message: Outgoing): boolean {
    return !this.closed && this.outbound.writeShared(run, message);
  }

  read(): Message | undefined {
    return this.inbound.read();
  }

  override drop(): void {
    this.inbound.drop();
  }

  get readableMessages(): number {
    return this.inbound.messages;
  }

  get queuedMessages(): number {
    return this.outbound.messages;
  }

  subscribe(topic: Uint8Array, on: boolean): void {
    // A new peer first gets every current subscription; later changes keep their place among queued messages.
    this.#driver?.subscribe(topic, on, this.#begun ? this.outbound.barrier() : 0);
  }

  refuse(why: Error, flush = false): void {
    this.#owner.refuse(why, flush);
  }

  // What its queues report.

  writable(): void {
    if (!this.closed) this.#pattern.writable(this);
  }

  busy(on: boolean): void {
    this.#owner.busy(on);
  }

  readable(): void {
    this.#pattern.readable(this);
  }

  drained(): void {
    this.#driver?.resumeDecoding();
  }

  corrupted(messages: number): void {
    this.#pattern.unreadable(this, messages);
  }

  /** A message will not be taken: gives its memory back. */
  dropped(frames: readonly Uint8Array[]): void {
    const { allocator } = this;
    if (allocator === undefined) return;
    for (const frame of frames) if (frame !== DISCARDED) allocator.release(frame);
  }
}
