import { test } from "node:test";
import { assertEquals } from "@std/assert";
import {
  type Ack,
  type BrokerServer,
  connectLog,
  Consumer,
  type Durability,
  type Log,
  type LogError,
  type LogErrorCode,
  LogPublisher,
  type LogRecord,
  type LogStatus,
  MemoryStores,
  openFileStores,
  openLog,
  type Order,
  type Published,
  startBroker,
  type StoreFactory,
  Subscription,
  type TopicInfo,
} from "../../log.ts";
import { Broker } from "../../src/log/broker/broker.ts";
import { Sequencer } from "../../src/log/order/sequencer.ts";
import { PublisherSession } from "../../src/log/publisher/publisher_session.ts";
import { SubscriberCursor } from "../../src/log/reader/subscriber_cursor.ts";

// What the compiler says. The functions that are never called are the tests: each line below a `@ts-expect-error` must
// not compile, and each other line must. The build fails otherwise.

/** Whether two types are one and the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;

/** Compiles for `true` alone. */
function holds<_T extends true>(): void {}

export async function opening(stores: StoreFactory): Promise<void> {
  holds<Same<Awaited<ReturnType<typeof openLog>>, Log>>();
  holds<Same<Awaited<ReturnType<typeof connectLog>>, Log>>();
  holds<Same<Awaited<ReturnType<typeof startBroker>>, BrokerServer>>();
  await openLog();
  await openLog({ dir: "./data", closeTimeoutMs: 1_000, stagingBuffers: 4 });
  await openLog({ stores, topics: { orders: { order: 2, retention: { keepFor: ["billing"] } } } });
  await openLog({ stores: new MemoryStores() });
  await openLog({ stores: await openFileStores({ dir: "./data", durability: "process" }) });
  // @ts-expect-error: nothing listens in this process
  await openLog({ listen: ["tcp://127.0.0.1:7780"] });
  // @ts-expect-error: nor serves metrics
  await openLog({ http: "7781" });
  // @ts-expect-error: a misspelled option
  await openLog({ directory: "./data" });
  // @ts-expect-error: a level of another system
  await openLog({ topics: { orders: { order: 3 } } });
  // @ts-expect-error: there is no such acknowledgement
  await openLog({ topics: { orders: { ack: 3 } } });
  // @ts-expect-error: text for a number
  await openLog({ stagingBufferBytes: "1MiB" });
  // @ts-expect-error: a folder is no store
  await openLog({ stores: "./data" });
  // @ts-expect-error: a memory store has no such durability
  await openFileStores({ dir: "./data", durability: "none" });
  await connectLog("tcp://127.0.0.1:7780", { retryMs: 5, signal: new AbortController().signal });
  await connectLog(["tcp://127.0.0.1:7780", "ipc:///run/log"]);
  // @ts-expect-error: an endpoint is text
  await connectLog(7780);
  // @ts-expect-error: a client has no folder
  await connectLog("tcp://127.0.0.1:7780", { dir: "./data" });
  await using broker = await startBroker({ listen: ["tcp://127.0.0.1:0"], dir: "./data", stores });
  holds<Same<typeof broker.endpoints, readonly string[]>>();
  holds<Same<ReturnType<typeof broker.status>, LogStatus>>();
  // @ts-expect-error: endpoints are a list
  await startBroker({ listen: "tcp://127.0.0.1:0" });
  holds<Same<Durability, "none" | "process" | "machine">>();
  holds<Same<Order, 0 | 2 | 4 | 5>>();
  holds<Same<Ack, 0 | 1 | 2>>();
}

export async function publishing(log: Log): Promise<void> {
  holds<Same<ReturnType<Log["publisher"]>, LogPublisher>>();
  const publisher = log.publisher("orders", { name: "importer", ack: 1, lingerMs: 5, onTopic: { order: 5 } });
  // @ts-expect-error: a misspelled option
  log.publisher("orders", { linger: 5 });
  // @ts-expect-error: there is no such acknowledgement
  log.publisher("orders", { ack: 4 });
  // @ts-expect-error: a topic has a name
  log.publisher();
  holds<Same<Awaited<ReturnType<LogPublisher["publish"]>>, Published>>();
  holds<Same<Published["position"], bigint | undefined>>();
  holds<Same<ReturnType<LogPublisher["tryPublish"]>, boolean>>();
  holds<Same<ReturnType<LogPublisher["waitWritable"]>, Promise<void>>>();
  holds<Same<LogPublisher["lastSequence"], bigint | undefined>>();
  const { signal } = new AbortController();
  await publisher.publish("text", { key: "k", headers: { a: "b", c: new Uint8Array(1) }, signal });
  await publisher.publish(new Uint8Array(3), { timestampMs: Date.now(), sequence: 5n });
  publisher.tryPublish("text", { sequence: 6n });
  // @ts-expect-error: nobody waits for it
  publisher.tryPublish("text", { signal });
  // @ts-expect-error: a sequence is 64 bits
  await publisher.publish("text", { sequence: 5 });
  // @ts-expect-error: a number is no record
  await publisher.publish(5);
  // @ts-expect-error: nor is a plain object
  await publisher.publish({ hello: "world" });
  // @ts-expect-error: nor a view of numbers
  publisher.tryPublish(new Float64Array(2));
  // @ts-expect-error: headers are text or bytes
  await publisher.publish("text", { headers: { a: 5 } });
  // @ts-expect-error: the producer's time is a number
  await publisher.publish("text", { timestampMs: 5n });
  // @ts-expect-error: it is told, not set
  publisher.lastSequence = 5n;
  await publisher.flush({ signal });
  const { lastSequence, epoch } = await publisher.opened();
  holds<Same<typeof lastSequence, bigint | undefined>>();
  holds<Same<typeof epoch, number>>();
  holds<Same<ReturnType<typeof publisher.progress>["text"], string>>();
  await using _disposed: AsyncDisposable = publisher;
}

