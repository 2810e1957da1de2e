/**
 * Plays conformance vectors against the codec of the log. README.md describes the format.
 *
 * @module
 */

import { readdirSync, readFileSync } from "node:fs";
import { assert, assertEquals } from "@std/assert";
import { crc32 } from "../../src/bytes/crc32.ts";
import { LogError, type LogErrorCode } from "../../src/log/errors.ts";
import { BatchBuilder, recordBytes, type RecordOptions } from "../../src/log/wire/batch_builder.ts";
import { decodeMessage, encodeMessage, peekBatchHeader, WireError } from "../../src/log/wire/codec.ts";
import { HEADER_BYTES } from "../../src/log/wire/layout.ts";
import type { LogMessage } from "../../src/log/wire/messages.ts";
import { type LogRecord, RecordBatch } from "../../src/log/wire/record.ts";
import { bytesOf } from "./notation.ts";
import type { VectorBase } from "./player.ts";

/** A record as a vector tells it; byte fields in the notation. */
export interface RecordFact {
  readonly value: string;
  readonly key: string | null;
  readonly headers: readonly (readonly [string, string])[];
  readonly producerTimestampMs: number | null;
}

type Failing = { readonly error?: LogErrorCode; readonly request?: number };

/** One vector for the codec of the log, by its `play`. */
export type LogVector =
  & VectorBase
  & (
    | { readonly play: "message"; readonly message: unknown; readonly frames: readonly string[] }
    | { readonly play: "message.encode"; readonly message: unknown; readonly frames: readonly string[] }
    | {
      readonly play: "message.decode";
      readonly frames: readonly string[];
      readonly message?: unknown;
    } & Failing
    | {
      readonly play: "records.build";
      readonly records: readonly RecordFact[];
      readonly count: number;
      readonly body: string;
    }
    | {
      readonly play: "records.read";
      readonly body: string;
      readonly count: number;
      readonly records?: readonly RecordFact[];
    } & Failing
    | { readonly play: "crc32"; readonly in: string; readonly seed?: number; readonly crc: number }
  );

type Plays = { readonly [P in LogVector["play"]]: (vector: Extract<LogVector, { play: P }>) => void };

const PLAYS: Plays = {
  "message": (vector) => {
    playEncode(vector);
    playDecode(vector);
  },
  "message.encode": playEncode,
  "message.decode": playDecode,
  "records.build": (vector) => {
    const body = bytesOf(vector.body);
    assertEquals(build(vector.records), body);
    playRead(vector);
  },
  "records.read": playRead,
  "crc32": (vector) => assertEquals(crc32(bytesOf(vector.in), vector.seed ?? 0), vector.crc),
};

/** Plays one vector; throws where the codec does otherwise. */
export function playLog(vector: LogVector): void {
  const play = PLAYS[vector.play] as ((vector: LogVector) => void) | undefined;
  assert(play !== undefined, `unknown play "${vector.play}"`);
  play(vector);
}

/** The vectors of the log, with the file they stand in. The runners start in the project's folder. */
export function readLogVectors(): { readonly file: string; readonly vector: LogVector }[] {
  const folder = "tests/conformance/vectors";
  return readdirSync(folder).filter((file) => /^log_.*\.json$/.test(file)).sort().flatMap((file) => {
    const vectors = JSON.parse(readFileSync(`${folder}/${file}`, "utf8")) as readonly LogVector[];
    return vectors.map((vector) => ({ file, vector }));
  });
}

/** A message of a vector: `"5n"` is a bigint, `null` is undefined, `{ "repeat": ["a", 3] }` is "aaa". */
export function messageOf(fact: unknown): unknown {
  if (fact === null) return undefined;
  if (typeof fact === "string") return /^\d+n$/.test(fact) ? BigInt(fact.slice(0, -1)) : fact;
  if (Array.isArray(fact)) return fact.map(messageOf);
  if (typeof fact !== "object") return fact;
  const members = fact as Readonly<Record<string, unknown>>;
  const repeat = members["repeat"] as readonly [string, number] | undefined;
  if (repeat !== undefined) return repeat[0].repeat(repeat[1]);
  return Object.fromEntries(Object.entries(members).map(([name, value]) => [name, messageOf(value)]));
}

