/**
 * A simulated connection between a client of the log and a broker. Up it is a stream of bytes, decoded as a server decodes it:
 * in chunks, into the broker's own memory, stopped where that has none. Down it is a row of messages. Batches on their way up
 * may be shuffled, doubled and held back; either way may be cut with anything half-way.
 *
 * Frames that are given by reference are watched: their memory must not change before they have arrived.
 *
 * @module
 */

import { concat } from "../../src/bytes/bytes.ts";
import { crc32 } from "../../src/bytes/crc32.ts";
import { InputSide } from "../../src/engine/input_side.ts";
import { DEFAULT_LIMITS } from "../../src/engine/limits.ts";
import { PendingTotal } from "../../src/engine/pending_chunks.ts";
import type { AcceptedLink, AcceptLink, FrameLink, InputControl } from "../../src/log/link.ts";
import { TYPES } from "../../src/log/wire/layout.ts";
import { encodeFrame } from "../../src/zmtp/frame_encoder.ts";
import { FLAG_MORE } from "../../src/zmtp/wire.ts";
import type { Random } from "../support/random.ts";

/** How wires of a world behave. */
export interface WireOptions {
  /** A message takes up to so long, either way. */
  readonly delayMsMax: number;
  /** Shares of the batches on their way up that are held back for up to `holdMsMax`, and that arrive twice. */
  readonly heldShare: number;
  readonly holdMsMax: number;
  readonly doubledShare: number;
  /** Says of the batch with this number how much later it arrives, if it does. Asked once for each time that it is sent. */
  readonly late?: ((batch: number) => number | undefined) | undefined;
  /** Bytes that arrive at a time, at most. */
  readonly chunkBytesMax: number;
  /** Bytes under way, either way, before `trySend` answers false. */
  readonly bytesMax: number;
  /** Frames of so many bytes and more are given by reference. */
  readonly referenceBytesMin: number;
}

/** What wires need of their world. */
export interface WireSurroundings {
  readonly random: Random;
  readonly options: WireOptions;
  later(delayMs: number, run: () => void): void;
  microtask(run: () => void): void;
  /** The memory of a frame changed while it was under way. */
  violated(what: string): void;
}

/** The broker's side: a process that may stand still, and end. */
export interface WireBroker {
  readonly accept: AcceptLink;
  readonly endOfBurst: () => void;
  /** It stands still: nothing that arrives is looked at. */
  readonly stopped: boolean;
  /** Runs `run` in that process: now, when it goes on, or never. */
  enter(run: () => void): void;
}

/** What a wire tells its client. */
export interface WireClient {
  message(frames: Uint8Array[]): void;
  endOfBurst(): void;
  writable(): void;
  closed(reason?: Error): void;
}

const BATCH_TYPE: number = TYPES.batch;
const BATCH_NUMBER_AT = 24;

/** A message under way. */
class Parcel {
  readonly frames: readonly Uint8Array[];
  readonly bytes: number;
  readonly #checksums: readonly number[];

  /** Small frames are the sender's again at once. */
  constructor(frames: readonly Uint8Array[], referenceBytesMin: number) {
    this.frames = frames.map((frame) => frame.length < referenceBytesMin ? frame.slice() : frame);
    this.bytes = frames.reduce((sum, { length }) => sum + length, 0);
    this.#checksums = this.frames.map((frame) => crc32(frame, 0));
  }

  get isBatch(): boolean {
    return this.frames[0]![1] === BATCH_TYPE && this.frames.length > 1;
  }

  get changed(): boolean {
    return this.frames.some((frame, at) => crc32(frame, 0) !== this.#checksums[at]);
  }

  get batch(): number {
    const { buffer, byteOffset } = this.frames[0]!;
    return Number(new DataView(buffer, byteOffset).getBigUint64(BATCH_NUMBER_AT, true));
  }

  copy(): Parcel {
    return new Parcel(this.frames, Infinity);
  }
}

/** One way of a wire: parcels that keep their order, unless they are told not to. */
class Lane {
  underWay = 0;
  blocked = false;
  readonly #around: WireSurroundings;
  readonly #parcels: Set<Parcel> = new Set();
  /** Those that keep their order, as events that are due at the same time do not. */
  #queue: { readonly parcel: Parcel; readonly arrive: () => void }[] = [];
  #lastAtMs = 0;

  constructor(around: WireSurroundings) {
    this.#around = around;
  }

  get full(): boolean {
    return this.underWay >= this.#around.options.bytesMax;
  }

