/**
 * The first entry of each segment: whose it is, and what held when it began.
 *
 * @module
 */

import { decodeUtf8Strict, encodeUtf8 } from "../../bytes/utf8.ts";
import type { TopicOptions } from "../topic_options.ts";
import type { EntryHeader } from "./entries.ts";

/** The body of a segment entry. */
export interface SegmentOpening {
  readonly topic: string;
  readonly options: TopicOptions;
  /** The lowest offset of a payload that was waiting for its order: this segment's rows name nothing below. */
  readonly reaches: number;
  /** Everything below was synced when this segment began. */
  readonly syncedThrough: number;
  /** The last record's time when it began. */
  readonly startedMs: number;
}

/** An opening as it was found. */
export interface FoundOpening extends SegmentOpening {
  readonly base: number;
  readonly firstPosition: bigint;
}

export function encodeOpening(opening: SegmentOpening): Uint8Array {
  return encodeUtf8(JSON.stringify(opening));
}

/** Reads a segment entry that stands at `offset`; `undefined`: it is none, or another program's. */
export function decodeOpening(
  header: EntryHeader,
  offset: number,
  body: Uint8Array,
): FoundOpening | undefined {
  if (header.type !== "segment" || header.id !== BigInt(offset)) return undefined;
  const text = decodeUtf8Strict(body);
  if (text === undefined) return undefined;
  try {
    const value = JSON.parse(text) as Partial<SegmentOpening> | null;
    if (typeof value?.topic !== "string" || typeof value.options?.order !== "number") return undefined;
    const numbers = [value.reaches, value.syncedThrough, value.startedMs];
    if (!numbers.every((one) => Number.isSafeInteger(one))) return undefined;
    return { ...(value as SegmentOpening), base: offset, firstPosition: header.number };
  } catch {
    return undefined;
  }
}
