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
const subscription = log.subscribe(topic, { from: "earliest", creditBytes: 16 * 1_048_576 });
const batches = subscription.batches();
const all = warmup + count;

/** Takes every record there is going to be, from the first on, also those that come before anything is measured. */
async function readAll(): Promise<void> {
  let read = 0;
  let next = 0n;
  for await (const batch of batches) {
    for (const record of batch) {
      if (record.value.length !== recordBytes) {
        fail(`position ${record.position} has ${record.value.length} bytes`);
      }
    }
    read += batch.length;
    const last = batch.at(-1)!.position;
    if (last + 1n !== next + BigInt(batch.length)) {
      fail(`positions ${next} to ${last} with ${batch.length} records`);
    }
    next = last + 1n;
    if (read >= all) break;
  }
}

const reading = readAll();
reading.catch(fail);
sayReady();

serveJob(async (): Promise<JobResult> => {
  const began = performance.now();
  await reading;
  return { messages: count, bytes: count * recordBytes, seconds: (performance.now() - began) / 1_000 };
});
