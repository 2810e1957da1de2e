/** The same job with Redis Streams: pipelines of a thousand. */

import { Buffer } from "node:buffer";
import { Redis } from "ioredis";
import { sayReady } from "./control.ts";
import { type JobResult, makeValues, readValues, serveJob } from "./log_control.ts";

const values = readValues();
const recordBytes = Number(values.get("bytes") ?? 1_024);
const count = Math.floor(Number(values.get("total")) / recordBytes);
const WINDOW = 1_000;
const records = makeValues(recordBytes, 64).map((value) => Buffer.from(value));

const redis = new Redis({ host: "127.0.0.1", port: Number(values.get("endpoint")!.split(":").at(-1)) });
await redis.ping();
sayReady();

serveJob(async (): Promise<JobResult> => {
  const began = performance.now();
  for (let number = 0; number < count;) {
    const pipeline = redis.pipeline();
    for (let one = 0; one < WINDOW && number < count; one++, number++) {
      pipeline.xadd("bench", "*", "v", records[number & 63]!);
    }
    await pipeline.exec();
  }
  return { messages: count, bytes: count * recordBytes, seconds: (performance.now() - began) / 1_000 };
});
