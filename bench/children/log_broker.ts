/** A broker in a process of its own. */

import process from "node:process";
import { letHeapGrow } from "../../cli/heap.ts";
import { startBroker } from "../../log.ts";
import { fail, sayReady } from "./control.ts";
import { readValues } from "./log_control.ts";

const values = readValues();
const dir = values.get("dir");

process.on("uncaughtException", fail);
process.on("unhandledRejection", fail);
process.stdin.on("end", () => process.exit(0));
process.stdin.resume();

// As `hawser broker` does.
letHeapGrow();
// Files are kept as long as memory is: what is older goes, and the system's memory for it is used again.
const retention = { bytesMax: 256 * 1_048_576 };
const broker = await startBroker({
  listen: ["tcp://127.0.0.1:0"],
  ...(dir === undefined ? {} : { dir }),
  topics: { "*": { order: Number(values.get("order") ?? 5) as 0 | 2 | 4 | 5, ack: 1, retention } },
});
sayReady(broker.endpoints[0]!);
