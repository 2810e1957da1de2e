import { after, before, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { crc32 } from "../../src/bytes/crc32.ts";
import { encodeMessage } from "../../src/log/wire/codec.ts";
import type { LogMessage } from "../../src/log/wire/messages.ts";
import { RawBroker, RawLogClient, textOf } from "./support/raw_log_client.ts";

// The conversations of docs/PROTOCOL.md, held with a broker by a DEALER that has no other code of the log's clients.

const broker = new RawBroker();
const clients: RawLogClient[] = [];

function connect(): RawLogClient {
  const client = new RawLogClient(broker.endpoint);
  clients.push(client);
  return client;
}

before(() => broker.listen());
after(async () => {
  for (const client of clients) client.close();
  await broker.close();
});

test("a session is opened, batches are acknowledged with their positions, and read", async () => {
  const client = connect();
  const opened = await client.begin("published", 77n);
  assertEquals([opened.session, opened.epoch, opened.nextBatch, opened.runs], [77n, 1, 0, []]);
  assert(opened.limit > 0);
  await client.publish({ session: 77n, epoch: 1, batch: 0 }, ["a", "b", "c"]);
  await client.publish({ session: 77n, epoch: 1, batch: 1 }, ["d"]);
  await client.committed(2);
  assertEquals(await client.readAll("published", 0n, 4), ["0 a", "1 b", "2 c", "3 d"]);
  await client.send({ type: "read", request: 3, topic: "published", from: 1n, bytesMax: 1, waitMs: 0 });
  const records = await client.receiveRecords();
  assertEquals(
    records.map(textOf),
    ["0 a", "1 b", "2 c"],
    "a batch is sent whole, however few bytes were asked for",
  );
});

test("a batch that is sent twice is ordered once", async () => {
  const client = connect();
  await client.begin("twice", 5n);
  for (const batch of [0, 0, 1, 0, 1]) {
    await client.publish({ session: 5n, epoch: 1, batch }, [`batch ${batch}`]);
  }
  await client.committed(2);
  await client.publish({ session: 5n, epoch: 1, batch: 2 }, ["batch 2"]);
  assertEquals(await connect().readAll("twice", 0n, 3), ["0 batch 0", "1 batch 1", "2 batch 2"]);
});

test("a batch that is ahead is held until the gap is filled", async () => {
  const client = connect();
  await client.begin("gap", 6n);
  for (const batch of [2, 1, 0]) await client.publish({ session: 6n, epoch: 1, batch }, [`batch ${batch}`]);
  await client.committed(3);
  assertEquals(await client.readAll("gap", 0n, 3), ["0 batch 0", "1 batch 1", "2 batch 2"]);
});

test("a read needs no hello and waits for what is not there yet", async () => {
  const publisher = connect();
  await publisher.begin("waiting", 8n);
  const reader = connect();
  await reader.send({
    type: "read",
    request: 9,
    topic: "waiting",
    from: 0n,
    bytesMax: 1_000,
    waitMs: 60_000,
  });
  await publisher.publish({ session: 8n, epoch: 1, batch: 0 }, ["at last"]);
  assertEquals((await reader.receiveRecords()).map(textOf), ["0 at last"]);
  await reader.send({ type: "read", request: 10, topic: "waiting", from: 1n, bytesMax: 1_000, waitMs: 1 });
  const { request, position, tail, entries } = await reader.receive("records");
  assertEquals([request, position, tail, entries], [10, 1n, 1n, []]);
});

test("a subscription sends no further than its credit, and goes on with more", async () => {
  const client = connect();
  await client.begin("credit", 9n);
  const values = Array.from({ length: 6 }, (_, index) => `${index}`.repeat(100));
  for (const [batch, value] of values.entries()) {
    await client.publish({ session: 9n, epoch: 1, batch }, [value]);
  }
  await client.committed(6);
  const reader = connect();
  await reader.send({ type: "hello", versionMin: 1, versionMax: 7, features: 0 });
  assertEquals((await reader.receive("welcome")).version, 1);
  const subscribe = { start: "earliest", from: 0n, generation: 0, creditBytes: 108 } as const;
  await reader.send({ type: "subscribe", request: 1, cursor: 4, topic: "credit", ...subscribe });
  const { position, cursor } = await reader.receive("subscribed");
  assertEquals([position, cursor], [0n, 4]);
  const got: string[] = [];
  for (let consumed = 108; got.length < 6; consumed += 108) {
    const records = await reader.receiveRecords();
    assertEquals(records.length, 1, "a body has 108 bytes");
    got.push(...records.map(textOf));
    // An answer to this comes before any records would that went beyond the credit.
    await reader.send({ type: "status", request: 2 });
    await reader.receive("statusReport");
    await reader.send({ type: "credit", cursor: 4, consumedBytes: consumed });
  }
  assertEquals(got, values.map((value, index) => `${index} ${value}`));
});

test("a session is taken up by another link where the first one left it", async () => {
  const first = connect();
  await first.begin("resumed", 10n);
  for (const batch of [0, 1]) await first.publish({ session: 10n, epoch: 1, batch }, [`batch ${batch}`]);
  await first.committed(2);
  first.close();
  const second = connect();
  await second.send({ type: "hello", versionMin: 1, versionMax: 1, features: 0 });
  await second.receive("welcome");
  await second.send({
    type: "openSession",
    request: 3,
    topic: "resumed",
    publisher: "",
    session: 10n,
    epoch: 1,
    acknowledged: 0,
    ack: 1,
    windowBatches: 16,
    windowBytes: 1_048_576,
  });
  const { epoch, nextBatch, runs } = await second.receive("sessionOpened");
  assertEquals([epoch, nextBatch], [1, 2]);
  assertEquals(runs, [{ batch: 0, batches: 2, position: 0n }]);
  for (const batch of [1, 2]) await second.publish({ session: 10n, epoch: 1, batch }, [`batch ${batch}`]);
  await second.committed(3);
  assertEquals(await second.readAll("resumed", 0n, 3), ["0 batch 0", "1 batch 1", "2 batch 2"]);
});

test("a consumer remembers how far it has read, and a newcomer takes over", async () => {
  const first = connect();
  await first.begin("consumed", 11n);
  await first.publish({ session: 11n, epoch: 1, batch: 0 }, ["a", "b", "c"]);
  await first.committed(1);
  await first.send({ type: "openConsumer", request: 4, topic: "consumed", consumer: "billing" });
  const { handle, epoch, position, tail, generation } = await first.receive("consumerOpened");
  assertEquals([epoch, position, tail], [1, undefined, 3n]);
  await first.send({ type: "commit", request: 5, handle, epoch, position: 2n, generation });
  assertEquals((await first.receive("done")).position, 2n);
  const second = connect();
  await second.send({ type: "hello", versionMin: 1, versionMax: 1, features: 0 });
  await second.receive("welcome");
  await second.send({ type: "openConsumer", request: 1, topic: "consumed", consumer: "billing" });
  const opened = await second.receive("consumerOpened");
  assertEquals([opened.epoch, opened.position, opened.committedGeneration], [2, 2n, generation]);
  assertEquals((await first.receive("consumerSuperseded")).handle, handle);
  await first.send({ type: "commit", request: 6, handle, epoch, position: 3n, generation });
  const refused = await first.receive("refused");
  assertEquals([refused.request, refused.error.code], [6, "ERR_LOG_SUPERSEDED"]);
});

test("what the broker does not know or believe is answered, and the link stays", async () => {
  const client = connect();
  const header = encodeMessage({ type: "status", request: 5 }, crc32)[0]!;
  const sealed = (change: (header: Uint8Array) => void): Uint8Array => {
    const copy = header.slice();
    change(copy);
    new DataView(copy.buffer).setUint32(60, crc32(copy.subarray(0, 60), 0), true);
    return copy;
  };
  await client.sendFrames([sealed((copy) => copy[1] = 77), new Uint8Array(3)]);
  const { unknownType, request } = await client.receive("unsupported");
  assertEquals([unknownType, request], [77, 5]);
  const refusals: readonly (readonly [readonly Uint8Array[], number, string])[] = [
    [[sealed((copy) => copy[0] = 9)], 5, "ERR_LOG_UNSUPPORTED"],
    [[sealed((copy) => copy[8] = 1)], 5, "ERR_LOG_MALFORMED"],
    [[header, new Uint8Array(1)], 5, "ERR_LOG_MALFORMED"],
    [[header.subarray(1)], 0, "ERR_LOG_MALFORMED"],
    [[new Uint8Array(64)], 0, "ERR_LOG_MALFORMED"],
  ];
  for (const [frames, expected, code] of refusals) {
    await client.sendFrames(frames);
    const refused = await client.receive("refused");
    assertEquals([refused.request, refused.error.code], [expected, code]);
  }
  const wrongOrder = { order: 3 } as unknown as Extract<LogMessage, { type: "openTopic" }>["options"];
  await client.send({ type: "openTopic", request: 6, topic: "a", options: wrongOrder });
  const { error } = await client.receive("refused");
  assertEquals(error.code, "ERR_LOG_TOPIC");
  assert(error.message.includes("0, 2, 4 and 5"), error.message);
  await client.send({ type: "hello", versionMin: 2, versionMax: 7, features: 0 });
  assertEquals((await client.receive("refused")).error.code, "ERR_LOG_UNSUPPORTED");
  await client.send({ type: "status", request: 7 });
  assertEquals((await client.receive("statusReport")).request, 7);
});
