/**
 * The publisher's process of a volume run.
 *
 * @module
 */

import { connectLog } from "../../log.ts";
import type { VolumePublisherJob } from "./messages.ts";
import { type Orders, say } from "./parent.ts";
import { RECONNECT } from "./reconnect.ts";
import { RecordSource } from "./records.ts";
import { PUBLISHER, RECORD_BYTES, REPORT_MS, SEED } from "./volume_records.ts";

/** Publishes so many records as fast as they are taken; done when all are acknowledged. */
export async function runVolumePublisher(job: VolumePublisherJob, orders: Orders): Promise<void> {
  const { endpoint, topic, records } = job;
  const log = await connectLog(endpoint, RECONNECT);
  for (const type of ["disconnected", "fenced", "acknowledgedLost", "refused"] as const) {
    log.on(
      type,
      ({ error }) =>
        say({ type: "failed", text: `the publisher was told "${type}": ${error?.message ?? ""}` }),
    );
  }
  const publisher = log.publisher(topic);
  await publisher.opened();
  say({ type: "ready" });
  // "go"
  await orders.next();
  const reports = setInterval(
    () => say({ type: "progress", records: publisher.progress().acknowledged }),
    REPORT_MS,
  );
  const source = new RecordSource(SEED, RECORD_BYTES);
  for (let index = 0; index < records; index++) {
    const value = source.make(PUBLISHER, index);
    while (!publisher.tryPublish(value)) await publisher.waitWritable();
  }
  await publisher.flush();
  clearInterval(reports);
  const { acknowledged } = publisher.progress();
  await log.close();
  say({ type: "done", records: acknowledged });
}
