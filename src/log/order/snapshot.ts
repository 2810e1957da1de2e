/**
 * The snapshot at the beginning of each segment: what all entries before it add up to. A log is opened from its last one.
 *
 * @module
 */

import { decodeUtf8Strict, encodeUtf8 } from "../../bytes/utf8.ts";
import type { ConsumerState } from "./consumers.ts";
import type { KeptRun, SessionSnapshot } from "./snapshot_types.ts";

/** A life of the log between two crashes that may have cut it. */
export interface Generation {
  readonly generation: number;
  /** The first position that was given in it. */
  readonly firstPosition: bigint;
}

/** See the module. */
export interface Snapshot {
  readonly nextPosition: bigint;
  readonly lastTimestampMs: number;
  /** Positions below were trimmed on request or by retention. */
  readonly trimmedTo: bigint;
  readonly generations: readonly Generation[];
  readonly consumers: readonly ConsumerState[];
  readonly sessions: readonly SessionSnapshot[];
}

/** About how many bytes a session takes up in a snapshot: bounds how many a segment can carry. */
export const SESSION_SNAPSHOT_BYTES = 256;

/**
 * How many sessions a snapshot may carry at the beginning of a segment of so many bytes. They take up less than half of it, and
 * with the longest and worst of names still no more than a segment and a half, which is what it can hold.
 */
export function sessionsThatFit(segmentBytes: number): number {
  return Math.max(1, Math.floor(segmentBytes * 0.45 / SESSION_SNAPSHOT_BYTES));
}

/** About how many bytes a run of a session takes up. */
export const RUN_SNAPSHOT_BYTES = 48;
/** Runs of all sessions together in one snapshot: it is made while publishers wait. */
const RUNS_MAX = 16_384;

/** How many runs a snapshot may carry at the beginning of a segment of so many bytes: a 16th of it. */
export function runsThatFit(segmentBytes: number): number {
  return Math.min(RUNS_MAX, Math.floor(segmentBytes / 16 / RUN_SNAPSHOT_BYTES));
}

/** The body of a snapshot entry: JSON, 64-bit numbers as text, runs as `batch,batches,records,position;…`. */
export function encodeSnapshot(snapshot: Snapshot): Uint8Array {
  return encodeUtf8(JSON.stringify(snapshot, (key, value: unknown) => {
    if (key === "runs" && Array.isArray(value)) return runsToText(value as KeptRun[]);
    return typeof value === "bigint" ? { u64: String(value) } : value;
  }));
}

/** Reads the body of a snapshot entry; `undefined`: it is none. Its checksum was right, so only another program can have written that. */
export function decodeSnapshot(body: Uint8Array): Snapshot | undefined {
  const text = decodeUtf8Strict(body);
  if (text === undefined) return undefined;
  try {
    const value = JSON.parse(text, (key, part: unknown) => {
      if (key === "runs") return runsFromText(part);
      return isU64(part) ? BigInt(part.u64) : part;
    }) as Partial<Snapshot> | null;
    return value !== null && isWhole(value) ? value as Snapshot : undefined;
  } catch {
    return undefined;
  }
}

function runsToText(runs: readonly KeptRun[]): string {
  return runs.map(({ batch, batches, records, position }) => {
    return `${batch},${batches},${records},${position}`;
  }).join(";");
}

/** Throws where it is none. */
function runsFromText(text: unknown): readonly KeptRun[] {
  if (text === "") return [];
  return String(text).split(";").map((run) => {
    const numbers = /^(\d+),(\d+),(\d+),(\d+)$/.exec(run);
    if (numbers === null) throw new SyntaxError("no runs");
    const [batch, batches, records] = [Number(numbers[1]), Number(numbers[2]), Number(numbers[3])];
    return { batch, batches, records, position: BigInt(numbers[4]!) };
  });
}

function isWhole(value: Partial<Snapshot>): boolean {
  const { nextPosition, trimmedTo, lastTimestampMs, generations, consumers, sessions } = value;
  return typeof nextPosition === "bigint" && typeof trimmedTo === "bigint" &&
    Number.isSafeInteger(lastTimestampMs) && [generations, consumers, sessions].every(Array.isArray);
}

function isU64(part: unknown): part is { readonly u64: string } {
  return typeof part === "object" && part !== null && typeof (part as { u64?: unknown }).u64 === "string";
}
