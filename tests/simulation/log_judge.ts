/**
 * Judges what a simulated log gave back, against what was submitted to it and what its publishers were told: never against
 * the log itself.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { equalBytes } from "../../src/bytes/bytes.ts";
import type { Order } from "../../src/log/topic_options.ts";
import type { Submission } from "./log_client.ts";
import type { ReadRecord, SimulatedReader } from "./log_reader.ts";
import { labelOf, type Stream } from "./log_stream.ts";

/** What may be expected of a log. */
export interface JudgedLog {
  readonly order: Order;
  readonly streams: readonly Stream[];
  /** Everything from position 0 to the end, as a reader got it that came last. */
  readonly records: readonly ReadRecord[];
  /** The machine died: what was acknowledged below ack 2 may be gone, if its publisher was told. */
  readonly lossy?: boolean;
  /** Records may have been refused; then they are not there. */
  readonly refusals?: boolean;
}

/** Throws where the log breaks a promise. */
export function judge(log: JudgedLog): void {
  const found = takeRecords(log);
  for (const stream of log.streams) judgeStream(log, stream, found.get(stream) ?? new Map());
}

/** Positions, bytes, order and copies. Answers where each record of each stream stands. */
function takeRecords({ order, streams, records }: JudgedLog): Map<Stream, Map<number, bigint>> {
  const byLabel = new Map(streams.map((stream) => [stream.label, stream]));
  const found = new Map(streams.map((stream) => [stream, new Map<number, bigint>()]));
  const last = new Map<Stream, number>();
  let next = 0n;
  let timestampMs = 0;
  for (const record of records) {
    assertEquals(record.position, next, "positions have no hole and no copy");
    next++;
    assert(record.timestampMs >= timestampMs, "time falls as positions rise");
    timestampMs = record.timestampMs;
    const { label, index } = labelOf(record.value);
    const stream = byLabel.get(label);
    assert(stream !== undefined, `a record of nobody at position ${record.position}: ${label}`);
    const value = stream.values[index];
    assert(
      value !== undefined && stream.submitted.has(index),
      `record ${label}:${index} was never submitted`,
    );
    assert(equalBytes(value, record.value), `record ${label}:${index} has other bytes than were submitted`);
    const places = found.get(stream)!;
    const before = places.get(index);
    assert(before === undefined, `record ${label}:${index} stands at ${before} and at ${record.position}`);
    places.set(index, record.position);
    if (order >= 4) {
      const previous = last.get(stream) ?? -1;
      assert(
        index > previous,
        `record ${label}:${index} at ${record.position} stands behind ${label}:${previous}`,
      );
      last.set(stream, index);
    }
  }
  return found;
}

function judgeStream(log: JudgedLog, stream: Stream, places: ReadonlyMap<number, bigint>): void {
  const { label } = stream;
  for (const publisher of stream.programs) {
    assertEquals(publisher.complaints, [], `publisher ${label}`);
    // Of a program that died nobody knows what it was told.
    for (const submission of publisher.submitted) judgeSubmission(log, stream, submission, places);
    if (log.lossy !== true) continue;
    const lost = publisher.batches.filter((batch) => batch.some((one) => isLost(one, stream, places))).length;
    const told = publisher.lost();
    // Where batches overtake each other, a broker does not name all of those that are left behind one that is gone.
    if (log.order >= 4) assertEquals(told, lost, `publisher ${label} was told of so many lost batches`);
    else assert(told >= lost, `publisher ${label} was told of ${told} lost batches, of ${lost}`);
  }
}

function judgeSubmission(
  { order, lossy = false, refusals = false }: JudgedLog,
  stream: Stream,
  submission: Submission,
  places: ReadonlyMap<number, bigint>,
): void {
  const index = stream.indexOf(submission);
  const name = `record ${stream.label}:${index}`;
  const place = places.get(index);
  if (submission.outcome === "refused") {
    assert(refusals, `${name} was refused: ${submission.error?.message}`);
    const unsure = submission.error?.code === "ERR_LOG_SESSION_UNKNOWN" || stream.programs.length > 1;
    assert(place === undefined || unsure, `${name} was refused and is in the log, at ${place}`);
  }
  if (submission.outcome !== "acknowledged") return;
  if (place === undefined) {
    const mayBeLost = lossy && stream.level < 2;
    assert(mayBeLost, `${name} was acknowledged and is not in the log`);
    return;
  }
  const { position } = submission;
  // After a loss it may have been submitted again: by another program, or because it was acknowledged out of turn.
  if (position === undefined || (lossy && (order < 4 || stream.programs.length > 1))) return;
  assertEquals(place, position, `${name} was acknowledged at ${position} and stands at ${place}`);
}

function isLost(submission: Submission, stream: Stream, places: ReadonlyMap<number, bigint>): boolean {
  return submission.outcome === "acknowledged" && !places.has(stream.indexOf(submission));
}

/** What a reader got stands in the log as it got it. `below`: positions from there on were cut off since. */
export function judgeReader(reader: SimulatedReader, records: readonly ReadRecord[], below?: bigint): void {
  assertEquals(reader.complaints, []);
  let next = reader.records[0]?.position;
  for (const { position, value } of reader.records) {
    assertEquals(position, next, "a reader was given positions with a hole or twice");
    next = position + 1n;
    if (below !== undefined && position >= below) continue;
    const there = records[Number(position)];
    assert(there !== undefined, `a reader saw position ${position}, which is not there any more`);
    assert(equalBytes(there.value, value), `a reader saw something else at position ${position}`);
  }
}
