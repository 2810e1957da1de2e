/** The same job with NATS JetStream: a file store, a window of publishes on their way. */

import { connect } from "@nats-io/transport-node";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { sayReady } from "./control.ts";
import { type JobResult, makeValues, readValues, serveJob } from "./log_control.ts";

const values = readValues();
const recordBytes = Number(values.get("bytes") ?? 1_024);
const count = Math.floor(Number(values.get("total")) / recordBytes);
const WINDOW = 1_000;
const records = makeValues(recordBytes, 64);

const connection = await connect({ servers: values.get("endpoint")! });
const manager = await jetstreamManager(connection);
await manager.streams.add({ name: "bench", subjects: ["bench"], storage: "file" as never });
const stream = jetstream(connection);
sayReady();

serveJob(async (): Promise<JobResult> => {
  const began = performance.now();
  const window: Promise<unknown>[] = [];
  for (let number = 0; number < count; number++) {
    window.push(stream.publish("bench", records[number & 63]!));
    if (window.length < WINDOW) continue;
    await Promise.all(window);
    window.length = 0;
  }
  await Promise.all(window);
  return { messages: count, bytes: count * recordBytes, seconds: (performance.now() - began) / 1_000 };
});
