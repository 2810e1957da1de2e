/**
 * The consumer's process of a volume run.
 *
 * @module
 */

import { connectLog } from "../../log.ts";
import { Judge } from "./judge.ts";
import type { VolumeConsumerJob } from "./messages.ts";
import { type Orders, say } from "./parent.ts";
import { RECONNECT } from "./reconnect.ts";
import { RecordSource } from "./records.ts";
import { PUBLISHER, RECORD_BYTES, REPORT_MS, SEED } from "./volume_records.ts";

/** Records between two commits: 16 MiB. */
const COMMIT_RECORDS = 16_384n;

/** Reads so many records, checks each, and commits them; what it has not committed is kept for it. */
export async function runVolumeConsumer(job: VolumeConsumerJob, _orders: Orders): Promise<void> {
  const { endpoint, topic, records } = job;
  const log = await connectLog(endpoint, RECONNECT);
  const consumer = log.consumer(topic, job.consumer);
  // Now it has its name, and retention waits for it.
  await consumer.commit(0n);
  say({ type: "ready" });
  const judge = new Judge("the consumer", new RecordSource(SEED, RECORD_BYTES), [PUBLISHER]);
  const reports = setInterval(() => say({ type: "progress", records: Number(judge.position) }), REPORT_MS);
  let committed = 0n;
  let committing: Promise<void> = Promise.resolve();
  for await (const batch of consumer.batches()) {
    judge.check(batch);
    const complete = judge.position >= records;
    if (!complete && judge.position - committed < COMMIT_RECORDS) continue;
    committed = judge.position;
    await committing;
    committing = consumer.commit(committed);
    // The end of the loop closes the consumer, and what it has not committed by then is not.
    if (complete) {
      await committing;
      break;
    }
  }
  clearInterval(reports);
  await log.close();
  judge.finish([{ publisher: PUBLISHER, records, runs: [], untold: 0 }]);
  say({ type: "done", records: Number(judge.position) });
}
