/**
 * A broker's status as tables.
 *
 * @module
 */

import type { BrokerStatus, TopicStatus } from "../src/log/broker/status.ts";
import { formatDuration, formatSize } from "../src/log/configuration/units.ts";
import { formatTable } from "./table.ts";

/** For people. */
export function statusText(status: BrokerStatus): string {
  const parts = [
    brokerLines(status),
    topicTable(status.topics),
    storeTable(status.topics),
    consumerTable(status.topics),
  ];
  return parts.filter((part) => part !== "").join("\n");
}

function brokerLines({ brokerId, uptimeMs, connections, staging, ingest }: BrokerStatus): string {
  const seconds = Math.floor(uptimeMs / 1_000) * 1_000;
  const refused = Object.entries(ingest.refusals).filter(([, count]) => count > 0)
    .map(([reason, count]) => `${reason} ${count}`).join(", ");
  const rows = [
    ["broker", `${brokerId}, up ${formatDuration(seconds)}, ${connections} connections`],
    [
      "staging",
      `${staging.inUse} of ${staging.buffers} buffers of ${formatSize(staging.bufferBytes)} in use, ` +
      `${staging.exhausted} times exhausted, ${staging.pauses} pauses, ${staging.resumes} resumes`,
    ],
    [
      "ingest",
      `${ingest.batches} batches, ${ingest.stored} stored (${ingest.storedBytes} bytes), ${ingest.slotRetries} slot retries, ` +
      `${ingest.partialHeaders} partial headers, ${ingest.partialPayloads} partial payloads, ${ingest.drops} drops`,
    ],
    ["refused", refused === "" ? "none" : refused],
  ];
  return rows.map(([name = "", text = ""]) => `${name.padEnd(8)} ${text}\n`).join("");
}

function topicTable(topics: readonly TopicStatus[]): string {
  if (topics.length === 0) return "no topics\n";
  const head = [
    "topic",
    "order",
    "ack",
    "state",
    "earliest",
    "tail",
    "batches",
    "bytes",
    "held",
    "fences",
    "dups",
    "pubs",
    "subs",
  ];
  return formatTable(
    head,
    topics.map(({ name, options, state, earliest, tail, sequencer, publishers, subscriptions }) => [
      name,
      options.order,
      options.ack,
      state,
      BigInt(earliest),
      BigInt(tail),
      sequencer.assigned,
      sequencer.assignedBytes,
      sequencer.heldNow,
      sequencer.fences,
      sequencer.duplicates,
      publishers,
      subscriptions,
    ]),
  );
}

function storeTable(topics: readonly TopicStatus[]): string {
  if (topics.length === 0) return "";
  const head = [
    "store of",
    "survives",
    "segments",
    "bytes",
    "unwritten",
    "unsynced",
    "ring",
    "ring full",
    "sessions",
  ];
  return formatTable(
    head,
    topics.map(({ name, durability, store, ring, sequencer }) => [
      name,
      durability,
      store.segments,
      store.bytes,
      store.tail - store.written,
      store.written - store.synced,
      `${ring.inFlight}/${ring.size}`,
      ring.full,
      sequencer.sessions,
    ]),
  );
}

function consumerTable(topics: readonly TopicStatus[]): string {
  const rows = topics.flatMap((topic) =>
    topic.consumers.map(({ name, position, lag, epoch }) => [
      topic.name,
      name,
      position === null ? "none" : BigInt(position),
      BigInt(lag),
      epoch,
    ])
  );
  return rows.length === 0 ? "" : formatTable(["topic", "consumer", "committed", "lag", "epoch"], rows);
}
