/**
 * One direction of a simulated link: from the writer's memory, over a buffer of limited size and a delay, to the
 * reader. It knows bytes and loans; the order of callbacks is the business of `link_end.ts`.
 *
 * @module
 */

import type { EventLoop } from "./event_loop.ts";
import { Loan } from "./loan.ts";
import type { Random } from "./random.ts";
import type { LinkOptions } from "./world_options.ts";

/** What a lane needs of its link. */
export interface LaneHost {
  readonly loop: EventLoop;
  readonly random: Random;
  readonly options: LinkOptions;
  /** Records a breach of the contract by the code under test, and throws it. */
  violate(message: string): never;
}

/** Whom a lane tells. */
export interface LaneHooks {
  /** All of a lent write was taken. */
  taken(): void;
  /** The end of the stream left the writer. */
  finished(): void;
  /** Something is there to read. */
  arrived(): void;
  /** The byte at which the link is to break was taken. */
  broke(keepsFlight: boolean): void;
  fellSilent(): void;
}

/** Where bytes take their time, they come in pieces of this size. */
const QUANTUM_BYTES = 16_384;

interface Piece {
  readonly bytes: Uint8Array;
  readonly atMs: number;
}

export class Lane {
  readonly name: string;
  readonly #host: LaneHost;
  readonly #hooks: LaneHooks;
  #drawnLatencyMs: number | undefined = undefined;
  #flight: Piece[] = [];
  #arrived: Uint8Array[] = [];
  #loan: Loan | undefined = undefined;
  /** A loan that no drain will end, only the close event. */
  #orphan: Loan | undefined = undefined;
  #script: number[] = [];
  #held = false;
  #takeScheduled = false;
  #cancelArrival: (() => void) | undefined = undefined;
  #lastArrivalMs = 0;
  #stalledUntilMs = 0;
  #silent = false;
  #dead = false;
  #discards = false;
  #finishWanted = false;
  #finishAtMs: number | undefined = undefined;
  #breakAt: { readonly byte: number; readonly keepsFlight: boolean } | undefined = undefined;
  #silentAtByte = Infinity;
  #buffered = 0;
  #sentBytes = 0;
  #readBytes = 0;
  #reads = 0;
  /** The reader's side has everything, up to the end of the stream. */
  endArrived = false;

  constructor(name: string, host: LaneHost, hooks: LaneHooks) {
    this.name = name;
    this.#host = host;
    this.#hooks = hooks;
  }

  /** Drawn at first use: until then a test may still change the link's options. */
  get latencyMs(): number {
    return this.#drawnLatencyMs ??= this.#host.random.upTo(this.#host.options.latencyMsMax);
  }

  /** Bytes taken from the writer so far. */
  get sentBytes(): number {
    return this.#sentBytes;
  }

  /** Bytes that the reader got so far. */
  get readBytes(): number {
    return this.#readBytes;
  }

  /** Bytes on their way or waiting for the reader. */
  get bufferedBytes(): number {
    return this.#buffered;
  }

  /** Whether something waits for the reader. */
  get hasArrived(): boolean {
    return this.#arrived.length > 0;
  }

  get silent(): boolean {
    return this.#silent;
  }

  /** Nothing more will ever be taken or arrive. */
  get exhausted(): boolean {
    return this.#dead && this.#buffered === 0;
  }

  /** The end of the stream has left the writer. */
  get finished(): boolean {
    return this.#finishAtMs !== undefined;
  }

  /** The next write takes exactly so many bytes at once, whatever there is room for; the rest is lent. */
  acceptNext(...bytes: readonly number[]): void {
    this.#script.push(...bytes);
  }

  /** Loans stay open until `release`. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    this.#scheduleTake(0);
  }

  /** Breaks the link as soon as `byte` bytes in all were taken: 0 breaks it at the next write. */
  breakAt(byte: number, options?: { readonly keepsFlight?: boolean }): void {
    this.#breakAt = { byte, keepsFlight: options?.keepsFlight ?? false };
  }

  /** Makes the link silent as soon as `byte` bytes in all were taken. */
  silenceAt(byte: number): void {
    this.#silentAtByte = byte;
  }

  /** Nothing arrives for so long. */
  stall(delayMs: number): void {
    this.#stalledUntilMs = Math.max(this.#stalledUntilMs, this.#host.loop.nowMs + delayMs);
    this.#scheduleArrival();
  }

