/**
 * A named publisher that goes on where it stopped, without a record lost or doubled: each record has a sequence, and
 * the log knows the last one of each name.
 */

import { connectLog, startBroker } from "../../log.ts";

const broker = await startBroker({ listen: ["tcp://127.0.0.1:0"] });
const [endpoint = ""] = broker.endpoints;
/** What is to be published, for example the lines of a file; the number of a line is its sequence. */
const lines = Array.from({ length: 10 }, (_, number) => `line ${number}`);

/** One run of the program, which is killed when it has published `until` lines. */
async function run(until: number): Promise<void> {
  const log = await connectLog(endpoint);
  const publisher = log.publisher("lines", { name: "importer" });
  const { lastSequence = -1n } = await publisher.opened();
  console.log(lastSequence < 0n ? "nothing is there yet" : `${lastSequence} is there`);
  for (let number = Number(lastSequence) + 1; number < until; number++) {
    await publisher.publish(lines[number]!, { sequence: BigInt(number) });
  }
  await log.close();
}

await run(4);
await run(7);
await run(10);

const log = await connectLog(endpoint);
const seen: string[] = [];
for await (const { value } of log.subscribe("lines", { from: "earliest" })) {
  if (seen.push(new TextDecoder().decode(value)) === lines.length) break;
}
console.log(`all of them once, in order: ${seen.join() === lines.join()}`);
await log.close();
await broker.close();
