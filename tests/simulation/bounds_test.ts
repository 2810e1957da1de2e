import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import type { SocketEvent } from "../../src/session/events.ts";
import { Pair, Publisher, Pull, Push, Subscriber } from "../../src/socket/sockets.ts";
import { SEED_SHARE, simulate } from "../support/simulate.ts";
import { World } from "../support/world.ts";
import { Scene } from "./scene.ts";
import { assertComplete, play, Sink, Source, wake } from "./streams.ts";

/** One read of a transport, and the memory of the chunk that the bound was reached with. */
const SLACK_BYTES = 2 * 65_536 + 16_384;

test("a receiver that is never read holds no more than its marks and the pending bound, and nobody is lost", async () => {
  let paused = 0;
  await simulate("pending bound", 25, async (world) => {
    const { random } = world;
    const scene = new Scene(world);
    const { context } = scene;
    const pendingBytesMax = random.pick([1, 5_000, 40_000]);
    const receiveHighWaterMark = random.pick([1, 7]);
    const sendHighWaterMark = random.pick([1, 20]);
    const pull = scene.add(new Pull({ context, receiveHighWaterMark, pendingBytesMax }));
    const push = scene.add(new Push({ context, sendHighWaterMark }));
    await scene.bind(pull, "sim://work");
    push.connect("sim://work");
    const bytesMax = random.pick([10, 3_000]);
    const count = 300;
    const source = new Source(push, { world, count, series: 1, shape: { bytesMax } });
    const { pendingTotal } = context.runtime;
    let highest = 0;
    const watch = {
      act(): void {
        highest = Math.max(highest, pendingTotal.bytes);
      },
    };
    // Nothing is read until nothing moves any more.
    let movedMs = world.nowMs;
    let sent = 0;
    let nextLookMs = 0;
    play(world, [source, watch], () => {
      if (source.sent !== sent) movedMs = world.nowMs;
      sent = source.sent;
      if (world.nowMs > movedMs + 10_000 || source.done) return true;
      if (world.nowMs < nextLookMs) return false;
      nextLookMs = world.nowMs + 1_000;
      world.host.schedule(1_001, () => {}, true);
      return false;
    }, "the end of all movement");
    assert(highest <= pendingBytesMax + SLACK_BYTES, `${highest} bytes were pending`);
    paused += scene.taps.reduce((sum, tap) => sum + tap.pauses, 0);
    const sink = new Sink(pull, { world, shape: { bytesMax } });
    play(world, [source, sink, watch], () => sink.received.length >= count, "all messages");
    assert(highest <= pendingBytesMax + SLACK_BYTES, `${highest} bytes were pending`);
    assertComplete(sink, 1, count);
    await scene.end();
  }, { link: { canPause: true, bufferBytes: 16_384, latencyMsMax: 5 } });
  if (!process.env["HAWSER_SEED"]) assert(paused > 12 * SEED_SHARE, `paused only ${paused} times`);
});

test("all connections of a context share one bound; each goes on when it is read", async () => {
  const world = new World(1, { link: { bufferBytes: 8_192 } });
  const scene = new Scene(world, { pendingTotalBytesMax: 50_000 });
  const { context } = scene;
  const pull = scene.add(new Pull({ context, receiveHighWaterMark: 1 }));
  await scene.bind(pull, "sim://work");
  const pushes = Array.from({ length: 10 }, () => scene.add(new Push({ context, sendHighWaterMark: 5 })));
  for (const push of pushes) push.connect("sim://work");
  const body = new Uint8Array(3_000);
  const sent = pushes.map(() => 0);
  const fill = {
    act(): void {
      pushes.forEach((push, index) => {
        while (sent[index]! < 60 && push.trySend(body)) sent[index]!++;
      });
    },
  };
  const { pendingTotal } = context.runtime;
  let highest = 0;
  world.host.schedule(1_000, () => {}, true);
  play(world, [fill], () => {
    highest = Math.max(highest, pendingTotal.bytes);
    return world.nowMs >= 1_000;
  }, "a full context");
  assert(highest > 40_000 && highest < 50_000 + 10 * 10_000, `${highest} bytes`);
  let received = 0;
  play(world, [fill], () => {
    const got = pull.receiveMany(3).length;
    received += got;
    if (got > 0) wake(world);
    return received === 600;
  }, "all messages");
  await scene.end();
});

