/**
 * Named consumers of a topic: where each goes on reading, and who its one active reader is. Their changes are entries in
 * the topic's store; this is what the entries add up to.
 *
 * @module
 */

import { encodeUtf8 } from "../../bytes/utf8.ts";

/** A consumer as snapshots and status reports have it. */
export interface ConsumerState {
  readonly name: string;
  /** Rises with every newcomer of this name. */
  readonly epoch: number;
  /** The next position to read; `undefined`: nothing was committed yet. */
  readonly position: bigint | undefined;
  /** The log's generation when that was committed. */
  readonly generation: number;
}

/** Bytes that a consumer of this name takes up in a snapshot, at most. */
export function consumerSnapshotBytes(name: string): number {
  return 160 + encodeUtf8(JSON.stringify(name)).length;
}

/** The consumers of one topic. */
export class Consumers {
  readonly #consumers: Map<string, ConsumerState> = new Map();
  #snapshotBytes = 0;

  /** Bytes that all of them take up in a snapshot, at most. */
  get snapshotBytes(): number {
    return this.#snapshotBytes;
  }

  get size(): number {
    return this.#consumers.size;
  }

  get(name: string): ConsumerState | undefined {
    return this.#consumers.get(name);
  }

  /** The epoch of the next reader of this name. */
  nextEpoch(name: string): number {
    return (this.#consumers.get(name)?.epoch ?? 0) + 1;
  }

  /** A newcomer reads from here on. */
  opened(name: string, epoch: number): void {
    const older = this.#consumers.get(name);
    this.#set({ name, epoch, position: older?.position, generation: older?.generation ?? 0 });
  }

  /** The reader asked to go on at `position` next time. It may go back. */
  committed(name: string, position: bigint, generation: number): void {
    const older = this.#consumers.get(name);
    this.#set({ name, epoch: older?.epoch ?? 0, position, generation });
  }

  /** The lowest position that one of `names` still needs; `undefined`: none of them holds anything back. */
  lowest(names: readonly string[]): bigint | undefined {
    let lowest: bigint | undefined;
    for (const name of names) {
      // A consumer that has not begun needs everything.
      const position = this.#consumers.get(name)?.position ?? 0n;
      if (lowest === undefined || position < lowest) lowest = position;
    }
    return lowest;
  }

  list(): readonly ConsumerState[] {
    return [...this.#consumers.values()];
  }

  import(list: readonly ConsumerState[]): void {
    for (const consumer of list) this.#set(consumer);
  }

  #set(consumer: ConsumerState): void {
    const { name } = consumer;
    if (!this.#consumers.has(name)) this.#snapshotBytes += consumerSnapshotBytes(name);
    this.#consumers.set(name, consumer);
  }
}
