/** A consumer: a reader with a name, which goes on where it committed. What it has not committed is kept for it. */

import { openLog } from "../../log.ts";

const log = await openLog({ topics: { jobs: { retention: { keepFor: ["worker"] } } } });
const jobs = log.publisher("jobs");
for (const job of ["wash", "rinse", "spin", "dry", "fold"]) jobs.tryPublish(job);
await jobs.flush();

/** One run of a worker that ends after `count` jobs. */
async function work(count: number): Promise<void> {
  const consumer = log.consumer("jobs", "worker");
  let done = 0;
  for await (const { position, value } of consumer) {
    console.log(`${new TextDecoder().decode(value)} is done`);
    // The next position to be read. A job that is done and not committed would be done once more.
    await consumer.commit(position + 1n);
    if (++done < count) continue;
    console.log(`${await consumer.lag()} are left`);
    // The end of the loop closes the consumer.
    break;
  }
}

await work(2);
await work(3);
await log.close();
