import { test } from "node:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { MisuseError } from "../../src/errors.ts";
import type { SocketEventType } from "../../src/session/events.ts";
import type { Socket } from "../../src/socket/socket.ts";
import { Dealer, Pair, Publisher, Pull, Push, Router, Subscriber } from "../../src/socket/sockets.ts";
import { simulate } from "../support/simulate.ts";
import { World } from "../support/world.ts";
import { Scene } from "./scene.ts";
import { assertComplete, drawCount, play, Sink, Source } from "./streams.ts";

/** Driven until a closed socket is gone; answers how long that took. */
async function timeToEnd(world: World, socket: Socket): Promise<number> {
  const before = world.nowMs;
  await world.driveTo(socket[Symbol.asyncDispose](), { waitingFor: `a ${socket.type} to be gone` });
  return world.nowMs - before;
}

test("linger -1: whatever was sent arrives, whichever side connected, even if the receiver comes much later", async () => {
  await simulate("linger for ever", 60, async (world) => {
    const scene = new Scene(world);
    const { context } = scene;
    const pushBinds = world.random.chance(0.5);
    const push = scene.add(new Push({ context, linger: -1, sendHighWaterMark: 0 }));
    const pull = scene.add(new Pull({ context, receiveHighWaterMark: world.random.pick([1, 10, 1_000]) }));
    const late = !pushBinds && world.random.chance(0.5);
    if (late) {
      push.connect("sim://work");
    } else {
      await scene.bind(pushBinds ? push : pull, "sim://work");
      (pushBinds ? pull : push).connect("sim://work");
      await world.driveTo(push.ready());
    }
    const count = drawCount(world, 200);
    const source = new Source(push, { world, count, series: 1 });
    play(world, [source], () => source.done, "the source");
    push.close();
    assertEquals(push.closed, true);
    if (late) {
      await world.driveFor(world.random.upTo(5_000));
      await scene.bind(pull, "sim://work");
    }
    const sink = new Sink(pull, { world });
    play(world, [sink], () => sink.received.length === count, "what was sent before the close");
    assertComplete(sink, 1, count);
    await scene.end();
  }, { link: { canPause: true, stallChance: 0 } });
});

test("linger n: a peer that never comes, or takes nothing, is waited for so long and no longer", async () => {
  for (const lingerMs of [1, 500, 3_000]) {
    for (const peer of ["never there", "takes nothing"]) {
      const world = new World(lingerMs);
      const scene = new Scene(world);
      const { context } = scene;
      const push = scene.add(new Push({ context, linger: lingerMs }));
      push.connect("sim://work");
      if (peer === "takes nothing") {
        const pull = scene.add(new Pull({ context, receiveHighWaterMark: 1, pendingBytesMax: 1 }));
        await scene.bind(pull, "sim://work");
        await world.driveTo(push.ready());
        world.links[0]!.toServer.hold();
      }
      assert(push.trySend("nobody reads this"));
      await world.driveFor(100);
      const ms = await timeToEnd(world, push);
      assert(ms >= lingerMs && ms < lingerMs + 20, `${peer}: ${ms} ms instead of ${lingerMs}`);
      await scene.end();
    }
  }
});

test("linger 0: what is queued is dropped, and nobody who takes nothing can hold the socket for long", async () => {
  const world = new World(1);
  for (const held of [false, true]) {
    for (const pushBinds of [false, true]) {
      const scene = new Scene(world);
      const { context } = scene;
      const push = scene.add(new Push({ context, linger: 0 }));
      const pull = scene.add(new Pull({ context }));
      await scene.bind(pushBinds ? push : pull, "sim://work");
      (pushBinds ? pull : push).connect("sim://work");
      await world.driveTo(push.ready());
      const link = world.links.at(-1)!;
      const lane = pushBinds ? link.toClient : link.toServer;
      if (held) lane.hold();
      for (let i = 0; i < 10; i++) push.trySend(new Uint8Array(60_000));
      const ms = await timeToEnd(world, push);
      assert(ms <= 1_100, `it took ${ms} ms`);
      await scene.end();
    }
  }
});