export async function reading(log: Log): Promise<void> {
  holds<Same<ReturnType<Log["subscribe"]>, Subscription>>();
  holds<Same<ReturnType<Log["consumer"]>, Consumer>>();
  log.subscribe("orders");
  log.subscribe("orders", { from: "earliest", onTrimmed: "earliest", creditBytes: 1_000 });
  log.subscribe("orders", { from: 5n });
  log.subscribe("orders", { from: { timestampMs: 5 } });
  // @ts-expect-error: a position is a bigint
  log.subscribe("orders", { from: 5 });
  // @ts-expect-error: not one of the words
  log.subscribe("orders", { from: "first" });
  // @ts-expect-error: time is a number
  log.subscribe("orders", { from: { timestampMs: 5n } });
  // @ts-expect-error: there is nothing else to do
  log.subscribe("orders", { onTrimmed: "latest" });
  const subscription = log.subscribe("orders");
  for await (const record of subscription) {
    holds<Same<typeof record, LogRecord>>();
    holds<Same<typeof record.position, bigint>>();
    holds<Same<typeof record.value, Uint8Array>>();
    holds<Same<typeof record.key, Uint8Array | undefined>>();
    holds<Same<typeof record.headers, ReadonlyMap<string, Uint8Array>>>();
    holds<Same<typeof record.timestampMs, number>>();
    holds<Same<typeof record.producerTimestampMs, number | undefined>>();
    // @ts-expect-error: a record is what was written
    record.position = 5n;
    // @ts-expect-error: text is made of it by the reader
    const text: string = record.value;
    void text;
  }
  for await (const records of subscription.batches(10)) holds<Same<typeof records, LogRecord[]>>();
  // @ts-expect-error: a subscription remembers nothing
  await subscription.commit(5n);
  const consumer = log.consumer("orders", "billing", { from: "latest" });
  for await (const record of consumer) await consumer.commit(record.position + 1n);
  await consumer.commit();
  // @ts-expect-error: a position is a bigint
  await consumer.commit(5);
  holds<Same<Awaited<ReturnType<Consumer["lag"]>>, bigint>>();
  holds<Same<Consumer["committed"], bigint | undefined>>();
  // @ts-expect-error: a consumer has a name
  log.consumer("orders");
  await using _disposed: AsyncDisposable = consumer;
}

export async function asking(log: Log): Promise<void> {
  const info = await log.openTopic("orders", { order: 5, ack: 2, retention: { bytesMax: 5 } });
  holds<Same<typeof info, TopicInfo>>();
  holds<Same<typeof info.tail, bigint>>();
  // @ts-expect-error: a misspelled option
  await log.openTopic("orders", { acks: 1 });
  holds<Same<Awaited<ReturnType<Log["trim"]>>, bigint>>();
  // @ts-expect-error: a position is a bigint
  await log.trim("orders", 5);
  holds<Same<Awaited<ReturnType<Log["status"]>>, LogStatus>>();
  log.on("trimmed", ({ topic, error }) => void [topic, error.from]).off("trimmed", () => {});
  log.on("disconnected", ({ retryMs }) => void retryMs.toFixed());
  // @ts-expect-error: these have no batches
  log.on("trimmed", ({ batches }) => void batches);
  // @ts-expect-error: there are no such events
  log.on("message", () => {});
}

/** Codes are a closed union: a switch over all of them needs no default. */
export function kindOf({ code }: LogError): "gone" | "wait" | "misuse" | "over" {
  holds<Same<typeof code, LogErrorCode>>();
  switch (code) {
    case "ERR_LOG_TRIMMED":
    case "ERR_LOG_CUT":
    case "ERR_LOG_ACKNOWLEDGED_LOST":
    case "ERR_LOG_CORRUPT":
      return "gone";
    case "ERR_LOG_STORE_FULL":
    case "ERR_LOG_DISCONNECTED":
    case "ERR_LOG_TIMEOUT":
    case "ERR_LOG_SESSIONS":
    case "ERR_LOG_WINDOW":
      return "wait";
    case "ERR_LOG_TOPIC":
    case "ERR_LOG_BATCH_TOO_LARGE":
    case "ERR_LOG_SEQUENCE":
    case "ERR_LOG_UNSUPPORTED":
    case "ERR_LOG_MALFORMED":
    case "ERR_LOG_FORMAT":
      return "misuse";
    case "ERR_LOG_CLOSED":
    case "ERR_LOG_ABORTED":
    case "ERR_LOG_FENCED":
    case "ERR_LOG_SUPERSEDED":
    case "ERR_LOG_SESSION_UNKNOWN":
    case "ERR_LOG_STORE_FAILED":
    case "ERR_LOG_LOCKED":
      return "over";
  }
}

test("what the log's entry and the core's offer is there at run time too", () => {
  const classes = [LogPublisher, Subscription, Consumer, MemoryStores];
  const machines = [Broker, PublisherSession, Sequencer, SubscriberCursor];
  for (const one of [...classes, ...machines, openLog, connectLog, startBroker, openFileStores]) {
    assertEquals(typeof one, "function");
  }
  for (const reader of [Subscription, Consumer]) {
    for (const name of ["close", "batches", Symbol.asyncIterator, Symbol.asyncDispose]) {
      assertEquals(name in reader.prototype, true, String(name));
    }
  }
  assertEquals("commit" in Consumer.prototype, true);
  assertEquals("commit" in Subscription.prototype, false);
});
