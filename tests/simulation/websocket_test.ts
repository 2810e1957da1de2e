import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import type { TransportFactory } from "../../src/ports.ts";
import { Dealer, Pair, Publisher, Pull, Push, Router, Subscriber } from "../../src/socket/sockets.ts";
import { bridgedStreams } from "../support/bridged_streams.ts";
import { SEED_SHARE, simulate } from "../support/simulate.ts";
import { World } from "../support/world.ts";
import { assertRising, readMessage } from "./messages.ts";
import { Scene, type Tap } from "./scene.ts";
import { assertComplete, drawCount, drawMarks, play, Sink, Source } from "./streams.ts";
import { FrameTap } from "./websocket_tap.ts";

const HEADS = ["", "GET / HTTP/1.1\r\n\r\n", "x".repeat(300)];

/** Sockets over WebSockets in a world. Chance decides how long their upgrades are. */
function webSocketScene(world: World): { scene: Scene; frames: FrameTap } {
  const head = Uint8Array.from(world.random.pick(HEADS), (one) => one.charCodeAt(0));
  const frames = new FrameTap(head.length);
  const pingIntervalMs = world.random.pick([0, 30, 25_000]);
  const streams = (network: TransportFactory): TransportFactory =>
    bridgedStreams(network, { host: world.host, head, pingIntervalMs, below: frames.below });
  return { scene: new Scene(world, { streams }), frames };
}

const SHAPES = [{ bytesMax: 600 }, { framesMax: 4, bytesMax: 40_000 }];

test("PUSH to PULL over WebSocket: every message once and in order, whatever the streams do", async () => {
  await simulate("ws push pull", 60, async (world) => {
    const { scene, frames } = webSocketScene(world);
    const { context } = scene;
    const marks = drawMarks(world);
    const pull = scene.add(new Pull({ context, ...marks.receive }));
    const push = scene.add(new Push({ context, ...marks.send }));
    const pullBinds = world.random.chance(0.5);
    await scene.bind(pullBinds ? pull : push, "sim://work");
    (pullBinds ? push : pull).connect("sim://work");
    const slow = world.options.link.bufferBytes < 5_000 || world.options.link.splitBytesMax < 10;
    const shape = world.random.pick(slow ? SHAPES.slice(0, 1) : SHAPES);
    const count = drawCount(world, shape.bytesMax > 1_000 ? 60 : 300);
    const source = new Source(push, { world, count, series: 1, shape });
    const sink = new Sink(pull, { world, shape, restChance: world.random.pick([0, 0.05, 0.5]) });
    play(world, [source, sink], () => sink.received.length >= count, "all messages");
    await scene.end();
    assertComplete(sink, 1, count);
    frames.assertWhole();
  });
});

test("DEALER and ROUTER over WebSocket: both directions at once, each complete and in order", async () => {
  await simulate("ws dealer router", 30, async (world) => {
    const { scene, frames } = webSocketScene(world);
    const { context } = scene;
    const { send, receive } = drawMarks(world);
    const router = scene.add(new Router({ context, ...receive }));
    const dealer = scene.add(new Dealer({ context, ...send, routingId: "d" }));
    await scene.bind(router, "sim://both");
    dealer.connect("sim://both");
    const count = drawCount(world, 100);
    const there = new Source(dealer, { world, count, series: 1 });
    const replies: Uint8Array[][] = [];
    const back = new Sink(dealer, { world, restChance: 0.1 });
    const sink = new Sink(router, { world, skip: 1, took: (_, message) => void replies.push(message) });
    const echo = {
      act: (): void => {
        while (replies.length > 0 && router.trySend(replies[0]!)) replies.shift();
      },
    };
    play(world, [there, sink, echo, back], () => back.received.length >= count, "all echoes");
    await scene.end();
    assertComplete(sink, 1, count);
    assertComplete(back, 1, count);
    frames.assertWhole();
  });
});

test("PUB to SUB over WebSocket: subscriptions travel as messages, and what matches arrives", async () => {
  await simulate("ws pub sub", 12, async (world) => {
    const { scene, frames } = webSocketScene(world);
    const { context } = scene;
    const pub = scene.add(new Publisher({ context }));
    const sub = scene.add(new Subscriber({ context }));
    await scene.bind(pub, "sim://news");
    sub.subscribe("a");
    sub.connect("sim://news");
    let heard: string | undefined;
    const actors = [{
      act: (): void => {
        pub.trySend("b");
        pub.trySend("abc");
        heard ??= sub.tryReceive()?.toString();
      },
    }];
    play(world, actors, () => heard !== undefined, "a message");
    assertEquals(heard, "97,98,99");
    await scene.end();
    frames.assertWhole();
    const sent = frames.frames().flat().map(({ payload }) => payload.toString());
    assert(sent.includes("0,1,97"), "the subscription is a message");
  });
});

const IMPATIENT = {
  heartbeatInterval: 1_000,
  heartbeatTimeout: 8_000,
  handshakeInterval: 20_000,
  connectTimeout: 2_000,
  reconnectInterval: 10,
};

function handedNumbers(tap: Tap): number[] {
  return tap.handedMessages.map((message) => readMessage(message).number);
}

