import { test } from "node:test";
import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { MisuseError } from "../../src/errors.ts";
import type { TransportFactory } from "../../src/ports.ts";
import { SOCKET_EVENT_TYPES, type SocketEvent } from "../../src/session/events.ts";
import { Runtime } from "../../src/session/runtime.ts";
import { Context } from "../../src/socket/context.ts";
import { Observer } from "../../src/socket/observer.ts";
import { Dealer, Pair, Pull } from "../../src/socket/sockets.ts";
import { World } from "../support/world.ts";

const world = new World(1);
const context = new Context({ host: world.host, transports: { sim: world.network } });

/** Events that always have an error. */
const FAILURES: ReadonlySet<SocketEvent["type"]> = new Set(
  SOCKET_EVENT_TYPES.filter((type) => type.includes("error") || type === "connect:delay" || type === "drop"),
);

/** A transport whose streams end without a cause. */
function silentEnd(opens: boolean): TransportFactory {
  return {
    dial: (address) => (handlers) => {
      world.host.microtask(() => {
        if (opens) handlers.open({ localAddress: address, remoteAddress: address });
        handlers.close();
      });
      return { write: () => true, setPaused: () => true, close: () => {} };
    },
    listen: () => () => Promise.reject(new Error("nobody listens here")),
  };
}

test("an event that does not exist is refused with those that do", () => {
  const { events } = new Pull({ context });
  for (const type of ["connected", "Connect", "", "toString", "__proto__", undefined, 5, null]) {
    for (const method of ["on", "off"] as const) {
      const error = assertThrows(() => events[method](type as "end", () => {}), MisuseError);
      assertEquals(error.code, "ERR_OPTION");
      assertStringIncludes(error.message, SOCKET_EVENT_TYPES.join(", "));
    }
  }
});

test("a listener that is no function is refused with the event's name", () => {
  const { events } = new Pull({ context });
  for (const listener of [undefined, null, {}, "listener", { handleEvent(): void {} }]) {
    for (const method of ["on", "off"] as const) {
      const error = assertThrows(() => events[method]("bind", listener as never), MisuseError);
      assertEquals(error.code, "ERR_OPTION");
      assertStringIncludes(error.message, '"bind"');
    }
  }
});

test("every event that exists can be listened for, and no longer", async () => {
  const pull = new Pull({ context });
  const heard: SocketEvent[] = [];
  const listener = (event: SocketEvent): void => void heard.push(event);
  for (const type of SOCKET_EVENT_TYPES) pull.events.on(type, listener);
  await world.driveTo(pull.bind("sim://here"));
  pull.events.off("end", listener);
  pull.close();
  await world.driveTo(pull[Symbol.asyncDispose]());
  assertEquals(heard, [{ type: "bind", address: "sim://here" }, { type: "close", address: "sim://here" }]);
});

test("whatever an event is said to have is there, also where a stream ends without a reason", async () => {
  const told = new Map<string, SocketEvent>();
  const unexplained: SocketEvent[] = [];
  const watch = (socket: Dealer | Pair): void => {
    for (const type of SOCKET_EVENT_TYPES) {
      socket.events.on(type, (event) => {
        told.set(`${event.type} ${event.address}`, event);
        if (FAILURES.has(event.type) && !("error" in event && event.error instanceof Error)) {
          unexplained.push(event);
        }
      });
    }
  };
  const dealer = new Dealer({ context, reconnectInterval: 10 });
  watch(dealer);
  dealer.connect("sim://nobody");
  await world.drive(() => told.has("connect:retry sim://nobody"));
  // Streams that end and say nothing: one before it is open, one after.
  for (const [scheme, opens] of [["shut", false], ["slam", true]] as const) {
    context.register(scheme, silentEnd(opens));
    dealer.connect(`${scheme}://here`);
    const type = opens ? "handshake:error:other" : "connect:delay";
    await world.drive(() => told.has(`${type} ${scheme}://here`));
  }
  const pairs = [new Pair({ context }), new Pair({ context }), new Pair({ context })] as const;
  watch(pairs[0]);
  await world.driveTo(pairs[0].bind("sim://pair"));
  pairs[1].connect("sim://pair");
  await world.driveTo(pairs[0].ready());
  pairs[1].close();
  await world.drive(() => told.has("disconnect sim://pair"));
  assertEquals(unexplained, []);
  const retry = told.get("connect:retry sim://nobody");
  assertEquals(retry?.type === "connect:retry" && retry.interval >= 10, true);
  const handshake = told.get("handshake sim://pair");
  assertEquals(handshake?.type === "handshake" && handshake.peer.socketType, "PAIR");
  const lost = told.get("disconnect sim://pair");
  assertEquals(lost?.type === "disconnect" && [lost.peer?.socketType, lost.error], ["PAIR", undefined]);
  dealer.close();
  for (const pair of pairs) pair.close();
  await world.driveIdle();
});

function makeObserver(): Observer {
  return Observer.create(new Runtime(new World(1).host));
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
