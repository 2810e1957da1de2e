import { test } from "node:test";
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { connectLog, type LogError, MisuseError, openLog, startBroker } from "../../../log.ts";
import { ANY_PORT, logCodeOf, logErrorOf, take, textOf } from "./client_places.ts";

class Custom {
  readonly currency = "EUR";
}

test("headers may be a Map, such as a record that was read has, also while the record waits for room", async () => {
  await using log = await openLog();
  const publisher = log.publisher("t", { batchBytes: 64, windowBytes: 64 });
  await publisher.publish("first", { headers: { currency: "EUR", bytes: new Uint8Array([1, 2]) } });
  const [first] = await take(log.subscribe("t", { from: "earliest" }), 1);
  const again = new Map<string, Uint8Array | string>([...first!.headers, ["text", "more"]]);
  const published = [1, 2, 3].map((count) => publisher.publish(`copy ${count}`, { headers: again }));
  // Those that wait have copies: neither the map nor its bytes are looked at again.
  again.get("bytes" as never);
  first!.headers.get("bytes")!.fill(9);
  again.clear();
  await Promise.all(published);
  const copies = await take(log.subscribe("t", { from: 1n }), 3);
  for (const { headers } of copies.slice(1)) {
    assertEquals([...headers].map(([name, value]) => [name, [...value].join()]), [
      ["currency", "69,85,82"],
      ["bytes", "1,2"],
      ["text", "109,111,114,101"],
    ]);
  }
});

test("headers that are neither a plain object nor a Map are refused, and named", async () => {
  await using log = await openLog();
  const publisher = log.publisher("t");
  const cases: readonly (readonly [unknown, RegExp])[] = [
    [new Headers({ currency: "EUR" }), /headers are a Headers; a plain object or a Map/],
    [new Custom(), /headers are a Custom/],
    [[["currency", "EUR"]], /headers are an array/],
    ["currency: EUR", /headers are string/],
    [null, /headers are null/],
    [new Map([[1, "EUR"]]), /the name of a header is number/],
  ];
  for (const [headers, message] of cases) {
    const options = { headers: headers as never };
    const error = await assertRejects(() => publisher.publish("value", options), MisuseError);
    assertEquals(error.code, "ERR_MESSAGE");
    assertMatch(error.message, message);
    assertThrows(() => publisher.tryPublish("value", options), MisuseError);
  }
  assertEquals(publisher.progress().submitted, 0);
});

test("an option of publish that there is not is refused, and the one that was meant is named", async () => {
  await using log = await openLog();
  const publisher = log.publisher("t", { batchBytes: 64, windowBytes: 64 });
  const cases: readonly (readonly [unknown, RegExp])[] = [
    [{ header: {} }, /Unknown option "header" of a record \(did you mean "headers"\?\); it has key/],
    [{ partition: 1 }, /Unknown option "partition" of a record; it has key, headers/],
    [new Map([["key", "a"]]), /options an object: a plain object is expected/],
    [["key"], /a plain object is expected/],
    [null, /options null/],
    ["key", /options "key"/],
    [{ signal: {} }, /"signal" to an object: allowed is an AbortSignal/],
    [{ timeoutMs: -1 }, /"timeoutMs" to -1: allowed is milliseconds/],
  ];
  const refuseAll = async (): Promise<void> => {
    for (const [options, message] of cases) {
      const error = await assertRejects(() => publisher.publish("value", options as never), MisuseError);
      assertEquals(error.code, "ERR_OPTION");
      assertMatch(error.message, message);
    }
  };
  await refuseAll();
  // Also where records wait for room.
  const waiting = [1, 2, 3].map(() => publisher.publish("x".repeat(50)));
  await refuseAll();
  await Promise.all(waiting);
  assertThrows(() => publisher.tryPublish("a", { keys: "b" } as never), MisuseError, 'did you mean "key"?');
  assertThrows(
    () => publisher.tryPublish("a", { signal: new AbortController().signal } as never),
    MisuseError,
    "waits for nothing",
  );
  // What is not given counts as missing.
  await publisher.publish("value", { key: undefined, later: undefined } as never);
});

test("options of waits are checked as those of constructors are, and nothing is begun with wrong ones", async () => {
  await using log = await openLog();
  const publisher = log.publisher("t");
  await publisher.publish("one");
  const consumer = log.consumer("t", "billing");
  const calls: readonly ((options: never) => Promise<unknown>)[] = [
    (options) => publisher.waitWritable(options),
    (options) => publisher.flush(options),
    (options) => publisher.opened(options),
    (options) => publisher.close(options),
    (options) => consumer.commit(1n, options),
    (options) => consumer.lag(options),
    (options) => log.openTopic("t", {}, options),
    (options) => log.trim("t", 0n, options),
    (options) => log.status(options),
  ];
  const cases: readonly (readonly [unknown, RegExp])[] = [
    [{ signal: {} }, /"signal" to an object: allowed is an AbortSignal/],
    [{ signal: { aborted: false, addEventListener: () => {} } }, /"signal"/],
    [{ timeout: 50 }, /Unknown option "timeout" of a wait \(did you mean "timeoutMs"\?\)/],
    [{ timeoutMs: "50" }, /"timeoutMs" to "50"/],
    [{ timeoutMs: NaN }, /"timeoutMs" to NaN/],
    [new AbortController().signal, /a plain object is expected/],
    [null, /options null/],
  ];
  for (const call of calls) {
    for (const [options, message] of cases) {
      const error = await assertRejects(() => call(options as never), MisuseError);
      assertEquals(error.code, "ERR_OPTION", String(call));
      assertMatch(error.message, message, String(call));
    }
  }
  await publisher.publish("two");
  await assertRejects(
    () => connectLog("tcp://127.0.0.1:9", { signal: {} as never }),
    MisuseError,
    '"signal"',
  );
  assertThrows(() => log.subscribe("t", { signal: {} as never }), MisuseError, '"signal"');
  assertThrows(() => log.consumer("t", "a", { signal: {} as never }), MisuseError, '"signal"');
  for (const options of [null, 5, [], new Map(), () => {}, new AbortController().signal]) {
    for (const call of ["subscribe", "consumer"] as const) {
      const open = call === "consumer" ? log.consumer.bind(log, "t", "a") : log.subscribe.bind(log, "t");
      assertThrows(() => open(options as never), MisuseError, "allowed is an object with from, creditBytes");
    }
  }
});

