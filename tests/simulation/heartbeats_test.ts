import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import type { PeerError } from "../../src/errors.ts";
import type { SocketEvent, SocketEventType } from "../../src/session/events.ts";
import type { Socket } from "../../src/socket/socket.ts";
import { Dealer, Pair, Pull, Push, Router } from "../../src/socket/sockets.ts";
import { simulate } from "../support/simulate.ts";
import { World } from "../support/world.ts";
import { framesIn, Scene } from "./scene.ts";
import { assertComplete, play, Sink, Source } from "./streams.ts";

/** All events of some kinds, as they come. */
function listen<Type extends SocketEventType>(socket: Socket, ...types: Type[]): SocketEvent<Type>[] {
  const events: SocketEvent<Type>[] = [];
  for (const type of types) socket.events.on(type, (event) => events.push(event));
  return events;
}

function codeOf(event: SocketEvent<"disconnect" | "handshake:error:other"> | undefined): string | undefined {
  return (event?.error as PeerError | undefined)?.code;
}

test("idle connections with heartbeats live on, whoever sends them, whatever the time-outs of the links", async () => {
  await simulate("idle", 25, async (world) => {
    const scene = new Scene(world);
    const { context } = scene;
    // A little longer than any answer of these links can take.
    const heartbeats = { heartbeatInterval: 500, heartbeatTimeout: 2_000, heartbeatTimeToLive: 4_000 };
    const sides = [world.random.chance(0.5), world.random.chance(0.5)];
    const binds = scene.add(new Pair({ context, ...(sides[0] ? heartbeats : {}) }));
    const connects = scene.add(new Pair({ context, ...(sides[1] ? heartbeats : {}) }));
    await scene.bind(binds, "sim://idle");
    connects.connect("sim://idle");
    const lost = [listen(binds, "disconnect"), listen(connects, "disconnect")];
    await world.driveTo(Promise.all([binds.ready(), connects.ready()]), { withinMs: 1e6 });
    await world.driveFor(20_000);
    assertEquals(lost.map((list) => list.map(codeOf)), [[], []]);
    assertEquals(world.links.length, 1);
    await scene.end();
  }, { link: { bufferBytes: 4_096, splitBytesMax: 64, stallMsMax: 50, latencyMsMax: 100, canPause: true } });
});

test("a peer that falls silent is found within interval and time-out, and another connection is made", async () => {
  await simulate("silent", 40, async (world) => {
    const scene = new Scene(world);
    const { context } = scene;
    const pull = scene.add(new Pull({ context, heartbeatInterval: 300, heartbeatTimeout: 700 }));
    const push = scene.add(
      new Push({ context, heartbeatInterval: 300, heartbeatTimeout: 700, reconnectInterval: 1 }),
    );
    await scene.bind(pull, "sim://work");
    push.connect("sim://work");
    await world.driveTo(Promise.all([push.ready(), pull.ready()]));
    const [atPush, atPull] = [listen(push, "disconnect"), listen(pull, "disconnect")];
    const silentAtMs = world.nowMs;
    world.links[0]!.silence();
    await world.drive(() => atPush.length > 0 && atPull.length > 0);
    const found = world.nowMs - silentAtMs;
    assert(found >= 690 && found <= 300 + 700 + 250, `found after ${found} ms`);
    assertEquals([codeOf(atPush[0]), codeOf(atPull[0])], Array(2).fill("ERR_PEER_HEARTBEAT_TIMEOUT"));
    assertEquals(atPush[0]!.peer?.socketType, "PULL");
    assert(push.trySend("again"));
    let got: Uint8Array[] | undefined;
    await world.drive(() => (got = pull.tryReceive()) !== undefined);
    assertEquals(new TextDecoder().decode(got![0]), "again");
    await scene.end();
  }, { link: { latencyMsMax: 5, jitterMsMax: 5, stallChance: 0, bufferBytes: 4_096, takeMsMax: 1 } });
});

