/**
 * Records of six integers, side by side in one typed array, and a hash table by which a record is found by
 * its first two. A hundred thousand topics as objects would take a kilobyte each and miss the processor's
 * caches at every step; as records they take a tenth of it.
 *
 * A record is named by its offset, which stays the same until {@link RecordTable.pack}. Offset 0 is never
 * given out, so 0 can stand for "none".
 *
 * The hash table holds only the numbers of records. A slot's upper bits, which a number leaves free, are
 * those of the hash, so hardly ever is a wrong record looked at. The hash is keyed with chance: peers choose
 * topics, and must not be able to choose collisions.
 *
 * @module
 */

/** Integers in a record. */
export const RECORD_FIELDS = 6;

/** In a record's second field: it is not in use, and the first field leads to the next such record. */
const FREE = -1;
/** Below this many records, memory is not worth giving back. */
const PACKED_RECORDS_MIN = 64;

const NO_SLOTS = new Int32Array(1);

/** Fills `into` with random bytes. */
export type Random = (into: Uint8Array) => void;

/**
 * The records and the table. The second field of one in use is never negative; only its bits in the mask
 * that the constructor takes belong to the key.
 */
export class RecordTable {
  /** All records. Written to by the owner; replaced when it grows. */
  fields: Int32Array = new Int32Array(RECORD_FIELDS);
  readonly #secondMask: number;
  readonly #random: Random | undefined;
  #factorOfFirst = 0x9e3779b1;
  #factorOfSecond = 0x85ebca6b;
  #slots: Int32Array = NO_SLOTS;
  /** Indexed records. */
  #indexed = 0;
  /** Records that were ever given out, number 0 included. */
  #end = 1;
  #firstFree = 0;
  #count = 0;

  /** Without `random`, the same keys always collide. */
  constructor(secondMask: number, random?: Random) {
    this.#secondMask = secondMask;
    this.#random = random;
  }

  /** Records in use. */
  get count(): number {
    return this.#count;
  }

  /** Bytes of memory that the records and the table take. */
  get bytes(): number {
    return this.fields.byteLength + this.#slots.byteLength;
  }

  /** Whether so little is in use that {@link pack} is worth its cost. */
  get isSparse(): boolean {
    const records = this.fields.length / RECORD_FIELDS;
    return records > PACKED_RECORDS_MIN && this.#count * 4 < records;
  }