  /** `arrive` unless the lane was cleared before. */
  carry(parcel: Parcel, inOrder: boolean, extraMs: number, nowMs: number, arrive: () => void): void {
    this.underWay += parcel.bytes;
    this.#parcels.add(parcel);
    const atMs = nowMs + this.#around.random.upTo(this.#around.options.delayMsMax) + extraMs;
    if (!inOrder) return this.#around.later(atMs - nowMs, () => this.#arrived(parcel, arrive));
    this.#lastAtMs = Math.max(atMs, this.#lastAtMs);
    this.#queue.push({ parcel, arrive });
    const queue = this.#queue;
    this.#around.later(this.#lastAtMs - nowMs, () => {
      const first = queue.shift();
      if (first !== undefined) this.#arrived(first.parcel, first.arrive);
    });
  }

  /** Nothing of it arrives any more. Whoever still holds memory of it holds it for a while. */
  clear(): void {
    const left = [...this.#parcels];
    this.#parcels.clear();
    this.#queue.length = 0;
    this.#queue = [];
    this.underWay = 0;
    this.#around.later(this.#around.random.upTo(50), () => {
      if (left.some((parcel) => parcel.changed)) {
        this.#around.violated("the memory of a frame changed while a lost connection still held it");
      }
    });
  }

  #arrived(parcel: Parcel, arrive: () => void): void {
    if (!this.#parcels.delete(parcel)) return;
    this.underWay -= parcel.bytes;
    if (parcel.changed) this.#around.violated("the memory of a frame changed while it was under way");
    arrive();
  }
}

/** See the module. */
export class Wire {
  readonly #around: WireSurroundings;
  readonly #nowMs: () => number;
  readonly #client: WireClient;
  readonly #broker: WireBroker;
  readonly #accepted: AcceptedLink;
  readonly #input: InputSide;
  readonly #up: Lane;
  readonly #down: Lane;
  /** Bytes that have reached the broker's machine and were not read by it. */
  readonly #stream: Uint8Array[] = [];
  readonly #decoded: Uint8Array[][] = [];
  #received = 0;
  #reading = false;
  /** Where the next read goes, if not into memory of its own. */
  #armed: Uint8Array | undefined;
  #clientOpen = true;
  #brokerOpen = true;
  /** Both processes are there. The broker's may be killed. */
  #brokerAlive = true;
  /** Nothing that is sent from here on arrives. */
  #cut = false;

