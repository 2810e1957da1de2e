import { test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { createHost } from "../../../adapters/host.ts";
import { type Log, MisuseError } from "../../../log.ts";
import { Context } from "../../../src/socket/context.ts";
import { loadAdapter } from "../../../adapters/detect.ts";
import {
  logErrorOf,
  nextEvent,
  type Place,
  PLACES,
  type Stage,
  take,
  takeTexts,
  textOf,
  values,
} from "./client_places.ts";

async function publish(log: Log, all: readonly string[], topic = "t"): Promise<void> {
  await using publisher = log.publisher(topic, { batchBytes: 64 });
  for (const value of all) void publisher.publish(value);
  await publisher.flush();
}

/** A topic of many small segments, of which all but the last few are gone. Answers the first position that is kept. */
async function trimmed(log: Log): Promise<bigint> {
  const big = new Uint8Array(2_000);
  const publisher = log.publisher("t", { batchBytes: 2_048 });
  for (let number = 0; number < 60; number++) {
    big[0] = number;
    await publisher.publish(big);
  }
  const kept = await log.trim("t", 50n);
  assert(kept > 0n && kept <= 50n, `${kept} is the first that is kept`);
  return kept;
}

/** Small segments, so that there is something to remove. */
const SMALL = { stagingBufferBytes: 4_096, topics: { t: { segmentBytes: 8_192 } } };

for (const place of PLACES) {
  const { label } = place;

  test(`${label}: from earliest, from a position, from latest`, async () => {
    await using stage = await place.open();
    const { log } = stage;
    await publish(log, values(10));
    assertEquals(await takeTexts(log.subscribe("t", { from: "earliest" }), 10), values(10));
    assertEquals(await takeTexts(log.subscribe("t", { from: 7n }), 3), values(3, 7));
    const latest = [
      log.subscribe("t"),
      log.subscribe("t", { from: "latest" }),
      log.subscribe("t", { from: 10n }),
    ];
    const records = latest.map((source) => take(source, 2));
    await publish(log, values(2, 10));
    for (const pair of await Promise.all(records)) {
      assertEquals(pair.map(textOf), values(2, 10));
      assertEquals(pair.map(({ position }) => position), [10n, 11n]);
    }
    assertEquals(latest.map(({ position }) => position), [12n, 12n, 12n]);
    const behind = await logErrorOf(take(log.subscribe("t", { from: 13n }), 1));
    assertEquals([behind.code, behind.topic, behind.from, behind.to], ["ERR_LOG_CUT", "t", 12n, 13n]);
  });

  test(`${label}: batches, of any size and bounded; the rest of a batch is not lost to another loop`, async () => {
    await using stage = await place.open();
    const { log } = stage;
    await publish(log, values(100));
    const whole = log.subscribe("t", { from: "earliest" });
    const texts: string[] = [];
    let most = 0;
    for await (const records of whole.batches()) {
      most = Math.max(most, records.length);
      texts.push(...records.map(textOf));
      if (texts.length === 100) break;
    }
    assertEquals(texts, values(100));
    assert(most > 1, "no batch had more than one record");
    const bounded = log.subscribe("t", { from: "earliest" });
    const some = bounded.batches(2);
    const seen: string[] = [];
    while (seen.length < 50) {
      const { value } = await some.next();
      assert(value.length >= 1 && value.length <= 2);
      seen.push(...(value as typeof value & []).map(textOf));
      seen.push(...await takeTexts(bounded, 1));
    }
    assertEquals(seen, values(seen.length));
    for (const max of [0, 1.5, -1, NaN, "2" as unknown as number]) {
      assertThrows(() => bounded.batches(max), MisuseError, "records");
    }
  });

  test(`${label}: leaving a loop closes the subscription; what is closed ends in order`, async () => {
    await using stage = await place.open();
    const { log } = stage;
    await publish(log, values(10));
    const left = log.subscribe("t", { from: "earliest" });
    for await (const record of left) if (record.position === 4n) break;
    for await (const record of left) throw new Error(`read ${record.position} of what was left`);
    assertEquals(left.position, 5n);
    const waiting = log.subscribe("t");
    const next = waiting[Symbol.asyncIterator]().next();
    await waiting.close();
    assertEquals(await next, { value: undefined, done: true });
    await waiting.close();
    // All that was open there is closed.
    const [topic] = (await log.status()).topics;
    assertEquals(topic!.subscriptions, 0);
  });

  test(`scenario 51: ${label}: a subscription to a topic that is not there gets each record once, as do later ones`, async () => {
    await using stage = await place.open();
    const { log } = stage;
    const early = [
      log.subscribe("t"),
      log.subscribe("t", { from: "earliest" }),
      log.subscribe("t", { from: 0n }),
    ];
    const iterators = early.map((source) => take(source, 30));
    assertEquals((await log.status()).topics, [], "to subscribe makes no topic");
    await publish(log, values(20));
    const joined = take(log.subscribe("t", { from: "earliest" }), 30);
    await publish(log, values(10, 20));
    for (const records of await Promise.all([...iterators, joined])) {
      assertEquals(records.map(({ position }) => position), values(30).map((_, index) => BigInt(index)));
      assertEquals(records.map(textOf), values(30));
    }
  });

  test(`scenario 47: ${label}: a reader much slower than its writer is passed over nothing`, async () => {
    await using stage = await place.open({ ...SMALL, topics: { t: { segmentBytes: 8_192 } } });
    const { log } = stage;
    const slow = log.subscribe("t", { from: "earliest", creditBytes: 64 });
    const iterator = slow[Symbol.asyncIterator]();
    const [first] = await Promise.all([iterator.next(), publish(log, values(1_000))]);
    const texts = [textOf(first.value)];
    // Everything was written long ago, and most of it never fitted into the credit.
    while (texts.length < 1_000) texts.push(textOf((await iterator.next()).value));
    assertEquals(texts, values(1_000));
  });

  test(`${label}: a credit below a single batch holds up nothing`, async () => {
    await using stage = await place.open();
    const { log } = stage;
    const publisher = log.publisher("t");
    for (let round = 0; round < 3; round++) {
      for (const value of values(300, round * 300)) void publisher.publish(value);
      await publisher.flush();
    }
    const source = log.subscribe("t", { from: "earliest", creditBytes: 64 });
    assertEquals(await takeTexts(source, 900), values(900));
  });

  test(`scenario 50: ${label}: what the tail covers can be read`, async () => {
    await using stage = await place.open();
    const { log } = stage;
    const publisher = log.publisher("t", { batchBytes: 64 });
    for (let round = 0; round < 20; round++) {
      for (const value of values(7, round * 7)) void publisher.publish(value);
      const { tail } = await log.openTopic("t");
      const read = await takeTexts(log.subscribe("t", { from: "earliest" }), Number(tail));
      assertEquals(read, values(Number(tail)));
    }
    await publisher.flush();
    assertEquals((await log.openTopic("t")).tail, 140n);
  });

  test(`${label}: below the first position that is kept: an error with both bounds, or the earliest`, async () => {
    await using stage = await place.open(SMALL);
    const { log } = stage;
    const kept = await trimmed(log);
    const event = nextEvent(log, "trimmed");
    const ended = log.subscribe("t", { from: 0n });
    const error = await logErrorOf(take(ended, 1));
    assertEquals([error.code, error.topic, error.from, error.to], ["ERR_LOG_TRIMMED", "t", 0n, kept]);
    assertEquals((await event).error, error);
    assertEquals(await ended[Symbol.asyncIterator]().next(), { value: undefined, done: true });
    for (const from of [0n, "earliest"] as const) {
      const [record] = await take(log.subscribe("t", { from, onTrimmed: "earliest" }), 1);
      assertEquals([record!.position, record!.value[0]], [kept, Number(kept)]);
    }
    assertEquals(await log.trim("t", 0n), kept, "nothing comes back");
    assertEquals((await log.openTopic("t")).earliest, kept);
  });
}

test("from a time: the first record that is not older, in every kind of log with a clock of its own", async () => {
  let wallMs = 1_000_000;
  const { transports } = await loadAdapter();
  // A host of its own for each: it counts what holds the process.
  const context = (): Context =>
    new Context({
      host: { ...createHost(), wallMs: () => wallMs },
      transports: Object.fromEntries(transports),
    });
  for (const place of PLACES as readonly Place[]) {
    await using stage: Stage = await place.open({ context: context() });
    const { log } = stage;
    const publisher = log.publisher("t");
    for (let number = 0; number < 10; number++) {
      wallMs += 100;
      await publisher.publish(`value ${number}`);
    }
    const base = wallMs - 900;
    const from = async (timestampMs: number): Promise<bigint> => {
      const [record] = await take(log.subscribe("t", { from: { timestampMs } }), 1);
      assert(record!.timestampMs >= timestampMs);
      return record!.position;
    };
    assertEquals(await from(0), 0n);
    assertEquals(await from(base), 0n);
    assertEquals(await from(base + 1), 1n);
    assertEquals(await from(base + 500), 5n);
    assertEquals(await from(base + 850), 9n);
    const later = take(log.subscribe("t", { from: { timestampMs: base + 901 } }), 1);
    await log.status();
    wallMs += 1;
    await publisher.publish("later");
    assertEquals((await later)[0]!.position, 10n);
  }
});
