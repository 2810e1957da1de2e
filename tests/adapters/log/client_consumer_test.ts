import { test } from "node:test";
import { assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { type Log, type LogError, MisuseError } from "../../../log.ts";
import { logCodeOf, logErrorOf, nextEvent, PLACES, take, takeTexts, values } from "./client_places.ts";

async function publish(log: Log, all: readonly string[]): Promise<void> {
  await using publisher = log.publisher("t");
  for (const value of all) void publisher.publish(value);
  await publisher.flush();
}

for (const place of PLACES) {
  const { label } = place;

  test(`${label}: a consumer goes on where the last one of its name committed`, async () => {
    await using stage = await place.open();
    const { log } = stage;
    await publish(log, values(10));
    const first = log.consumer("t", "billing");
    assertEquals(await takeTexts(first, 4), values(4));
    assertEquals([first.position, first.committed], [4n, undefined]);
    await first.commit();
    assertEquals([first.committed, await first.lag()], [4n, 6n]);
    // Read, but not committed: read again.
    assertEquals(await takeTexts(first, 3), values(3, 4));
    await first.close();
    await first.close();
    const second = log.consumer("t", "billing");
    assertEquals(await takeTexts(second, 6), values(6, 4));
    await second.commit(9n);
    await second.commit(8n);
    assertEquals([second.committed, await second.lag()], [8n, 2n]);
    const status = (await log.status()).topics[0]!.consumers;
    assertEquals(status, [{ name: "billing", epoch: 2, position: "8", lag: "2" }]);
    await second.close();
    for await (const record of log.consumer("t", "billing")) {
      assertEquals(record.position, 8n);
      break;
    }
    const other = log.consumer("t", "audit", { from: 9n });
    assertEquals(await takeTexts(other, 1), ["value 9"]);
    assertEquals(await other.lag(), 10n, "nothing was committed");
  });

  test(`${label}: a newcomer ends the consumer before it; both are told`, async () => {
    await using stage = await place.open();
    const { log } = stage;
    await publish(log, values(10));
    const older = log.consumer("t", "billing");
    assertEquals(await takeTexts(older, 2), values(2));
    await older.commit();
    const event = nextEvent(log, "superseded");
    const newer = log.consumer("t", "billing");
    assertEquals(await takeTexts(newer, 2), values(2, 2));
    const told = await event;
    assertEquals([told.topic, told.name, (told.error as LogError).code], [
      "t",
      "billing",
      "ERR_LOG_SUPERSEDED",
    ]);
    // What was delivered before is read to its end.
    const error = await logErrorOf(take(older, 100));
    assertEquals([error.code, error.topic], ["ERR_LOG_SUPERSEDED", "t"]);
    for (const code of [older.commit(5n), older.lag()].map(logCodeOf)) assertEquals(await code, error.code);
    await newer.commit();
    assertEquals(newer.committed, 4n);
  });

  test(`${label}: what was sent ahead is not read: a position before the first record is that record's`, async () => {
    await using stage = await place.open();
    const { log } = stage;
    await publish(log, values(10));
    const consumer = log.consumer("t", "billing", { from: 3n });
    const subscription = log.subscribe("t", { from: "earliest" });
    // Both streams have begun, and most likely all of it has arrived.
    await consumer.lag();
    for (let round = 0; round < 3; round++) await log.status();
    assertEquals([consumer.position, subscription.position], [3n, 0n]);
    await consumer.commit();
    assertEquals(await consumer.lag(), 7n);
    assertEquals(await takeTexts(consumer, 7), values(7, 3));
  });

  test(`${label}: many commits at once, each confirmed; the last one counts`, async () => {
    await using stage = await place.open();
    const { log } = stage;
    await publish(log, values(100));
    const consumer = log.consumer("t", "billing");
    await Promise.all(Array.from({ length: 100 }, (_, index) => consumer.commit(BigInt(index + 1))));
    assertEquals([consumer.committed, await consumer.lag()], [100n, 0n]);
    const beyond = await logErrorOf(consumer.commit(101n));
    assertEquals([beyond.code, beyond.from, beyond.to], ["ERR_LOG_CUT", 100n, 101n]);
    // One that is refused holds up nobody.
    await consumer.commit(50n);
    assertEquals(consumer.committed, 50n);
  });

  test(`${label}: a consumer's misuse is told with the name, the value and what is allowed`, async () => {
    await using stage = await place.open();
    const { log } = stage;
    await log.openTopic("t");
    assertThrows(() => log.consumer("t", ""), MisuseError, 'name a consumer ""');
    assertThrows(() => log.consumer("t", 5 as unknown as string), MisuseError, "name a consumer 5");
    assertThrows(() => log.consumer("t", "a\nb"), MisuseError, "control characters");
    assertThrows(() => log.consumer("-t", "a"), MisuseError, 'Cannot name a topic "-t"');
    assertThrows(() => log.consumer("t", "a", { creditBytes: 1 }), MisuseError, "creditBytes");
    const consumer = log.consumer("t", "a");
    for (const wrong of [5, -1n, 2n ** 64n, "0", null]) {
      const error = await assertRejects(() => consumer.commit(wrong as bigint), MisuseError);
      assertInstanceOf(error, MisuseError);
      assertEquals(error.code, "ERR_OPTION");
    }
    await consumer.commit(0n);
    assertEquals(consumer.committed, 0n);
    await assertRejects(() => consumer.lag({ signal: 5 as never }), MisuseError, '"signal"');
    await assertRejects(() => consumer.commit(0n, { signal: {} as never }), MisuseError, '"signal"');
    // Of a topic that is not there.
    const nowhere = log.consumer("nowhere", "a");
    assertEquals(await logCodeOf(take(nowhere, 1)), "ERR_LOG_TOPIC");
    assertEquals(await logCodeOf(nowhere.commit(0n)), "ERR_LOG_TOPIC");
  });

  test(`${label}: a consumer that was closed gives up its name, and what was not confirmed is rejected`, async () => {
    await using stage = await place.open();
    const { log } = stage;
    await publish(log, values(3));
    const consumer = log.consumer("t", "billing");
    const commits = [consumer.commit(1n), consumer.commit(2n)].map(logCodeOf);
    await consumer.close();
    for (const code of commits) assertEquals(await code, "ERR_LOG_CLOSED");
    assertEquals(await logCodeOf(consumer.commit(3n)), "ERR_LOG_CLOSED");
    for await (const record of consumer) throw new Error(`read ${record.position}`);
    await using another = log.consumer("t", "billing");
    assertEquals(await takeTexts(another, 3), values(3));
  });
}

test("a consumer in the retention's keepFor holds back what it has not committed", async () => {
  for (const place of PLACES) {
    await using stage = await place.open({
      stagingBufferBytes: 4_096,
      topics: { t: { segmentBytes: 8_192, retention: { bytesMax: 1, keepFor: ["slow"] } } },
    });
    const { log } = stage;
    const publisher = log.publisher("t", { batchBytes: 2_048 });
    const publishMore = async (): Promise<void> => {
      for (let number = 0; number < 40; number++) await publisher.publish(new Uint8Array(2_000));
    };
    await publishMore();
    const slow = log.consumer("t", "slow");
    await slow.commit(1n);
    await publishMore();
    assertEquals((await log.openTopic("t")).earliest, 0n, place.label);
    await slow.commit(70n);
    await publishMore();
    const { earliest } = await log.openTopic("t");
    assertEquals(earliest > 1n && earliest <= 70n, true, `${place.label}: ${earliest}`);
  }
});
