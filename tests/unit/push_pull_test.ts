import { test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { MisuseError } from "../../src/errors.ts";
import { DealerPattern } from "../../src/pattern/dealer.ts";
import { PullPattern } from "../../src/pattern/pull.ts";
import { PushPattern } from "../../src/pattern/push.ts";
import { Context } from "../../src/socket/context.ts";
import { Dealer, Pull, Push, Router } from "../../src/socket/sockets.ts";
import { World } from "../support/world.ts";
import { FakeEvents, FakePipe, messageOf, patternOptions, textOf } from "./building_blocks.ts";

function init(): { events: FakeEvents; options: ReturnType<typeof patternOptions>; random: () => void } {
  return { events: new FakeEvents(), options: patternOptions(), random: () => {} };
}

test("PUSH goes round the peers that have room, and waits when none has", () => {
  const push = new PushPattern(init());
  const pipes = ["a", "b", "c"].map((name) => new FakePipe(name));
  for (const pipe of pipes) push.attach(pipe);
  pipes[1]!.room = 1;
  for (let index = 0; index < 7; index++) assert(push.trySend(messageOf(`${index}`)));
  assertEquals(pipes.map(({ texts }) => texts.join("")), ["035", "1", "246"]);
  for (const pipe of pipes) pipe.room = 0;
  assertEquals([push.trySend(messageOf("x")), push.canSend], [false, false]);
  assertThrows(() => push.tryReceive(), MisuseError);
});

test("PULL hears its peers in turn and sends nothing", () => {
  const pull = new PullPattern(init());
  const pipes = ["a", "b"].map((name) => new FakePipe(name));
  for (const pipe of pipes) {
    pull.attach(pipe);
    pipe.arrived.push(messageOf(`${pipe.name}0`), messageOf(`${pipe.name}1`));
    pull.readable(pipe);
  }
  pull.detach(pipes[0]!);
  assertEquals([0, 1, 2, 3].map(() => textOf(pull.tryReceive()!)), ["a0", "b0", "a1", "b1"]);
  assertThrows(() => pull.trySend(messageOf("x")), MisuseError);
});

test("DEALER does both, leaves envelopes alone, and probes every new connection if asked", () => {
  const dealer = new DealerPattern({ ...init(), options: patternOptions({ probeRouter: true }) });
  const [a, b] = [new FakePipe("a"), new FakePipe("b")];
  for (const pipe of [a, b]) {
    dealer.attach(pipe);
    dealer.ready(pipe);
  }
  dealer.ready(a);
  assertEquals([a.texts, b.texts], [["", ""], [""]]);
  for (const text of ["|1", "id||2"]) dealer.trySend(messageOf(text));
  assertEquals([a.texts.at(-1), b.texts.at(-1)], ["|1", "id||2"]);
  b.arrived.push(messageOf("|answer"));
  dealer.readable(b);
  assertEquals([dealer.canReceive, textOf(dealer.tryReceive()!)], [true, "|answer"]);
});

function makeWorld(): { world: World; context: Context } {
  const world = new World(1);
  return { world, context: new Context({ host: world.host, transports: { sim: world.network } }) };
}

test("over streams a PUSH is unmuted at half its mark, and what a PULL sends back is dropped", async () => {
  const { world, context } = makeWorld();
  const push = new Push({ context, sendHighWaterMark: 10 });
  const pull = new Pull({ context, receiveHighWaterMark: 1, pendingBytesMax: 1 });
  await world.driveTo(pull.bind("sim://work"));
  push.connect("sim://work");
  await world.driveTo(push.ready());
  world.links[0]!.toServer.hold();
  let sent = 0;
  for (let round = 0; round < 5; round++) {
    while (push.trySend(`${sent}`)) sent++;
    await world.driveFor(1);
  }
  assertEquals(sent, 10);
  let room = false;
  void push.waitWritable().then(() => room = true);
  await world.driveFor(10);
  assertEquals(room, false);
  world.links[0]!.toServer.release();
  await world.driveFor(10);
  assertEquals(room, true);
  for (const socket of [push, pull]) socket.close();
  await world.driveIdle();
});

test("a conflating PUSH or PULL keeps the newest message, over streams and inproc, on either side", async () => {
  for (const scheme of ["sim", "inproc"]) {
    for (const side of ["push", "pull", "both"]) {
      const { world, context } = makeWorld();
      const push = new Push({ context, conflate: side !== "pull" });
      const pull = new Pull({ context, conflate: side !== "push" });
      await world.driveTo(pull.bind(`${scheme}://latest`));
      push.connect(`${scheme}://latest`);
      await world.driveTo(push.ready());
      if (scheme === "sim") world.links[0]!.toServer.hold();
      for (let index = 0; index < 20; index++) assert(push.trySend(`${index}`));
      await world.driveFor(1);
      for (let index = 20; index < 40; index++) assert(push.trySend(`${index}`));
      if (scheme === "sim") world.links[0]!.toServer.release();
      await world.driveFor(10);
      const got = pull.receiveMany().map(textOf);
      assertEquals(got.at(-1), "39", `${scheme}, ${side}`);
      assert(got.length <= 2, `${scheme}, ${side}: ${got}`);
      for (const socket of [push, pull]) socket.close();
      await world.driveIdle();
      assertEquals(world.holdsProcess, false);
    }
  }
});

test("inproc: the marks of both sides count together, and 0 on either side is none", async () => {
  const table = [[3, 4, 7], [1, 1, 2], [0, 4, Infinity], [4, 0, Infinity], [0, 0, Infinity]] as const;
  for (const [send, receive, expected] of table) {
    for (const first of ["bind", "connect"]) {
      const { world, context } = makeWorld();
      const push = new Push({ context, sendHighWaterMark: send });
      const pull = new Pull({ context, receiveHighWaterMark: receive });
      if (first === "connect") push.connect("inproc://work");
      await world.driveTo(pull.bind("inproc://work"));
      if (first === "bind") push.connect("inproc://work");
      let sent = 0;
      while (sent < 3_000 && push.trySend("x")) sent++;
      assertEquals(sent, Math.min(3_000, expected), `${send} and ${receive}, ${first} first`);
    }
  }
});

test("inproc: a sender that was refused goes on when half is read, at once when a mark is raised", async () => {
  const { world, context } = makeWorld();
  const push = new Push({ context, sendHighWaterMark: 4 });
  const pull = new Pull({ context, receiveHighWaterMark: 4 });
  await world.driveTo(pull.bind("inproc://work"));
  push.connect("inproc://work");
  while (push.trySend("x"));
  for (let read = 1; read <= 4; read++) {
    assertEquals(push.trySend("y"), false, `after ${read - 1}`);
    pull.tryReceive();
  }
  assert(push.trySend("y"));
  while (push.trySend("x"));
  pull.receiveHighWaterMark = 6;
  assertEquals([push.trySend("a"), push.trySend("b"), push.trySend("c")], [true, true, false]);
  push.sendHighWaterMark = 0;
  for (let index = 0; index < 100; index++) assert(push.trySend("z"));
});

test("inproc: before its peer is there a sender has its own mark, afterwards both", async () => {
  const { world, context } = makeWorld();
  const push = new Push({ context, sendHighWaterMark: 3 });
  push.connect("inproc://late");
  let sent = 0;
  while (push.trySend("x")) sent++;
  assertEquals(sent, 3);
  let more = false;
  void push.send("waits").then(() => more = true);
  const pull = new Pull({ context, receiveHighWaterMark: 3 });
  await world.driveTo(pull.bind("inproc://late"));
  await world.settle();
  assertEquals([more, pull.receiveMany().length], [true, 4]);
});

test("inproc: bodies go over by reference, the array that holds them does not", async () => {
  const { world, context } = makeWorld();
  const push = new Push({ context });
  const pull = new Pull({ context });
  await world.driveTo(pull.bind("inproc://work"));
  push.connect("inproc://work");
  const frames = [new Uint8Array(3), new Uint8Array(4)];
  push.trySend(frames);
  frames.pop();
  const got = pull.tryReceive()!;
  assert(got.length === 2 && got[0] === frames[0]);
});

test("a mark that changes acts at once on connections that exist", async () => {
  const { world, context } = makeWorld();
  const push = new Push({ context, sendHighWaterMark: 2 });
  push.connect("sim://nobody");
  assertEquals([1, 2, 3].map(() => push.trySend("x")), [true, true, false]);
  push.sendHighWaterMark = 4;
  assertEquals([1, 2, 3].map(() => push.trySend("x")), [true, true, false]);
  push.sendHighWaterMark = 1;
  assertEquals(push.trySend("x"), false);
  push.sendHighWaterMark = 0;
  assert(push.trySend("x"));
  push.linger = 0;
  push.close();
  await world.driveIdle();
});

test("a waiting send goes on when an option makes room for it", async () => {
  const { world, context } = makeWorld();
  const push = new Push({ context, sendHighWaterMark: 1 });
  push.connect("sim://nobody");
  push.trySend("x");
  let sent = false;
  void push.send("y").then(() => sent = true);
  await world.settle();
  assertEquals(sent, false);
  push.sendHighWaterMark = 2;
  await world.settle();
  assertEquals(sent, true);
});

test("some types connect to an endpoint once, others every time they are told", async () => {
  const { world, context } = makeWorld();
  const [pull, router] = [new Pull({ context }), new Router({ context })];
  await world.driveTo(pull.bind("sim://pull"));
  await world.driveTo(router.bind("sim://router"));
  const [push, dealer] = [new Push({ context }), new Dealer({ context })];
  for (let times = 0; times < 3; times++) {
    push.connect("sim://pull");
    dealer.connect("sim://router");
  }
  await world.driveFor(100);
  assertEquals([pull.peers.length, router.peers.length], [3, 1]);
  push.disconnect("sim://pull");
  await world.driveFor(100);
  assertEquals(pull.peers.length, 0, "one disconnect ends them all");
});
