/**
 * Checks what the log delivered against what is in the files: positions without a hole or a duplicate, and of each
 * publisher the lines of its files, in its order, byte for byte.
 */

import { Buffer } from "node:buffer";
import type { FoundFile } from "../../ventilator/files.ts";
import { type FileLines, readLines } from "./lines.ts";

/** A publisher, and the files that are its to publish. Its records carry its name as their key. */
export interface Assignment {
  readonly name: string;
  readonly files: readonly FoundFile[];
}

/** What matters of a record. */
export interface DeliveredLine {
  readonly position: bigint;
  readonly key: Uint8Array | undefined;
  readonly value: Uint8Array;
}

/** What was delivered of one publisher. */
export interface Delivery {
  readonly lines: number;
  readonly bytes: number;
}

/** Sentences that are kept; where so much is wrong, more would not help. */
const MISTAKES_MAX = 10;

/** See the module. */
export class Verifier {
  /** One sentence for everything that is not as it should be, up to a bound. */
  readonly mistakes: string[] = [];
  readonly #publishers: Map<string, Expectation>;
  #lines = 0;
  #bytes = 0;
  #position = 0n;
  /** Records come in batches of one publisher, so the last key is most often the next one too. */
  #key: Uint8Array | undefined;
  #publisher: Expectation | undefined;

  constructor(folder: string, assignments: readonly Assignment[]) {
    this.#publishers = new Map(
      assignments.map(({ name, files }) => [name, new Expectation(readLines(folder, files))]),
    );
  }

  /** Records that were delivered. */
  get lines(): number {
    return this.#lines;
  }

  /** Bytes of their values. */
  get bytes(): number {
    return this.#bytes;
  }

  /** By publisher. */
  get deliveries(): ReadonlyMap<string, Delivery> {
    return new Map(
      [...this.#publishers].map(([name, { taken, bytes }]) => [name, { lines: taken, bytes }]),
    );
  }

  /** Takes records as they were delivered. @throws {JobError} when a file cannot be read. */
  async check(records: Iterable<DeliveredLine>): Promise<void> {
    for (const { position, key, value } of records) {
      this.#checkPosition(position);
      this.#lines++;
      this.#bytes += value.length;
      const publisher = this.#publisherOf(key);
      if (publisher === undefined) {
        this.#note(`Position ${position} has the key "${textOf(key)}", which is no publisher's.`);
        continue;
      }
      const expected = publisher.take() ?? await publisher.read();
      if (expected === undefined) {
        this.#note(`${textOf(key)} has more lines than its files: position ${position} is one too many.`);
      } else if (Buffer.compare(expected, value) !== 0) {
        const where = `line ${publisher.lineNumber} of ${publisher.path}`;
        this.#note(`Position ${position} is not ${where}, which is ${textOf(key)}'s next.`);
      }
    }
  }

  /** After the last record: what is missing? `tail` is the first position that the log has not given out. */
  async finish(tail: bigint): Promise<void> {
    if (tail !== this.#position) {
      this.#note(`The log's next position is ${tail}, but ${this.#position} was to be delivered next.`);
    }
    for (const [name, publisher] of this.#publishers) {
      const missing = publisher.take() ?? await publisher.read();
      if (missing === undefined) continue;
      this.#note(
        `Line ${publisher.lineNumber} of ${publisher.path}, and what ${name} has behind it, is missing.`,
      );
    }
  }

  #checkPosition(position: bigint): void {
    const next = this.#position;
    if (position > next) {
      this.#note(`There is a hole: position ${position} was delivered, and ${next} was next.`);
    }
    if (position < next) this.#note(`Position ${position} was delivered twice.`);
    this.#position = position + 1n;
  }

  #publisherOf(key: Uint8Array | undefined): Expectation | undefined {
    if (key === undefined) return undefined;
    if (this.#key === undefined || Buffer.compare(key, this.#key) !== 0) {
      this.#publisher = this.#publishers.get(textOf(key));
      this.#key = key.slice();
    }
    return this.#publisher;
  }

  #note(mistake: string): void {
    if (this.mistakes.length < MISTAKES_MAX) this.mistakes.push(mistake);
  }
}

function textOf(key: Uint8Array | undefined): string {
  return new TextDecoder().decode(key);
}

/** The lines of one publisher, in its order. */
class Expectation {
  taken = 0;
  bytes = 0;
  path = "";
  /** Of the last line that was taken, in its file; from 1. */
  lineNumber = 0;
  readonly #source: AsyncGenerator<FileLines>;
  #lines: readonly Uint8Array[] = [];
  #next = 0;

  constructor(source: AsyncGenerator<FileLines>) {
    this.#source = source;
  }

  /** The next line, if it is in memory. */
  take(): Uint8Array | undefined {
    const line = this.#lines[this.#next];
    if (line === undefined) return undefined;
    this.#next++;
    this.lineNumber++;
    this.taken++;
    this.bytes += line.length;
    return line;
  }

  /** The next line, when there is none in memory; `undefined`: there is none at all. */
  async read(): Promise<Uint8Array | undefined> {
    for (;;) {
      const line = this.take();
      if (line !== undefined) return line;
      const { done, value } = await this.#source.next();
      if (done) return undefined;
      if (value.path !== this.path) this.lineNumber = 0;
      this.path = value.path;
      this.#lines = value.lines;
      this.#next = 0;
    }
  }
}
