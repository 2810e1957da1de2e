/**
 * A broker's status as Prometheus reads it: text, one line per value. Names and meanings are a contract: docs/METRICS.md.
 *
 * @module
 */

import type { BrokerStatus, TopicStatus } from "../src/log/broker/status.ts";
import { type Labels, type Metric, ofBroker, ofConsumers, ofTopics, type Sample } from "./metric.ts";

const STATES: readonly TopicStatus["state"][] = ["open", "full", "stopped"];
/** Percent of one class of the utilisation histogram. */
const CLASS_PERCENT = 10;

const BROKER_METRICS: readonly Metric[] = [
  {
    name: "hawser_broker_info",
    type: "gauge",
    help: "Always 1: which broker all of this is of.",
    labels: ["broker"],
    read: ({ brokerId }) => [[{ broker: String(brokerId) }, 1]],
  },
  ofBroker("gauge", "uptime_seconds", "Since the broker was started.", ({ uptimeMs }) => uptimeMs / 1_000),
  ofBroker("gauge", "connections", "Links of publishers and readers.", ({ connections }) => connections),
  ofBroker("gauge", "staging_buffers", "Buffers that receive batches.", ({ staging }) => staging.buffers),
  ofBroker("gauge", "staging_buffer_bytes", "Bytes of one of them.", ({ staging }) => staging.bufferBytes),
  ofBroker(
    "gauge",
    "staging_buffers_in_use",
    "Buffers with a batch in them.",
    ({ staging }) => staging.inUse,
  ),
  ofBroker("gauge", "staging_waiting", "Connections that wait for one.", ({ staging }) => staging.waiting),
  {
    name: "hawser_staging_allocations_total",
    type: "counter",
    help:
      "Buffers that were asked for, by the utilisation at that time: from so many percent on, 100: all in use.",
    labels: ["utilisation_percent"],
    read: ({ staging: { histogram } }) =>
      histogram.map((count, index) => [{ utilisation_percent: String(index * CLASS_PERCENT) }, count]),
  },
  ofBroker(
    "counter",
    "staging_exhausted_total",
    "Times that no buffer was free.",
    ({ staging }) => staging.exhausted,
  ),
  ofBroker(
    "counter",
    "staging_pauses_total",
    "Connections that had to wait for a buffer.",
    ({ staging }) => staging.pauses,
  ),
  ofBroker(
    "counter",
    "staging_resumes_total",
    "Connections that went on after such a wait.",
    ({ staging }) => staging.resumes,
  ),
  ofBroker(
    "counter",
    "staging_pauses_ended_total",
    "Connections that ended during such a wait.",
    ({ staging }) => staging.pausesEnded,
  ),
  ofBroker("counter", "ingest_batches_total", "Batches that arrived.", ({ ingest }) => ingest.batches),
  ofBroker(
    "counter",
    "ingest_admitted_batches_total",
    "Batches that the sequencer let in: stored, refused afterwards, lost, or under way.",
    ({ ingest }) => ingest.admitted,
  ),
  ofBroker(
    "counter",
    "ingest_refused_admitted_batches_total",
    "Batches of them that were refused afterwards.",
    ({ ingest }) => ingest.refusedAdmitted,
  ),
  ofBroker(
    "gauge",
    "ingest_arriving_batches",
    "Batches of them that are not whole yet.",
    ({ ingest }) => ingest.arriving,
  ),
  ofBroker(
    "gauge",
    "ingest_waiting_batches",
    "Batches of them that wait for a place in the ring.",
    ({ ingest }) => ingest.waitingForSlot,
  ),
  ofBroker(
    "counter",
    "ingest_stored_batches_total",
    "Batches that were stored.",
    ({ ingest }) => ingest.stored,
  ),
  ofBroker("counter", "ingest_stored_bytes_total", "Bytes of them.", ({ ingest }) => ingest.storedBytes),
  ofBroker(
    "counter",
    "ingest_slot_waits_total",
    "Batches that found the ring full.",
    ({ ingest }) => ingest.slotWaits,
  ),
  ofBroker(
    "counter",
    "ingest_slot_retries_total",
    "Times that they tried again.",
    ({ ingest }) => ingest.slotRetries,
  ),
  ofBroker(
    "counter",
    "ingest_partial_headers_total",
    "Headers that arrived in pieces.",
    ({ ingest }) => ingest.partialHeaders,
  ),
  ofBroker(
    "counter",
    "ingest_partial_payloads_total",
    "Payloads that arrived in pieces.",
    ({ ingest }) => ingest.partialPayloads,
  ),
  ofBroker(
    "counter",
    "ingest_pauses_total",
    "Times that a connection's input was stopped.",
    ({ ingest }) => ingest.pauses,
  ),
  ofBroker("counter", "ingest_resumes_total", "Times that it went on.", ({ ingest }) => ingest.resumes),
  ofBroker(
    "counter",
    "ingest_pauses_ended_total",
    "Times that it ended with its connection.",
    ({ ingest }) => ingest.pausesEnded,
  ),
  ofBroker(
    "counter",
    "ingest_discarded_bytes_total",
    "Bytes of batches that were refused before they were received.",
    ({ ingest }) => ingest.discardedBytes,
  ),
  ofBroker(
    "counter",
    "ingest_payload_timeouts_total",
    "Connections that were ended because a batch made no progress.",
    ({ ingest }) => ingest.payloadTimeouts,
  ),
  ofBroker(
    "counter",
    "ingest_lost_batches_total",
    "Batches whose connection ended half-way; their publishers send them again.",
    ({ ingest }) => ingest.lost,
  ),
  ofBroker(
    "counter",
    "ingest_drops_total",
    "Batches that were accepted and then dropped. Always 0.",
    ({ ingest }) => ingest.drops,
  ),
  {
    name: "hawser_ingest_refused_batches_total",
    type: "counter",
    help: "Batches that were not taken, by reason. Duplicates are resends of what was taken before.",
    labels: ["reason"],
    read: ({ ingest }) => Object.entries(ingest.refusals).map(([reason, count]) => [{ reason }, count]),
  },
];

