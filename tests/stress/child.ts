/**
 * A process of a stress run. What it does, it is told by the first line of its input.
 *
 * @module
 */

import process from "node:process";
import { runBroker } from "./broker_child.ts";
import { runPublishers } from "./kill_publishers.ts";
import type { Job } from "./messages.ts";
import { Orders, say } from "./parent.ts";
import { runVolumeConsumer } from "./volume_consumer.ts";
import { runVolumePublisher } from "./volume_publisher.ts";

function run(job: Job, orders: Orders): Promise<void> {
  switch (job.kind) {
    case "broker":
      return runBroker(job, orders);
    case "publishers":
      return runPublishers(job, orders);
    case "volume publisher":
      return runVolumePublisher(job, orders);
    case "volume consumer":
      return runVolumeConsumer(job, orders);
  }
}

try {
  const orders = new Orders();
  const job = await orders.next<Job>();
  // Whoever waits for a broker would wait for ever if nobody is left to start it again.
  if (job?.kind !== "broker") orders.onEnd = () => process.exit(1);
  if (job !== undefined) await run(job, orders);
} catch (error) {
  say({ type: "failed", text: error instanceof Error ? error.stack ?? error.message : String(error) });
}
// Nothing is left to do, but the input would keep this process alive.
process.exit(0);
