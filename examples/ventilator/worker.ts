/**
 * One worker: takes contents, answers digests, until it is told to end. The same program runs on Node, Deno and Bun.
 *
 *     worker <endpoint of the tasks> <of the results> <of the control> [<certificate of the authority, for tls>]
 */

import process from "node:process";
import { Pull, Push, Subscriber } from "../../mod.ts";
import { sha256 } from "./digest.ts";
import { endTopic, RUNTIME_PROPERTY } from "./messages.ts";
import { thisRuntime, workerLabel } from "./runtime.ts";

const [tasksEndpoint = "", resultsEndpoint = "", controlEndpoint = "", authorities] = process.argv.slice(2);
const { name } = thisRuntime();
const label = workerLabel(tasksEndpoint);
const tls = authorities === undefined ? null : { authorities };

// What waits here cannot go to a faster worker, so little may wait.
const tasks = new Pull({
  receiveHighWaterMark: 4,
  pendingBytesMax: 1024 * 1024,
  tls,
  metadata: { [RUNTIME_PROPERTY]: label },
});
const results = new Push({ tls, metadata: { [RUNTIME_PROPERTY]: label } });
const control = new Subscriber({ tls });

// A worker must not outlive the program that it works for.
control.events.on("disconnect", () => process.exit(1));
control.events.on("connect:delay", () => process.exit(1));

control.subscribe(endTopic(name));
control.connect(controlEndpoint);
results.connect(resultsEndpoint);
tasks.connect(tasksEndpoint);

control.receive().then(() => {
  tasks.close();
  results.close();
  control.close();
});

for await (const [task, content] of tasks) {
  await results.send([label, task!, sha256(content!)]);
}
