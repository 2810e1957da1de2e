import { test } from "node:test";
import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { MisuseError } from "../../src/errors.ts";
import type { Dial, TransportFactory } from "../../src/ports.ts";
import type { SocketEvent, SocketEventType } from "../../src/session/events.ts";
import { Context } from "../../src/socket/context.ts";
import { Request } from "../../src/socket/types/request.ts";
import type { Socket } from "../../src/socket/socket.ts";
import { Dealer, Pull, Push } from "../../src/socket/sockets.ts";
import { World } from "../support/world.ts";

const DENIED = new MisuseError("ERR_PERMISSION", "Cannot connect: --allow-net is missing");

/** A transport that nobody may use: a dial ends with the error, or throws it. */
function forbidden(world: World, how: "closes" | "throws"): TransportFactory & { dials: number } {
  const dial: Dial = (handlers) => {
    transport.dials++;
    if (how === "throws") throw DENIED;
    world.host.turn(() => handlers.close(DENIED));
    return { write: () => false, setPaused: () => true, close: () => {} };
  };
  const transport = { dials: 0, dial: () => dial, listen: () => () => Promise.reject(DENIED) };
  return transport;
}

function makeWorld(how: "closes" | "throws" = "closes") {
  const world = new World(1);
  const transport = forbidden(world, how);
  const transports = { sim: world.network, no: transport };
  return { world, transport, context: new Context({ host: world.host, transports }) };
}

function eventsOf(socket: Socket): SocketEvent[] {
  const events: SocketEvent[] = [];
  const types: SocketEventType[] = ["connect", "connect:delay", "connect:retry", "close", "end"];
  for (const type of types) socket.events.on(type, (event) => void events.push(event));
  return events;
}

for (const how of ["closes", "throws"] as const) {
  test(`a missing permission (the dial ${how}) is final: one attempt, one event with the error, then the endpoint is closed`, async () => {
    const { world, transport, context } = makeWorld(how);
    const push = new Push({ context, reconnectInterval: 10 });
    const events = eventsOf(push);
    push.connect("no://way");
    await world.driveFor(60_000);
    assertEquals(transport.dials, 1);
    assertEquals(events.map(({ type }) => type), ["connect:delay", "close"]);
    const [delay] = events;
    assertStrictEquals(delay?.type === "connect:delay" && delay.error, DENIED);
    push.close();
    await world.driveIdle();
  });
}

test("what waits on a socket that has no other endpoint rejects with the missing permission, and so does what would wait", async () => {
  const { world, context } = makeWorld();
  const dealer = new Dealer({ context, immediate: true });
  dealer.connect("no://way");
  const calls = () => [
    dealer.receive(),
    dealer.send("to nobody"),
    dealer.waitReadable(),
    dealer.waitWritable(),
    dealer.ready(),
    dealer[Symbol.asyncIterator]().next(),
    dealer.batches()[Symbol.asyncIterator]().next(),
  ];
  for (const when of ["that waits", "that would wait"]) {
    for (const outcome of await world.driveTo(Promise.allSettled(calls()))) {
      assertStrictEquals(outcome.status === "rejected" && outcome.reason, DENIED, when);
    }
  }
  const request = new Request({ context });
  request.connect("no://way");
  await assertRejects(() => world.driveTo(request.request("anybody?")), MisuseError, "--allow-net");
  for (const socket of [dealer, request]) socket.close();
  await world.driveIdle();
});

test("a socket with another endpoint goes on, and one that gets another waits for it again", async () => {
  const { world, context } = makeWorld();
  const [push, pull] = [new Push({ context }), new Pull({ context })];
  await world.driveTo(pull.bind("sim://work"));
  pull.connect("no://way");
  let message = pull.receive();
  await world.driveFor(1_000);
  push.connect("no://way");
  await assertRejects(() => world.driveTo(push.ready()), MisuseError, "--allow-net");
  push.connect("sim://work");
  await world.driveTo(push.send("one"));
  assertEquals(new TextDecoder().decode((await world.driveTo(message))[0]), "one");

  // A bound endpoint counts like a connected one.
  const late = new Pull({ context });
  late.connect("no://way");
  await assertRejects(() => world.driveTo(late.receive()), MisuseError, "--allow-net");
  await world.driveTo(late.bind("inproc://late"));
  message = late.receive();
  const first = new Push({ context });
  first.connect("inproc://late");
  await world.driveTo(first.send("two"));
  assertEquals(new TextDecoder().decode((await world.driveTo(message))[0]), "two");
  for (const socket of [push, pull, late, first]) socket.close();
  await world.driveIdle();
});

test("a transport that cannot be loaded fails what waits for it", async () => {
  const world = new World(1);
  const failure = new Error("no such module");
  const context = new Context({ host: world.host });
  context.transport = () => Promise.reject(failure);
  const pull = new Pull({ context });
  const events = eventsOf(pull);
  pull.connect("tcp://127.0.0.1:5555");
  await assertRejects(() => world.driveTo(pull.receive()), Error, "no such module");
  assertEquals(events.map(({ type }) => type), ["connect:delay", "close"]);
  pull.close();
  await world.driveIdle();
});
