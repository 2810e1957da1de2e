/**
 * Judges what a topic delivers against what was submitted to it: positions without a hole, each publisher's records once,
 * in its order and byte for byte, and where they were promised to be.
 *
 * @module
 */

import { Faulty } from "./faulty.ts";
import { readClaim, type RecordSource } from "./records.ts";

/** What matters of a record. */
export interface Delivered {
  readonly position: bigint;
  readonly value: Uint8Array;
}

/** Records in a row at positions in a row: of the first one its number and its position, and how many they are. */
export type Run = readonly [index: number, position: number, records: number];

/** What a publisher knows in the end. */
export interface Promised {
  readonly publisher: number;
  /** Records that it has submitted, all of them acknowledged. */
  readonly records: number;
  /** Where it was told that they are. */
  readonly runs: readonly Run[];
  /** Records that were acknowledged to somebody who waited for their position, and was not told. */
  readonly untold: number;
}

/** Judges one reader of one topic. */
export class Judge {
  readonly #what: string;
  readonly #source: RecordSource;
  /** Of each publisher of the topic, the number of the record that must be next. */
  readonly #next: Map<number, number>;
  #position = 0n;

  /** `what`: who reads what, for sentences. */
  constructor(what: string, source: RecordSource, publishers: readonly number[]) {
    this.#what = what;
    this.#source = source;
    this.#next = new Map(publishers.map((publisher) => [publisher, 0]));
  }

  /** The next position that must be delivered. */
  get position(): bigint {
    return this.#position;
  }

  /** Takes what was delivered. @throws {Faulty} */
  check(records: readonly Delivered[]): void {
    for (const { position, value } of records) this.#checkOne(position, value);
  }

  /** Nothing more will come. @throws {Faulty} when something is missing. */
  finish(promises: readonly Promised[]): void {
    for (const { publisher, records } of promises) {
      const next = this.#next.get(publisher);
      if (next === undefined || next === records) continue;
      throw this.#faulty(`publisher ${publisher} was acknowledged ${records} records, and ${next} are there`);
    }
  }

  #checkOne(position: bigint, value: Uint8Array): void {
    const at = this.#position;
    if (position > at) throw this.#faulty(`a hole: position ${position} was delivered, and ${at} was next`);
    if (position < at) throw this.#faulty(`position ${position} was delivered again, and ${at} was next`);
    this.#position = at + 1n;
    const claim = readClaim(value);
    const next = claim === undefined ? undefined : this.#next.get(claim.publisher);
    if (claim === undefined || next === undefined) throw this.#faulty(`position ${at} is nobody's record`);
    const { publisher, index } = claim;
    if (index !== next) {
      const how = index < next ? "a second time" : "too early";
      throw this.#faulty(
        `position ${at} is record ${index} of publisher ${publisher}, ${how}: ${next} was next`,
      );
    }
    if (!this.#source.matches(value, publisher, index)) {
      throw this.#faulty(`position ${at} is not record ${index} of publisher ${publisher}, byte for byte`);
    }
    this.#next.set(publisher, next + 1);
  }

  #faulty(text: string): Faulty {
    return new Faulty(`${this.#what}: ${text}`);
  }
}

/** Collects where records are, in their order. */
export class Runs {
  readonly #runs: [number, number, number][] = [];
  /** Records whose position was not told. */
  untold = 0;

  add(index: number, position: bigint | undefined): void {
    if (position === undefined) {
      this.untold++;
      return;
    }
    const last = this.#runs.at(-1);
    const at = Number(position);
    if (last !== undefined && index === last[0] + last[2] && at === last[1] + last[2]) last[2]++;
    else this.#runs.push([index, at, 1]);
  }

  get list(): readonly Run[] {
    return this.#runs;
  }
}

/** Compares positions that were promised with those that were read. */
export class Positions {
  readonly #promised: Map<number, Promised>;
  /** By publisher: the run that is next, and the records of it that have passed. */
  readonly #at: Map<number, { run: number; index: number }>;

  constructor(promises: readonly Promised[]) {
    this.#promised = new Map(promises.map((promise) => [promise.publisher, promise]));
    this.#at = new Map(promises.map(({ publisher }) => [publisher, { run: 0, index: 0 }]));
  }

  /** Takes records in their order, after a judge has. @throws {Faulty} */
  check(records: readonly Delivered[]): void {
    for (const { position, value } of records) {
      const { publisher, index } = readClaim(value)!;
      const promised = this.#promised.get(publisher);
      const at = this.#at.get(publisher);
      if (promised === undefined || at === undefined) continue;
      let run = promised.runs[at.run];
      while (run !== undefined && index >= run[0] + run[2]) run = promised.runs[++at.run];
      if (run === undefined || index < run[0]) continue;
      const expected = run[1] + index - run[0];
      if (Number(position) === expected) continue;
      throw new Faulty(
        `record ${index} of publisher ${publisher} was acknowledged at position ${expected}, and is at ${position}`,
      );
    }
  }
}
