/**
 * The probe of the compliance suite: handlers that record what a transport does and check its order, and a
 * writer that overwrites every chunk as soon as its memory is free again.
 *
 * @module
 */

import { createHost } from "../adapters/host.ts";
import { ruleText } from "./rules.ts";
import type { Dial, Host, Transport, TransportHandlers, TransportInfo } from "../src/ports.ts";
import { ContractWatch } from "./contract_watch.ts";

const host: Host = createHost();

/** How often a wait looks whether anything happened, in milliseconds. */
const LOOK_MS = 250;
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

/** Waits for `ms` milliseconds: for what must *not* happen, which nothing announces. */
export function pass(ms: number): Promise<void> {
  return new Promise((resolve) => void host.schedule(ms, resolve, true));
}

interface Waiter {
  readonly ready: () => boolean;
  readonly done: (error?: Error) => void;
}

/** What happens to the probes of one case, and who waits for it. */
export class Progress {
  readonly #patienceMs: number;
  #events = 0;
  #waiters: Waiter[] = [];
  #failed: Error | undefined = undefined;

  /** A wait during which nothing happens to any probe for `patienceMs` milliseconds has failed. */
  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  /** A transport broke a rule: every wait fails now, rather than when patience ends. */
  fail(why: string): void {
    this.#failed ??= new Error(why);
    for (const waiter of this.#waiters.splice(0)) waiter.done(this.#failed);
  }

  /** Something happened. */
  happened(): void {
    this.#events += 1;
    const waiters = this.#waiters;
    if (waiters.length === 0) return;
    this.#waiters = waiters.filter(({ ready }) => !ready());
    for (const waiter of waiters) {
      if (!this.#waiters.includes(waiter)) waiter.done();
    }
  }

  /**
   * Waits until `ready` returns true. It is called again whenever something happens. Patience is counted in
   * looks, so that a process that is stopped for a while has not waited.
   */
  until(ready: () => boolean, complaint: () => string): Promise<void> {
    if (this.#failed !== undefined) return Promise.reject(this.#failed);
    if (ready()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      let seen = this.#events;
      let quietMs = 0;
      let cancel = (): void => {};
      const look = (): void => {
        quietMs = this.#events === seen ? quietMs + LOOK_MS : 0;
        seen = this.#events;
        if (quietMs >= this.#patienceMs) reject(new Error(complaint()));
        else cancel = host.schedule(LOOK_MS, look, true);
      };
      cancel = host.schedule(LOOK_MS, look, true);
      const done = (error?: Error): void => {
        cancel();
        if (error === undefined) resolve();
        else reject(error);
      };
      this.#waiters.push({ ready, done });
    });
  }
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

/** One end of a stream under test. */
export class Probe implements TransportHandlers {
  readonly name: string;
  /** Rules that the transport broke. {@link verifyOrder} fails on any. */
  readonly faults: string[] = [];
  /** Everything that arrived, kept as it came until the end, which reveals a transport that reuses memory. */
  readonly chunks: Uint8Array[] = [];
  receivedBytes = 0;
  /** Bytes of the pattern handed over so far. */
  sentBytes = 0;
  info: TransportInfo | undefined = undefined;
  cause: unknown = undefined;
  drains = 0;
  onData: ((chunk: Uint8Array) => void) | undefined = undefined;
  onOpen: (() => void) | undefined = undefined;
  onEnd: (() => void) | undefined = undefined;
  /** Offers places of this size for what comes next, as the core does for bodies. 0: none. */
  placeBytes = 0;
  readonly #progress: Progress;
  readonly #watch: ContractWatch;
  #place: Uint8Array | undefined = undefined;
  #placeFilled = 0;
  #transport: Transport | undefined = undefined;
  #lent: readonly Uint8Array[] | undefined = undefined;

  constructor(name: string, progress: Progress) {
    this.name = name;
    this.#progress = progress;
    this.#watch = new ContractWatch((rule, detail) => {
      this.faults.push(detail === undefined ? ruleText(rule) : `${ruleText(rule)} (${detail})`);
      progress.fail(`${name} broke: ${this.faults.join(", ")}`);
    });
  }

  get opened(): boolean {
    return this.#watch.opened;
  }

  get ended(): boolean {
    return this.#watch.ended;
  }

  get closed(): boolean {
    return this.#watch.closed;
  }

  /** Dials, and records any handler that runs too early. */
  dial(dial: Dial): this {
    const transport = dial(this);
    this.#watch.dialled(transport);
    this.#transport = transport;
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
    this.#watch.open(info);
    this.info = info;
    this.onOpen?.();
    this.#happened();
  }

  data(chunk: Uint8Array): void {
    this.#watch.data(chunk);
    this.#checkPlace(chunk);
    this.chunks.push(chunk);
    this.receivedBytes += chunk.length;
    this.onData?.(chunk);
    this.#happened();
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
    this.#watch.drain();
    this.drains += 1;
    const lent = this.#lent ?? [];
    this.#lent = undefined;
    for (const chunk of lent) chunk.fill(POISON);
    this.#happened();
  }

  end(): void {
    this.#watch.end();
    this.onEnd?.();
    this.#happened();
  }

  close(cause?: unknown): void {
    this.#watch.close(cause);
    this.cause = cause;
    for (const chunk of this.#lent ?? []) chunk.fill(POISON);
    this.#lent = undefined;
    this.#happened();
  }

  // Calls

  /** Closes, as the core would: never again after an abort or a close. */
  finish(mode: "flush" | "abort"): void {
    check(mode === "abort" || !this.isLent, `${this.name}: the suite flushed while a chunk was lent`);
    if (this.closed || this.#transport === undefined) return;
    if (mode === "abort") this.#watch.aborts();
    this.#transport.close(mode);
  }

  /** Pauses or resumes reading; returns whether the transport can. */
  setPaused(paused: boolean): boolean {
    const answer = this.transport.setPaused(paused);
    this.#watch.paused(answer);
    return answer;
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
      if (!await this.settles()) return;
    }
    throw new Error(`${this.name}: ${bytesMax} bytes were taken although the other end is paused`);
  }

  /** Returns whether what is lent is drained before the loop has turned many times. */
  async settles(): Promise<boolean> {
    for (let i = 0; this.isLent && i < STALL_TURNS; i++) await turns(1);
    return !this.isLent;
  }

  // Looking

  /** Fails if the stream closed with a cause although only this end wanted it. */
  verifyNoCause(): void {
    check(
      this.cause === undefined,
      `${this.name} closed with a cause, after its own abort: ${String(this.cause)}`,
    );
  }

  /** Waits until `ready` returns true. It is called again after every event of any probe of the case. */
  until(what: string, ready: () => boolean): Promise<void> {
    return this.#progress.until(ready, () => this.#complaint(what));
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
    check(this.faults.length === 0, `${this.name} broke: ${this.faults.join(", ")}`);
  }

  /** What was read into the place must be its next bytes; what was read elsewhere takes their room. */
  #checkPlace(chunk: Uint8Array): void {
    const place = this.#place;
    if (place === undefined) return;
    if (chunk.buffer === place.buffer && chunk.byteOffset !== this.#placeFilled) {
      this.faults.push(`${ruleText("bodyMemory")} (read to ${chunk.byteOffset}, not ${this.#placeFilled})`);
    }
    this.#placeFilled += chunk.length;
    if (this.#placeFilled >= place.length) this.#place = undefined;
  }

  #write(chunks: readonly Uint8Array[], call: () => boolean): boolean {
    check(this.#lent === undefined, `${this.name}: the suite wrote while a chunk was lent`);
    check(this.opened && !this.closed, `${this.name}: the suite wrote outside of open and close`);
    this.#watch.writes();
    let taken: boolean;
    try {
      taken = call();
    } catch (error) {
      this.#watch.writeThrew(error);
      return false;
    }
    this.#watch.wrote(taken);
    if (!taken) this.#lent = this.closed ? undefined : chunks;
    // Taken means free: what the transport still sends from this memory arrives as poison.
    if (taken) { for (const chunk of chunks) chunk.fill(POISON); }
    this.#happened();
    return taken;
  }

  #happened(): void {
    this.#progress.happened();
  }

  #complaint(what: string): string {
    const { opened, ended, closed, receivedBytes, sentBytes, drains, isLent } = this;
    const state = JSON.stringify({ opened, ended, closed, receivedBytes, sentBytes, drains, isLent });
    const faults = this.faults.length === 0 ? "" : `; broken rules: ${this.faults.join(", ")}`;
    return `${this.name}: waited in vain for ${what}; ${state}${faults}`;
  }
}

/** Returns the index of the first byte that differs, or -1. Both must have the same length. */
export function firstDifference(left: Uint8Array, right: Uint8Array): number {
  for (let i = 0; i < left.length; i++) {
    if (left[i] !== right[i]) return i;
  }
  return -1;
}
