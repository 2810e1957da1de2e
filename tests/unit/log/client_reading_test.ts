import { test } from "node:test";
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { openLog } from "../../../log.ts";
import { MisuseError } from "../../../src/errors.ts";
import type { Log } from "../../../src/log/client/log_client.ts";
import { LogError } from "../../../src/log/errors.ts";
import { Context } from "../../../src/socket/context.ts";
import { World } from "../../support/world.ts";

// What a program holds while it reads: how iterations end, what they know of their place, what they refuse.

// A module that is being loaded is nothing that a virtual world could wait for.

/** A log in memory with so many records in its topic `orders`. */
async function makeLog(count: number): Promise<{ world: World; context: Context; log: Log }> {
  const world = new World(1);
  const context = new Context({ host: world.host });
  const log = await world.driveTo(openLog({ context }));
  const publisher = log.publisher("orders");
  await world.driveTo(Promise.all(Array.from({ length: count }, (_, i) => publisher.publish(String(i)))));
  return { world, context, log };
}

test("batches have as many records as asked for, from one on", async () => {
  const { world, log } = await makeLog(3);
  const cases: [number, number[]][] = [[1, [1, 1, 1]], [2, [2, 1]], [Infinity, [3]]];
  for (const [max, sizes] of cases) {
    const subscription = log.subscribe("orders", { from: "earliest" });
    const batches = subscription.batches(max);
    const seen: number[] = [];
    while (seen.length < sizes.length) seen.push((await world.driveTo(batches.next())).value.length);
    assertEquals(seen, sizes, `at most ${max}`);
    assertEquals(await world.driveTo(batches.return!()), { value: undefined, done: true });
    assertEquals(await world.driveTo(batches.next()), { value: undefined, done: true });
  }
  const subscription = log.subscribe("orders", { from: "earliest" });
  for (const max of [0, -1, 1.5, NaN, -Infinity]) {
    assertEquals(assertThrows(() => subscription.batches(max), MisuseError).code, "ERR_OPTION", String(max));
  }
  await world.driveTo(log.close());
});

test("a reader knows where it stands, once it was told, and what of it is committed", async () => {
  const { world, log } = await makeLog(3);
  const consumer = log.consumer("orders", "billing");
  assertEquals(log.subscribe("orders", { from: 1n }).position, 1n);
  assertEquals(consumer.position, undefined);
  for (const reader of [log.subscribe("orders", { from: "earliest" }), consumer]) {
    const first = await world.driveTo(reader[Symbol.asyncIterator]().next());
    assertEquals(reader.position, first.value.position + 1n);
  }
  assertEquals(await world.driveTo(consumer.lag()), 3n);
  await world.driveTo(consumer.commit());
  assertEquals([consumer.committed, await world.driveTo(consumer.lag())], [1n, 2n]);
  await world.driveTo(consumer.commit(0n));
  assertEquals([consumer.committed, await world.driveTo(consumer.lag())], [0n, 3n]);
  await world.driveTo(consumer.commit(3n));
  assertEquals([consumer.committed, await world.driveTo(consumer.lag())], [3n, 0n]);
  for (const position of [-1n, 2n ** 64n, 3]) {
    const error = await assertRejects(() => consumer.commit(position as bigint), MisuseError);
    assertEquals(error.code, "ERR_OPTION");
  }
  const refused = await assertRejects(() => consumer.commit(1n, { signal: 5 as never }), MisuseError);
  assertEquals(refused.code, "ERR_OPTION");
  await world.driveTo(log.close());
});

test("closing a log ends what is read in order, and closing its context is told as such", async () => {
  for (const ends of ["log", "context"] as const) {
    const { world, context, log } = await makeLog(1);
    const readers = [log.subscribe("orders", { from: "earliest" }), log.consumer("orders", "billing")];
    const iterators = readers.map((reader) => reader[Symbol.asyncIterator]());
    for (const iterator of iterators) {
      assertEquals((await world.driveTo(iterator.next())).value.position, 0n);
    }
    const waiting = Promise.allSettled(iterators.map((iterator) => iterator.next()));
    if (ends === "log") await world.driveTo(log.close());
    else context.close();
    const done = { status: "fulfilled", value: { value: undefined, done: true } } as const;
    assertEquals(await world.driveTo(waiting), [done, done] as never, ends);
    await world.driveFor(10_000);
    assertEquals(world.holdsProcess, false);
  }
});

test("a signal ends a reader with its reason, once, also one that is aborted before", async () => {
  const { world, log } = await makeLog(1);
  for (const before of [true, false]) {
    const abort = new AbortController();
    if (before) abort.abort("enough");
    const { signal } = abort;
    const readers = [
      log.subscribe("orders", { from: "latest", signal }),
      log.consumer("orders", "billing", { signal }),
    ];
    const waiting = readers.map((reader) => reader[Symbol.asyncIterator]());
    const nexts = Promise.allSettled(waiting.map((iterator) => iterator.next()));
    if (!before) abort.abort("enough");
    for (const result of await world.driveTo(nexts)) {
      const { reason } = result as PromiseRejectedResult;
      assertEquals([reason instanceof LogError, reason.code, reason.cause], [
        true,
        "ERR_LOG_ABORTED",
        "enough",
      ]);
    }
    for (const iterator of waiting) {
      assertEquals(await world.driveTo(iterator.next()), { value: undefined, done: true });
    }
  }
  await world.driveTo(log.close());
});
