/**
 * Surroundings for ingest: connections with a real decoder and input side, and topics whose judgement, room and slots a
 * test decides.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { concat, copyOf } from "../../../src/bytes/bytes.ts";
import { crc32 } from "../../../src/bytes/crc32.ts";
import { InputSide } from "../../../src/engine/input_side.ts";
import { DEFAULT_LIMITS } from "../../../src/engine/limits.ts";
import { PendingTotal } from "../../../src/engine/pending_chunks.ts";
import type { LogError } from "../../../src/log/errors.ts";
import { IngestCounters } from "../../../src/log/ingest/counters.ts";
import {
  Ingest,
  type IngestEvents,
  type IngestInit,
  type IngestTarget,
} from "../../../src/log/ingest/ingest.ts";
import { Ring, type SlotWaiter } from "../../../src/log/ingest/ring.ts";
import { StagingPool } from "../../../src/log/ingest/staging_pool.ts";
import type { IngestRefusal, IngestRoom } from "../../../src/log/ingest/states.ts";
import type { Admission } from "../../../src/log/order/sequencer_types.ts";
import { encodeMessage, peekBatchHeader } from "../../../src/log/wire/codec.ts";
import type { Batch } from "../../../src/log/wire/messages.ts";
import { WireError } from "../../../src/log/wire/wire_error.ts";
import { DISCARDED } from "../../../src/zmtp/frame_decoder.ts";
import { encodeFrame } from "../../../src/zmtp/frame_encoder.ts";
import { FLAG_MORE } from "../../../src/zmtp/wire.ts";

/** A batch as it was stored. */
export interface Stored {
  readonly session: bigint;
  readonly batch: number;
  readonly body: Uint8Array;
}

/** A message as bytes on a connection. */
export function onWire(frames: readonly Uint8Array[]): Uint8Array {
  return concat(frames.map((frame, i) => encodeFrame(i < frames.length - 1 ? FLAG_MORE : 0, frame)));
}

/** Bytes that tell where they came from. */
export function bodyOf(session: bigint, batch: number, bytes: number): Uint8Array {
  const body = new Uint8Array(bytes);
  for (let i = 0; i < bytes; i++) body[i] = Number(session) * 31 + batch * 7 + i;
  return body;
}

/** The frames of a batch. `change`: fields of the header that are not what the body is. */
export function batchFrames(
  session: bigint,
  batch: number,
  bytes: number,
  change: Partial<Batch> = {},
): Uint8Array[] {
  const body = bodyOf(session, batch, bytes);
  const header: Batch = {
    type: "batch",
    session,
    epoch: 1,
    batch,
    count: 1,
    lastSequence: undefined,
    bodyBytes: bytes,
    bodyCrc: crc32(body, 0),
    ...change,
  };
  return [...encodeMessage(header, crc32), body];
}

/** A batch as bytes on a connection. */
export function batchBytes(
  session: bigint,
  batch: number,
  bytes: number,
  change?: Partial<Batch>,
): Uint8Array {
  return onWire(batchFrames(session, batch, bytes, change));
}

/** The real codec's judgement of a first frame. */
export function peekBatch(header: Uint8Array): Batch | "control" | undefined {
  const peeked = peekBatchHeader(header, crc32);
  return peeked instanceof WireError ? undefined : peeked;
}

/** A topic with a real ring. It refuses what it has or expects already, and checks that every claim is returned once. */
export class BenchTopic implements IngestTarget {
  readonly ring: Ring<Stored>;
  /** What left the ring, in order. */
  readonly sequenced: Stored[] = [];
  roomNow: IngestRoom = "room";
  /** Overrides the judgement. */
  judge: ((batch: Batch) => Admission) | undefined;
  /** Told `take`, and neither stored nor abandoned. */
  readonly claims: Set<string> = new Set();
  readonly #has: Set<string> = new Set();

  constructor(size: number) {
    this.ring = new Ring({ size });
  }

  get waiting(): number {
    return this.ring.waiting;
  }

