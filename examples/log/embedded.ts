/** A log in this program, without network: its topics are files in a folder, or memory where none is given. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openLog } from "../../log.ts";

const dir = await mkdtemp(join(tmpdir(), "hawser-"));
const log = await openLog({ dir });
const orders = log.publisher("orders");
const { position } = await orders.publish("one pair of socks");
console.log(`published at ${position}`);
for (const what of ["two hats", "three coats"]) orders.tryPublish(what);
for await (const record of log.subscribe("orders", { from: "earliest" })) {
  console.log(`${record.position}: ${new TextDecoder().decode(record.value)}`);
  if (record.position === 2n) break;
}
await log.close();
await rm(dir, { recursive: true });
