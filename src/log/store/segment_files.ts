/**
 * The files of one disk store, by the offsets that they hold.
 *
 * @module
 */

import { assert } from "../../assert.ts";
import { type Segment, segmentAt } from "./segment.ts";
import type { SegmentInfo } from "./store.ts";

const NAME = /^(\d{20})\.segment$/;

/** The name of the file whose first byte has offset `base`: names sort as offsets do. */
export function segmentFileName(base: number): string {
  return `${String(base).padStart(20, "0")}.segment`;
}

/** The offset of the first byte of the file `name`; `undefined` for a file that is no segment. */
export function baseOfFileName(name: string): number | undefined {
  const digits = NAME.exec(name)?.[1];
  if (digits === undefined) return undefined;
  const base = Number(digits);
  return Number.isSafeInteger(base) ? base : undefined;
}

/** One segment of a disk store: a file, and memory of what is not written yet or kept for readers. */
export class SegmentFile implements SegmentInfo {
  readonly base: number;
  readonly name: string;
  /** Holds the bytes from `memory.base` on. What lies before is in the file. */
  memory: Segment | undefined = undefined;
  /** Another one follows: nothing is appended any more. */
  sealed = false;
  /** It is sealed, and all of it is written. */
  complete = false;
  /** There is a file of this name. */
  created: boolean;
  /** Its name in the folder survives the machine. */
  entrySynced = false;
  /** The writer keeps it open, until all of it is written and, where that is asked for, synced. */
  held = false;
  #bytes: number;

  constructor(base: number, bytes: number, created: boolean) {
    this.base = base;
    this.name = segmentFileName(base);
    this.created = created;
    this.#bytes = bytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get end(): number {
    return this.base + this.#bytes;
  }

  /** Copies `chunks` into the memory. False: there is no room. */
  append(chunks: readonly Uint8Array[]): boolean {
    const { memory } = this;
    assert(memory !== undefined && !this.sealed, "the last segment is appended to, and has memory");
    if (!memory.append(chunks)) return false;
    this.#bytes = memory.end - this.base;
    return true;
  }

  /** Recovery: what lies behind was forgotten. */
  cut(end: number): void {
    assert(
      this.memory === undefined && end >= this.base && end <= this.end,
      "a cut only shortens what was found",
    );
    this.#bytes = end - this.base;
  }

  /** The memory goes, now or when the last reader has let go. */
  dropMemory(): void {
    this.memory?.retire();
    this.memory = undefined;
  }
}

/** See the module. There is always one, which is appended to. */
export class SegmentFiles {
  /** Never changed, but replaced: who holds the list sees the files of that moment. */
  #list: readonly SegmentFile[];

  /** `found` rises; a file that is longer than the next one's beginning allows was clipped. */
  constructor(found: readonly SegmentFile[]) {
    this.#list = found.length > 0 ? found : [new SegmentFile(0, 0, false)];
    for (const file of this.#list.slice(0, -1)) file.sealed = file.complete = true;
  }

  get list(): readonly SegmentFile[] {
    return this.#list;
  }

  get first(): SegmentFile {
    return this.#list[0]!;
  }

  get last(): SegmentFile {
    return this.#list.at(-1)!;
  }

  /** The last one that begins at or below `offset`. */
  at(offset: number): SegmentFile | undefined {
    return segmentAt(this.#list, offset);
  }

  has(file: SegmentFile): boolean {
    return this.at(file.base) === file;
  }

  /** Seals the last one, and adds one at its end. */
  roll(): void {
    const { last } = this;
    last.sealed = true;
    last.memory?.seal();
    this.#list = [...this.#list, new SegmentFile(last.end, 0, false)];
  }

  removeFirst(): SegmentFile {
    assert(this.#list.length > 1, "the last segment stays");
    const { first } = this;
    this.#list = this.#list.slice(1);
    return first;
  }

  /** Recovery: the last one goes; the one before it is appended to. */
  removeLast(): SegmentFile {
    assert(this.#list.length > 1, "one segment stays");
    const { last } = this;
    this.#list = this.#list.slice(0, -1);
    this.last.sealed = this.last.complete = false;
    return last;
  }
}

/** The files that a disk lists, as segments; others are left out. A file that reaches into the next one is clipped. */
export function foundFiles(
  listed: readonly { readonly name: string; readonly bytes: number }[],
): SegmentFile[] {
  const found = listed.flatMap(({ name, bytes }) => {
    const base = baseOfFileName(name);
    return base === undefined ? [] : [{ base, bytes }];
  });
  found.sort((left, right) => left.base - right.base);
  return found.map(({ base, bytes }, index) =>
    new SegmentFile(base, Math.min(bytes, (found[index + 1]?.base ?? Infinity) - base), true)
  );
}
