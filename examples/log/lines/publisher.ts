/** A publisher's process: reads its files and publishes their lines. The same program runs on Node, Deno and Bun. */

import process from "node:process";
import { connectLog, type LogPublisher } from "../../../log.ts";
import { labelOfRuntime } from "../../ventilator/runtime.ts";
import { readLines } from "./lines.ts";
import { type PublisherJob, TOPIC } from "./messages.ts";
import { Orders, runWork, say } from "./parent.ts";

/** Milliseconds between two reports. */
const REPORT_MS = 50;

await runWork(async () => {
  // It must not outlive the program that it works for.
  const orders = new Orders(() => process.exit(1));
  const job = await orders.next<PublisherJob>();
  const log = await connectLog(job.endpoint);
  const publisher = log.publisher(TOPIC, { name: job.name, lingerMs: 1 });
  await publisher.opened();
  say({ type: "ready", label: labelOfRuntime() });
  await orders.next<"go">();
  const acknowledged = (): number => publisher.progress().acknowledged;
  const reports = setInterval(() => say({ type: "progress", acknowledged: acknowledged() }), REPORT_MS);
  await publishLines(publisher, job);
  clearInterval(reports);
  const total = acknowledged();
  await log.close();
  // The last thing: it may be told to end from here.
  say({ type: "done", acknowledged: total });
});

async function publishLines(publisher: LogPublisher, { name, folder, files }: PublisherJob): Promise<void> {
  const options = { key: name };
  for await (const { lines } of readLines(folder, files)) {
    for (const line of lines) {
      while (!publisher.tryPublish(line, options)) await publisher.waitWritable();
    }
  }
  await publisher.flush();
}
