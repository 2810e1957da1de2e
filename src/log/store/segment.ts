/**
 * Append-only memory with absolute offsets. What is appended is published commit-last: first all bytes, then the new
 * end, so that a reader sees an append whole or not at all. Readers pin it; its memory is used again when its
 * owner and all of them have let go, and none of them said that the bytes may still be in use somewhere.
 *
 * @module
 */

import { assert } from "../../assert.ts";
import { countBytes, NO_BYTES, viewOf } from "../../bytes/bytes.ts";
import { next, type Table } from "../../state_table.ts";
import type { SegmentPool } from "./segment_pool.ts";
import type { SegmentInfo, StoreRead } from "./store.ts";

/**
 * - `open`: may be appended to.
 * - `sealed`: holds what it holds.
 * - `retired`: its owner has let go; readers still hold it.
 * - `gone`: its memory is somebody else's, or the garbage collector's.
 */
export type SegmentState = "open" | "sealed" | "retired" | "gone";

/** `retiredPinned`: the owner lets go while readers hold it. `retiredFree`: while none does. `unpinned`: the last one let go. */
export type SegmentInput = "sealed" | "retiredPinned" | "retiredFree" | "unpinned";

export const SEGMENT_TRANSITIONS: Table<SegmentState, SegmentInput> = {
  open: { sealed: "sealed", retiredPinned: "retired", retiredFree: "gone", unpinned: "open" },
  sealed: { sealed: "sealed", retiredPinned: "retired", retiredFree: "gone", unpinned: "sealed" },
  retired: { unpinned: "gone" },
  gone: {},
};

/** See the module. */
export class Segment {
  /** Offset of its first byte. */
  readonly base: number;
  /** The most that it can hold. */
  readonly bytesMax: number;
  readonly #pool: SegmentPool;
  #state: SegmentState = "open";
  /** Nothing before the first append: an empty segment costs nothing. */
  #memory: Uint8Array = NO_BYTES;
  #committed = 0;
  #pins = 0;
  #recyclable = true;

  constructor(base: number, bytesMax: number, pool: SegmentPool) {
    this.base = base;
    this.bytesMax = bytesMax;
    this.#pool = pool;
  }

  get state(): SegmentState {
    return this.#state;
  }

  /** Bytes that were appended and can be read. */
  get bytes(): number {
    return this.#committed;
  }

  /** Offset behind the last byte that can be read. */
  get end(): number {
    return this.base + this.#committed;
  }

  /** Bytes that an append may have. */
  get room(): number {
    return this.#state === "open" ? this.bytesMax - this.#committed : 0;
  }

  /** Readers that hold it. */
  get pins(): number {
    return this.#pins;
  }

  /** Bytes of memory that it occupies. */
  get memoryBytes(): number {
    return this.#memory.length;
  }

  /**
   * Copies all chunks behind what is there, then publishes them together. False: they do not fit, or it is not open; then, and
   * when a chunk cannot be copied (its buffer was given away: the error is thrown), readers see nothing of them.
   */
  append(chunks: readonly Uint8Array[]): boolean {
    const bytes = countBytes(chunks);
    if (bytes > this.room) return false;
    if (bytes === 0) return true;
    if (this.#memory.length === 0) this.#memory = this.#pool.take(this.bytesMax);
    let at = this.#committed;
    for (const chunk of chunks) {
      this.#memory.set(chunk, at);
      at += chunk.length;
    }
    this.#committed = at;
    return true;
  }

  /** Nothing is appended any more. */
  seal(): void {
    this.#state = next(SEGMENT_TRANSITIONS, this.#state, "sealed");
  }

  /** Whether all of `[offset, offset + bytes)` can be read. */
  has(offset: number, bytes: number): boolean {
    return offset >= this.base && offset + bytes <= this.end && this.#state !== "gone";
  }

  /** The bytes themselves, without a pin: for as long as the segment is not retired. */
  view(offset: number, bytes: number): Uint8Array {
    assert(this.has(offset, bytes), "only what was published can be seen");
    return viewOf(this.#memory, offset - this.base, offset - this.base + bytes);
  }

  /** The bytes themselves, pinned until they are released. */
  read(offset: number, bytes: number): StoreRead {
    assert(this.#state === "open" || this.#state === "sealed", "a retired segment takes no new readers");
    const view = this.view(offset, bytes);
    this.#pins++;
    let held = true;
    return {
      bytes: view,
      pinned: true,
      release: (recycle) => {
        assert(held, "a read is released once");
        held = false;
        this.#unpin(recycle);
      },
    };
  }

  /** Its owner lets go: no reader comes any more, and the memory goes when the last one has left. */
  retire(): void {
    this.#state = next(SEGMENT_TRANSITIONS, this.#state, this.#pins > 0 ? "retiredPinned" : "retiredFree");
    this.#letGo();
  }

  #unpin(recycle: boolean): void {
    assert(this.#pins > 0, "as many releases as reads");
    if (!recycle) this.#recyclable = false;
    if (--this.#pins > 0) return;
    this.#state = next(SEGMENT_TRANSITIONS, this.#state, "unpinned");
    this.#letGo();
  }

  #letGo(): void {
    if (this.#state !== "gone") return;
    const memory = this.#memory;
    this.#memory = NO_BYTES;
    this.#committed = 0;
    if (memory.length > 0 && this.#recyclable) this.#pool.give(memory);
  }
}

/** The last of `segments`, which rise, whose base is at or below `offset`. */
export function segmentAt<Kept extends SegmentInfo>(
  segments: readonly Kept[],
  offset: number,
): Kept | undefined {
  let low = 0;
  let high = segments.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (segments[middle]!.base <= offset) low = middle + 1;
    else high = middle;
  }
  return segments[low - 1];
}
