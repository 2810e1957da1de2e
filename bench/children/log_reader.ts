/** Reads so many records from the beginning, as they are published; every body's CRC is checked by the subscription. */

import { connectLog } from "../../log.ts";
import { fail, sayReady } from "./control.ts";
import { type JobResult, readValues, serveJob } from "./log_control.ts";

const values = readValues();
const recordBytes = Number(values.get("bytes") ?? 1_024);
const count = Math.floor(Number(values.get("total")) / recordBytes);
const warmup = Math.floor(Number(values.get("warmup") ?? 0) / recordBytes);
const topic = values.get("topic") ?? "bench";

const log = await connectLog(values.get("endpoint")!);
await log.openTopic(topic);
// A consumer that commits holds back retention where the topic says so; here it must only keep up.
const subscription = log.subscribe(topic, { from: "earliest", creditBytes: 16 * 1_048_576 });
const batches = subscription.batches();
let read = 0;
let next = 0n;
sayReady();

/** Takes records until so many were read since the beginning; answers the bytes of their values. */
async function readUntil(until: number): Promise<number> {
  let bytes = 0;
  for await (const batch of batches) {
    for (const record of batch) {
      bytes += record.value.length;
      read++;
    }
    const last = batch.at(-1)!.position;
    if (last + 1n !== next + BigInt(batch.length)) {
      fail(`positions ${next} to ${last} with ${batch.length} records`);
    }
    next = last + 1n;
    if (read >= until) break;
  }
  return bytes;
}

serveJob(async (): Promise<JobResult> => {
  const began = performance.now();
  const bytes = await readUntil(warmup + count);
  return { messages: count, bytes, seconds: (performance.now() - began) / 1_000 };
});
