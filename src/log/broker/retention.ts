/**
 * Which segments of a topic may go. Whole segments go, from the oldest, never the last.
 *
 * @module
 */

import type { OrderIndex } from "../order/order_index.ts";
import type { SegmentInfo } from "../store/store.ts";
import type { Retention } from "../topic_options.ts";

/** What decides about a topic's segments. */
export interface RetentionInput {
  readonly segments: readonly SegmentInfo[];
  readonly index: OrderIndex;
  readonly retention: Retention;
  /** Positions below are not wanted any more. */
  readonly trimmedTo: bigint;
  /** Positions below were read by every consumer that holds retention; `undefined`: none does. */
  readonly heldFrom: bigint | undefined;
  /** Bytes that must be free in a store at its bound; 0: it is not. */
  readonly wantedBytes: number;
  readonly wallMs: number;
}

/** The offset below which segments may go; 0: none. */
export function trimOffset(input: RetentionInput): number {
  const { segments, index, retention, trimmedTo, heldFrom, wallMs } = input;
  const kept = index.segments;
  let bytes = segments.reduce((sum, segment) => sum + segment.bytes, 0);
  let freed = 0;
  let offset = 0;
  for (let at = 0; at + 1 < kept.length; at++) {
    const next = kept[at + 1]!;
    const segment = segments.find(({ base }) => base === kept[at]!.base);
    if (segment === undefined) break;
    if (heldFrom !== undefined && heldFrom < next.firstPosition) break;
    const old = retention.ageMsMax > 0 && next.startedMs < wallMs - retention.ageMsMax;
    const unwanted = trimmedTo >= next.firstPosition;
    const large = retention.bytesMax > 0 && bytes - segment.bytes >= retention.bytesMax;
    const needed = freed < input.wantedBytes;
    if (!unwanted && !large && !old && !needed) break;
    bytes -= segment.bytes;
    freed += segment.bytes;
    offset = next.base;
  }
  // A payload that waited for its order over the end of its segment holds that segment.
  return kept.reduce(
    (lowest, { base, reaches }) => base >= offset ? Math.min(lowest, reaches) : lowest,
    offset,
  );
}