test("every wait takes timeoutMs, and only the wait ends then", async () => {
  // Nobody is there who would answer.
  await using broker = await startBroker({ listen: [ANY_PORT] });
  await using log = await connectLog(broker.endpoints, { closeTimeoutMs: 0 });
  const publisher = log.publisher("t", { batchBytes: 64, windowBytes: 64 });
  await publisher.publish("first");
  const consumer = log.consumer("t", "billing");
  await consumer.lag();
  const gone = new Promise<void>((resolve) => log.on("disconnected", () => resolve()));
  await broker.close();
  await gone;
  while (publisher.tryPublish("x".repeat(20)));
  const unopened = log.publisher("t");
  const waits: readonly ((timeoutMs: number) => Promise<unknown>)[] = [
    (timeoutMs) => publisher.publish("second", { timeoutMs }),
    (timeoutMs) => publisher.waitWritable({ timeoutMs }),
    (timeoutMs) => publisher.flush({ timeoutMs }),
    (timeoutMs) => unopened.opened({ timeoutMs }),
    (timeoutMs) => consumer.commit(1n, { timeoutMs }),
    (timeoutMs) => consumer.lag({ timeoutMs }),
    (timeoutMs) => log.openTopic("t", {}, { timeoutMs }),
    (timeoutMs) => log.trim("t", 0n, { timeoutMs }),
    (timeoutMs) => log.status({ timeoutMs }),
  ];
  for (const wait of waits) assertEquals(await logCodeOf(wait(1)), "ERR_LOG_TIMEOUT", String(wait));
  // Closing gives up what is not acknowledged, and does not complain.
  const lost = logCodeOf(publisher.publish("third"));
  await publisher.close({ timeoutMs: 1 });
  assertEquals(await lost, "ERR_LOG_CLOSED");
});

test("a wait that was aborted rejects with an AbortError whose cause is the reason", async () => {
  await using log = await openLog();
  const reason = new Error("changed my mind");
  const error: LogError = await logErrorOf(log.status({ signal: AbortSignal.abort(reason) }));
  assertEquals([error.name, error.code], ["AbortError", "ERR_LOG_ABORTED"]);
  assertStrictEquals(error.cause, reason);
  const later = new AbortController();
  const reading = logErrorOf(log.subscribe("t", { signal: later.signal })[Symbol.asyncIterator]().next());
  later.abort(reason);
  assertEquals((await reading).name, "AbortError");
  assertStrictEquals((await reading).cause, reason);
});

test("records that nobody awaits are bounded by bytes, too", async () => {
  await using log = await openLog();
  const publisher = log.publisher("t", { batchBytes: 64, windowBytes: 64 });
  const value = new Uint8Array(1_000_000);
  // Fills the window; from here on everything waits.
  const outcomes = [publisher.publish(new Uint8Array(40))];
  for (let count = 0; count < 100; count++) outcomes.push(publisher.publish(value));
  const settled = await Promise.allSettled(outcomes);
  const refused = settled.filter((one) => one.status === "rejected");
  assertEquals([settled.length - refused.length, refused.length], [68, 33]);
  for (const { reason } of refused) {
    assert(reason instanceof MisuseError);
    assertEquals(reason.code, "ERR_WAITERS");
    assertMatch(reason.message, /^67 records of .* wait for room, and 65536 records and 64MiB may/);
  }
  // There is room again, and whatever was taken is there in order.
  await publisher.publish("last");
  const records = await take(log.subscribe("t", { from: "earliest" }), 69);
  assertEquals(textOf(records.at(-1)!), "last");
});

test("events that there are not, and listeners that are no functions, are refused", async () => {
  await using log = await openLog();
  for (const call of ["on", "off"] as const) {
    assertThrows(
      () => log[call]("disconnect" as never, () => {}),
      MisuseError,
      'did you mean "disconnected"?',
    );
    assertThrows(() => log[call]("message" as never, () => {}), MisuseError, "there are connected,");
    assertThrows(() => log[call]("toString" as never, () => {}), MisuseError, "there are connected,");
    assertThrows(() => log[call]("refused", undefined as never), MisuseError, "a function is expected");
  }
});

test("every disconnected event says in whole milliseconds when the next attempt is made", async () => {
  const broker = await startBroker({ listen: [ANY_PORT] });
  await using log = await connectLog(broker.endpoints, { retryMs: 3, retryMaxMs: 3 });
  const retries: number[] = [];
  const third = new Promise<void>((resolve) => {
    log.on("disconnected", ({ retryMs }) => void (retries.push(retryMs) === 3 && resolve()));
  });
  // A log that only waits for its broker does not hold the process.
  const waiting = assertRejects(() => log.publisher("orders").publish("waits for a broker"));
  await broker.close();
  await third;
  for (const retryMs of retries) {
    assert(Number.isInteger(retryMs) && retryMs >= 0 && retryMs <= 6, `${retries}`);
  }
  await log.close();
  await waiting;
});
