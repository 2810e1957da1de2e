/**
 * A message that arrives in fragments. ZMTP tells a frame's size first, so it must be collected whole; its
 * memory grows only as its bytes arrive, and is bounded over all connections.
 *
 * @module
 */

import { NO_BYTES, viewOf } from "../bytes/bytes.ts";
import type { Host } from "../ports.ts";
import { CLOSE_TOO_BIG, type Violation, violation } from "./zws/wire.ts";

/** Fragments of one message. */
export const FRAGMENTS_MAX = 65_536;
/** Those of them that are empty: nobody needs any, and they cost their sender nothing. */
export const EMPTY_FRAGMENTS_MAX = 64;
/** Memory of all messages of a program that have arrived in part. */
const TOTAL_BYTES_MAX = 536_870_912;
const MEMORY_BYTES_MIN = 4_096;

/** All messages of a host that are being collected. */
export class FragmentsTotal {
  readonly bytesMax: number;
  #bytes = 0;
  readonly #holders: Set<Fragments> = new Set();

  constructor(bytesMax: number = TOTAL_BYTES_MAX) {
    this.bytesMax = bytesMax;
  }

  /** The memory of `holder` changed. If all is too much, whoever holds most loses its connection. */
  count(holder: Fragments, change: number): void {
    this.#bytes += change;
    if (holder.memoryBytes > 0) this.#holders.add(holder);
    else this.#holders.delete(holder);
    while (this.#bytes > this.bytesMax) {
      let largest = holder;
      for (const other of this.#holders) if (other.memoryBytes > largest.memoryBytes) largest = other;
      if (largest.memoryBytes === 0) return;
      largest.giveUp();
    }
  }
}

const totals: WeakMap<Host, FragmentsTotal> = new WeakMap();

/** The bound that all connections of a host share. */
export function fragmentsTotalOf(host: Host): FragmentsTotal {
  let total = totals.get(host);
  if (total === undefined) totals.set(host, total = new FragmentsTotal());
  return total;
}

/** Collects one message at a time. */
export class Fragments {
  readonly #total: FragmentsTotal;
  readonly #bytesMax: number;
  /** Ends the connection: others need its memory. */
  readonly #lost: (why: Violation) => void;
  #memory: Uint8Array = NO_BYTES;
  #filled = 0;
  #count = 0;
  #empty = 0;
  #active = false;

  constructor(total: FragmentsTotal, bytesMax: number, lost: (why: Violation) => void) {
    this.#total = total;
    this.#bytesMax = bytesMax;
    this.#lost = lost;
  }

  /** Whether a message has begun. */
  get active(): boolean {
    return this.#active;
  }

  /** Memory that is held. */
  get memoryBytes(): number {
    return this.#memory.length;
  }

  /** Bytes of the message so far. */
  get bytes(): number {
    return this.#filled;
  }

  /** A fragment begins; `bytes` were checked against the limit of the message. */
  begin(bytes: number, last: boolean): Violation | undefined {
    this.#active = true;
    this.#count++;
    if (bytes === 0 && !last) this.#empty++;
    if (this.#count <= FRAGMENTS_MAX && this.#empty <= EMPTY_FRAGMENTS_MAX) return undefined;
    return violation("a message in too many fragments", CLOSE_TOO_BIG);
  }

  /** Takes bytes of a fragment. They are copied: a view would keep the whole chunk for one byte. */
  push(bytes: Uint8Array): void {
    const filled = this.#filled + bytes.length;
    if (filled > this.#memory.length) {
      const size = Math.min(Math.max(filled, this.#memory.length * 2, MEMORY_BYTES_MIN), this.#bytesMax);
      const larger = new Uint8Array(Math.max(size, filled));
      larger.set(viewOf(this.#memory, 0, this.#filled));
      this.#use(larger);
      // Our own turn to give up.
      if (this.#memory.length < filled) return;
    }
    this.#memory.set(bytes, this.#filled);
    this.#filled = filled;
  }

  /** The whole message, in memory that is nobody else's from then on. */
  take(): Uint8Array {
    const message = viewOf(this.#memory, 0, this.#filled);
    this.release();
    return message;
  }

  /** Forgets everything. */
  release(): void {
    this.#filled = this.#count = this.#empty = 0;
    this.#active = false;
    this.#use(NO_BYTES);
  }

  /** @internal */
  giveUp(): void {
    this.release();
    this.#lost(violation("messages in fragments take up too much memory", CLOSE_TOO_BIG));
  }

  #use(memory: Uint8Array): void {
    const change = memory.length - this.#memory.length;
    this.#memory = memory;
    if (change !== 0) this.#total.count(this, change);
  }
}