test("a socket without messages closes though its peer reads nothing: subscriptions and handshakes hold nobody", async () => {
  const world = new World(2);
  const scene = new Scene(world);
  const { context } = scene;
  const publisher = scene.add(new Publisher({ context }));
  await scene.bind(publisher, "sim://news");
  const subscriber = scene.add(new Subscriber({ context, linger: -1 }));
  subscriber.connect("sim://news");
  await world.driveTo(subscriber.ready());
  world.links[0]!.toServer.hold();
  subscriber.subscribe("topic");
  await world.driveFor(10);
  assert(await timeToEnd(world, subscriber) <= 1_100);
  // In the middle of a handshake, the greeting lent.
  const other = scene.add(new Subscriber({ context, linger: -1 }));
  world.network.onLink = (link) => link.toServer.hold();
  other.connect("sim://news");
  await world.driveFor(10);
  assert(await timeToEnd(world, other) <= 1_100);
  await scene.end();
});

test("a close in order delivers what is queued and then ends the stream: the peer sees no error", async () => {
  await simulate("orderly", 60, async (world) => {
    const scene = new Scene(world);
    const { context } = scene;
    const left = scene.add(new Pair({ context, linger: -1, sendHighWaterMark: 0 }));
    const right = scene.add(new Pair({ context, reconnectInterval: -1 }));
    await scene.bind(left, "sim://pair");
    right.connect("sim://pair");
    await world.driveTo(Promise.all([left.ready(), right.ready()]));
    const errors: unknown[] = [];
    right.events.on("disconnect", ({ error }) => errors.push(error));
    const count = drawCount(world, 60);
    const source = new Source(left, { world, count, series: 1 });
    play(world, [source], () => source.done, "the source");
    left.close();
    const sink = new Sink(right, { world });
    play(world, [sink], () => sink.received.length === count && errors.length === 1, "messages and the end");
    assertEquals(errors, [undefined]);
    await scene.end();
  }, {
    link: {
      canPause: true,
      latencyMsMax: 5,
      stallChance: 0,
      bufferBytes: 4_096,
      jitterMsMax: 0.1,
      takeMsMax: 0.1,
    },
  });
});

test("closing rejects whoever waits, with a typed error, and ends iterations", async () => {
  const world = new World(3);
  const scene = new Scene(world);
  const { context } = scene;
  const dealer = scene.add(new Dealer({ context, sendHighWaterMark: 1 }));
  const waits = [
    dealer.send("no peer"),
    dealer.send("nobody"),
    dealer.receive(),
    dealer.receive(),
    dealer.waitReadable(),
    dealer.waitWritable(),
    dealer.ready(),
  ];
  const iteration = (async (): Promise<string> => {
    for await (const _ of dealer) throw new Error("there is no message");
    return "ended";
  })();
  const batches = (async (): Promise<string> => {
    for await (const _ of dealer.batches()) throw new Error("there is no message");
    return "ended";
  })();
  await world.settle();
  dealer.close();
  for (const wait of waits) assertEquals((await assertRejects(() => wait, MisuseError)).code, "ERR_CLOSED");
  assertEquals([await iteration, await batches], ["ended", "ended"]);
  for (
    const call of [
      () => dealer.send("x"),
      () => dealer.receive(),
      () => dealer.bind("sim://x"),
      () => dealer.ready(),
    ]
  ) {
    assertEquals((await assertRejects(call, MisuseError)).code, "ERR_CLOSED");
  }
  dealer.close();
  await scene.end();
});

test("a socket may be closed inside any of its own events", async () => {
  const kinds: readonly SocketEventType[] = [
    "accept",
    "bind",
    "close",
    "connect",
    "connect:delay",
    "connect:retry",
    "disconnect",
    "handshake",
  ];
  for (const kind of kinds) {
    for (const closing of ["binds", "connects", "both"] as const) {
      await simulate(`close in ${kind} at ${closing}`, 6, async (world) => {
        const scene = new Scene(world);
        const { context } = scene;
        const binds = scene.add(new Router({ context, linger: 0, mandatory: true }));
        const connects = scene.add(
          new Dealer({ context, linger: 0, reconnectInterval: 1, probeRouter: true }),
        );
        const victims = { binds: [binds], connects: [connects], both: [binds, connects] }[closing];
        for (const victim of victims) victim.events.on(kind, () => victims.forEach((one) => one.close()));
        connects.connect("sim://router");
        connects.trySend("early");
        await world.driveFor(world.random.upTo(20));
        await world.driveTo(
          binds.bind("sim://router").catch((error) =>
            assertEquals((error as MisuseError).code, "ERR_CLOSED")
          ),
        );
        await world.driveFor(100);
        for (let left = 10; left > 0 && !binds.closed && !connects.closed; left--) {
          const message = binds.tryReceive();
          if (message !== undefined) connects.trySend("more");
          await world.driveFor(20);
        }
        if (world.links.at(-1) !== undefined) world.links.at(-1)!.cut();
        await world.driveFor(100);
        for (const one of [binds, connects]) if (!one.closed && victims.length === 2) one.close();
        await scene.end();
      });
    }
  }
});