test("a PUSH over WebSocket hands every message over exactly once and in order, through any number of cuts", async () => {
  let broken = 0;
  let lost = 0;
  await simulate("ws push cut", 80, async (world) => {
    const { scene, frames } = webSocketScene(world);
    const { context } = scene;
    scene.calmAfter(8);
    const { send, receive } = drawMarks(world);
    const pull = scene.add(new Pull({ context, ...receive, ...IMPATIENT }));
    const push = scene.add(new Push({ context, ...send, ...IMPATIENT }));
    await scene.bind(pull, "sim://work");
    push.connect("sim://work");
    const count = drawCount(world, 200);
    const source = new Source(push, { world, count, series: 1 });
    const sink = new Sink(pull, { world, restChance: world.random.pick([0, 0.2]) });
    const dialled = (): Tap[] => scene.taps.filter((tap) => tap.side === "dialled");
    play(world, [source, sink], () => {
      const last = source.done ? dialled().filter((tap) => tap.handedMessages.length > 0).at(-1) : undefined;
      if (last === undefined || handedNumbers(last).at(-1) !== count - 1) return false;
      return last.closed || sink.received.some(({ number }) => number === count - 1);
    }, "the last connection's messages");
    const received = sink.numbersOf(1);
    assertEquals(dialled().flatMap(handedNumbers), Array.from({ length: count }, (_, index) => index));
    assertEquals(new Set(received).size, received.length, "a message came twice");
    for (const tap of dialled()) {
      const handed = handedNumbers(tap);
      const known = new Set(handed);
      const arrived = received.filter((number) => known.has(number));
      assertEquals(arrived, handed.slice(0, arrived.length), "not how the connection's messages began");
    }
    await scene.end();
    frames.assertWhole();
    broken += world.links.filter((link) => link.broken).length;
    lost += count - received.length;
  }, { faults: true });
  if (process.env["HAWSER_SEED"]) return;
  assert(broken > 50 * SEED_SHARE && lost > 20, `only ${broken} connections broke, ${lost} were lost`);
});

test("PAIR and PAIR over WebSocket find each other again, and each direction stays in order", async () => {
  await simulate("ws pair cut", 30, async (world) => {
    const { scene, frames } = webSocketScene(world);
    const { context } = scene;
    scene.calmAfter(8);
    const make = (): Pair => {
      const { send, receive } = drawMarks(world);
      return scene.add(new Pair({ context, ...send, ...receive, ...IMPATIENT }));
    };
    const [binds, connects] = [make(), make()];
    await scene.bind(binds, "sim://pair");
    connects.connect("sim://pair");
    const count = drawCount(world, 60);
    const sources = [
      new Source(binds, { world, count: Infinity, series: 1 }),
      new Source(connects, { world, count: Infinity, series: 2 }),
    ];
    const sinks = [new Sink(binds, { world }), new Sink(connects, { world })];
    const enough = (): boolean => sinks.every(({ received }) => received.length >= count);
    play(world, [...sources, ...sinks], enough, "enough messages both ways");
    assertRising(sinks[0]!.numbersOf(2), "to the one that binds");
    assertRising(sinks[1]!.numbersOf(1), "to the one that connects");
    await scene.end();
    frames.assertWhole();
  }, { faults: true });
});

/** Cuts a stream after byte `at` in one direction, and sees that what arrived is how the messages began. */
async function cutAt(at: number, direction: "toServer" | "toClient", parts: boolean): Promise<boolean> {
  const link = parts ? { bufferBytes: 7, lendChance: 0.5, takesParts: true, splitBytesMax: 5 } : {};
  const world = new World(at, { link });
  const { scene, frames } = webSocketScene(world);
  const { context } = scene;
  let first = true;
  world.network.onLink = (made): void => {
    if (first) made[direction].breakAt(at, { keepsFlight: true });
    first = false;
  };
  const pull = scene.add(new Pull({ context }));
  const push = scene.add(new Push({ context, reconnectInterval: 10 }));
  const binds = direction === "toServer" ? pull : push;
  await scene.bind(binds, "sim://cut");
  (binds === pull ? push : pull).connect("sim://cut");
  const source = new Source(push, { world, count: 30, series: 1, shape: { bytesMax: 40 } });
  const sink = new Sink(pull, { world, shape: { bytesMax: 40 } });
  const last = (): boolean => sink.received.some(({ number }) => number === 29);
  play(world, [source, sink], () => source.done && (last() || world.links.length > 1), "the stream's end");
  await world.driveFor(100);
  sink.act();
  assertRising(sink.numbersOf(1), `cut at ${at}`);
  await scene.end();
  frames.assertWhole();
  return world.links.length > 1;
}

test("a WebSocket that is cut at any byte breaks no frame: what arrived is how the messages began", async () => {
  for (const parts of [false, true]) {
    for (const direction of ["toServer", "toClient"] as const) {
      let cuts = 0;
      for (let at = 1; at < 220; at += parts ? 5 : 1) if (await cutAt(at, direction, parts)) cuts++;
      assert(cuts > 20, `only ${cuts} streams were cut`);
    }
  }
});
