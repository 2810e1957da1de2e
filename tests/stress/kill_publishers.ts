/**
 * Publishers of one connection, which go on whatever happens to their broker.
 *
 * @module
 */

import { connectLog, type LogEvent, type LogPublisher } from "../../log.ts";
import { Random } from "../support/random.ts";
import { type Promised, Runs } from "./judge.ts";
import type { PublisherPlan, PublishersJob } from "./messages.ts";
import { type Orders, say } from "./parent.ts";
import { RecordSource } from "./records.ts";
import { RECONNECT } from "./reconnect.ts";

const REPORT_MS = 10;
/** Records that a publisher that waits for positions has under way. */
const UNDER_WAY_MAX = 200;
/** Records between two pauses, at most, and milliseconds of a pause, at most. */
const BURST_RECORDS_MAX = 500;
const PAUSE_MS_MAX = 3;
/** None of these may happen where only processes die. */
const FAULTS = ["fenced", "acknowledgedLost", "refused", "superseded", "storeFull"] as const;

/** Publishes until told to stop; then waits until all is acknowledged, and says where it is. */
export async function runPublishers(job: PublishersJob, orders: Orders): Promise<void> {
  const log = await connectLog(job.endpoint, RECONNECT);
  for (const type of FAULTS) {
    log.on(type, ({ topic, name, error }: LogEvent<(typeof FAULTS)[number]>) => {
      const who = name === undefined ? "an unnamed publisher" : `the publisher "${name}"`;
      say({ type: "failed", text: `${who} of topic ${topic} was told "${type}": ${error.message}` });
    });
  }
  let stopped = false;
  void orders.next().then(() => stopped = true);
  const publishers = job.publishers.map(({ topic, name, windowBytes, batchBytes }) =>
    log.publisher(topic, { name, windowBytes, batchBytes })
  );
  const each = (): number[] => publishers.map((publisher) => publisher.progress().acknowledged);
  say({ type: "ready" });
  const reports = setInterval(() => say({ type: "progress", records: sum(each()), each: each() }), REPORT_MS);
  const publishing = job.publishers.map((plan, index) =>
    publish(publishers[index]!, plan, job.seed, () => stopped)
  );
  const promises = await Promise.all(publishing);
  clearInterval(reports);
  await log.close();
  say({ type: "done", records: sum(each()), promises });
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}

async function publish(
  publisher: LogPublisher,
  { id, name, by }: PublisherPlan,
  seed: string,
  stopped: () => boolean,
): Promise<Promised> {
  const source = new RecordSource(seed);
  const random = new Random(`${seed}:${id}`);
  const runs = new Runs();
  const underWay: Promise<void>[] = [];
  let left = 0;
  let records = 0;
  for (; !stopped(); records++) {
    const index = records;
    const value = source.make(id, index);
    const options = name === undefined ? {} : { sequence: BigInt(index) };
    if (by === "publish") {
      underWay.push(publisher.publish(value, options).then(({ position }) => runs.add(index, position)));
      if (underWay.length >= UNDER_WAY_MAX) await underWay.shift();
    } else {
      while (!publisher.tryPublish(value, options)) await publisher.waitWritable();
    }
    if (left-- > 0) continue;
    left = random.size(BURST_RECORDS_MAX);
    await new Promise((resolve) => setTimeout(resolve, random.integer(0, PAUSE_MS_MAX)));
  }
  await Promise.all(underWay);
  await publisher.flush();
  const { acknowledged, refused, text } = publisher.progress();
  if (acknowledged !== records || refused !== 0) {
    throw new Error(`publisher ${id} has submitted ${records} records, and says: ${text}`);
  }
  return { publisher: id, records, runs: runs.list, untold: runs.untold };
}
