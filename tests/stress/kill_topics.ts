/**
 * The topics of a kill run, and who publishes to them.
 *
 * @module
 */

import type { PublisherPlan } from "./messages.ts";

/** The topic of ack 1, and the topic of ack 2. */
export const WRITTEN = "written";
export const SYNCED = "synced";

const KIB = 1_024;

/** Publishers by the process that they share. Windows are small, so that the broker always has some of each in its hands. */
export const PUBLISHERS: readonly (readonly PublisherPlan[])[] = [
  [
    { id: 0, topic: WRITTEN, by: "try", windowBytes: 512 * KIB, batchBytes: 16 * KIB },
    { id: 1, topic: SYNCED, by: "publish", windowBytes: 256 * KIB, batchBytes: 8 * KIB },
  ],
  [
    {
      id: 2,
      topic: WRITTEN,
      name: "named",
      by: "publish",
      windowBytes: 256 * KIB,
      batchBytes: 4 * KIB,
    },
    { id: 3, topic: SYNCED, name: "named", by: "try", windowBytes: 512 * KIB, batchBytes: 32 * KIB },
  ],
];

/** The numbers of the publishers of a topic. */
export function publishersOf(topic: string): number[] {
  return PUBLISHERS.flat().filter((plan) => plan.topic === topic).map(({ id }) => id);
}
