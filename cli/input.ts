/**
 * What `hawser publish` reads: lines or whole files, from files or the standard input.
 *
 * @module
 */

import { createReadStream, readFileSync, statSync } from "node:fs";
import type { Readable } from "node:stream";
import { unlessAborted } from "./interruption.ts";
import { CommandError } from "./terminal.ts";

/** What stands for the standard input among files. */
export const STDIN = "-";
const LINE_FEED = 10;
/** Bytes of a file that are read at a time. */
const CHUNK_BYTES = 262_144;

/** One source of records. */
export interface Source {
  /** A path, or {@link STDIN}. */
  readonly name: string;
  /** `undefined`: nobody knows how much will come. */
  readonly bytes: number | undefined;
}

/**
 * Looks at the files before anything is published.
 *
 * @throws {CommandError} One is not there, or is no file.
 */
export function findSources(names: readonly string[]): Source[] {
  return names.map((name): Source => {
    if (name === STDIN) return { name, bytes: undefined };
    const found = attempt(name, () => statSync(name));
    if (found.isDirectory()) throw new CommandError(`Cannot read ${name}: it is a folder`);
    // Pipes and devices have no size.
    return { name, bytes: found.isFile() ? found.size : undefined };
  });
}

/** The bytes of all sources together, if that is known. */
export function totalBytes(sources: readonly Source[]): number | undefined {
  return sources.reduce<number | undefined>(
    (sum, { bytes }) => sum === undefined || bytes === undefined ? undefined : sum + bytes,
    0,
  );
}

/** How records are cut. */
export interface InputOptions {
  readonly stdin: Readable;
  readonly wholeFile: boolean;
  /** Called with the bytes that were read. */
  readonly read: (bytes: number) => void;
  /** Aborted: there are no more records. What was read of a line then is none. */
  readonly signal?: AbortSignal | undefined;
}

/** Some records, and where they stand. */
export interface InputRecords {
  readonly records: readonly Uint8Array[];
  /** A path, or {@link STDIN}. */
  readonly source: string;
  /** The line of the first record, from 1; `undefined`: the record is the whole file. */
  readonly line: number | undefined;
}

/** The records of all sources in order, some at a time. A line's end is `\n` alone and no part of the record. */
export async function* readRecords(
  sources: readonly Source[],
  options: InputOptions,
): AsyncGenerator<InputRecords> {
  for (const { name } of sources) {
    const whole = (record: Uint8Array): InputRecords => ({
      records: [record],
      source: name,
      line: undefined,
    });
    if (!options.wholeFile) yield* readLines(streamOf(name, options), name, options);
    // Read at once: a stream that is opened and not read would stay open.
    else if (name !== STDIN) yield whole(readWhole(name, options.read));
    else {
      const all = await readAll(options.stdin, options);
      if (options.signal?.aborted !== true) yield whole(all);
    }
  }
}

/** Where record `index` of these stands, for people: `line 3 of orders.txt`. */
export function placeOf({ source, line }: InputRecords, index: number): string {
  const file = nameOf(source);
  return line === undefined ? file : `line ${line + index} of ${file}`;
}

function streamOf(name: string, { stdin }: InputOptions): Readable {
  return name === STDIN ? stdin : createReadStream(name, { highWaterMark: CHUNK_BYTES });
}

async function* readLines(
  stream: Readable,
  name: string,
  { read, signal }: InputOptions,
): AsyncGenerator<InputRecords> {
  let line = 1;
  // What came of a line whose end has not: joined once, when it comes.
  let begun: Uint8Array[] = [];
  for await (const chunk of bytesOf(stream, name, signal)) {
    const lines: Uint8Array[] = [];
    let from = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, from)) {
      const rest = chunk.subarray(from, end);
      lines.push(begun.length === 0 ? rest : join([...begun, rest]));
      begun = [];
      from = end + 1;
    }
    if (from < chunk.length) begun.push(chunk.subarray(from));
    read(chunk.length);
    yield { records: lines, source: name, line };
    line += lines.length;
  }
  if (begun.length > 0 && signal?.aborted !== true) yield { records: [join(begun)], source: name, line };
}

async function readAll(stream: Readable, { read, signal }: InputOptions): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytesOf(stream, STDIN, signal)) {
    chunks.push(chunk);
    read(chunk.length);
  }
  return join(chunks);
}

function readWhole(name: string, read: (bytes: number) => void): Uint8Array {
  const bytes = attempt(name, () => readFileSync(name));
  read(bytes.length);
  return bytes;
}

async function* bytesOf(
  stream: Readable,
  name: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const chunks = stream[Symbol.asyncIterator]();
  try {
    while (true) {
      // Not by destroying the stream: on Deno that does not end a read of the standard input that is under way.
      const next = await unlessAborted(chunks.next(), signal);
      if (next === undefined || next.done === true) return;
      yield next.value as Uint8Array;
    }
  } catch (error) {
    if (signal?.aborted !== true) throw cannotRead(name, error);
  } finally {
    stream.destroy();
  }
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => (joined.set(part, at), at + part.length), 0);
  return joined;
}

function attempt<T>(name: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw cannotRead(name, error);
  }
}

function cannotRead(name: string, error: unknown): CommandError {
  return new CommandError(`Cannot read ${nameOf(name)}: ${(error as Error).message}`, { cause: error });
}

function nameOf(source: string): string {
  return source === STDIN ? "standard input" : source;
}
