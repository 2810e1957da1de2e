import { test } from "node:test";
import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { connectLog, type Log, type LogPublisher, MisuseError, openLog, startBroker } from "../../../log.ts";
import { logCodeOf, logErrorOf, PLACES, take, takeTexts, textOf, values } from "./client_places.ts";

/** A publisher whose window is full, and which waits for a broker that does not take its topic before `free` is called. */
function stuck(log: Log): { readonly publisher: LogPublisher; readonly full: () => void } {
  const publisher = log.publisher("t", { batchBytes: 64, windowBytes: 64 });
  return {
    publisher,
    full: () => {
      while (publisher.tryPublish("x".repeat(20)));
    },
  };
}

for (const place of PLACES) {
  const { label } = place;

  test(`${label}: a signal that is aborted before ends every wait before it begins`, async () => {
    await using stage = await place.open();
    const { log } = stage;
    await log.openTopic("t");
    const reason = new Error("changed my mind");
    const signal = AbortSignal.abort(reason);
    const publisher = log.publisher("t");
    await publisher.publish("first");
    const consumer = log.consumer("t", "billing");
    const waits: readonly (() => Promise<unknown>)[] = [
      () => publisher.publish("never", { signal }),
      () => publisher.waitWritable({ signal }),
      () => publisher.flush({ signal }),
      () => publisher.opened({ signal }),
      () => consumer.commit(1n, { signal }),
      () => consumer.lag({ signal }),
      () => log.openTopic("u", {}, { signal }),
      () => log.trim("t", 0n, { signal }),
      () => log.status({ signal }),
      () => take(log.subscribe("t", { signal }), 1),
      () => take(log.consumer("t", "audit", { signal }), 1),
      () => connectLog("tcp://127.0.0.1:9", { signal }),
    ];
    for (const wait of waits) {
      const error = await logErrorOf(wait());
      assertEquals(error.code, "ERR_LOG_ABORTED", String(wait));
      assertStrictEquals(error.cause, reason);
    }
    await publisher.flush();
    assertEquals((await log.openTopic("t")).tail, 1n, "nothing was published");
    assertEquals((await log.status()).topics.map(({ name }) => name), ["t"], "and no topic was made");
  });

  test(`${label}: aborting publish ends the wait alone: the record arrives, also where it waited for room`, async () => {
    await using stage = await place.open();
    const { publisher, full } = stuck(stage.log);
    full();
    const before = publisher.progress().submitted;
    const abort = new AbortController();
    const published = values(5).map((value) => publisher.publish(value, { signal: abort.signal }));
    const kept = publisher.publish("behind");
    abort.abort();
    for (const code of published.map(logCodeOf)) assertEquals(await code, "ERR_LOG_ABORTED");
    assertEquals(await kept, { position: BigInt(before + 5) });
    const records = await take(stage.log.subscribe("t", { from: "earliest" }), before + 6);
    assertEquals(records.slice(before).map(textOf), [...values(5), "behind"]);
  });

  test(`${label}: aborting any other wait changes nothing`, async () => {
    await using stage = await place.open();
    const { log } = stage;
    const { publisher, full } = stuck(log);
    full();
    const abort = new AbortController();
    const { signal } = abort;
    const subscription = log.subscribe("t", { from: "earliest", signal });
    const endless = log.subscribe("nowhere", { signal })[Symbol.asyncIterator]().next();
    const waits = [
      publisher.waitWritable({ signal }),
      publisher.flush({ signal }),
      publisher.opened({ signal }),
      log.openTopic("t", {}, { signal }),
      log.status({ signal }),
    ];
    abort.abort();
    for (const code of [...waits, endless].map(logCodeOf)) assertEquals(await code, "ERR_LOG_ABORTED");
    assertEquals(await logCodeOf(take(subscription, 1)), "ERR_LOG_ABORTED");
    await publisher.flush();
    const { submitted, acknowledged } = publisher.progress();
    assert(submitted > 0);
    assertEquals(acknowledged, submitted);
    assertEquals((await take(log.subscribe("t", { from: "earliest" }), submitted)).length, submitted);
  });

  test(`${label}: aborting a commit ends the wait alone`, async () => {
    await using stage = await place.open();
    const { log } = stage;
    await log.publisher("t").publish("one");
    const consumer = log.consumer("t", "billing");
    const abort = new AbortController();
    const committed = consumer.commit(1n, { signal: abort.signal });
    abort.abort();
    assertEquals(await logCodeOf(committed), "ERR_LOG_ABORTED");
    // Commits are done in order: this one is confirmed behind the other.
    await consumer.lag();
    const again = log.consumer("t", "billing");
    assertEquals(await again.lag(), 0n);
  });

  test(`${label}: a publisher that is closed with an aborted signal gives up what is not acknowledged`, async () => {
    await using stage = await place.open();
    const { publisher, full } = stuck(stage.log);
    full();
    const waiting = [publisher.publish("a"), publisher.publish("b"), publisher.flush()];
    const codes = waiting.map(logCodeOf);
    await publisher.close({ signal: AbortSignal.abort() });
    for (const code of codes) assertEquals(await code, "ERR_LOG_CLOSED");
    assertThrows(() => publisher.tryPublish("c"), "ERR_LOG_CLOSED");
  });

  test(`${label}: a flush does not pass over records that never found room`, async () => {
    await using stage = await place.open();
    // Nobody knows the last sequence yet, so the record waits, and nothing else is under way.
    const publisher = stage.log.publisher("t", { name: "job" });
    const waiting = [publisher.publish("x", { sequence: 1n }), publisher.flush()].map(logCodeOf);
    await publisher.close({ signal: AbortSignal.abort() });
    for (const code of waiting) assertEquals(await code, "ERR_LOG_CLOSED");
    await publisher.flush();
  });
}

