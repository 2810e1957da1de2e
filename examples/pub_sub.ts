/** PUB and SUB: everybody gets what begins with a topic of theirs. */

import { Publisher, Subscriber } from "../mod.ts";

const publisher = new Publisher();
const endpoint = await publisher.bind("tcp://127.0.0.1:0");

const subscriber = new Subscriber();
subscriber.subscribe("weather.");
subscriber.connect(endpoint);

// A publisher does not wait for anybody: what is sent before the subscription arrives is gone. So wait for it.
await publisher.subscribed("weather.");

await publisher.send(["sports.chess", "1:0"]);
await publisher.send(["weather.berlin", "rain"]);
await publisher.send(["weather.quito", "sun"]);
await publisher.send(["weather.", "that was all"]);
publisher.close();

for await (const [topic, value] of subscriber) {
  const [name, text] = [topic, value].map((frame) => new TextDecoder().decode(frame));
  console.log(`${name}: ${text}`);
  if (name === "weather.") break;
}
subscriber.close();
