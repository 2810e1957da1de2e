/**
 * Which segments of a topic may go. Whole segments go, from the oldest, never the last.
 *
 * @module
 */

import type { OrderIndex, SegmentSummary } from "../order/order_index.ts";
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
  // What the store was told to remove and still has counts no more: it would be made up for a second time.
  const first = kept[0]?.base ?? 0;
  let bytes = segments.reduce((sum, segment) => segment.base < first ? sum : sum + segment.bytes, 0);
  let freed = 0;
  let gone = 0;
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
    gone = at + 1;
  }
  gone = reached(kept, gone);
  return gone === 0 ? 0 : kept[gone]!.base;
}

/**
 * A payload that waited for its order over the end of its segment holds that segment, whose own rows may reach further back.
 * Answers how many of the `gone` oldest may still go.
 */
function reached(kept: readonly SegmentSummary[], gone: number): number {
  let left = gone;
  for (let at = kept.length - 1; at >= left; at--) {
    while (left > 0 && kept[left]!.base > kept[at]!.reaches) left--;
  }
  return left;
}
