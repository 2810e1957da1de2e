import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { MisuseError } from "../../src/errors.ts";
import { PairPattern } from "../../src/pattern/pair.ts";
import { Context } from "../../src/socket/context.ts";
import { Pair } from "../../src/socket/sockets.ts";
import { World } from "../support/world.ts";
import { FakeEvents, FakePipe, messageOf, patternOptions, textOf } from "./building_blocks.ts";

function makePair(): { pair: PairPattern; events: FakeEvents } {
  const events = new FakeEvents();
  return { pair: new PairPattern({ events, options: patternOptions(), random: () => {} }), events };
}

test("without a peer nothing can be sent; with one everything goes to it", () => {
  const { pair, events } = makePair();
  assertEquals([pair.canSend, pair.trySend(messageOf("x"))], [false, false]);
  const a = new FakePipe("a");
  pair.attach(a);
  assertEquals([events.writable_, pair.canSend, pair.trySend(messageOf("1|2"))], [1, true, true]);
  assertEquals(a.texts, ["1|2"]);
});

test("a second peer is refused, hears nothing and is not heard as the first", () => {
  const { pair } = makePair();
  const [a, b] = [new FakePipe("a"), new FakePipe("b")];
  pair.attach(a);
  pair.attach(b);
  assert(b.refused instanceof MisuseError && a.refused === undefined);
  pair.detach(b);
  pair.trySend(messageOf("x"));
  assertEquals([a.texts, b.texts], [["x"], []]);
});

test("when the peer leaves its place is free, and what it sent can still be read", () => {
  const { pair } = makePair();
  const [a, b] = [new FakePipe("a"), new FakePipe("b")];
  pair.attach(a);
  a.arrived.push(messageOf("old 1"), messageOf("old 2"));
  pair.readable(a);
  pair.detach(a);
  assertEquals(pair.canSend, false);
  pair.attach(b);
  assertEquals(b.refused, undefined);
  assertEquals([textOf(pair.tryReceive()!), textOf(pair.tryReceive()!), pair.tryReceive()], [
    "old 1",
    "old 2",
    undefined,
  ]);
});

test("a full peer makes the sender wait, and only its own room is told of", () => {
  const { pair, events } = makePair();
  const [a, b] = [new FakePipe("a"), new FakePipe("b")];
  pair.attach(a);
  pair.attach(b);
  a.room = 0;
  assertEquals([pair.canSend, pair.trySend(messageOf("x"))], [false, false]);
  const before = events.writable_;
  pair.writable(b);
  assertEquals(events.writable_, before);
  pair.writable(a);
  assertEquals(events.writable_, before + 1);
});

test("over streams: the second peer's connection is closed and tried again until the first has left", async () => {
  const world = new World(1);
  const context = new Context({ host: world.host, transports: { sim: world.network } });
  const [binds, first, second] = [0, 1, 2].map(() => new Pair({ context, linger: 0, reconnectInterval: 20 }));
  await world.driveTo(binds!.bind("sim://pair"));
  first!.connect("sim://pair");
  await world.driveTo(binds!.ready());
  let refused = 0;
  binds!.events.on("disconnect", ({ error }) => void (error instanceof MisuseError && refused++));
  second!.connect("sim://pair");
  second!.trySend("from the second");
  await world.driveFor(500);
  assert(refused > 3, `refused ${refused} times`);
  assertEquals([binds!.peers.length, binds!.tryReceive()], [1, undefined]);
  first!.close();
  await world.drive(() =>
    binds!.peers[0] !== undefined && binds!.trySend("welcome") && second!.peers.length === 1
  );
  let got: Uint8Array[] | undefined;
  await world.drive(() => (got = second!.tryReceive()) !== undefined);
  assertEquals(textOf(got!), "welcome");
  for (const socket of [binds, second]) socket!.close();
  await world.driveIdle();
});
