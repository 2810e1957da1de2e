import { test } from "node:test";
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { MisuseError } from "../../src/errors.ts";
import { SOCKET_EVENT_TYPES, type SocketEvent } from "../../src/session/events.ts";
import { Context } from "../../src/socket/context.ts";
import { Dealer, Pair, Pull } from "../../src/socket/sockets.ts";
import { World } from "../support/world.ts";

const world = new World(1);
const context = new Context({ host: world.host, transports: { sim: world.network } });

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
  const watch = (socket: Dealer | Pair): void => {
    for (const type of SOCKET_EVENT_TYPES) {
      socket.events.on(type, (event) => void told.set(event.type, event));
    }
  };
  const dealer = new Dealer({ context, reconnectInterval: 10 });
  watch(dealer);
  dealer.connect("sim://nobody");
  await world.drive(() => told.has("connect:retry"));
  // Accepts and hangs up at once.
  const listener = await world.driveTo(
    world.network.listen("sim://mute", {})("sim://mute", (attach) => {
      const ignore = (): void => {};
      const stream = attach({ open: ignore, data: ignore, drain: ignore, end: ignore, close: ignore });
      stream.close("flush");
    }, () => {}),
  );
  dealer.connect("sim://mute");
  await world.drive(() => told.has("handshake:error:other"));
  const pairs = [new Pair({ context }), new Pair({ context }), new Pair({ context })] as const;
  watch(pairs[0]);
  await world.driveTo(pairs[0].bind("sim://pair"));
  pairs[1].connect("sim://pair");
  await world.driveTo(pairs[0].ready());
  pairs[1].close();
  await world.drive(() => told.has("disconnect"));
  for (const type of ["connect:delay", "handshake:error:other"] as const) {
    const event = told.get(type);
    assertEquals(
      event?.type === type && event.error instanceof Error && event.error.message !== "",
      true,
      type,
    );
  }
  const retry = told.get("connect:retry");
  assertEquals(retry?.type === "connect:retry" && retry.interval >= 10, true);
  const handshake = told.get("handshake");
  assertEquals(handshake?.type === "handshake" && handshake.peer.socketType, "PAIR");
  const lost = told.get("disconnect");
  assertEquals(lost?.type === "disconnect" && [lost.peer?.socketType, lost.error], ["PAIR", undefined]);
  void listener.close();
  dealer.close();
  for (const pair of pairs) pair.close();
  await world.driveIdle();
});
