/** Publishes so many bytes of records as fast as its window lets it, and waits until all are acknowledged. */

import { connectLog, openLog } from "../../log.ts";
import { fail, sayReady } from "./control.ts";
import { type JobResult, makeValues, percentiles, readValues, serveJob } from "./log_control.ts";

const values = readValues();
const total = Number(values.get("total"));
const recordBytes = Number(values.get("bytes") ?? 1_024);
const count = Math.floor(total / recordBytes);
const endpoint = values.get("endpoint");
const topic = values.get("topic") ?? "bench";
const records = makeValues(recordBytes, 64);

const log = endpoint === undefined ? await openLog() : await connectLog(endpoint);
const role = values.get("role") ?? "publish";
const lingerMs = role === "publish" ? 1 : 0;
const publisher = log.publisher(topic, { batchBytes: 262_144, windowBytes: 8 * 1_048_576, lingerMs });
await publisher.opened();

async function publishMany(many: number): Promise<void> {
  for (let number = 0; number < many;) {
    if (publisher.tryPublish(records[number & 63]!)) number++;
    else await publisher.waitWritable();
  }
  await publisher.flush();
}

async function publishAll(): Promise<JobResult> {
  const began = performance.now();
  await publishMany(count);
  const seconds = (performance.now() - began) / 1_000;
  return { messages: count, bytes: count * recordBytes, seconds };
}

/** One in flight: the time from publish to its position. */
async function appendOneByOne(): Promise<JobResult> {
  const samplesUs: number[] = [];
  // A call every 50 us takes its time to become hot code.
  const warmUntil = performance.now() + 3_000;
  const until = warmUntil + Number(values.get("windowMs") ?? 1_500);
  while (performance.now() < until) {
    const sent = performance.now();
    await publisher.publish(records[samplesUs.length & 63]!);
    const received = performance.now();
    if (received >= warmUntil) samplesUs.push((received - sent) * 1_000);
  }
  const bytes = samplesUs.length * recordBytes;
  return {
    messages: samplesUs.length,
    bytes,
    seconds: (until - warmUntil) / 1_000,
    ...percentiles(samplesUs),
  };
}

/** An open loop: records are due at a fixed rate, and each is timed from the moment at which it was due. */
async function publishAtRate(): Promise<JobResult> {
  const perSecond = Number(values.get("rate"));
  const durationMs = Number(values.get("windowMs") ?? 2_000);
  const samplesUs: number[] = [];
  const pending: Promise<unknown>[] = [];
  const began = performance.now();
  let due = 0;
  const all = Math.floor(perSecond * durationMs / 1_000);
  while (due < all) {
    const nowDue = Math.min(all, Math.floor((performance.now() - began) * perSecond / 1_000));
    for (; due < nowDue; due++) {
      const intendedMs = began + due * 1_000 / perSecond;
      // One record in 64 is timed: timing all of them would be the load.
      if ((due & 63) !== 0) {
        if (!publisher.tryPublish(records[due & 63]!)) await publisher.waitWritable();
        continue;
      }
      pending.push(
        publisher.publish(records[0]!).then(() => {
          samplesUs.push((performance.now() - intendedMs) * 1_000);
        }),
      );
    }
    await new Promise<void>((resolve) => void setImmediate(resolve));
  }
  await Promise.all(pending);
  await publisher.flush();
  const seconds = (performance.now() - began) / 1_000;
  return { messages: all, bytes: all * recordBytes, seconds, ...percentiles(samplesUs) };
}

const JOBS: Readonly<Record<string, () => Promise<JobResult>>> = {
  publish: publishAll,
  append: appendOneByOne,
  rate: publishAtRate,
};
// Once around the broker's memory: what is measured writes into pages that are there.
if (role !== "append") await publishMany(Math.floor(Number(values.get("warmup") ?? 0) / recordBytes));
sayReady();
serveJob(JOBS[role] ?? (() => fail(`There is no role "${role}"`)));
