import { test } from "node:test";
import { Dealer, Pair, Pull, Push, Router } from "../../src/socket/sockets.ts";
import { simulate } from "../support/simulate.ts";
import { Scene } from "./scene.ts";
import { assertComplete, drawCount, drawMarks, play, Sink, Source, wake } from "./streams.ts";

test("PUSH to PULL: every message once and in order, whatever the links do and however small the marks are", async () => {
  await simulate("push pull", 70, async (world) => {
    const scene = new Scene(world);
    const { context } = scene;
    const marks = drawMarks(world);
    const pull = scene.add(new Pull({ context, ...marks.receive }));
    const push = scene.add(new Push({ context, ...marks.send }));
    const pullBinds = world.random.chance(0.5);
    const early = pullBinds && world.random.chance(0.5);
    if (early) push.connect("sim://work");
    await scene.bind(pullBinds ? pull : push, "sim://work");
    if (!early) (pullBinds ? push : pull).connect("sim://work");
    const count = drawCount(world, 400);
    const source = new Source(push, { world, count, series: 1 });
    const sink = new Sink(pull, { world, restChance: world.random.pick([0, 0.05, 0.5]) });
    play(world, [source, sink], () => sink.received.length >= count, "all messages");
    await scene.end();
    assertComplete(sink, 1, count);
  });
});

test("PUSH to three PULLs and from three PUSHes: each message to one of them, each sender's in order", async () => {
  await simulate("many to many", 30, async (world) => {
    const scene = new Scene(world);
    const { context } = scene;
    const count = drawCount(world, 100);
    const received: { series: number; number: number }[] = [];
    const sinks: Sink[] = [];
    const sources: Source[] = [];
    for (let index = 0; index < 3; index++) {
      const pull = scene.add(new Pull({ context, ...drawMarks(world).receive }));
      await scene.bind(pull, `sim://work-${index}`);
      const last = new Map<number, number>();
      sinks.push(
        new Sink(pull, {
          world,
          restChance: 0.2,
          took: (one) => {
            // At one receiver, the messages of one sender keep their order.
            if ((last.get(one.series) ?? -1) >= one.number) throw new Error(`${one.number} came late`);
            last.set(one.series, one.number);
            received.push(one);
          },
        }),
      );
    }
    for (let series = 0; series < 3; series++) {
      const push = scene.add(new Push({ context, ...drawMarks(world).send }));
      for (let index = 0; index < 3; index++) push.connect(`sim://work-${index}`);
      sources.push(new Source(push, { world, count, series }));
    }
    play(world, [...sources, ...sinks], () => received.length >= 3 * count, "all messages");
    await scene.end();
    for (let series = 0; series < 3; series++) {
      const numbers = received.filter((one) => one.series === series).map((one) => one.number);
      numbers.sort((a, b) => a - b);
      if (numbers.length !== count || numbers.some((number, index) => number !== index)) {
        throw new Error(`series ${series}: ${numbers.length} of ${count}, not each once`);
      }
    }
  });
});

test("PAIR to PAIR: both directions at once", async () => {
  await simulate("pair", 40, async (world) => {
    const scene = new Scene(world);
    const { context } = scene;
    const make = (): Pair => {
      const { send, receive } = drawMarks(world);
      return scene.add(new Pair({ context, ...send, ...receive }));
    };
    const [left, right] = [make(), make()];
    await scene.bind(left, "sim://pair");
    right.connect("sim://pair");
    const count = drawCount(world, 200);
    const sources = [
      new Source(left, { world, count, series: 1 }),
      new Source(right, { world, count, series: 2 }),
    ];
    const sinks = [new Sink(left, { world, restChance: 0.3 }), new Sink(right, { world, restChance: 0.3 })];
    play(
      world,
      [...sources, ...sinks],
      () => sinks.every((sink) => sink.received.length >= count),
      "both streams",
    );
    await scene.end();
    assertComplete(sinks[0]!, 2, count);
    assertComplete(sinks[1]!, 1, count);
  });
});

test("DEALERs and a ROUTER: everybody gets the answers to his own messages, all of them, in order", async () => {
  await simulate("dealer router", 40, async (world) => {
    const scene = new Scene(world);
    const { context } = scene;
    const { send, receive } = drawMarks(world);
    const router = scene.add(new Router({ context, ...send, ...receive, mandatory: true }));
    await scene.bind(router, "sim://router");
    const count = drawCount(world, 60);
    const sinks: Sink[] = [];
    const sources: Source[] = [];
    for (let series = 0; series < 3; series++) {
      const own = drawMarks(world);
      const named = world.random.chance(0.5) ? { routingId: `dealer ${series}` } : {};
      const dealer = scene.add(new Dealer({ context, ...own.send, ...own.receive, ...named }));
      dealer.connect("sim://router");
      sources.push(new Source(dealer, { world, count, series }));
      sinks.push(new Sink(dealer, { world, restChance: 0.2 }));
    }
    // An echo that holds one message per peer it cannot answer yet.
    const held: Uint8Array[][] = [];
    const echo = {
      act(): void {
        for (let index = 0; index < held.length; index++) {
          const message = held[index]!;
          const blocked = held.slice(0, index).some((other) => sameId(other[0]!, message[0]!));
          if (blocked || !router.trySend(message)) continue;
          held.splice(index--, 1);
          wake(world);
        }
        if (held.length > 20) return;
        const message = router.tryReceive();
        if (message === undefined) return;
        held.push(message);
        wake(world);
      },
    };
    play(
      world,
      [...sources, ...sinks, echo],
      () => sinks.every((sink) => sink.received.length >= count),
      "all answers",
    );
    await scene.end();
    sinks.forEach((sink, series) => assertComplete(sink, series, count));
  });
});

function sameId(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

test("thousands of messages through a tiny mark, with waits only where there is something to wait for", async () => {
  const counts = [2_000, 10_000];
  for (const count of counts) {
    for (const mark of [1, 2, 10]) {
      await simulate(`${count} through ${mark}`, [count + mark], async (world) => {
        const scene = new Scene(world);
        const { context } = scene;
        const pull = scene.add(new Pull({ context, receiveHighWaterMark: mark }));
        const push = scene.add(new Push({ context, sendHighWaterMark: mark }));
        await scene.bind(pull, "sim://work");
        push.connect("sim://work");
        const shape = { framesMax: 2, bytesMax: 30 };
        const source = new Source(push, { world, count, series: 1, shape });
        const sink = new Sink(pull, { world, shape });
        play(world, [source, sink], () => sink.received.length >= count, "all messages");
        await scene.end();
        assertComplete(sink, 1, count);
      }, { link: { canPause: true, splitBytesMax: 1_500, bufferBytes: 4_096, latencyMsMax: 0.1 } });
    }
  }
});