  /**
   * Returns a new record, which begins with `first` and `second`; the rest is 0. It is found once it is
   * indexed. `fields` may be replaced.
   */
  add(first: number, second: number): number {
    let record = this.#firstFree;
    if (record === 0) {
      record = this.#end * RECORD_FIELDS;
      if (record === this.fields.length) {
        const grown = new Int32Array((this.#end + (this.#end >> 1) + 2) * RECORD_FIELDS);
        grown.set(this.fields);
        this.fields = grown;
      }
      this.#end++;
    } else {
      this.#firstFree = this.fields[record]!;
      this.fields.fill(0, record, record + RECORD_FIELDS);
    }
    this.fields[record] = first;
    this.fields[record + 1] = second;
    this.#count++;
    return record;
  }

  /** The record, which is not indexed, is not in use any longer. */
  remove(record: number): void {
    this.fields[record] = this.#firstFree;
    this.fields[record + 1] = FREE;
    this.#firstFree = record;
    this.#count--;
  }

  /** Returns the record that begins with `first` and `second`, or 0. */
  find(first: number, second: number): number {
    const slots = this.#slots;
    const fields = this.fields;
    const secondMask = this.#secondMask;
    const mask = slots.length - 1;
    const hash = this.#hash(first, second);
    for (let at = hash & mask;; at = (at + 1) & mask) {
      const slot = slots[at]!;
      if (slot === 0) return 0;
      if (((slot ^ hash) & ~mask) !== 0) continue;
      const record = (slot & mask) * RECORD_FIELDS;
      if (fields[record] === first && ((fields[record + 1]! ^ second) & secondMask) === 0) return record;
    }
  }

  /** How many slots {@link find} looks at. For tests. */
  probes(first: number, second: number): number {
    const mask = this.#slots.length - 1;
    const home = this.#hash(first, second) & mask;
    const found = this.find(first, second);
    let probes = 1;
    for (let at = home; this.#slots[at] !== 0; at = (at + 1) & mask) {
      if (found !== 0 && (this.#slots[at]! & mask) * RECORD_FIELDS === found) break;
      probes++;
    }
    return probes;
  }

  /** Makes a record findable by its first two fields. */
  index(record: number): void {
    // A table that is five eighths full also has a number for each of its records.
    if ((this.#indexed + 1) * 8 > this.#slots.length * 5) this.#growSlots();
    this.#place(record);
    this.#indexed++;
  }

  /** A record will be changed in what it is found by, or has gone. */
  unindex(record: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let hole = this.#hashOf(record) & mask;
    while ((slots[hole]! & mask) * RECORD_FIELDS !== record) hole = (hole + 1) & mask;
    // Those behind move up, so that no search ends too early.
    for (let at = (hole + 1) & mask; slots[at] !== 0; at = (at + 1) & mask) {
      const home = this.#hashOf((slots[at]! & mask) * RECORD_FIELDS) & mask;
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      slots[hole] = slots[at]!;
      hole = at;
    }
    slots[hole] = 0;
    this.#indexed--;
  }

  /** Puts `next` in the place of `current` in the table: both begin with the same key. */
  reindex(current: number, next: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let at = this.#hashOf(next) & mask;
    while ((slots[at]! & mask) * RECORD_FIELDS !== current) at = (at + 1) & mask;
    slots[at] = (slots[at]! & ~mask) | (next / RECORD_FIELDS);
  }

  /** Returns the record in use that follows `record` in memory, or 0. The first one follows 0. */
  after(record: number): number {
    const end = this.#end * RECORD_FIELDS;
    for (let next = record + RECORD_FIELDS; next < end; next += RECORD_FIELDS) {
      if (this.fields[next + 1] !== FREE) return next;
    }
    return 0;
  }

  /**
   * Gives back memory: moves all records together. Returns the new offset of the record with the old offset
   * `RECORD_FIELDS * n` at `n`. The owner puts its offsets right, and then calls {@link indexAll}.
   */
  pack(): Int32Array {
    const old = this.fields;
    const moved = new Int32Array(this.#end);
    const fields = new Int32Array((this.#count + (this.#count >> 1) + 2) * RECORD_FIELDS);
    fields.set(old.subarray(0, RECORD_FIELDS));
    let to = RECORD_FIELDS;
    for (let from = this.after(0); from !== 0; from = this.after(from)) {
      for (let field = 0; field < RECORD_FIELDS; field++) fields[to + field] = old[from + field]!;
      moved[from / RECORD_FIELDS] = to;
      to += RECORD_FIELDS;
    }
    this.fields = fields;
    this.#end = to / RECORD_FIELDS;
    this.#firstFree = 0;
    this.#slots = NO_SLOTS;
    return moved;
  }

  /** Makes all records findable again, after {@link pack} or after their keys have changed. */
  indexAll(): void {
    let slots = 8;
    // A slot has room for the highest number, too.
    while (this.#count * 8 > slots * 5 || this.#end > slots) slots *= 2;
    this.#slots = new Int32Array(slots);
    this.#indexed = this.#count;
    for (let record = this.after(0); record !== 0; record = this.after(record)) this.#place(record);
  }

  #growSlots(): void {
    const old = this.#slots;
    const mask = old.length - 1;
    if (old === NO_SLOTS) this.#draw();
    this.#slots = new Int32Array(Math.max(8, old.length * 2));
    for (let at = 0; at < old.length; at++) {
      if (old[at] !== 0) this.#place((old[at]! & mask) * RECORD_FIELDS);
    }
  }

  #draw(): void {
    const factors = Int32Array.of(this.#factorOfFirst, this.#factorOfSecond);
    this.#random?.(new Uint8Array(factors.buffer));
    // Only an odd factor keeps all bits of what is multiplied by it.
    this.#factorOfFirst = factors[0]! | 1;
    this.#factorOfSecond = factors[1]! | 1;
  }

  #place(record: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    const hash = this.#hashOf(record);
    let at = hash & mask;
    while (slots[at] !== 0) at = (at + 1) & mask;
    slots[at] = (hash & ~mask) | (record / RECORD_FIELDS);
  }

  #hashOf(record: number): number {
    return this.#hash(this.fields[record]!, this.fields[record + 1]! & this.#secondMask);
  }

  #hash(first: number, second: number): number {
    let hash = Math.imul(first, this.#factorOfFirst) + Math.imul(second, this.#factorOfSecond) | 0;
    // A product's low bits do not depend on its factors' high ones.
    hash ^= hash >>> 15;
    hash = Math.imul(hash, 0x2c1b3c6d);
    return hash ^ (hash >>> 13);
  }
}
