/**
 * The topics of a kill run, who publishes to them and who reads them.
 *
 * @module
 */

import type { TopicInput } from "../../log.ts";
import type { PublisherPlan } from "./messages.ts";

const KIB = 1_024;

/** Read by a subscription. */
export const WRITTEN = "written";
/** What waits for the disk. */
export const SYNCED = "synced";
/** What goes when its consumer has committed it. */
export const RECYCLED = "recycled";

/** Named readers, which commit. */
export const CONSUMER = "auditor";

/** A gap of a session is never its publisher's fault here, however long a broker is away. */
const leaseMs = 3_600_000;

/** Small segments: every run has many, and snapshots in all of them. */
export const TOPICS: Readonly<Record<string, TopicInput>> = {
  [WRITTEN]: { order: 5, ack: 1, segmentBytes: 1_024 * KIB, leaseMs },
  [SYNCED]: { order: 5, ack: 2, segmentBytes: 256 * KIB, leaseMs },
  [RECYCLED]: {
    order: 4,
    ack: 1,
    segmentBytes: 128 * KIB,
    retention: { bytesMax: 256 * KIB, keepFor: [CONSUMER] },
    leaseMs,
  },
};

const tryPublish = { by: "try", windowBytes: 512 * KIB } as const;
const publish = { by: "publish", windowBytes: 256 * KIB } as const;

/** Publishers by the process that they share. Windows are small, so that the broker always has some of each in its hands. */
export const PUBLISHERS: readonly (readonly PublisherPlan[])[] = [
  [
    { id: 0, topic: WRITTEN, ...tryPublish, batchBytes: 16 * KIB },
    { id: 1, topic: SYNCED, ...publish, batchBytes: 8 * KIB },
    { id: 2, topic: RECYCLED, ...publish, batchBytes: 2 * KIB },
  ],
  [
    { id: 3, topic: WRITTEN, name: "named", ...publish, batchBytes: 4 * KIB },
    { id: 4, topic: SYNCED, name: "named", ...tryPublish, batchBytes: 32 * KIB },
    { id: 5, topic: RECYCLED, name: "named", ...tryPublish, batchBytes: 16 * KIB },
  ],
];

/** The numbers of the publishers of a topic. */
export function publishersOf(topic: string): number[] {
  return PUBLISHERS.flat().filter((plan) => plan.topic === topic).map(({ id }) => id);
}