const TOPIC_METRICS: readonly Metric[] = [
  {
    name: "hawser_topic_state",
    type: "gauge",
    help: "1 for the state that the topic is in.",
    labels: ["topic", "state"],
    read: ({ topics }) =>
      topics.flatMap((topic) =>
        STATES.map((state): Sample => [{ topic: topic.name, state }, topic.state === state ? 1 : 0])
      ),
  },
  ofTopics(
    "gauge",
    "generation",
    "In files it rises with every start after a crash; in memory it is any number.",
    (topic) => topic.generation,
  ),
  ofTopics(
    "gauge",
    "earliest_position",
    "The first position that is kept.",
    (topic) => Number(topic.earliest),
  ),
  ofTopics("gauge", "tail_position", "The next position to be visible.", (topic) => Number(topic.tail)),
  ofTopics("gauge", "segments", "Segments that are kept.", ({ store }) => store.segments),
  ofTopics("gauge", "store_bytes", "Bytes of them.", ({ store }) => store.bytes),
  ofTopics(
    "counter",
    "appended_bytes_total",
    "Bytes that were appended to the store, ever.",
    ({ store }) => store.tail,
  ),
  ofTopics(
    "gauge",
    "unwritten_bytes",
    "Bytes that are appended and not written.",
    ({ store }) => store.tail - store.written,
  ),
  ofTopics(
    "gauge",
    "unsynced_bytes",
    "Bytes that are written and not synced.",
    ({ store }) => store.written - store.synced,
  ),
  ofTopics("gauge", "ring_slots", "Places of the ring.", ({ ring }) => ring.size),
  ofTopics("gauge", "ring_slots_in_use", "Places that are taken.", ({ ring }) => ring.inFlight),
  ofTopics("gauge", "ring_slots_high_water", "The most that were ever taken.", ({ ring }) => ring.highWater),
  ofTopics("gauge", "ring_waiting", "Connections that wait for a place.", ({ ring }) => ring.waiting),
  ofTopics("counter", "ring_full_total", "Times that the ring was full.", ({ ring }) => ring.full),
  ofTopics(
    "counter",
    "ring_stale_total",
    "Batches that came to a place which had been given up.",
    ({ ring }) => ring.stalePublishes,
  ),
  ofTopics("counter", "ring_retired_total", "Places that were given up.", ({ ring }) => ring.retired),
  ofTopics(
    "counter",
    "sequenced_batches_total",
    "Batches that reached the sequencer.",
    ({ sequencer }) => sequencer.accepted,
  ),
  ofTopics(
    "counter",
    "ordered_records_total",
    "Records that got a position.",
    ({ sequencer }) => sequencer.assignedRecords,
  ),
  ofTopics("counter", "ordered_batches_total", "Batches of them.", ({ sequencer }) => sequencer.assigned),
  ofTopics("counter", "ordered_bytes_total", "Bytes of them.", ({ sequencer }) => sequencer.assignedBytes),
  ofTopics("counter", "rounds_total", "Sequencing rounds that were committed.", ({ rounds }) => rounds.count),
  ofTopics("counter", "committed_batches_total", "Batches in them.", ({ rounds }) => rounds.batches),
  ofTopics("counter", "committed_bytes_total", "Bytes of these batches.", ({ rounds }) => rounds.bytes),
  ofTopics(
    "counter",
    "held_batches_total",
    "Batches that had to wait for an earlier one.",
    ({ sequencer }) => sequencer.held,
  ),
  ofTopics(
    "gauge",
    "held_batches",
    "Batches that wait for an earlier one now.",
    ({ sequencer }) => sequencer.heldNow,
  ),
  ofTopics("gauge", "held_bytes", "Bytes of them.", ({ sequencer }) => sequencer.heldNowBytes),
  ofTopics(
    "counter",
    "duplicates_total",
    "Copies of batches that were not taken twice.",
    ({ sequencer }) => sequencer.duplicates,
  ),
  ofTopics(
    "counter",
    "fences_total",
    "Sessions that were fenced because of a gap.",
    ({ sequencer }) => sequencer.fences,
  ),
  ofTopics(
    "counter",
    "discarded_batches_total",
    "Held batches that a fence, a takeover or a close gave up; their publishers know.",
    ({ sequencer }) => sequencer.discarded,
  ),
  ofTopics(
    "counter",
    "beyond_window_total",
    "Batches that were sent without a grant.",
    ({ sequencer }) => sequencer.beyondWindow,
  ),
  ofTopics(
    "counter",
    "stale_epoch_total",
    "Batches of epochs that are over.",
    ({ sequencer }) => sequencer.stale,
  ),
  ofTopics(
    "counter",
    "unknown_session_total",
    "Batches of sessions that are not known.",
    ({ sequencer }) => sequencer.unknown,
  ),
  ofTopics(
    "counter",
    "fenced_arrivals_total",
    "Batches that came behind a fence.",
    ({ sequencer }) => sequencer.fencedArrivals,
  ),
  ofTopics(
    "counter",
    "expired_sessions_total",
    "Sessions that were forgotten after silence.",
    ({ sequencer }) => sequencer.expired,
  ),
  ofTopics("gauge", "sessions", "Sessions that are remembered.", ({ sequencer }) => sequencer.sessions),
  ofTopics("gauge", "sessions_attached", "Sessions with a link.", ({ sequencer }) => sequencer.attached),
  ofTopics(
    "gauge",
    "sessions_waiting",
    "Publishers that wait for a grant to begin.",
    ({ sequencer }) => sequencer.waiting,
  ),
  ofTopics(
    "gauge",
    "granted_batches",
    "Batches that publishers may have under way.",
    ({ sequencer }) => sequencer.grantedBatches,
  ),
  ofTopics("gauge", "granted_bytes", "Bytes of them.", ({ sequencer }) => sequencer.grantedBytes),
  ofTopics("counter", "acks_total", "Acknowledgements that publishers were sent.", ({ acks }) => acks),
  ofTopics("gauge", "publishers", "Publishers that are connected.", ({ publishers }) => publishers),
  ofTopics("gauge", "subscriptions", "Readers that are connected.", ({ subscriptions }) => subscriptions),
];