test("what is misused says which option, which value, and what is allowed", async () => {
  await using log = await openLog();
  const publisher = log.publisher("t");
  const wrong = (value: unknown): never => value as never;
  const misuses: readonly (readonly [() => Promise<unknown>, string])[] = [
    [() => publisher.publish(wrong(undefined)), "value is undefined"],
    [() => publisher.publish(wrong(null)), "value is null"],
    [() => publisher.publish(wrong(5)), "value is number"],
    [() => publisher.publish("x", wrong(null)), "options null"],
    [() => publisher.publish("x", { key: wrong(5) }), "key is number"],
    [() => publisher.publish("x", { headers: { a: wrong(5) } }), 'header "a" is number'],
    [() => publisher.publish("x", { timestampMs: -1 }), "timestampMs is -1"],
    [() => publisher.publish("x", { sequence: 5n }), 'has no "name"'],
    [() => publisher.publish("x", { signal: wrong("x") }), '"signal" to "x"'],
    [() => publisher.flush({ signal: wrong(1) }), '"signal" to 1'],
    [() => publisher.flush(wrong(1)), "options 1"],
    [() => publisher.waitWritable({ signal: wrong({}) }), '"signal" to an object'],
    [() => publisher.opened({ signal: wrong(null) }), '"signal" to null'],
    [() => log.status({ signal: wrong(1) }), '"signal" to 1'],
    [() => log.openTopic(""), 'name a topic ""'],
    [() => log.openTopic("t", wrong({ order: 3 })), '"order" to 3: allowed is 0, 2, 4 or 5'],
    [() => log.openTopic("t", wrong({ color: 1 })), 'Unknown option "color" of a topic'],
    [() => log.trim("t", wrong(5)), "Cannot trim before 5"],
    [() => log.trim("t", -1n), "Cannot trim before -1n"],
    [() => openLog(wrong(5)), '"options" to 5'],
    [() => openLog({ closeTimeoutMs: -1 }), '"closeTimeoutMs" to -1: allowed is milliseconds'],
    [() => openLog(wrong({ listen: ["tcp://127.0.0.1:1"] })), 'Unknown option "listen"'],
    [() => openLog(wrong({ dirr: "x" })), 'Unknown option "dirr" of a broker'],
    [() => openLog(wrong({ stores: {} })), '"stores" to an object: allowed is a StoreFactory'],
    [() => openLog({ topics: { "*": { ack: 2 } } }), '"topics.*.ack" to 2'],
    [() => startBroker(wrong(5)), '"options" to 5'],
    [() => startBroker({ listen: ["nonsense"] }), '"listen"'],
    [() => startBroker({ listen: ["udp://127.0.0.1:1"] }), 'Unknown transport "udp"'],
    [() => connectLog([]), "there is no endpoint"],
    [() => connectLog(wrong(5)), "Cannot connect a log to 5"],
    [() => connectLog(["tcp://127.0.0.1:9", wrong(5)]), "Cannot connect a log to 5"],
    [() => connectLog(["tcp://127.0.0.1:9", "udp://x"]), 'Unknown transport "udp"'],
    [() => connectLog("tcp://127.0.0.1:9", wrong(5)), '"options" to 5'],
    [() => connectLog("tcp://127.0.0.1:9", { retryMs: 0 }), '"retryMs" to 0: allowed is milliseconds'],
    [() => connectLog("tcp://127.0.0.1:9", { signal: wrong(1) }), '"signal" to 1'],
  ];
  for (const [misuse, text] of misuses) await assertRejects(misuse, MisuseError, text);
  const thrown: readonly (readonly [() => unknown, string])[] = [
    [() => publisher.tryPublish(wrong(undefined)), "value is undefined"],
    [() => publisher.tryPublish(wrong({})), "value is an object"],
    [() => log.publisher(wrong(5)), "name a topic 5"],
    [() => log.publisher("t", wrong(5)), "a publisher"],
    [() => log.publisher("t", { ack: wrong(3) }), '"ack" to 3: allowed is 0, 1 or 2'],
    [() => log.publisher("t", { batchBytes: 1 }), '"batchBytes" to 1: allowed is bytes'],
    [() => log.publisher("t", { batchBytes: 2 ** 29 }), "batchBytesMax"],
    [() => log.publisher("t", wrong({ linger: 5 })), 'Unknown option "linger"'],
    [() => log.publisher("t", { name: "" }), '"name" to ""'],
    [() => log.subscribe("t", wrong({ from: 5 })), '"from" to 5: allowed is "earliest"'],
    [() => log.subscribe("t", { from: -1n }), '"from" to -1n'],
    [() => log.subscribe("t", wrong({ onTrimmed: "latest" })), '"onTrimmed" to "latest"'],
    [() => log.subscribe("t", wrong({ signal: 5 })), '"signal" to 5'],
    [() => log.subscribe(""), 'name a topic ""'],
    [() => log.on(wrong("conected"), () => {}), 'events "conected"'],
    [() => log.on("connected", wrong(5)), "listen with 5"],
  ];
  for (const [misuse, text] of thrown) assertThrows(misuse, MisuseError, text);
  // None of it did any harm.
  assertEquals(await publisher.publish("fine"), { position: 0n });
  assertEquals(await takeTexts(log.subscribe("t", { from: "earliest" }), 1), ["fine"]);
});

test("whatever is used behind the log's end says that it is closed", async () => {
  for (const place of PLACES) {
    const stage = await place.open();
    const { log } = stage;
    const publisher = log.publisher("t");
    await publisher.publish("x");
    const consumer = log.consumer("t", "billing");
    const subscription = log.subscribe("t");
    const next = subscription[Symbol.asyncIterator]().next();
    await stage[Symbol.asyncDispose]();
    assertEquals(await next, { value: undefined, done: true });
    await log.close();
    const waits = [
      publisher.publish("y"),
      publisher.opened(),
      publisher.waitWritable(),
      consumer.commit(1n),
      consumer.lag(),
      log.openTopic("t"),
      log.trim("t", 0n),
      log.status(),
    ];
    for (const code of waits.map(logCodeOf)) assertEquals(await code, "ERR_LOG_CLOSED", place.label);
    await publisher.flush();
    await publisher.close();
    for (const make of [() => log.publisher("t"), () => log.subscribe("t"), () => log.consumer("t", "a")]) {
      assertEquals(await logCodeOf(new Promise((resolve) => resolve(make()))), "ERR_LOG_CLOSED");
    }
  }
});