test("a context that closes takes all its sockets with it, waiting ones too, and makes no new ones", async () => {
  const world = new World(4);
  const scene = new Scene(world);
  const { context } = scene;
  const pull = scene.add(new Pull({ context }));
  const push = scene.add(new Push({ context, linger: 0 }));
  await scene.bind(pull, "sim://work");
  push.connect("sim://work");
  const waits = [pull.receive(), push.send("x").then(() => push.ready({ peers: 9 }))];
  await world.settle();
  context.close();
  for (const wait of waits) {
    assertEquals((await assertRejects(() => wait as Promise<unknown>, MisuseError)).code, "ERR_CLOSED");
  }
  assertEquals([pull.closed, push.closed, context.closed], [true, true, true]);
  let code = "";
  try {
    new Pull({ context });
  } catch (error) {
    code = (error as MisuseError).code;
  }
  assertEquals(code, "ERR_CLOSED");
  await scene.end();
});

test("a socket that was refused while it connected still comes to its end", async () => {
  const world = new World(5);
  const scene = new Scene(world);
  const { context } = scene;
  // A second peer of a Pair is refused at once; so is a second one of the same name at a Router.
  const pair = scene.add(new Pair({ context }));
  pair.connect("sim://one");
  pair.connect("sim://two");
  const router = scene.add(new Router({ context }));
  router.connect("sim://one", { routingId: "peer" });
  router.connect("sim://two", { routingId: "peer" });
  const inproc = scene.add(new Pair({ context }));
  inproc.connect("inproc://one");
  inproc.connect("inproc://two");
  await world.driveFor(1_000);
  await scene.end();
});

test("a peer that was disconnected on purpose is no peer any more", async () => {
  const world = new World(6);
  for (const address of ["sim://work", "inproc://work"]) {
    const scene = new Scene(world);
    const { context } = scene;
    const pull = scene.add(new Pull({ context }));
    const push = scene.add(new Push({ context }));
    await scene.bind(pull, address);
    push.connect(address);
    await world.driveTo(Promise.all([push.ready(), pull.ready()]));
    push.disconnect(address);
    await world.driveFor(100);
    assertEquals([push.peers.length, pull.peers.length], [0, 0], address);
    // `ready` waits for a peer that is really there.
    let ready = false;
    void push.ready().then(() => ready = true, () => {});
    await world.driveFor(100);
    assertEquals(ready, false, address);
    await scene.end();
  }
});

test("inproc: conflation before the name is bound holds the process once, and lets it go", async () => {
  const world = new World(7);
  const scene = new Scene(world);
  const { context } = scene;
  const push = scene.add(new Push({ context, conflate: true }));
  push.connect("inproc://later");
  for (let i = 0; i < 5; i++) assert(push.trySend(`${i}`));
  const pull = scene.add(new Pull({ context }));
  await scene.bind(pull, "inproc://later");
  assertEquals(pull.receiveMany().map(([frame]) => new TextDecoder().decode(frame)), ["4"]);
  await scene.end();
});

