/**
 * The probe of the compliance suite: handlers that record what a transport does and check its order, and a
 * writer that overwrites every chunk as soon as its memory is free again.
 *
 * @module
 */

import { createHost } from "../adapters/host.ts";
import type { Dial, Host, Transport, TransportHandlers, TransportInfo } from "../src/ports.ts";

const host: Host = createHost();

/**
 * A wait that takes longer, in milliseconds, has failed. Generous, because it only ends tests that would
 * hang.
 */
const PATIENCE_MS = 30_000;
/** Turns of the event loop without progress after which a writer counts as stalled. */
const STALL_TURNS = 200;
const POISON = 0xdd;

/** Fails the running case. */
export function check(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}

/** Waits for `count` turns of the event loop. */
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise<void>((resolve) => host.turn(resolve));
}

/** A long stream of bytes that does not repeat within the range of any likely mistake. Both ends know it. */
const PATTERN: Uint8Array = makePattern(1_048_583);

function makePattern(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = 0x2545f491;
  for (let i = 0; i < length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state;
  }
  return bytes;
}

/** Returns the `length` bytes of the pattern from `position`, in new memory. */
export function patternAt(position: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const start = (position + at) % PATTERN.length;
    const part = PATTERN.subarray(start, start + Math.min(length - at, PATTERN.length - start));
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

interface Waiter {
  readonly ready: () => boolean;
  readonly done: () => void;
}

/** One end of a stream under test. */
export class Probe implements TransportHandlers {
  readonly name: string;
  /** Breaches of the contract. {@link verify} fails on any. */
  readonly faults: string[] = [];
  /** Everything that arrived, kept as it came until the end, which reveals a transport that reuses memory. */
  readonly chunks: Uint8Array[] = [];
  receivedBytes = 0;
  /** Bytes of the pattern handed over so far. */
  sentBytes = 0;
  info: TransportInfo | undefined = undefined;
  opened = false;
  ended = false;
  closed = false;
  cause: unknown = undefined;
  drains = 0;
  onData: ((chunk: Uint8Array) => void) | undefined = undefined;
  onOpen: (() => void) | undefined = undefined;
  /** Offers places of this size for what comes next, as the core does for bodies. 0: none. */
  placeBytes = 0;
  #place: Uint8Array | undefined = undefined;
  #placeFilled = 0;
  #transport: Transport | undefined = undefined;
  #dialled = false;
  #writing = false;
  #lent: readonly Uint8Array[] | undefined = undefined;
  #waiters: Waiter[] = [];

  constructor(name: string) {
    this.name = name;
  }

  /** Dials, and records any handler that runs too early. */
  dial(dial: Dial): this {
    this.#transport = dial(this);
    this.#dialled = true;
    return this;
  }

  get transport(): Transport {
    check(this.#transport !== undefined, `${this.name} was not dialled`);
    return this.#transport;
  }

  get isLent(): boolean {
    return this.#lent !== undefined;
  }

  // TransportHandlers

  open(info: TransportInfo): void {
    this.#note("open", !this.opened, "a second open");
    this.opened = true;
    this.info = info;
    this.onOpen?.();
    this.#progress();
  }

  data(chunk: Uint8Array): void {
    this.#note("data", this.opened, "data before open");
    if (this.ended) this.faults.push("data after end");
    if (!(chunk instanceof Uint8Array) || chunk.length === 0) this.faults.push("data without bytes");
    this.#checkPlace(chunk);
    this.chunks.push(chunk);
    this.receivedBytes += chunk.length;
    this.onData?.(chunk);
    this.#progress();
  }

  bodyMemory(): Uint8Array | undefined {
    if (this.placeBytes === 0) return undefined;
    if (this.#place === undefined) {
      this.#place = new Uint8Array(this.placeBytes);
      this.#placeFilled = 0;
    }
    return this.#place.subarray(this.#placeFilled);
  }

  drain(): void {
    this.#note("drain", this.#lent !== undefined, "drain although nothing is lent");
    if (this.#writing) this.faults.push("drain before the write had returned");
    if (!this.opened) this.faults.push("drain before open");
    this.drains += 1;
    const lent = this.#lent ?? [];
    this.#lent = undefined;
    for (const chunk of lent) chunk.fill(POISON);
    this.#progress();
  }

  end(): void {
    this.#note("end", this.opened, "end before open");
    if (this.ended) this.faults.push("a second end");
    this.ended = true;
    this.#progress();
  }

  close(cause?: unknown): void {
    this.#note("close", true, "");
    this.closed = true;
    this.cause = cause;
    for (const chunk of this.#lent ?? []) chunk.fill(POISON);
    this.#lent = undefined;
    this.#progress();
  }

  // Writing

  /** Writes once, as the core would, and returns what the transport returned. */
  write(chunk: Uint8Array): boolean {
    return this.#write([chunk], () => this.transport.write(chunk));
  }

  /** Gather-writes once. Only for a transport that has `writev`. */
  writev(chunks: readonly Uint8Array[]): boolean {
    return this.#write(chunks, () => this.transport.writev?.(chunks) ?? false);
  }

  /** Writes the next `length` bytes of the pattern. */
  writePattern(length: number): boolean {
    const chunk = patternAt(this.sentBytes, length);
    this.sentBytes += length;
    return this.write(chunk);
  }

  /** Writes `total` bytes of the pattern in chunks of `chunkBytes`, and waits for `drain` where it must. */
  async send(total: number, chunkBytes: number): Promise<void> {
    for (let left = total; left > 0; left -= chunkBytes) {
      if (this.writePattern(Math.min(left, chunkBytes))) continue;
      await this.until("drain", () => !this.isLent);
    }
  }

  /** Writes until the transport keeps a chunk indefinitely, because the other end does not read. */
  async fill(bytesMax: number, chunkBytes: number = 65_536): Promise<void> {
    while (this.sentBytes < bytesMax) {
      if (this.writePattern(chunkBytes)) continue;
      for (let i = 0; this.isLent && i < STALL_TURNS; i++) await turns(1);
      if (this.isLent) return;
    }
    throw new Error(`${this.name}: ${bytesMax} bytes were taken although the other end is paused`);
  }

  // Looking

  /** Waits until `ready` returns true. It is called again after every event. */
  until(what: string, ready: () => boolean): Promise<void> {
    if (ready()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const cancel = host.schedule(PATIENCE_MS, () => reject(new Error(this.#complaint(what))), true);
      this.#waiters.push({
        ready,
        done: () => {
          cancel();
          resolve();
        },
      });
    });
  }

  /** Everything that arrived, joined. */
  received(): Uint8Array {
    const all = new Uint8Array(this.receivedBytes);
    let at = 0;
    for (const chunk of this.chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    return all;
  }

  /** Fails unless what arrived is the pattern from its beginning and the contract was kept. */
  verify(bytes: number = this.receivedBytes): void {
    check(
      this.receivedBytes === bytes,
      `${this.name} received ${this.receivedBytes} bytes instead of ${bytes}`,
    );
    const position = firstDifference(this.received(), patternAt(0, bytes));
    check(position < 0, `${this.name}: byte ${position} of ${bytes} is wrong`);
    this.verifyOrder();
  }

  /** Fails if the contract was broken. */
  verifyOrder(): void {
    check(this.faults.length === 0, `${this.name}: ${this.faults.join(", ")}`);
  }

  /** What was read into the place must be its next bytes; what was read elsewhere takes their room. */
  #checkPlace(chunk: Uint8Array): void {
    const place = this.#place;
    if (place === undefined) return;
    if (chunk.buffer === place.buffer && chunk.byteOffset !== this.#placeFilled) {
      this.faults.push(`data read to ${chunk.byteOffset} instead of ${this.#placeFilled} of bodyMemory`);
    }
    this.#placeFilled += chunk.length;
    if (this.#placeFilled >= place.length) this.#place = undefined;
  }

  #write(chunks: readonly Uint8Array[], call: () => boolean): boolean {
    check(this.#lent === undefined, `${this.name}: the suite wrote while a chunk was lent`);
    this.#writing = true;
    const taken = call();
    this.#writing = false;
    if (!taken) this.#lent = this.closed ? undefined : chunks;
    // Taken means free: what the transport still sends from this memory arrives as poison.
    if (taken) { for (const chunk of chunks) chunk.fill(POISON); }
    return taken;
  }

  #note(event: string, allowed: boolean, fault: string): void {
    if (!this.#dialled) this.faults.push(`${event} before dial had returned`);
    if (this.closed) this.faults.push(`${event} after close`);
    if (!allowed) this.faults.push(fault);
  }

  #progress(): void {
    const waiters = this.#waiters;
    this.#waiters = waiters.filter(({ ready }) => !ready());
    for (const waiter of waiters) {
      if (!this.#waiters.includes(waiter)) waiter.done();
    }
  }

  #complaint(what: string): string {
    const { opened, ended, closed, receivedBytes, sentBytes, drains, isLent } = this;
    const state = JSON.stringify({ opened, ended, closed, receivedBytes, sentBytes, drains, isLent });
    return `${this.name}: waited in vain for ${what}; ${state}; ${this.faults.join(", ")}`;
  }
}

/** Returns the index of the first byte that differs, or -1. Both must have the same length. */
export function firstDifference(left: Uint8Array, right: Uint8Array): number {
  for (let i = 0; i < left.length; i++) {
    if (left[i] !== right[i]) return i;
  }
  return -1;
}
