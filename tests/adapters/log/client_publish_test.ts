import { test } from "node:test";
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { logCodeOf, PLACES, take, takeTexts, textOf, values } from "./client_places.ts";

for (const place of PLACES) {
  const { label } = place;

  test(`scenario 33: ${label}: one record published, one read, without another behind it`, async () => {
    await using stage = await place.open();
    const publisher = stage.log.publisher("t");
    assertEquals(await publisher.publish("only"), { position: 0n });
    const [record] = await take(stage.log.subscribe("t", { from: "earliest" }), 1);
    assertEquals(record!.position, 0n);
    assertEquals(textOf(record!), "only");
  });

  test(`scenario 32: ${label}: closing right after the last record loses nothing`, async () => {
    await using stage = await place.open();
    const all = values(2_000);
    const publisher = stage.log.publisher("t", { batchBytes: 512, windowBytes: 4_096 });
    const published = all.map((value) => publisher.publish(value));
    await publisher.close();
    assertEquals(
      (await Promise.all(published)).map(({ position }) => position),
      all.map((_, index) => BigInt(index)),
    );
    assertEquals(await takeTexts(stage.log.subscribe("t", { from: "earliest" }), all.length), all);
    assertEquals(await logCodeOf(publisher.publish("late")), "ERR_LOG_CLOSED");
  });

  test(`${label}: tryPublish until the window is full, waitWritable, flush`, async () => {
    await using stage = await place.open();
    const all = values(1_000);
    const publisher = stage.log.publisher("t", { batchBytes: 256, windowBytes: 1_024 });
    let refused = 0;
    for (const value of all) {
      while (!publisher.tryPublish(value)) {
        refused++;
        await publisher.waitWritable();
      }
    }
    await publisher.flush();
    assert(refused > 0, "the window was never full");
    const { acknowledged, submitted, text } = publisher.progress();
    assertEquals([acknowledged, submitted], [1_000, 1_000]);
    assertEquals(text, "waiting for acks: [B0=1000] total=1000/1000");
    assertEquals(await takeTexts(stage.log.subscribe("t", { from: "earliest" }), all.length), all);
  });

  test(`${label}: key, headers and the producer's time arrive as they were given`, async () => {
    await using stage = await place.open();
    const publisher = stage.log.publisher("t");
    const bytes = new Uint8Array([0, 255, 1]);
    publisher.publish(bytes, {
      key: "customer 7",
      headers: { kind: "order", raw: bytes },
      timestampMs: 1_234_567_890_123,
    });
    publisher.publish("plain");
    publisher.publish(new Uint8Array(0), { key: bytes });
    await publisher.flush();
    const [full, plain, empty] = await take(stage.log.subscribe("t", { from: "earliest" }), 3);
    assertEquals(full!.value, bytes);
    assertEquals(new TextDecoder().decode(full!.key), "customer 7");
    assertEquals([...full!.headers.keys()], ["kind", "raw"]);
    assertEquals(new TextDecoder().decode(full!.headers.get("kind")), "order");
    assertEquals(full!.headers.get("raw"), bytes);
    assertEquals(full!.producerTimestampMs, 1_234_567_890_123);
    assertEquals([plain!.key, plain!.headers.size, plain!.producerTimestampMs], [undefined, 0, undefined]);
    assertEquals([textOf(empty!), empty!.key], ["", bytes]);
    assert(plain!.timestampMs >= full!.timestampMs && full!.timestampMs > 1_600_000_000_000);
  });

  test(`${label}: what is published may change its memory at once, also while it waits for room`, async () => {
    await using stage = await place.open();
    const publisher = stage.log.publisher("t", { batchBytes: 256, windowBytes: 256 });
    const [value, key, header] = [new Uint8Array(64), new Uint8Array(8), new Uint8Array(8)];
    const published: Promise<unknown>[] = [];
    for (let number = 0; number < 20; number++) {
      for (const bytes of [value, key, header]) bytes.fill(number);
      published.push(publisher.publish(value, { key, headers: { header } }));
    }
    for (const bytes of [value, key, header]) bytes.fill(99);
    await Promise.all(published);
    const records = await take(stage.log.subscribe("t", { from: "earliest" }), 20);
    records.forEach((record, number) => {
      assertEquals(record.value, new Uint8Array(64).fill(number));
      assertEquals(record.key, new Uint8Array(8).fill(number));
      assertEquals(record.headers.get("header"), new Uint8Array(8).fill(number));
    });
  });

  test(`${label}: at ack 0 nothing is told of a position; at 1 ${place.durable ? "and 2 " : ""}it is`, async () => {
    await using stage = await place.open({ topics: { quick: { ack: 0 } } });
    const { log } = stage;
    const quick = log.publisher("quick");
    // The topic is not known yet, and then it is.
    assertEquals(await quick.publish("early"), { position: undefined });
    assertEquals(await quick.publish("late"), { position: undefined });
    await quick.flush();
    assertEquals(await takeTexts(log.subscribe("quick", { from: "earliest" }), 2), ["early", "late"]);
    assertEquals(await log.publisher("quick", { ack: 1 }).publish("known"), { position: 2n });
    assertEquals(await log.publisher("t", { ack: 1 }).publish("a"), { position: 0n });
    if (!place.durable) {
      assertEquals(await logCodeOf(log.publisher("t", { ack: 2 }).publish("b")), "ERR_LOG_TOPIC");
      return;
    }
    assertEquals(await log.publisher("t", { ack: 2 }).publish("b"), { position: 1n });
    await log.openTopic("safe", { ack: 2 });
    assertEquals(await log.publisher("safe").publish("a"), { position: 0n });
    assertEquals(await logCodeOf(log.publisher("safe", { ack: 1 }).publish("b")), "ERR_LOG_TOPIC");
  });

  test(`${label}: topics have their own order, ack and retention`, async () => {
    await using stage = await place.open({ topics: { "*": { order: 4 }, fast: { order: 0, ack: 0 } } });
    const { log } = stage;
    const fast = await log.openTopic("fast");
    assertEquals([fast.options.order, fast.options.ack], [0, 0]);
    const kept = await log.openTopic("kept", { retention: { keepFor: ["billing"], ageMsMax: 5_000 } });
    assertEquals(kept.options.order, 4);
    assertEquals(kept.options.retention, { bytesMax: 0, ageMsMax: 5_000, keepFor: ["billing"] });
    assertEquals([kept.topic, kept.earliest, kept.tail, kept.durability], [
      "kept",
      0n,
      0n,
      place.durable ? "machine" : "none",
    ]);
    for (const order of [0, 2, 4, 5] as const) {
      await log.openTopic(`order-${order}`, { order });
      const publisher = log.publisher(`order-${order}`);
      for (const value of values(10)) publisher.publish(value);
      await publisher.flush();
      const source = log.subscribe(`order-${order}`, { from: "earliest" });
      assertEquals(await takeTexts(source, 10), values(10));
    }
  });

  test(`scenario 63: ${label}: a topic that is opened again is the same, or refused, and never reset`, async () => {
    await using stage = await place.open();
    const { log } = stage;
    const publisher = log.publisher("t", { onTopic: { order: 2 } });
    for (const value of values(3)) await publisher.publish(value);
    const again = await Promise.all([
      log.openTopic("t"),
      log.openTopic("t", { order: 2 }),
      log.openTopic("t", { order: 2, ack: 1 }),
    ]);
    for (const { options: { order }, tail } of again) assertEquals([order, tail], [2, 3n]);
    assertEquals(await logCodeOf(log.openTopic("t", { order: 5 })), "ERR_LOG_TOPIC");
    assertEquals(await logCodeOf(log.openTopic("t", { ack: 0 })), "ERR_LOG_TOPIC");
    const other = log.publisher("t", { onTopic: { order: 0 } });
    assertEquals(await logCodeOf(other.publish("x")), "ERR_LOG_TOPIC");
    assertEquals(await publisher.publish("still"), { position: 3n });
    assertEquals((await log.openTopic("t")).tail, 4n);
    assertEquals(await takeTexts(log.subscribe("t", { from: "earliest" }), 4), [...values(3), "still"]);
  });

  test(`${label}: records linger for others, but not behind a flush, a close, a full batch or for longer than asked`, async () => {
    await using stage = await place.open();
    const { log } = stage;
    const lingerMs = 60_000;
    const flushed = log.publisher("t", { lingerMs });
    await flushed.opened();
    const first = flushed.publish("a");
    await flushed.flush();
    assertEquals(await first, { position: 0n });
    const second = flushed.publish("b");
    await flushed.close();
    assertEquals(await second, { position: 1n });
    const counted = log.publisher("t", { lingerMs, batchRecordsMax: 2 });
    const three = ["c", "d", "e"].map((value) => counted.publish(value));
    assertEquals(await Promise.all(three.slice(0, 2)), [{ position: 2n }, { position: 3n }]);
    await counted.close();
    assertEquals(await three[2], { position: 4n });
    const sized = log.publisher("t", { lingerMs, batchBytes: 64 });
    assertEquals(await sized.publish("x".repeat(56)), { position: 5n });
    assertEquals(await sized.publish("x".repeat(500)), { position: 6n }, "a batch of its own");
    assertEquals(await log.publisher("t", { lingerMs: 1 }).publish("f"), { position: 7n });
  });

  test(`${label}: several publishers of one log, each in its own order`, async () => {
    await using stage = await place.open();
    const { log } = stage;
    const publishers = ["a", "b", "c"].map((name) => ({
      name,
      publisher: log.publisher("t", { batchBytes: 128, name: name === "c" ? name : undefined }),
    }));
    const published = publishers.flatMap(({ name, publisher }) =>
      values(200).map((value) => publisher.publish(`${name} ${value}`))
    );
    const positions = (await Promise.all(published)).map(({ position }) => position!);
    assertEquals(new Set(positions).size, 600);
    const texts = await takeTexts(log.subscribe("t", { from: "earliest" }), 600);
    positions.forEach((position, index) => {
      const name = publishers[Math.floor(index / 200)]!.name;
      assertStrictEquals(texts[Number(position)], `${name} value ${index % 200}`);
    });
    for (const { name } of publishers) {
      assertEquals(
        texts.filter((text) => text.startsWith(name)),
        values(200).map((value) => `${name} ${value}`),
      );
    }
  });
}