  /** From now on nothing arrives any more, and nobody is told. */
  silence(): void {
    this.#silent = true;
    this.#cancelArrival?.();
    this.#cancelArrival = undefined;
  }

  /** A write. `true`: all taken. `false`: lent, or the lane is dead. */
  offer(chunks: readonly Uint8Array[]): boolean {
    const loan = new Loan(chunks);
    if (!this.#dead) this.#take(loan, this.#firstTake(loan.left));
    if (loan.left === 0 && !this.#dead) return true;
    loan.begin();
    if (this.#dead) {
      this.#orphan = loan;
      return false;
    }
    this.#loan = loan;
    this.#scheduleTake(this.#host.random.upTo(this.#host.options.takeMsMax));
    return false;
  }

  /** The writer will send no more; the end follows what is lent. */
  finish(): void {
    this.#finishWanted = true;
    this.#sendEnd();
  }

  /** The reader wants nothing more: what arrives is thrown away. */
  discard(): void {
    this.#discards = true;
    this.#throwAway();
  }

  /** The writer's side is over. What is lent stays lent until the close event: see `returnMemory`. */
  kill(keepsFlight: boolean): void {
    if (this.#dead) return;
    this.#dead = true;
    this.#orphan = this.#loan;
    this.#loan = undefined;
    if (keepsFlight || this.#silent) return;
    this.#flight = [];
    this.#arrived = [];
    this.#buffered = 0;
    this.#finishAtMs = undefined;
  }

  /** The writer is about to hear of the close: the last moment at which its lent memory must be untouched. */
  returnMemory(): void {
    const orphan = this.#orphan;
    this.#orphan = undefined;
    if (orphan !== undefined) this.#check(orphan);
  }

  /**
   * Up to `bytesMax` bytes that have arrived, at the beginning of `place` or in memory of their own; `undefined` when
   * there are none.
   */
  read(bytesMax: number, place?: Uint8Array): Uint8Array | undefined {
    this.collectArrivals();
    const first = this.#arrived[0];
    if (first === undefined) return undefined;
    let available = 0;
    for (const piece of this.#arrived) {
      available += piece.length;
      if (available >= bytesMax) break;
    }
    const length = Math.min(available, bytesMax, place?.length ?? Infinity);
    const chunk = place?.subarray(0, length) ?? this.#ownMemory(length);
    for (let at = 0; at < chunk.length;) {
      const piece = this.#arrived[0]!;
      const part = piece.subarray(0, chunk.length - at);
      chunk.set(part, at);
      at += part.length;
      if (part.length === piece.length) this.#arrived.shift();
      else this.#arrived[0] = piece.subarray(part.length);
    }
    this.#consume(chunk.length);
    if (this.#host.random.chance(this.#host.options.stallChance)) {
      this.stall(this.#host.random.upTo(this.#host.options.stallMsMax));
    }
    return chunk;
  }

  /** How much the next chunk may hold. */
  splitBytes(): number {
    const { splitBytesMax, splitsMax } = this.#host.options;
    if (splitBytesMax === Infinity || this.#reads++ >= splitsMax) return Infinity;
    return this.#host.random.size(splitBytesMax);
  }

  /** Moves to the reader's side what is due by now. */
  collectArrivals(): void {
    const nowMs = this.#host.loop.nowMs;
    if (this.#silent || this.#stalledUntilMs > nowMs) return;
    while (this.#flight.length > 0 && this.#flight[0]!.atMs <= nowMs) {
      this.#arrived.push(this.#flight.shift()!.bytes);
    }
    const ended = this.#finishAtMs !== undefined && this.#finishAtMs <= nowMs && this.#flight.length === 0;
    if (ended) this.endArrived = true;
    this.#throwAway();
  }

  describe(): string {
    const flags = [
      this.#loan === undefined ? "" : ` lent ${this.#loan.left}`,
      this.#held ? " held" : "",
      this.#silent ? " silent" : "",
      this.#dead ? " dead" : "",
      this.#discards ? " discards" : "",
      this.#finishAtMs === undefined ? "" : this.endArrived ? " ended" : " ending",
      this.#stalledUntilMs > this.#host.loop.nowMs ? ` stalled until ${this.#stalledUntilMs.toFixed(3)}` : "",
    ].join("");
    return `${this.name}: sent ${this.#sentBytes}, read ${this.#readBytes}, buffered ${this.#buffered}${flags}`;
  }

  #firstTake(total: number): number {
    const scripted = this.#script.shift();
    if (scripted !== undefined) return Math.min(total, scripted);
    const { random, options } = this.#host;
    const room = this.#held ? 0 : Math.min(total, Math.max(0, options.bufferBytes - this.#buffered));
    if (!random.chance(options.lendChance)) return room === total || options.takesParts ? room : 0;
    return options.takesParts ? random.integer(0, Math.min(room, Math.max(0, total - 1))) : 0;
  }

  #take(loan: Loan, wanted: number): void {
    const breaks = this.#breakAt;
    const breaking = breaks !== undefined && this.#sentBytes + wanted >= breaks.byte;
    const length = breaking ? Math.max(0, breaks.byte - this.#sentBytes) : wanted;
    if (length > 0) {
      const { loop, random, options } = this.#host;
      const earliestMs = loop.nowMs + this.latencyMs + random.upTo(options.jitterMsMax);
      for (let left = length; left > 0;) {
        const piece = options.bytesPerMs === Infinity ? left : Math.min(left, QUANTUM_BYTES);
        left -= piece;
        this.#lastArrivalMs = Math.max(this.#lastArrivalMs, earliestMs) + piece / options.bytesPerMs;
        this.#flight.push({ bytes: loan.take(piece), atMs: this.#lastArrivalMs });
      }
      this.#buffered += length;
      this.#sentBytes += length;
      this.#scheduleArrival();
    }
    if (this.#sentBytes >= this.#silentAtByte) {
      this.#silentAtByte = Infinity;
      this.#hooks.fellSilent();
    }
    if (breaking) {
      this.#breakAt = undefined;
      this.#hooks.broke(breaks.keepsFlight);
    }
  }

  #scheduleTake(delayMs: number): void {
    if (this.#loan === undefined || this.#takeScheduled || this.#held || this.#dead) return;
    this.#takeScheduled = true;
    this.#host.loop.io(delayMs, `${this.name} takes`, () => {
      this.#takeScheduled = false;
      this.#takeMore();
    });
  }

  #takeMore(): void {
    const loan = this.#loan;
    if (loan === undefined || this.#held || this.#dead) return;
    const { random, options } = this.#host;
    const room = Math.min(loan.left, options.bufferBytes - this.#buffered);
    // Full: reading wakes us up.
    if (room <= 0) return;
    this.#take(loan, options.takesParts && random.chance(0.5) ? random.integer(1, room) : room);
    if (this.#dead) return;
    if (loan.left > 0) return this.#scheduleTake(random.upTo(options.takeMsMax));
    this.#loan = undefined;
    this.#check(loan);
    this.#hooks.taken();
    this.#sendEnd();
  }

  #check(loan: Loan): void {
    const change = loan.findChange();
    if (change !== undefined) this.#host.violate(`${change} on ${this.name}`);
  }

  #sendEnd(): void {
    if (!this.#finishWanted || this.finished || this.#loan !== undefined || this.#dead) return;
    this.#finishAtMs = Math.max(this.#lastArrivalMs, this.#host.loop.nowMs + this.latencyMs);
    this.#scheduleArrival();
    this.#hooks.finished();
  }

  #scheduleArrival(): void {
    if (this.#silent) return;
    const dueMs = this.#flight[0]?.atMs ?? (this.endArrived ? undefined : this.#finishAtMs);
    this.#cancelArrival?.();
    this.#cancelArrival = undefined;
    if (dueMs === undefined) return;
    const atMs = Math.max(dueMs, this.#stalledUntilMs);
    this.#cancelArrival = this.#host.loop.ioAt(atMs, `${this.name} arrives`, () => {
      this.#cancelArrival = undefined;
      this.collectArrivals();
      this.#scheduleArrival();
      this.#hooks.arrived();
    });
  }

  /** A fresh block of memory, sometimes as a view into a larger one, as runtimes hand out. */
  #ownMemory(length: number): Uint8Array {
    const { random, options } = this.#host;
    if (!random.chance(options.viewChance)) return new Uint8Array(length);
    const before = random.integer(0, 9);
    return random.bytes(before + length + random.integer(0, 9)).subarray(before, before + length);
  }

  #throwAway(): void {
    if (!this.#discards) return;
    const bytes = this.#arrived.reduce((sum, piece) => sum + piece.length, 0);
    this.#arrived = [];
    if (bytes > 0) this.#consume(bytes);
  }

  #consume(bytes: number): void {
    this.#buffered -= bytes;
    this.#readBytes += bytes;
    this.#scheduleTake(this.latencyMs);
  }
}