test("without a time-out of its own, a peer keeps the promise of the TTL that it was told", async () => {
  const world = new World(1);
  const scene = new Scene(world);
  const { context } = scene;
  const router = scene.add(new Router({ context }));
  const dealer = scene.add(
    new Dealer({ context, heartbeatInterval: 200, heartbeatTimeout: 60_000, heartbeatTimeToLive: 900 }),
  );
  await scene.bind(router, "sim://ttl");
  dealer.connect("sim://ttl");
  await world.driveTo(Promise.all([router.ready(), dealer.ready()]));
  const lost = listen(router, "disconnect");
  await world.driveFor(5_000);
  assertEquals(lost.length, 0, "as long as PINGs come, the promise is kept");
  const ping = framesIn(scene.taps.find(({ side }) => side === "dialled")!.handed).find(({ body }) =>
    body[4] === 0x47
  )!;
  assertEquals([...ping.body.subarray(5, 7)], [0, 9], "the TTL travels in tenths of a second");
  const silentAtMs = world.nowMs;
  world.links[0]!.silence();
  await world.drive(() => lost.length > 0);
  assertEquals(codeOf(lost[0]), "ERR_PEER_HEARTBEAT_TIMEOUT");
  const found = world.nowMs - silentAtMs;
  assert(found > 690 && found < 950, `found after ${found} ms`);
  await scene.end();
});

test("an application that takes nothing for ten intervals and more loses no connection and no message", async () => {
  for (const pendingBytesMax of [1, 20_000, 10_000_000]) {
    await simulate(`stopped at ${pendingBytesMax}`, 9, async (world) => {
      const scene = new Scene(world);
      const { context } = scene;
      const heartbeats = { heartbeatInterval: 100, heartbeatTimeout: 300 };
      // Both sides ask for signs of life, or one of them.
      const [asks, isAsked] = [
        world.seed % 3 !== 0 ? heartbeats : {},
        world.seed % 3 !== 1 ? heartbeats : {},
      ];
      const pull = scene.add(new Pull({ context, receiveHighWaterMark: 2, pendingBytesMax, ...asks }));
      const push = scene.add(new Push({ context, sendHighWaterMark: 2, ...isAsked }));
      await scene.bind(pull, "sim://work");
      push.connect("sim://work");
      const lost = [listen(pull, "disconnect"), listen(push, "disconnect")];
      const count = 400;
      const source = new Source(push, { world, count, series: 1 });
      const sink = new Sink(pull, { world });
      for (const stop of [1_500, 3_000]) {
        const until = world.nowMs + stop;
        world.host.schedule(stop + 1, () => {}, true);
        play(world, [source], () => world.nowMs >= until, "the end of the rest");
        const some = sink.received.length + 20;
        play(world, [source, sink], () => sink.received.length >= some, "some messages");
      }
      play(world, [source, sink], () => sink.received.length >= count, "all messages");
      assertEquals(lost.map((list) => list.map(codeOf)), [[], []]);
      assertEquals(world.links.length, 1);
      assertComplete(sink, 1, count);
      await scene.end();
    }, {
      link: {
        latencyMsMax: 5,
        jitterMsMax: 1,
        stallChance: 0,
        bufferBytes: 4_096,
        splitBytesMax: 1_500,
        canPause: true,
      },
    });
  }
});

test("a process that did not run for ten intervals closes nobody: what arrived meanwhile is heard first", async () => {
  const world = new World(7);
  const { host } = world;
  // What falls into the stop happens at its end, timers first, as in a real loop.
  let stopUntilMs = 0;
  let late = 0;
  const schedule = host.schedule.bind(host);
  host.schedule = (delayMs, run, referenced) =>
    schedule(delayMs, () => {
      const leftMs = stopUntilMs - world.nowMs;
      if (leftMs <= 0) return run();
      late++;
      schedule(leftMs, run, referenced);
    }, referenced);
  const scene = new Scene(world);
  const { context } = scene;
  const heartbeats = { heartbeatInterval: 100, heartbeatTimeout: 100 };
  const pull = scene.add(new Pull({ context, ...heartbeats, heartbeatTimeToLive: 300 }));
  const push = scene.add(new Push({ context, ...heartbeats, heartbeatTimeToLive: 300 }));
  await scene.bind(pull, "sim://work");
  push.connect("sim://work");
  await world.driveTo(Promise.all([push.ready(), pull.ready()]));
  const lost = [listen(pull, "disconnect"), listen(push, "disconnect")];
  for (let stops = 0; stops < 5; stops++) {
    await world.driveFor(250);
    stopUntilMs = world.nowMs + 1_000;
    world.links[0]!.stall(1_000);
    await world.driveFor(1_000);
  }
  assert(late >= 5, "timers were due while nothing ran");
  assertEquals(lost.map((list) => list.map(codeOf)), [[], []]);
  await scene.end();
});

