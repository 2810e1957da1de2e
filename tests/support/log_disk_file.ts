/**
 * The content of one file on the simulated disk: what reads see, and what the machine would still have after a power loss.
 *
 * @module
 */

import type { Random } from "./random.ts";

/** What has changed and is not known to be on the platter. */
interface Change {
  readonly kind: "write" | "truncate";
  readonly at: number;
  readonly bytes: Uint8Array;
  /** A sync has failed over it: no later one brings it to the platter. A power loss may, or may not. */
  lost: boolean;
}

/** How a power loss treats what was not synced. Drawn once per loss, so that all, nothing and every share occur. */
export interface Loss {
  readonly random: Random;
  /** The share of sectors, truncations and directory entries that survive. */
  readonly survives: number;
  /** The share of files whose length survives although their bytes do not. */
  readonly stretched: number;
}

export class SimulatedFile {
  readonly #sectorBytes: number;
  #content: Content = new Content();
  #platter: Content = new Content();
  #changes: Change[] = [];

  constructor(sectorBytes: number) {
    this.#sectorBytes = sectorBytes;
  }

  get bytes(): number {
    return this.#content.bytes.length;
  }

  /** What reads see. */
  get content(): Uint8Array {
    return this.#content.bytes;
  }

  /** What would be left if nothing survived but what was synced. */
  get platter(): Uint8Array {
    return this.#platter.bytes;
  }

  write(at: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#apply({ kind: "write", at, bytes, lost: false });
  }

  truncate(bytes: number): void {
    this.#apply({ kind: "truncate", at: bytes, bytes: new Uint8Array(0), lost: false });
  }

  /** The changes that a sync covers that begins now. */
  beginSync(): () => void {
    const covered = this.#changes.filter(({ lost }) => !lost);
    return () => this.#endSync(new Set(covered));
  }

  /** A sync that begins now will fail: what it covers is held for clean from now on. */
  failSync(): void {
    for (const change of this.#changes) change.lost = true;
  }

  /** Damage: what is here, on the platter as in memory. */
  put(bytes: Uint8Array): void {
    this.#content = new Content(bytes);
    this.#platter = new Content(bytes);
    this.#changes = [];
  }

  /** Memory is gone. What was synced is left; of the rest any sectors are, in any combination. */
  losePower(loss: Loss): void {
    for (const change of this.#changes) this.#survive(change, loss);
    let left = this.platter;
    if (this.bytes > left.length && loss.random.chance(loss.stretched)) {
      const stretched = new Uint8Array(loss.random.integer(left.length, this.bytes));
      // Some file systems show zeros there, others what the sectors held before.
      if (loss.random.chance(0.3)) loss.random.fill(stretched);
      stretched.set(left);
      left = stretched;
    }
    this.put(left);
  }

  #apply(change: Change): void {
    this.#content.apply(change);
    this.#changes.push(change);
  }

  #endSync(covered: ReadonlySet<Change>): void {
    const left: Change[] = [];
    for (const change of this.#changes) {
      // A sync that failed while this one ran took them along.
      if (!covered.has(change) || change.lost) {
        left.push(change);
        continue;
      }
      this.#platter.apply(change);
      // What was lost before and is overwritten now cannot come back.
      left.splice(0, left.length, ...left.flatMap((lost) => remainder(lost, change)));
    }
    this.#changes = left;
  }

  #survive(change: Change, { random, survives }: Loss): void {
    if (change.kind === "truncate") {
      if (random.chance(survives)) this.#platter.apply(change);
      return;
    }
    const end = change.at + change.bytes.length;
    for (let at = change.at; at < end;) {
      const next = Math.min(end, (Math.floor(at / this.#sectorBytes) + 1) * this.#sectorBytes);
      if (random.chance(survives)) {
        this.#platter.apply({
          ...change,
          at,
          bytes: change.bytes.subarray(at - change.at, next - change.at),
        });
      }
      at = next;
    }
  }
}

/** Bytes that grow. */
class Content {
  #memory: Uint8Array;
  #length: number;

  constructor(bytes: Uint8Array = new Uint8Array(0)) {
    this.#memory = bytes.slice();
    this.#length = bytes.length;
  }

  get bytes(): Uint8Array {
    return this.#memory.subarray(0, this.#length);
  }

  apply({ kind, at, bytes }: Change): void {
    if (kind === "truncate") return this.#resize(at);
    if (at + bytes.length > this.#length) this.#resize(at + bytes.length);
    this.#memory.set(bytes, at);
  }

  #resize(length: number): void {
    if (length < this.#length) this.#memory.fill(0, length, this.#length);
    if (length > this.#memory.length) {
      const larger = new Uint8Array(Math.max(length, 2 * this.#memory.length));
      larger.set(this.#memory);
      this.#memory = larger;
    }
    this.#length = length;
  }
}

/** What is left of `lost` when `over` has been written over it. */
function remainder(lost: Change, over: Change): Change[] {
  if (!lost.lost || lost.kind !== "write") return [lost];
  const end = lost.at + lost.bytes.length;
  const overEnd = over.kind === "truncate" ? Infinity : over.at + over.bytes.length;
  const part = (from: number, to: number): Change[] =>
    from >= to ? [] : [{ ...lost, at: from, bytes: lost.bytes.subarray(from - lost.at, to - lost.at) }];
  return [...part(lost.at, Math.min(end, over.at)), ...part(Math.max(lost.at, overEnd), end)];
}
