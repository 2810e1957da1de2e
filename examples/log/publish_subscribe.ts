/** A broker, two publishers and two subscribers, over TCP: all subscribers see the same order. */

import { connectLog, startBroker } from "../../log.ts";

const broker = await startBroker({ listen: ["tcp://127.0.0.1:0"] });
const [endpoint = ""] = broker.endpoints;

// Each has a connection of its own here, as if they were programs of their own.
const north = await connectLog(endpoint);
const south = await connectLog(endpoint);
const reader = await connectLog(endpoint);

const publish = async (log: typeof north, station: string): Promise<void> => {
  const publisher = log.publisher("weather", { onTopic: { order: 5, ack: 1 } });
  for (let hour = 0; hour < 50; hour++) {
    const value = `${station} ${hour}`;
    // A full window is no error: what waits here is what keeps memory bounded.
    while (!publisher.tryPublish(value, { key: station })) await publisher.waitWritable();
  }
  await publisher.close();
};

const read = async (): Promise<string[]> => {
  const seen: string[] = [];
  for await (const { value } of reader.subscribe("weather", { from: "earliest" })) {
    seen.push(new TextDecoder().decode(value));
    if (seen.length === 100) break;
  }
  return seen;
};

const [, , first, second] = await Promise.all([
  publish(north, "north"),
  publish(south, "south"),
  read(),
  read(),
]);
console.log(`the same order for both: ${first.join() === second.join()}`);
for (const station of ["north", "south"]) {
  const hours = first.filter((text) => text.startsWith(station)).map((text) => Number(text.split(" ")[1]));
  console.log(`${station} in its order: ${hours.every((hour, index) => hour === index)}`);
}

for (const log of [north, south, reader]) await log.close();
await broker.close();
