/**
 * What a broker tells about itself: everything that the design's list of metrics names, as plain JSON. Positions are
 * decimal text, since they have 64 bits.
 *
 * @module
 */

import type { IngestRefusal } from "../ingest/states.ts";
import type { SequencerCounters } from "../order/sequencer.ts";
import type { TopicOptions } from "../topic_options.ts";
import type { Broker } from "./broker.ts";
import type { Topic } from "./topic.ts";

/** One named consumer. */
export interface ConsumerStatus {
  readonly name: string;
  readonly epoch: number;
  /** The next position to read; `null`: nothing was committed yet. */
  readonly position: string | null;
  /** Records that it has not committed. */
  readonly lag: string;
}

/** One topic. */
export interface TopicStatus {
  readonly name: string;
  readonly options: TopicOptions;
  readonly durability: string;
  readonly state: "open" | "full" | "stopped";
  readonly generation: number;
  readonly earliest: string;
  readonly tail: string;
  readonly store: {
    readonly segments: number;
    readonly bytes: number;
    readonly tail: number;
    readonly written: number;
    readonly synced: number;
  };
  readonly ring: {
    readonly size: number;
    readonly inFlight: number;
    readonly highWater: number;
    readonly full: number;
    readonly stalePublishes: number;
    readonly retired: number;
    readonly waiting: number;
  };
  readonly sequencer: SequencerCounters;
  /** Committed rounds, and the batches and bytes in them. */
  readonly rounds: { readonly count: number; readonly batches: number; readonly bytes: number };
  /** Acknowledgements that publishers' links took. */
  readonly acks: number;
  readonly publishers: number;
  readonly subscriptions: number;
  readonly consumers: readonly ConsumerStatus[];
}

/** A broker. */
export interface BrokerStatus {
  readonly brokerId: number;
  readonly uptimeMs: number;
  readonly connections: number;
  readonly staging: {
    readonly buffers: number;
    readonly bufferBytes: number;
    readonly inUse: number;
    /** Connections that wait for a buffer. */
    readonly waiting: number;
    readonly utilisationPercent: number;
    /** Allocations by utilisation: below 10 %, … below 100 %, 100 %. */
    readonly histogram: readonly number[];
    readonly exhausted: number;
    readonly pauses: number;
    readonly resumes: number;
    /** Pauses that a connection's end ended. */
    readonly pausesEnded: number;
  };
  readonly ingest: {
    readonly batches: number;
    /** Batches that were admitted: stored, refused afterwards, lost with their connection, or under way. */
    readonly admitted: number;
    readonly refusedAdmitted: number;
    /** Admitted batches that are not whole, and whole ones that wait for a slot. */
    readonly arriving: number;
    readonly waitingForSlot: number;
    readonly stored: number;
    readonly storedBytes: number;
    readonly slotWaits: number;
    readonly slotRetries: number;
    readonly partialHeaders: number;
    readonly partialPayloads: number;
    readonly pauses: number;
    readonly resumes: number;
    /** Pauses that a connection's end ended. */
    readonly pausesEnded: number;
    readonly discardedBytes: number;
    readonly payloadTimeouts: number;
    readonly lost: number;
    readonly drops: number;
    readonly refusals: Readonly<Record<IngestRefusal, number>>;
  };
  readonly topics: readonly TopicStatus[];
}

/** What a broker is doing. */
export function reportStatus(broker: Broker): BrokerStatus {
  const { pool, counters } = broker;
  const { buffers, bufferBytes, inUse, utilisationPercent, histogram, exhausted, pauses, resumes } = pool;
  return {
    brokerId: broker.brokerId,
    uptimeMs: broker.uptimeMs,
    connections: broker.connections.size,
    staging: {
      buffers,
      bufferBytes,
      inUse,
      waiting: pool.waiting,
      utilisationPercent,
      histogram: [...histogram],
      exhausted,
      pauses,
      resumes,
      pausesEnded: pool.forgotten,
    },
    ingest: {
      batches: counters.batches,
      admitted: counters.admitted,
      refusedAdmitted: counters.refusedAdmitted,
      arriving: counters.arriving,
      waitingForSlot: counters.waitingForSlot,
      stored: counters.stored,
      storedBytes: counters.storedBytes,
      slotWaits: counters.slotWaits,
      slotRetries: counters.slotRetries,
      partialHeaders: counters.partialHeaders,
      partialPayloads: counters.partialPayloads,
      pauses: counters.pauses,
      resumes: counters.resumes,
      pausesEnded: counters.pausesEnded,
      discardedBytes: counters.discardedBytes,
      payloadTimeouts: counters.payloadTimeouts,
      lost: counters.lost,
      drops: counters.drops,
      refusals: { ...counters.refusals },
    },
    topics: broker.topics.all.map(reportTopic),
  };
}

function reportTopic(topic: Topic): TopicStatus {
  const { name, options, store, generation, earliest, visibleTail, ingest, sequencer, sessions, readers } =
    topic;
  const { ring } = ingest;
  return {
    name,
    options,
    durability: store.durability,
    state: ingest.condition,
    generation,
    earliest: String(earliest),
    tail: String(visibleTail),
    store: {
      segments: store.segments.length,
      bytes: store.segments.reduce((sum, { bytes }) => sum + bytes, 0),
      tail: store.tail,
      written: store.written,
      synced: store.synced,
    },
    ring: {
      size: ring.size,
      inFlight: ring.inFlight,
      highWater: ring.highWater,
      full: ring.fullCount,
      stalePublishes: ring.stalePublishes,
      retired: ring.retired,
      waiting: ring.waiting,
    },
    sequencer: sequencer.counters,
    rounds: { ...topic.rounds },
    acks: sessions.acks,
    publishers: sessions.attached,
    subscriptions: readers.feeds,
    consumers: topic.state.consumers.list().map(({ name, epoch, position }) => ({
      name,
      epoch,
      position: position === undefined ? null : String(position),
      lag: String(visibleTail - (position ?? earliest)),
    })),
  };
}
