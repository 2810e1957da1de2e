/**
 * A broker's status as tables.
 *
 * @module
 */

import type { BrokerStatus, TopicStatus } from "../src/log/broker/status.ts";
import { formatSize } from "../src/log/configuration/units.ts";
import { formatTable } from "./table.ts";
import { countOf } from "./terminal.ts";

/**
 * For people. Batches and bytes per second are those since `before` was told, which the same broker did; without it those since the
 * broker was started.
 */
export function statusText(status: BrokerStatus, before?: BrokerStatus): string {
  const parts = [
    brokerLines(status),
    topicTable(status.topics),
    sequencerTable(status, before),
    storeTable(status.topics),
    consumerTable(status.topics),
  ];
  return parts.filter((part) => part !== "").join("\n");
}

/** Percent of one class of the histogram. */
const CLASS_PERCENT = 10;

function brokerLines({ brokerId, uptimeMs, connections, staging, ingest }: BrokerStatus): string {
  const list = (counts: readonly (readonly [string, number])[]): string =>
    counts.filter(([, count]) => count > 0).map(([name, count]) => `${name} ${count}`).join(", ") || "none";
  const used = staging.histogram.map((count, index) => [`${index * CLASS_PERCENT} %:`, count] as const);
  const rows = [
    ["broker", `${brokerId}, up ${uptimeText(uptimeMs)}, ${countOf(connections, "connection")}`],
    [
      "staging",
      `${staging.inUse} of ${staging.buffers} buffers of ${formatSize(staging.bufferBytes)} in use ` +
      `(${staging.utilisationPercent} %), ${staging.exhausted} times exhausted, ${staging.pauses} pauses, ` +
      `${staging.resumes} resumes, ${staging.waiting} waiting`,
    ],
    ["utilised", `${list(used)}`],
    [
      "ingest",
      `${ingest.batches} batches, ${ingest.stored} stored (${ingest.storedBytes} bytes), ${ingest.lost} lost, ` +
      `${ingest.drops} drops`,
    ],
    [
      "input",
      `${ingest.partialHeaders} partial headers, ${ingest.partialPayloads} partial payloads, ${ingest.slotWaits} slot waits, ` +
      `${ingest.slotRetries} slot retries, ${ingest.pauses} pauses, ${ingest.resumes} resumes, ` +
      `${ingest.payloadTimeouts} time-outs`,
    ],
    ["refused", list(Object.entries(ingest.refusals))],
  ];
  return rows.map(([name = "", text = ""]) => `${name.padEnd(8)} ${text}\n`).join("");
}

/** `3d 4h 5m 6s` */
function uptimeText(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  const parts: readonly (readonly [number, string])[] = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3_600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "m"],
    [seconds % 60, "s"],
  ];
  const first = parts.findIndex(([value]) => value > 0);
  return parts.slice(first).map(([value, unit]) => `${value}${unit}`).join(" ");
}

function topicTable(topics: readonly TopicStatus[]): string {
  if (topics.length === 0) return "no topics\n";
  return formatTable(
    ["topic", "order", "ack", "state", "earliest", "tail", "sessions", "pubs", "subs"],
    topics.map(({ name, options, state, earliest, tail, sequencer, publishers, subscriptions }) => [
      name,
      options.order,
      options.ack,
      state,
      BigInt(earliest),
      BigInt(tail),
      sequencer.sessions,
      publishers,
      subscriptions,
    ]),
  );
}

function sequencerTable({ uptimeMs, topics }: BrokerStatus, before: BrokerStatus | undefined): string {
  if (topics.length === 0) return "";
  const seconds = (uptimeMs - (before?.uptimeMs ?? 0)) / 1_000;
  const rate = (now: number, then: number = 0): number =>
    seconds <= 0 ? 0 : Math.round((now - then) / seconds);
  return formatTable(
    [
      "sequencer of",
      "batches",
      "bytes",
      "batches/s",
      "bytes/s",
      "held now",
      "held",
      "dups",
      "fences",
      "discarded",
      "acks",
    ],
    topics.map(({ name, sequencer, acks }) => {
      const then = before?.topics.find((topic) => topic.name === name)?.sequencer;
      return [
        name,
        sequencer.assigned,
        sequencer.assignedBytes,
        rate(sequencer.assigned, then?.assigned),
        rate(sequencer.assignedBytes, then?.assignedBytes),
        sequencer.heldNow,
        sequencer.held,
        sequencer.duplicates,
        sequencer.fences,
        sequencer.discarded,
        acks,
      ];
    }),
  );
}

function storeTable(topics: readonly TopicStatus[]): string {
  if (topics.length === 0) return "";
  return formatTable(
    ["store of", "survives", "segments", "bytes", "unwritten", "unsynced", "ring", "ring most", "ring full"],
    topics.map(({ name, durability, store, ring }) => [
      name,
      durability,
      store.segments,
      store.bytes,
      store.tail - store.written,
      store.written - store.synced,
      `${ring.inFlight}/${ring.size}`,
      ring.highWater,
      ring.full,
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