/** All of them, in the order in which they are told. */
export const METRICS: readonly Metric[] = [
  ...BROKER_METRICS,
  ...TOPIC_METRICS,
  ofConsumers(
    "position",
    "The next position to read, once one was committed.",
    ({ position }) => position === null ? undefined : Number(position),
  ),
  ofConsumers("lag_records", "Records that it has not committed.", ({ lag }) => Number(lag)),
  ofConsumers("epoch", "Rises with every newcomer of the name.", ({ epoch }) => epoch),
];

/** The content type of what {@link formatMetrics} answers. */
export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** The text format that Prometheus scrapes. */
export function formatMetrics(status: BrokerStatus): string {
  return METRICS.map((metric) => {
    const { name, type, help } = metric;
    const samples = metric.read(status).map(([labels, value]) => `${name}${formatLabels(labels)} ${value}\n`);
    return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${samples.join("")}`;
  }).join("");
}

function formatLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

/** The table of docs/METRICS.md. */
export function metricsTable(): string {
  const rows = METRICS.map(({ name, type, labels, help }) =>
    `| \`${name}\` | ${type} | ${labels.join(", ")} | ${help} |\n`
  );
  return `| name | type | labels | meaning |\n| --- | --- | --- | --- |\n${rows.join("")}`;
}
