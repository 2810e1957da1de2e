/**
 * A pipe over a byte stream. On a connecting socket without `immediate` it outlives its connections: what is
 * queued goes to the next one.
 *
 * @module
 */

import { copyOf } from "../../bytes/bytes.ts";
import type { Inbound } from "../../engine/link.ts";
import type { Driver } from "../../engine/driver.ts";
import type { Engine } from "../../engine/engine.ts";
import { decodeLegacySubscription } from "../../zmtp/commands.ts";
import { DISCARDED } from "../../zmtp/frame_sink.ts";
import type { Segment, SegmentPool } from "../../zmtp/segment.ts";
import { InboundQueue } from "./inbound_queue.ts";
import { OutboundQueue, type Outgoing } from "./outbound_queue.ts";
import type { Pattern, PatternOptions } from "../pattern.ts";
import { type Message, Pipe } from "./pipe.ts";
import type { SharedBound } from "./shared_bound.ts";

/** What a pipe needs of the session that owns it. */
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
  /** Called with `true` when messages start to wait for a write, with `false` when none do any longer. */
  readonly busy: (on: boolean) => void;
  /** The pattern refuses the peer. `flush`: what is queued may leave first. */
  readonly refuse: (why: Error, flush: boolean) => void;
}

/** A pipe over a byte stream: an inbound and an outbound queue that join one connection at a time. */
export class StreamPipe extends Pipe {
  readonly outbound: OutboundQueue;
  readonly inbound: InboundQueue;
  readonly #init: StreamPipeInit;
  #driver: Driver | undefined;
  #begun = false;

  constructor(init: StreamPipeInit) {
    super();
    this.#init = init;
    const { pattern, options, conflate } = init;
    this.outbound = new OutboundQueue({
      pool: init.pool,
      total: init.queuedTotal,
      mark: options.sendMark,
      conflate,
      busy: init.busy,
      writable: () => {
        if (!this.closed) pattern.writable(this);
      },
    });
    this.inbound = new InboundQueue({
      total: init.receivedTotal,
      mark: options.receiveMark,
      conflate,
      events: {
        readable: () => pattern.readable(this),
        drained: () => this.#driver?.resumeDecoding(),
        corrupted: (messages) => pattern.unreadable(this, messages),
      },
      dropped: (frames) => this.#release(frames),
    });
  }

  /** Joins a connection whose handshake is done. Nothing is received before {@link begin}. */
  join(engine: Engine, driver: Driver): void {
    this.#driver = driver;
    this.connected = true;
    this.outbound.listener = driver;
    this.inbound.source = driver;
    engine.attach(this.#sink(), this.outbound);
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

  writeFramed(framed: Segment, message: Outgoing): boolean {
    return !this.closed && this.outbound.writeFramed(framed, message);
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
    this.#init.refuse(why, flush);
  }

  /** A message will not be taken: gives its memory back. */
  #release(frames: readonly Uint8Array[]): void {
    const { allocator } = this;
    if (allocator === undefined) return;
    for (const frame of frames) if (frame !== DISCARDED) allocator.release(frame);
  }

  #sink(): Inbound {
    switch (this.#init.pattern.inbound) {
      case "messages":
        return this.inbound;
      case "discard":
        return DISCARD;
      case "subscriptions":
        return new SubscriptionSink(this, this.#init.pattern);
    }
  }
}

const DISCARD: Inbound = { credit: Infinity, run(): void {}, message(): void {}, announce(): void {} };

/** A subscription (`on`) or cancellation that the pattern has not seen yet. */
interface Request {
  readonly topic: Uint8Array;
  readonly on: boolean;
}

/**
 * Takes what a publisher's peer sends: upstream messages and subscriptions. A subscription is a command or,
 * from a 3.0 peer, a message whose only frame begins with 01 or 00. All keep their wire order. The pattern
 * gets them only on {@link announce}, because it may refuse the peer, and because its events run the
 * application's code.
 */
class SubscriptionSink implements Inbound {
  readonly #pipe: StreamPipe;
  readonly #pattern: Pattern;
  readonly #queue: InboundQueue;
  /**
   * What arrived since the last {@link announce}, in order. `undefined` stands for a message, which is in the
   * pipe already.
   */
  #arrived: (Request | undefined)[] = [];

  constructor(pipe: StreamPipe, pattern: Pattern) {
    this.#pipe = pipe;
    this.#pattern = pattern;
    this.#queue = new InboundQueue({
      mark: { messages: 0, bytes: 0 },
      events: { readable: () => {}, drained: () => {} },
    });
  }

  get credit(): number {
    return this.#pipe.inbound.credit;
  }

  run(bytes: Uint8Array, start: number, end: number, messages: number): void {
    this.#queue.run(bytes, start, end, messages);
    for (let message = this.#queue.read(); message !== undefined; message = this.#queue.read()) {
      let size = 0;
      for (const frame of message) size += frame.length;
      this.message(message, size);
    }
  }

  message(frames: Uint8Array[], bytes: number): void {
    const subscription = frames.length === 1 ? decodeLegacySubscription(frames[0]!) : undefined;
    if (subscription !== undefined) {
      this.subscription(copyOf(subscription.topic), subscription.name === "SUBSCRIBE");
    } else if (this.#pattern.type === "XPUB") {
      this.#pipe.inbound.message(frames, bytes);
      this.#arrived.push(undefined);
    }
  }

  subscription(topic: Uint8Array, on: boolean): void {
    this.#arrived.push({ topic, on });
  }

  announce(): void {
    if (this.#arrived.length > 0) {
      const arrived = this.#arrived;
      this.#arrived = [];
      for (const request of arrived) {
        if (request === undefined) this.#pattern.upstream(this.#pipe);
        else this.#pattern.subscription(this.#pipe, request.topic, request.on);
      }
    }
    this.#pipe.inbound.announce();
  }

  hold(release: () => void): void {
    this.#pipe.inbound.hold(release);
  }
}
