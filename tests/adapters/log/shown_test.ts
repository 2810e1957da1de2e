import { test } from "node:test";
import { inspect } from "node:util";
import { assertEquals, assertMatch } from "@std/assert";
import { connectLog, openLog, startBroker } from "../../../log.ts";
import { ANY_PORT, take } from "./client_places.ts";

type Inspect = (value: unknown) => string;

const { Deno, Bun } = globalThis as {
  readonly Deno?: { inspect: Inspect };
  readonly Bun?: { inspect: Inspect };
};

/** What the runtime's `console.log` makes of it. */
const printed: Inspect = Deno?.inspect ?? Bun?.inspect ?? ((value) => inspect(value));

test("a record is shown in a line, also in an array", async () => {
  await using log = await openLog();
  const publisher = log.publisher("orders");
  await publisher.publish("socks", { key: "customer 7", headers: { currency: "EUR" } });
  await publisher.publish("shoes");
  const [first, second] = await take(log.subscribe("orders", { from: "earliest" }), 2);
  assertEquals(printed(first), "LogRecord { position: 0n, key, headers, value: Uint8Array(5) }");
  assertEquals(printed(second), "LogRecord { position: 1n, value: Uint8Array(5) }");
  assertMatch(printed([second]), /^\[\s*LogRecord \{ position: 1n, value: Uint8Array\(5\) \}\s*\]$/);
});

test("JSON of a record has all of it, and its copy can be spread and kept", async () => {
  await using log = await openLog();
  const publisher = log.publisher("orders");
  const headers = { currency: "EUR", bytes: new Uint8Array([0xff, 0]) };
  await publisher.publish("socks", { key: "customer 7", headers, timestampMs: 5 });
  await publisher.publish(new Uint8Array([0xc3, 0x28, 1, 2]));
  const [first, second] = await take(log.subscribe("orders", { from: "earliest" }), 2);
  const { timestampMs } = first!;
  assertEquals(JSON.parse(JSON.stringify(first)), {
    position: "0",
    timestampMs,
    producerTimestampMs: 5,
    key: "customer 7",
    headers: { currency: "EUR", bytes: { base64: "/wA=" } },
    value: "socks",
  });
  assertEquals(JSON.parse(JSON.stringify([second])), [
    { position: "1", timestampMs: second!.timestampMs, value: { base64: "wygBAg==" } },
  ]);
  const copy = { ...first!.copy() };
  assertEquals(copy, {
    position: 0n,
    timestampMs,
    producerTimestampMs: 5,
    key: first!.key,
    headers: new Map(first!.headers),
    value: first!.value,
  });
  first!.value.fill(0);
  assertEquals(new TextDecoder().decode(copy.value), "socks");
  assertEquals(structuredClone(copy), copy);
});

test("a log and what it is made of are shown in a line, and as JSON", async () => {
  await using broker = await startBroker({ listen: [ANY_PORT] });
  const log = await connectLog(broker.endpoints);
  const publisher = log.publisher("orders", { name: "importer" });
  await publisher.publish("socks");
  const subscription = log.subscribe("orders", { from: "earliest" });
  await take(subscription, 1);
  const consumer = log.consumer("orders", "billing");
  await consumer.commit(1n);
  const endpoint = JSON.stringify(broker.endpoints[0]);
  assertEquals(
    printed(publisher),
    'LogPublisher { topic: "orders", name: "importer", state: "open", submitted: 1, acknowledged: 1 }',
  );
  assertEquals(printed(subscription), 'Subscription { topic: "orders", position: 1n, state: "flowing" }');
  assertMatch(
    printed(consumer),
    /^Consumer \{ topic: "orders", name: "billing", .*committed: 1n, state: "open" \}$/,
  );
  assertEquals(
    printed(log),
    `Log { at: [${endpoint}], state: "ready", publishers: 1, subscriptions: 1, consumers: 1 }`,
  );
  assertEquals(printed(broker), `BrokerServer { endpoints: [${endpoint}], topics: 1, connections: 1 }`);
  assertEquals(JSON.parse(JSON.stringify({ publisher, subscription, log, broker })), {
    publisher: { topic: "orders", name: "importer", state: "open", submitted: 1, acknowledged: 1 },
    subscription: { topic: "orders", position: "1", state: "flowing" },
    log: { at: broker.endpoints, state: "ready", publishers: 1, subscriptions: 1, consumers: 1 },
    broker: { endpoints: broker.endpoints, topics: 1, connections: 1 },
  });
  assertMatch(
    JSON.stringify(consumer),
    /^\{"topic":"orders","name":"billing",.*"committed":"1","state":"open"\}$/,
  );
  await log.close();
  assertMatch(printed(log), /state: "closed" \}$/);
  await using embedded = await openLog();
  assertEquals(printed(embedded), 'Log { at: "this process", state: "ready" }');
});