test("one who connects and says nothing is closed when the handshake's time is over; so is one who listens and says nothing", async () => {
  const world = new World(8);
  const scene = new Scene(world);
  const { context } = scene;
  const pull = scene.add(new Pull({ context, handshakeInterval: 1_000 }));
  await scene.bind(pull, "sim://work");
  const failed = listen(pull, "handshake:error:other");
  const ignore = (): void => {};
  let closed = false;
  const silent = {
    open: ignore,
    data: ignore,
    drain: ignore,
    end: ignore,
    close: () => void (closed = true),
  };
  const mute = world.network.dial("sim://work", {})(silent);
  const before = world.nowMs;
  await world.drive(() => failed.length > 0);
  assertEquals(codeOf(failed[0]), "ERR_PEER_HANDSHAKE_TIMEOUT");
  assert(Math.abs(world.nowMs - before - 1_000) < 20, `${world.nowMs - before} ms`);
  // A mute peer does not end its side either: it is cut a little later.
  await world.drive(() => closed || world.links[0]!.broken);
  mute.close("abort");

  const push = scene.add(new Push({ context, handshakeInterval: 1_000, reconnectInterval: 5 }));
  const refused = listen(push, "handshake:error:other");
  let accepted = 0;
  await world.driveTo(
    world.network.listen("sim://mute", {})((attach) => {
      accepted++;
      attach({ open: ignore, data: ignore, drain: ignore, end: ignore, close: ignore });
    }, ignore),
  );
  push.connect("sim://mute");
  await world.drive(() => refused.length >= 3);
  assertEquals(refused.map(codeOf), Array(3).fill("ERR_PEER_HANDSHAKE_TIMEOUT"));
  assert(accepted >= 3, "a time-out is no reason to give up");
  push.close();
  pull.close();
  await world.driveFor(5_000);
});

test("a heartbeat never breaks a message: PINGs stand between messages, also while bodies are lent", async () => {
  let pings = 0;
  await simulate("between", 15, async (world) => {
    const scene = new Scene(world);
    const { context } = scene;
    const pull = scene.add(new Pull({ context, heartbeatInterval: 3, heartbeatTimeout: 60_000 }));
    const push = scene.add(
      new Push({ context, heartbeatInterval: 3, heartbeatTimeout: 60_000, sendHighWaterMark: 3 }),
    );
    await scene.bind(pull, "sim://work");
    push.connect("sim://work");
    const shape = { framesMax: 5, bytesMax: 20_000 };
    const source = new Source(push, { world, count: 30, series: 1, shape });
    const sink = new Sink(pull, { world, shape });
    play(world, [source, sink], () => sink.received.length >= 30, "all messages");
    const tap = scene.taps.find(({ side }) => side === "dialled")!;
    let open = false;
    for (const { flags } of framesIn(tap.handed)) {
      if ((flags & 4) !== 0) {
        assert(!open, "a command between the frames of a message");
        pings++;
      } else {
        open = (flags & 1) !== 0;
      }
    }
    await scene.end();
  }, { link: { bufferBytes: 4_096, splitBytesMax: 1_500, latencyMsMax: 5, canPause: true } });
  if (!process.env["HAWSER_SEED"]) assert(pings > 60, `only ${pings} commands`);
});