  admit(batch: Batch): Admission {
    const key = keyOf(batch);
    if (this.claims.has(key) || this.#has.has(key)) return "duplicate";
    const admission = this.judge?.(batch) ?? "take";
    if (admission === "take") this.claims.add(key);
    return admission;
  }

  abandon(batch: Batch): void {
    assert(this.claims.delete(keyOf(batch)), "abandoned without a claim");
  }

  room(): IngestRoom {
    return this.roomNow;
  }

  reserve(): number {
    return this.ring.reserve(0);
  }

  waitSlot(waiter: SlotWaiter): void {
    this.ring.wait(waiter);
  }

  store(index: number, batch: Batch, body: Uint8Array): void {
    const key = keyOf(batch);
    assert(this.claims.delete(key), "stored without a claim");
    assert(!this.#has.has(key), "stored twice");
    this.#has.add(key);
    assert(this.ring.publish(index, { session: batch.session, batch: batch.batch, body: copyOf(body) }));
  }

  /** A sequencer's round: at most `max` leave the ring, then those who wait try again. */
  round(max: number = Infinity): number {
    let count = 0;
    for (; count < max; count++) {
      const stored = this.ring.consume();
      if (stored === undefined) break;
      assertEquals(stored.body, bodyOf(stored.session, stored.batch, stored.body.length));
      this.sequenced.push(stored);
    }
    this.ring.wake();
    return count;
  }

  /** Rounds until nothing is left to do. */
  rounds(): void {
    while (this.round() > 0);
  }

  /** What left the ring, as text. */
  get order(): string {
    return this.sequenced.map(({ session, batch }) => `${session}:${batch}`).join(" ");
  }
}

function keyOf(batch: Batch): string {
  return `${batch.session} ${batch.epoch} ${batch.batch}`;
}

/** Broker-wide things. */
export class BenchBroker {
  readonly counters: IngestCounters = new IngestCounters();
  readonly pool: StagingPool;
  readonly topics: Map<bigint, BenchTopic> = new Map();
  readonly connections: BenchConnection[] = [];
  readonly options: Partial<IngestInit>;

  constructor(
    init: {
      readonly buffers: number;
      readonly bufferBytes?: number;
      readonly memory?: (bytes: number) => Uint8Array;
    },
    options: Partial<IngestInit> = {},
  ) {
    this.pool = new StagingPool({ ...init, bufferBytes: init.bufferBytes ?? 1_024 });
    this.options = options;
  }

  /** A topic whose sessions these are. */
  topic(size: number, ...sessions: bigint[]): BenchTopic {
    const topic = new BenchTopic(size);
    for (const session of sessions) this.topics.set(session, topic);
    return topic;
  }

  connect(options: { readonly hold?: boolean } = {}): BenchConnection {
    const connection = new BenchConnection(this, options.hold ?? false);
    this.connections.push(connection);
    return connection;
  }

  /** What must hold when nothing is under way. */
  assertAtRest(): void {
    const { counters, pool } = this;
    assertEquals(counters.drops, 0);
    assertEquals(counters.arriving, 0);
    assertEquals(counters.waitingForSlot, 0);
    assertEquals(counters.pauses, counters.resumes + counters.pausesEnded);
    assertEquals(pool.inUse, 0);
    assertEquals(pool.utilisationPercent, 0);
    assertEquals(pool.waiting, 0);
    assertEquals(pool.pauses, pool.resumes + pool.forgotten);
    for (const topic of this.topics.values()) {
      assertEquals([...topic.claims], []);
      assertEquals(topic.ring.waiting, 0);
    }
  }
}

/** One publisher's connection: bytes in, what came of them out. */
export class BenchConnection implements IngestEvents {
  readonly input: InputSide;
  readonly ingest: Ingest;
  /** `session:batch reason`. */
  readonly refusals: string[] = [];
  readonly failures: LogError[] = [];
  /** Messages that are not batches; `-`: a discarded frame. */
  readonly control: string[] = [];
  receivedBytes = 0;
  ended = false;
  /** Messages that the input side delivered and nobody has looked at. */
  readonly queue: Uint8Array[][] = [];
  /** Messages stay in `queue` until `deliver` is called. */
  hold: boolean;

  constructor(broker: BenchBroker, hold: boolean) {
    this.hold = hold;
    const received = (): number => this.receivedBytes;
    this.ingest = new Ingest({
      pool: broker.pool,
      targets: { find: (session) => broker.topics.get(session) },
      events: this,
      counters: broker.counters,
      crc32,
      peekBatch,
      batchBytesMax: broker.pool.bufferBytes,
      payloadTimeoutMs: 1_000,
      input: {
        restart: () => this.input.restart(),
        get receivedBytes() {
          return received();
        },
      },
      nowMs: 0,
      ...broker.options,
    });
    this.input = new InputSide({
      limits: DEFAULT_LIMITS,
      pendingTotal: new PendingTotal(Infinity),
      command: () => undefined,
      allocator: this.ingest,
    });
    this.input.attach({
      credit: Infinity,
      run: () => assert(false, "with an allocator there are no runs"),
      message: (frames) => this.queue.push(frames),
      announce: () => {
        if (!this.hold) this.deliver();
      },
    });
    this.input.restart();
  }

  refused(batch: Batch, refusal: IngestRefusal): void {
    this.refusals.push(`${batch.session}:${batch.batch} ${refusal}`);
  }

  failed(error: LogError): void {
    this.failures.push(error);
  }

  /** Bytes arrive, in chunks of at most `chunkBytes`. Every chunk has memory of its own. */
  receive(bytes: Uint8Array, chunkBytes: number = Infinity): void {
    for (let at = 0; at < bytes.length && !this.ended; at += chunkBytes) {
      const chunk = copyOf(bytes.subarray(at, Math.min(bytes.length, at + chunkBytes)));
      this.receivedBytes += chunk.length;
      this.input.receive(chunk);
    }
    assertEquals(this.input.error, undefined);
  }

  /** Hands over what was delivered. */
  deliver(max: number = Infinity): void {
    for (let i = 0; i < max; i++) {
      const frames = this.queue.shift();
      if (frames === undefined) return;
      if (this.ingest.messageArrived(frames)) continue;
      this.control.push(
        frames.map((frame) => frame === DISCARDED ? "-" : new TextDecoder().decode(frame)).join("+"),
      );
    }
  }

  /** The stream ends: what was complete is delivered, then the connection is over. */
  end(): void {
    this.ended = true;
    this.input.finish();
    this.deliver();
    this.ingest.closed();
  }

  /** The broker gives the connection up: what it has delivered is dropped, and the decoder learns of it later. */
  cut(): void {
    this.ended = true;
    this.queue.length = 0;
    this.ingest.closed();
    this.input.finish();
  }
}