  constructor(around: WireSurroundings, nowMs: () => number, client: WireClient, broker: WireBroker) {
    this.#around = around;
    this.#nowMs = nowMs;
    this.#client = client;
    this.#broker = broker;
    this.#up = new Lane(around);
    this.#down = new Lane(around);
    this.#accepted = broker.accept(this.#brokerLink(), this.#inputControl(), "simulated");
    this.#input = new InputSide({
      limits: DEFAULT_LIMITS,
      pendingTotal: new PendingTotal(Infinity),
      command: () => undefined,
      allocator: this.#accepted.allocator,
    });
    const message = (frames: Uint8Array[]): void => void this.#decoded.push(frames);
    this.#input.attach({ credit: Infinity, run: () => {}, message, announce: () => {} });
    this.#input.restart();
  }

  /** The client's `trySend`. */
  send(frames: readonly Uint8Array[]): boolean {
    if (!this.#clientOpen) return false;
    if (this.#up.full) {
      this.#up.blocked = true;
      return false;
    }
    if (this.#cut) return true;
    const { random, options } = this.#around;
    const whole = new Parcel(frames, options.referenceBytesMin);
    const doubled = whole.isBatch && random.chance(options.doubledShare);
    const lateMs = whole.isBatch ? options.late?.(whole.batch) : undefined;
    const held = whole.isBatch && (lateMs !== undefined || random.chance(options.heldShare));
    // A connection keeps its order, and these break it: a copy may be answered, and so its memory be free, before it arrives.
    const parcel = doubled || held ? whole.copy() : whole;
    const heldMs = (): number => random.upTo(options.holdMsMax);
    if (doubled) this.#carryUp(parcel.copy(), heldMs());
    this.#carryUp(parcel, held ? lateMs ?? heldMs() : undefined);
    return true;
  }

  /** `lateMs`: it does not keep its place. */
  #carryUp(parcel: Parcel, lateMs?: number): void {
    this.#up.carry(parcel, lateMs === undefined, lateMs ?? 0, this.#nowMs(), () => this.#arrivedUp(parcel));
  }

  /** The client ends it. */
  leave(reason?: Error): void {
    if (!this.#clientOpen) return;
    this.#clientOpen = false;
    this.#down.clear();
    this.#around.microtask(() => this.#client.closed(reason));
    this.#endBrokerLater();
  }

  /** The network ends it: each side learns of it in its own time, and what was under way is lost. */
  cut(): void {
    this.#cut = true;
    this.#up.clear();
    this.#stream.length = 0;
    this.#endClientLater("the connection was cut");
    this.#endBrokerLater();
  }

  /** The client's process is gone. What it had sent may still arrive. */
  clientDied(): void {
    this.#clientOpen = false;
    this.#down.clear();
    this.#endBrokerLater();
  }

  /** The broker's process is gone. */
  brokerDied(): void {
    this.#brokerAlive = false;
    this.#brokerOpen = false;
    this.#endClientLater("the broker died");
  }

  #endBrokerLater(): void {
    const delayMs = this.#around.random.upTo(this.#around.options.delayMsMax);
    this.#around.later(delayMs, () => this.#broker.enter(() => this.#endBroker()));
  }

  #endClientLater(why: string): void {
    this.#around.later(this.#around.random.upTo(this.#around.options.delayMsMax), () => {
      if (!this.#clientOpen) return;
      this.#clientOpen = false;
      this.#down.clear();
      this.#client.closed(new Error(why));
    });
  }

  /** The stream ends for the broker: what is whole is delivered. */
  #endBroker(): void {
    if (!this.#brokerOpen) return;
    this.#brokerOpen = false;
    this.#up.clear();
    this.#input.finish();
    this.#closeStream();
    this.#deliver();
    this.#accepted.events.closed();
    this.#broker.endOfBurst();
  }

  #brokerLink(): FrameLink {
    return {
      local: false,
      trySend: (frames) => this.#sendDown(frames),
      close: () => {
        if (!this.#brokerOpen) return;
        this.#brokerOpen = false;
        this.#up.clear();
        this.#decoded.length = 0;
        this.#endClientLater("the broker ended the link");
        this.#around.microtask(() => {
          if (!this.#brokerAlive) return;
          this.#input.finish();
          this.#closeStream();
          this.#accepted.events.closed();
        });
      },
    };
  }

  #inputControl(): InputControl {
    const received = (): number => this.#received;
    return {
      restart: () =>
        this.#around.microtask(() => {
          if (!this.#brokerOpen) return;
          this.#input.restart();
          this.#burst();
        }),
      get receivedBytes() {
        return received();
      },
    };
  }

  #sendDown(frames: readonly Uint8Array[]): boolean {
    if (!this.#brokerOpen) return false;
    if (this.#down.full) {
      this.#down.blocked = true;
      return false;
    }
    const parcel = new Parcel(frames, this.#around.options.referenceBytesMin);
    this.#down.carry(parcel, true, 0, this.#nowMs(), () => this.#arrivedDown(parcel));
    return true;
  }

  #arrivedDown({ frames }: Parcel): void {
    if (!this.#clientOpen) return;
    this.#client.message(frames.map((frame) => frame.slice()));
    this.#client.endOfBurst();
    this.#tellRoom(
      this.#down,
      () => this.#broker.enter(() => this.#brokerOpen && this.#accepted.events.writable()),
    );
  }

  #arrivedUp({ frames }: Parcel): void {
    this.#tellRoom(this.#up, () => this.#clientOpen && this.#client.writable());
    if (!this.#brokerOpen) return;
    this.#stream.push(
      concat(frames.map((frame, at) => encodeFrame(at < frames.length - 1 ? FLAG_MORE : 0, frame))),
    );
    this.#broker.enter(() => this.#read());
  }

  /** What waits to be read comes in chunks. */
  #read(): void {
    if (this.#reading || !this.#brokerOpen) return;
    const first = this.#stream.shift();
    if (first === undefined) return;
    const { random, options } = this.#around;
    const bytes = Math.min(first.length, random.size(options.chunkBytesMax));
    const chunk = this.#place(first.subarray(0, bytes));
    if (chunk.length < first.length) this.#stream.unshift(first.subarray(chunk.length));
    this.#received += chunk.length;
    this.#input.receive(chunk);
    const place = this.#input.bodyMemory;
    this.#armed = place !== undefined && random.chance(0.5) ? place : undefined;
    this.#burst();
    if (this.#stream.length === 0) return;
    this.#reading = true;
    this.#around.later(random.upTo(0.2), () =>
      this.#broker.enter(() => {
        this.#reading = false;
        this.#read();
      }));
  }

  /** What was read of `bytes`, where the read was to go. */
  #place(bytes: Uint8Array): Uint8Array {
    const place = this.#armed?.subarray(0, bytes.length);
    this.#armed = undefined;
    if (place === undefined) return bytes.slice();
    place.set(bytes.subarray(0, place.length));
    return place;
  }

  /** The stream closes later than the connection has ended, and its last read may come to something until then. */
  #closeStream(): void {
    const armed = this.#armed;
    this.#armed = undefined;
    if (armed !== undefined) this.#around.later(this.#around.random.upTo(20), () => armed.fill(0x5a));
  }

  #burst(): void {
    if (this.#deliver()) this.#broker.endOfBurst();
  }

  #deliver(): boolean {
    let delivered = false;
    for (let frames = this.#decoded.shift(); frames !== undefined; frames = this.#decoded.shift()) {
      delivered = true;
      this.#accepted.events.message(frames);
    }
    return delivered;
  }

  #tellRoom(lane: Lane, tell: () => void): void {
    if (!lane.blocked || lane.underWay > this.#around.options.bytesMax / 2) return;
    lane.blocked = false;
    this.#around.microtask(tell);
  }
}
