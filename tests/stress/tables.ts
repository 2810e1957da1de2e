/**
 * What came of a stress run, for people.
 *
 * @module
 */

import type { KillOutcome } from "./kill.ts";
import { RSS_BYTES_MAX, type VolumeOutcome } from "./volume.ts";
import { RECORD_BYTES } from "./volume_records.ts";

type Row = readonly [name: string, value: string];

export function killTable({ kills, startKills, promises, topics, seconds }: KillOutcome): string {
  return table([
    ["kills", `${kills}, of these ${startKills} while the broker was starting`],
    ...promises.map(({ publisher, records, runs, untold }): Row => {
      const told = runs.reduce((sum, [, , count]) => sum + count, 0);
      const positions = told + untold === 0 ? "" : `, ${told} positions promised, ${untold} not told`;
      return [`publisher ${publisher}`, `${records} records submitted and acknowledged${positions}`];
    }),
    ...topics.map(({ topic, earliest, tail }): Row => [
      `topic ${topic}`,
      `${tail} records, kept from position ${earliest} on`,
    ]),
    ["time", `${seconds.toFixed(1)} s`],
  ]);
}

export function volumeTable(outcome: VolumeOutcome, store: "memory" | "file"): string {
  const { records, acknowledged, delivered, publishSeconds, readSeconds, status } = outcome;
  const [topic] = status.topics;
  const { ingest, staging } = status;
  const percent = (part: number): string => `${(100 * part / records).toFixed(part === records ? 0 : 3)} %`;
  const rate = (seconds: number): string => {
    const perSecond = records / seconds;
    return `${seconds.toFixed(1)} s, ${Math.round(perSecond)} records/s, ${
      megabytes(perSecond * RECORD_BYTES)
    }/s`;
  };
  const bound = store === "file" ? `, ${megabytes(RSS_BYTES_MAX)} allowed` : "";
  return table([
    ["records", `${records} of ${RECORD_BYTES} bytes, ${megabytes(records * RECORD_BYTES)}`],
    ["acknowledged", `${acknowledged}, ${percent(acknowledged)}; ${rate(publishSeconds)}`],
    ["delivered and right", `${delivered}, ${percent(delivered)}; ${rate(readSeconds)}`],
    ["ring full", String(topic?.ring.full)],
    ["ring's high water", `${topic?.ring.highWater} of ${topic?.ring.size} slots`],
    ["batches", `${ingest.batches}, ${ingest.drops} dropped, ${ingest.lost} lost`],
    ["refused", refusals(ingest.refusals)],
    ["pauses", `${ingest.pauses} of connections, ${staging.exhausted} for want of a staging buffer`],
    [
      "store",
      `${store}, ${megabytes(outcome.storeBytesMax)} at its highest, ${topic?.store.segments} segments now`,
    ],
    ["first position kept", String(topic?.earliest)],
    ["broker's memory", `${megabytes(outcome.rssBytesMax)} at its highest${bound}`],
  ]);
}

function refusals(counts: Readonly<Record<string, number>>): string {
  const some = Object.entries(counts).filter(([, count]) => count > 0);
  return some.length === 0 ? "0" : some.map(([reason, count]) => `${count} ${reason}`).join(", ");
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 1e9 ? 1 : 0)} MB`;
}

function table(rows: readonly Row[]): string {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join("\n");
}
