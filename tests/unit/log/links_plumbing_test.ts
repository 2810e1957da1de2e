import { test } from "node:test";
import { assert, assertEquals, assertGreater } from "@std/assert";
import { InboundQueue } from "../../../src/pattern/pipe/inbound_queue.ts";
import { PullPattern } from "../../../src/pattern/pull.ts";
import type { ConnectionInput } from "../../../src/session/owner.ts";
import { Context } from "../../../src/socket/context.ts";
import { SocketCore } from "../../../src/socket/socket_core.ts";
import { Push } from "../../../src/socket/sockets.ts";
import { Ledger } from "../../support/log_links.ts";
import { World } from "../../support/world.ts";

// The hooks that the log needs of sockets: an allocator for each connection, and nothing for anybody else.

function contextOf(world: World): Context {
  return new Context({ host: world.host, transports: { sim: world.network } });
}

test("a queue tells of every assembled message that nobody will take, once", () => {
  const dropped: string[] = [];
  const make = (conflate = false): InboundQueue =>
    new InboundQueue({
      mark: { messages: 0, bytes: 0 },
      events: {
        readable() {},
        drained() {},
        dropped: (frames) => void dropped.push(String(frames[0]![0])),
      },
      conflate,
    });
  const queue = make();
  for (const value of [1, 2, 3]) queue.message([Uint8Array.of(value)], 1);
  queue.announce();
  assertEquals(queue.read()?.[0]?.[0], 1);
  // A run's frames are views of the wire's bytes, nobody's memory.
  queue.run(Uint8Array.of(0, 1, 9), 0, 3, 1);
  queue.drop();
  assertEquals(dropped.splice(0), ["2", "3"]);
  queue.message([Uint8Array.of(4)], 1);
  assertEquals(dropped.splice(0), ["4"]);
  queue.drop();
  assertEquals(dropped, []);
  const newest = make(true);
  for (const value of [5, 6]) newest.message([Uint8Array.of(value)], 1);
  assertEquals(dropped, ["5"]);
});

test("each connection is asked for once, before its handshake, and its input counts what arrives", async () => {
  const world = new World(1);
  const context = contextOf(world);
  const core = new SocketCore("PULL", context, {}, (init) => new PullPattern(init));
  const inputs: ConnectionInput[] = [];
  const ledgers: Ledger[] = [];
  core.allocatorFor = (input) => {
    assertEquals(input.receivedBytes, 0);
    inputs.push(input);
    ledgers.push(new Ledger());
    return ledgers.at(-1);
  };
  await world.driveTo(core.endpoints.bind("sim://x"));
  const pushes = [new Push({ context }), new Push({ context })];
  for (const push of pushes) push.connect("sim://x");
  await world.drive(() => core.peers.length === 2);
  assertEquals(inputs.length, 2);
  for (const push of pushes) assert(push.trySend(["a", new Uint8Array(1_000)]));
  for (let count = 0; count < 2; count++) {
    const frames = await world.driveTo(core.receiver.receive());
    ledgers.find((ledger) => ledger.out.has(frames[1]!))!.take(frames);
  }
  for (const ledger of ledgers) {
    assertEquals([ledger.given, ledger.delivered], [2, 2]);
    ledger.assertSettled();
  }
  for (const input of inputs) assertGreater(input.receivedBytes, 1_000 + 64);
  core.close();
  for (const push of pushes) push.close();
  await world.driveIdle();
  for (const input of inputs) input.restart();
});

test("messages that a closing socket drops give their memory back", async () => {
  const world = new World(2);
  const context = contextOf(world);
  const core = new SocketCore("PULL", context, { linger: 0 }, (init) => new PullPattern(init));
  const ledger = new Ledger();
  core.allocatorFor = () => ledger;
  await world.driveTo(core.endpoints.bind("sim://x"));
  const push = new Push({ context, linger: 0 });
  push.connect("sim://x");
  await world.drive(() => push.peers.length === 1);
  for (let count = 0; count < 10; count++) assert(push.trySend(new Uint8Array(2_000)));
  await world.drive(() => ledger.given === 10);
  ledger.take((await world.driveTo(core.receiver.receive()))!);
  core.close();
  push.close();
  await world.driveIdle();
  assertEquals([ledger.delivered, ledger.released], [1, 9]);
  ledger.assertSettled();
});

test("a connection without an allocator is not counted, and one may decline", async () => {
  const world = new World(3);
  const context = contextOf(world);
  const core = new SocketCore("PULL", context, {}, (init) => new PullPattern(init));
  let input: ConnectionInput | undefined;
  core.allocatorFor = (asked) => {
    input = asked;
    return undefined;
  };
  await world.driveTo(core.endpoints.bind("sim://x"));
  const push = new Push({ context });
  push.connect("sim://x");
  assert((await world.driveTo(Promise.all([push.send("hello"), core.receiver.receive()])))[1].length === 1);
  assertEquals(input!.receivedBytes, 0);
  core.close();
  push.close();
  await world.driveIdle();
});
