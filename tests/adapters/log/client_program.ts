// A program for the tests: uses a log in the way of its first argument, and must end by itself, or must not. Its second
// argument is a folder or an endpoint. A timer that does not hold the process shows whether anything else does.
import process from "node:process";
import { createHost } from "../../../adapters/host.ts";
import { connectLog, type Log, openLog, startBroker } from "../../../log.ts";

const [way = "", where = ""] = process.argv.slice(2);
const host = createHost();

async function useAndClose(log: Log): Promise<void> {
  const publisher = log.publisher("t");
  await publisher.publish("one");
  publisher.tryPublish("two");
  for await (const record of log.subscribe("t", { from: "earliest" })) if (record.position === 1n) break;
  const consumer = log.consumer("t", "billing");
  await consumer.commit(1n);
  void log.subscribe("nowhere")[Symbol.asyncIterator]().next();
  await log.close();
  console.log("closed");
}

const WAYS: Readonly<Record<string, () => Promise<void>>> = {
  memory: async () => useAndClose(await openLog()),
  files: async () => useAndClose(await openLog({ dir: where })),
  broker: async () => {
    const broker = await startBroker({ listen: [where] });
    await useAndClose(await connectLog(broker.endpoints));
    await broker.close();
  },
  /** Nothing is closed, and nothing is waited for. */
  idle: async () => {
    const log = await connectLog(where);
    await log.status();
    await (await openLog()).publisher("t").publish("x");
    console.log("idle");
  },
  /** Nobody waits for what is published, but it is published. */
  published: async () => {
    const log = await connectLog(where);
    log.publisher("published").tryPublish("x");
    console.log("published");
  },
  subscribed: async () => {
    const log = where === "" ? await openLog() : await connectLog(where);
    host.schedule(100, () => {
      console.log("still here");
      void log.close();
    }, false);
    for await (const _record of log.subscribe("nowhere"));
    console.log("closed");
  },
};

// Not awaited: a runtime must not be held by the module alone.
void WAYS[way]!();