function playEncode(vector: { readonly message: unknown; readonly frames: readonly string[] }): void {
  const message = messageOf(vector.message) as LogMessage;
  const frames = vector.frames.map(bytesOf);
  // The bodies of batches and records are appended by whoever has them.
  const own = message.type === "batch" ? 1 : message.type === "records" ? 2 : frames.length;
  assertEquals(encodeMessage(message, crc32), frames.slice(0, own));
}

function playDecode(vector: Extract<LogVector, { play: "message.decode" | "message" }>): void {
  const frames = vector.frames.map(bytesOf);
  const { message: fact, error, request } = { error: undefined, request: undefined, ...vector };
  const decoded = decodeMessage(frames, crc32);
  if (error !== undefined || decoded instanceof WireError) {
    assert(decoded instanceof WireError, "it was decoded");
    assertEquals({ error: decoded.code, request: decoded.request }, { error, request });
    return;
  }
  assertEquals(decoded as unknown, messageOf(fact));
  assertEquals(peekBatchHeader(frames[0]!, crc32), decoded.type === "batch" ? decoded : "control");
}

function playRead(vector: Extract<LogVector, { play: "records.read" | "records.build" }>): void {
  const { records, error } = { error: undefined, ...vector };
  // In the middle of other memory, as bodies are.
  const around = bytesOf(`FF*3 ${vector.body} FF*5`);
  const body = around.subarray(3, around.length - 5);
  const batch = RecordBatch.open(body, { position: 7n, timestampMs: 3, count: vector.count });
  if (batch instanceof LogError) assertEquals(batch.code, error);
  else {
    assertEquals(error, undefined);
    assertEquals(batch.records().map(told), records!.map((record, index) => expected(record, index)));
  }
}

function told(record: LogRecord): object {
  const { position, timestampMs, value, key, headers, producerTimestampMs } = record;
  return { position, timestampMs, value, key, headers: [...headers], producerTimestampMs };
}

function expected({ value, key, headers, producerTimestampMs }: RecordFact, index: number): object {
  return {
    position: 7n + BigInt(index),
    timestampMs: 3,
    value: bytesOf(value),
    key: key === null ? undefined : bytesOf(key),
    headers: headers.map(([name, bytes]) => [name, bytesOf(bytes)]),
    producerTimestampMs: producerTimestampMs ?? undefined,
  };
}

function build(records: readonly RecordFact[]): Uint8Array {
  const builder = new BatchBuilder(new Uint8Array(100_000));
  for (const { value, key, headers, producerTimestampMs } of records) {
    const plain = key === null && headers.length === 0 && producerTimestampMs === null;
    const options: RecordOptions | undefined = plain ? undefined : {
      key: key === null ? undefined : bytesOf(key),
      headers: Object.fromEntries(headers.map(([name, bytes]) => [name, bytesOf(bytes)])),
      timestampMs: producerTimestampMs ?? undefined,
    };
    const before = builder.bytes;
    assert(builder.append(bytesOf(value), options), "a vector's records fit");
    assertEquals(builder.bytes - before, recordBytes(bytesOf(value), options));
  }
  assertEquals(builder.count, records.length);
  assertEquals(builder.capacity, 100_000);
  return builder.body();
}

/** All bits of a message, one flipped at a time: the message again, with the frame and bit that differ. */
export function* flips(
  frames: readonly Uint8Array[],
): Generator<{ readonly frame: number; readonly bit: number; readonly frames: readonly Uint8Array[] }> {
  for (let frame = 0; frame < frames.length; frame++) {
    const bits = (frame === 0 ? HEADER_BYTES : Math.min(frames[frame]!.length, 200)) * 8;
    for (let bit = 0; bit < bits; bit++) {
      const changed = frames[frame]!.slice();
      changed[bit >> 3]! ^= 1 << (bit & 7);
      yield { frame, bit, frames: replaced(frames, frame, changed) };
    }
  }
}

/** The frames with another one in place of one of them. */
export function replaced(frames: readonly Uint8Array[], index: number, frame: Uint8Array): Uint8Array[] {
  return frames.map((old, at) => at === index ? frame : old);
}