test("a transport that cannot pause is closed by name some way past the bound, and a good peer still comes through", async () => {
  const world = new World(2, { link: { canPause: false, bufferBytes: 1_048_576 } });
  const scene = new Scene(world);
  const { context } = scene;
  const pull = scene.add(new Pull({ context, receiveHighWaterMark: 1, pendingBytesMax: 10_000 }));
  const lost: SocketEvent<"disconnect">[] = [];
  pull.events.on("disconnect", (event) => lost.push(event));
  await scene.bind(pull, "sim://work");
  const flood = scene.add(new Push({ context, sendHighWaterMark: 0, reconnectInterval: -1 }));
  flood.connect("sim://work");
  await world.driveTo(flood.ready());
  let highest = 0;
  for (let sent = 0; sent < 60 && lost.length === 0; sent++) {
    assert(flood.trySend(new Uint8Array(50_000)));
    await world.driveFor(1);
    highest = Math.max(highest, context.runtime.pendingTotal.bytes);
  }
  assertEquals((lost[0]?.error as { code?: string }).code, "ERR_PEER_PENDING");
  assert(highest > 1_000_000 && highest < 1_048_576 + 10_000 + SLACK_BYTES, `${highest} bytes`);
  const good = scene.add(new Push({ context }));
  good.connect("sim://work");
  assert(good.trySend("good"));
  await world.drive(() => pull.receiveMany().some(([frame]) => frame!.length === 4));
  assertEquals(pull.tryReceive(), undefined);
  assertEquals(context.runtime.pendingTotal.bytes, 0, "what an ended peer left counts until it is read");
  await scene.end();
});

test("a sender with a stopped receiver stays within its mark, in messages and in bytes", async () => {
  for (
    const options of [{ sendHighWaterMark: 7 }, { sendHighWaterMark: 0, sendHighWaterMarkBytes: 10_000 }]
  ) {
    const world = new World(3, { link: { bufferBytes: 4_096 } });
    const scene = new Scene(world);
    const { context } = scene;
    const pull = scene.add(new Pull({ context, receiveHighWaterMark: 1, pendingBytesMax: 1 }));
    const push = scene.add(new Push({ context, ...options }));
    await scene.bind(pull, "sim://work");
    push.connect("sim://work");
    await world.driveTo(push.ready());
    world.links[0]!.toServer.hold();
    const body = new Uint8Array(998);
    let sent = 0;
    for (let turns = 0; turns < 20; turns++) {
      while (push.trySend(body)) sent++;
      await world.driveFor(1);
    }
    const most = options.sendHighWaterMark === 7 ? 7 : 10;
    assertEquals(sent, most);
    world.links[0]!.toServer.release();
    const sink = {
      count: 0,
      act(): void {
        this.count += pull.receiveMany().length;
      },
    };
    play(world, [sink], () => sink.count === most, "what was sent");
    await scene.end();
  }
});

test("subscribers that never read cost a publisher their marks and no more, and it never stops", async () => {
  const world = new World(4, { link: { bufferBytes: 4_096 } });
  const scene = new Scene(world);
  const { context } = scene;
  const publisher = scene.add(new Publisher({ context, sendHighWaterMark: 10 }));
  let dropped = 0;
  publisher.events.on("drop", ({ count }) => dropped += count!);
  await scene.bind(publisher, "sim://news");
  const subscribers = [0, 1, 2].map(() =>
    scene.add(new Subscriber({ context, receiveHighWaterMark: 1, pendingBytesMax: 1 }))
  );
  for (const subscriber of subscribers) {
    subscriber.subscribe();
    subscriber.connect("sim://news");
    await world.driveTo(subscriber.ready());
  }
  await world.driveTo(publisher.subscribed(""));
  await world.driveFor(10);
  const { pendingTotal } = context.runtime;
  for (let sent = 0; sent < 1_000; sent++) {
    assert(publisher.trySend(new Uint8Array(500)));
    await world.driveFor(0.1);
  }
  await world.driveFor(100);
  assert(dropped > 2_000, `${dropped} dropped`);
  assert(pendingTotal.bytes < 3 * 2 * 65_536);
  await scene.end();
});

test("an endless loop of awaited sends lets timers, reads and other sockets live", async () => {
  for (const address of ["sim://pair", "inproc://pair"]) {
    const world = new World(5, { link: { bufferBytes: 1_048_576, latencyMsMax: 0.2 } });
    const scene = new Scene(world);
    const { context } = scene;
    const left = scene.add(new Pair({ context, sendHighWaterMark: 0, receiveHighWaterMark: 0 }));
    const right = scene.add(new Pair({ context, sendHighWaterMark: 0, receiveHighWaterMark: 0 }));
    await scene.bind(left, address);
    right.connect(address);
    await world.driveTo(Promise.all([left.ready(), right.ready()]));
    let sent = 0;
    let stop = false;
    const loop = (async (): Promise<void> => {
      for (; !stop; sent++) await left.send("x");
    })();
    let ticks = 0;
    const tick = (): void => {
      if (stop) return;
      ticks++;
      world.host.schedule(0.02, tick, true);
    };
    tick();
    let heard = false;
    void left.receive().then(() => heard = true);
    await world.driveFor(0.03);
    const before = sent;
    right.trySend("are you there?");
    // Each turn hands over 4 096 messages, and then others have their turn.
    await world.drive(() => heard && ticks > 5, {
      withinMs: 1_000,
      eventsMax: 2_000,
      waitingFor: "timers and reads",
    });
    assert(sent > before, "the loop went on");
    stop = true;
    await world.drive(() => right.receiveMany(100_000).length === 0);
    await world.driveTo(loop);
    await scene.end();
  }
});
