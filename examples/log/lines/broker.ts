/** The broker's process: a topic in files, until the main program wants it no more. */

import { rm } from "node:fs/promises";
import { startBroker } from "../../../log.ts";
import { labelOfRuntime } from "../../ventilator/runtime.ts";
import { type BrokerJob, CONSUMER, TOPIC } from "./messages.ts";
import { Orders, runWork, say } from "./parent.ts";

const MIB = 1024 * 1024;

await runWork(async () => {
  const orders = new Orders();
  const { dir } = await orders.next<BrokerJob>();
  const broker = await startBroker({
    listen: ["tcp://127.0.0.1:0"],
    dir,
    topics: {
      [TOPIC]: {
        order: 5,
        ack: 1,
        segmentBytes: 16 * MIB,
        // The files need not hold the whole folder at once: what the consumer has committed may go.
        retention: { bytesMax: 64 * MIB, keepFor: [CONSUMER] },
      },
    },
  });
  say({ type: "ready", label: labelOfRuntime(), endpoint: broker.endpoints[0]! });
  await orders.ended();
  await broker.close();
  // The main program does this too, unless it was killed.
  await rm(dir, { recursive: true, force: true });
});
