import { test } from "node:test";
import { assertEquals, assertRejects } from "@std/assert";
import { MisuseError } from "../../src/errors.ts";
import type { SocketEvent } from "../../src/session/events.ts";
import { Runtime } from "../../src/session/runtime.ts";
import { Observer } from "../../src/socket/observer.ts";
import { World } from "../support/world.ts";

function makeObserver(): Observer {
  return new Observer(new Runtime(new World(1).host));
}

function emit(observer: Observer, ...addresses: string[]): void {
  for (const address of addresses) observer.emit({ type: "connect", address } as SocketEvent);
}

/** Addresses of everything that is left, to the end. */
async function rest(observer: Observer): Promise<string[]> {
  observer.emit({ type: "end", address: "end" } as SocketEvent);
  const seen: string[] = [];
  for await (const { address } of observer) seen.push(address);
  return seen;
}

test("events are kept from the moment when somebody reads, and not before", async () => {
  const observer = makeObserver();
  emit(observer, "before");
  const iterator = observer[Symbol.asyncIterator]();
  emit(observer, "first", "second");
  assertEquals((await iterator.next()).value?.address, "first");
  assertEquals(await rest(observer), ["second", "end"]);

  const receiving = makeObserver();
  emit(receiving, "before");
  const first = receiving.receive();
  emit(receiving, "first", "second");
  assertEquals((await first).address, "first");
  assertEquals(await rest(receiving), ["second", "end"]);
});

test("a thousand events are kept for a slow reader; beyond that the oldest go", async () => {
  for (const [count, lost] of [[999, 0], [1_000, 1], [1_001, 2]] as const) {
    const observer = makeObserver();
    observer[Symbol.asyncIterator]();
    const addresses = Array.from({ length: count }, (_, index) => String(index));
    emit(observer, ...addresses);
    // The end is one more.
    assertEquals(await rest(observer), [...addresses.slice(lost), "end"]);
  }
});

test("a reader that waits gets the event, and then nothing twice", async () => {
  const observer = makeObserver();
  const [one, two] = [observer.receive(), observer.receive()];
  emit(observer, "1", "2", "3");
  assertEquals([(await one).address, (await two).address], ["1", "2"]);
  assertEquals(await rest(observer), ["3", "end"]);
});

test("whoever waits when the last event comes is told that it was the last", async () => {
  const observer = makeObserver();
  const [last, iterating, none] = [
    observer.receive(),
    observer[Symbol.asyncIterator]().next(),
    observer.receive(),
  ];
  observer.emit({ type: "end", address: "" } as SocketEvent);
  assertEquals((await last).type, "end");
  assertEquals(await iterating, { value: undefined, done: true });
  assertEquals((await assertRejects(() => none, MisuseError)).code, "ERR_CLOSED");
  emit(observer, "late");
  assertEquals((await assertRejects(() => observer.receive(), MisuseError)).code, "ERR_CLOSED");
});

test("leaving an iteration ends it alone", async () => {
  const observer = makeObserver();
  const iterator = observer[Symbol.asyncIterator]();
  emit(observer, "1", "2");
  for await (const { address } of iterator) if (address === "1") break;
  assertEquals(await iterator.return!(), { value: undefined, done: true });
  assertEquals(await rest(observer), ["2", "end"]);
});