test("inproc: a second peer of a PAIR, or of a name at a ROUTER, is refused and tries again until there is room", async () => {
  const world = new World(8);
  const scene = new Scene(world);
  const { context } = scene;
  const pairs = [0, 1, 2].map(() => scene.add(new Pair({ context })));
  await scene.bind(pairs[0]!, "inproc://pair");
  pairs[1]!.connect("inproc://pair");
  pairs[2]!.connect("inproc://pair");
  const router = scene.add(new Router({ context }));
  await scene.bind(router, "inproc://router");
  const dealers = [0, 1].map(() => scene.add(new Dealer({ context, routingId: "same" })));
  for (const dealer of dealers) dealer.connect("inproc://router");
  await world.driveFor(1_000);
  assertEquals([pairs[0]!, pairs[1]!, pairs[2]!, router].map(({ peers }) => peers.length), [1, 1, 0, 1]);
  pairs[1]!.close();
  dealers[0]!.close();
  await world.driveTo(Promise.all([pairs[2]!.ready(), dealers[1]!.ready()]));
  assert(pairs[2]!.trySend("now") && dealers[1]!.trySend("now"));
  assertEquals([pairs[0]!.tryReceive()?.length, router.tryReceive()?.length], [1, 2]);
  await scene.end();
});

test("inproc: what is queued for a name lingers after a disconnect, but nothing is added to it", async () => {
  const world = new World(9);
  for (const scheme of ["inproc", "sim"]) {
    const scene = new Scene(world);
    const { context } = scene;
    const push = scene.add(new Push({ context, linger: -1 }));
    push.connect(`${scheme}://one`);
    assert(push.trySend("first"));
    push.disconnect(`${scheme}://one`);
    assertEquals(push.trySend("nobody"), false);
    const [one, two] = [scene.add(new Pull({ context })), scene.add(new Pull({ context }))];
    await scene.bind(two, `${scheme}://two`);
    push.connect(`${scheme}://two`);
    for (let i = 0; i < 3; i++) assert(push.trySend(`${i}`));
    await scene.bind(one, `${scheme}://one`);
    await world.driveFor(1_000);
    assertEquals([one.receiveMany().length, two.receiveMany().length], [1, 3], scheme);
    await scene.end();
  }
});

test("inproc: whoever waits for a peer that left may queue for the next one", async () => {
  const world = new World(10);
  const scene = new Scene(world);
  const { context } = scene;
  const push = scene.add(new Push({ context, sendHighWaterMark: 2 }));
  const pull = scene.add(new Pull({ context, receiveHighWaterMark: 2 }));
  await scene.bind(pull, "inproc://work");
  push.connect("inproc://work");
  for (let i = 0; i < 4; i++) assert(push.trySend(`${i}`));
  assertEquals(push.trySend("full"), false);
  let sent = false;
  void push.send("for the next").then(() => sent = true);
  pull.close();
  await world.settle();
  assertEquals(sent, true);
  assert(push.trySend("one more"));
  assertEquals(push.trySend("full again"), false);
  const next = scene.add(new Pull({ context, receiveHighWaterMark: 2 }));
  await scene.bind(next, "inproc://work");
  assertEquals(next.receiveMany().length, 2);
  await scene.end();
});

test("from the call of close to its end the process lives, while a peer takes nothing, on either side", async () => {
  for (const binds of ["push", "pull"] as const) {
    const world = new World(3);
    const scene = new Scene(world);
    const { context } = scene;
    const push = scene.add(new Push({ context, linger: 0 }));
    const pull = scene.add(new Pull({ context }));
    const [binding, connecting] = binds === "push" ? [push, pull] : [pull, push];
    await scene.bind(binding, "sim://work");
    connecting.connect("sim://work");
    await world.driveTo(push.ready());
    // A listener holds the process by itself.
    await world.driveTo(binding.unbind("sim://work"));
    await world.driveFor(100);
    assertEquals(world.holdsProcess, false, "an idle connection holds nothing");
    const { toServer, toClient } = world.links.at(-1)!;
    for (const lane of [toServer, toClient]) lane.hold();
    assert(push.trySend(new Uint8Array(1_000_000)));
    await world.driveFor(100);
    let ended = false;
    push.events.on("end", () => ended = true);
    push.close();
    for (let ms = 0; ms < 900; ms += 100) {
      await world.driveFor(100);
      assertEquals([ended, world.holdsProcess], [false, true], `${binds} binds, after ${ms} ms`);
    }
    await world.drive(() => ended, { waitingFor: `the end, where ${binds} binds` });
    for (const lane of [toServer, toClient]) lane.release();
    await scene.end();
  }
});
