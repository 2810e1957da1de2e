import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { Dealer, Pair, Pull, Push, Router } from "../../src/socket/sockets.ts";
import { SEED_SHARE, simulate } from "../support/simulate.ts";
import type { World } from "../support/world.ts";
import { assertRising, readMessage } from "./messages.ts";
import { Scene, type Tap } from "./scene.ts";
import { drawCount, drawMarks, play, Sink, Source } from "./streams.ts";

/** Options with which a connection that fell silent, or never opened, is given up. */
const IMPATIENT = {
  heartbeatInterval: 1_000,
  heartbeatTimeout: 8_000,
  handshakeInterval: 20_000,
  connectTimeout: 2_000,
  reconnectInterval: 10,
};
const FAULTY = { faults: true };
const CALM_AFTER_LINKS = 8;

/** The numbers of the messages that one end of a connection handed over. */
function handedNumbers(tap: Tap): number[] {
  return tap.handedMessages.map(numberOf);
}

function numberOf(message: readonly Uint8Array[]): number {
  return readMessage(message).number;
}

/** What arrived of each connection must be how its messages began: a stream loses its end, nothing else. */
function assertPrefixes(taps: readonly Tap[], received: readonly number[]): void {
  for (const tap of taps) {
    const handed = handedNumbers(tap);
    const known = new Set(handed);
    const arrived = received.filter((number) => known.has(number));
    assertEquals(arrived, handed.slice(0, arrived.length), "not how the connection's messages began");
  }
}

/** Swarms where nothing ever breaks prove nothing here. */
class Breaks {
  count = 0;
  lost = 0;

  see(world: World, lost: number): void {
    this.count += world.links.filter((link) => link.broken).length;
    this.lost += lost;
  }

  /** One seed replayed alone cannot show everything. */
  assertSeen(): void {
    if (process.env["HAWSER_SEED"]) return;
    assert(this.count > 50 * SEED_SHARE, `only ${this.count} connections broke`);
    assert(this.lost > 50, `only ${this.lost} messages were lost`);
  }
}

test("a connecting PUSH hands every message to a transport exactly once and in order, through any number of cuts", async () => {
  const breaks = new Breaks();
  await simulate("push cut", 80, async (world) => {
    const scene = new Scene(world);
    const { context } = scene;
    scene.calmAfter(CALM_AFTER_LINKS);
    const { send, receive } = drawMarks(world);
    const pull = scene.add(new Pull({ context, ...receive, ...IMPATIENT }));
    const push = scene.add(new Push({ context, ...send, ...IMPATIENT }));
    await scene.bind(pull, "sim://work");
    push.connect("sim://work");
    const count = drawCount(world, 300);
    const source = new Source(push, { world, count, series: 1 });
    const sink = new Sink(pull, { world, restChance: world.random.pick([0, 0.2]) });
    const dialled = (): Tap[] => scene.taps.filter((tap) => tap.side === "dialled");
    play(world, [source, sink], () => {
      const last = source.done ? dialled().filter((tap) => tap.handedMessages.length > 0).at(-1) : undefined;
      if (last === undefined || numberOf(last.handedMessages.at(-1)!) !== count - 1) return false;
      // All was handed over, and what can still arrive has arrived.
      return last.closed || sink.received.some(({ number }) => number === count - 1);
    }, "the last connection's messages");
    const received = sink.numbersOf(1);
    assertEquals(dialled().flatMap(handedNumbers), Array.from({ length: count }, (_, index) => index));
    assertEquals(new Set(received).size, received.length, "a message came twice");
    assertPrefixes(dialled(), received);
    await scene.end();
    breaks.see(world, count - received.length);
  }, FAULTY);
  breaks.assertSeen();
});

test("a connecting PULL gets one rising stream over all its connections; a binding PUSH loses at most its queue", async () => {
  const breaks = new Breaks();
  await simulate("pull cut", 60, async (world) => {
    const scene = new Scene(world);
    const { context } = scene;
    scene.calmAfter(CALM_AFTER_LINKS);
    const { send, receive } = drawMarks(world);
    const pull = scene.add(new Pull({ context, ...receive, ...IMPATIENT }));
    const push = scene.add(new Push({ context, ...send, ...IMPATIENT }));
    await scene.bind(push, "sim://work");
    pull.connect("sim://work");
    const count = drawCount(world, 300);
    const source = new Source(push, { world, count: Infinity, series: 1 });
    const sink = new Sink(pull, { world, restChance: world.random.pick([0, 0.2]) });
    // The source goes on until enough has come, and the connections are calm.
    play(world, [source, sink], () => sink.received.length >= count, "enough messages");
    const received = sink.numbersOf(1);
    assertRising(received, "over all connections");
    const accepted = scene.taps.filter((tap) => tap.side === "accepted");
    // A dead connection may stay in the PUSH's books while its peer is back already: each is in order by itself.
    for (const tap of accepted) assertRising(handedNumbers(tap), "handed over");
    assertPrefixes(accepted, received);
    const { sendHighWaterMark } = send;
    const handed = accepted.reduce((sum, tap) => sum + handedNumbers(tap).length, 0);
    if (sendHighWaterMark > 0) {
      const queued = source.sent - handed;
      assert(queued <= accepted.length * sendHighWaterMark, `${queued} were queued for lost connections`);
    }
    await scene.end();
    breaks.see(world, source.sent - received.length);
  }, FAULTY);
  breaks.assertSeen();
});

test("PAIR and PAIR find each other again, and each direction stays in order", async () => {
  await simulate("pair cut", 40, async (world) => {
    const scene = new Scene(world);
    const { context } = scene;
    scene.calmAfter(CALM_AFTER_LINKS);
    const make = (): Pair => {
      const { send, receive } = drawMarks(world);
      return scene.add(new Pair({ context, ...send, ...receive, ...IMPATIENT }));
    };
    const [binds, connects] = [make(), make()];
    await scene.bind(binds, "sim://pair");
    connects.connect("sim://pair");
    const count = drawCount(world, 100);
    const sources = [
      new Source(binds, { world, count: Infinity, series: 1 }),
      new Source(connects, { world, count: Infinity, series: 2 }),
    ];
    const sinks = [
      new Sink(connects, { world, restChance: 0.1 }),
      new Sink(binds, { world, restChance: 0.1 }),
    ];
    play(
      world,
      [...sources, ...sinks],
      () => sinks.every((sink) => sink.received.length >= count),
      "both ways",
    );
    assertRising(sinks[0]!.numbersOf(1), "to the connecting end");
    // The binding end has a pipe for every connection. They are read in turn, so only each by itself is in order.
    assertPrefixes(scene.taps.filter((tap) => tap.side === "dialled"), sinks[1]!.numbersOf(2));
    await scene.end();
  }, FAULTY);
});

test("a named DEALER is the same peer to a ROUTER after every cut, and what is still queued follows it", async () => {
  await simulate("dealer cut", 40, async (world) => {
    const scene = new Scene(world);
    const { context } = scene;
    scene.calmAfter(CALM_AFTER_LINKS);
    const { send, receive } = drawMarks(world);
    // The newcomer may be there before the router knows that the old connection is dead.
    const router = scene.add(new Router({ context, ...receive, ...IMPATIENT, handover: true }));
    const dealer = scene.add(new Dealer({ context, ...send, ...IMPATIENT, routingId: "dealer" }));
    await scene.bind(router, "sim://router");
    dealer.connect("sim://router");
    const count = drawCount(world, 100);
    const source = new Source(dealer, { world, count: Infinity, series: 1 });
    const echo = new Sink(router, {
      world,
      skip: 1,
      took: (_, message) => {
        assertEquals(new TextDecoder().decode(message[0]), "dealer");
        router.trySend(message);
      },
    });
    const sink = new Sink(dealer, { world });
    play(world, [source, echo, sink], () => sink.received.length >= count, "answers");
    const dialled = scene.taps.filter((tap) => tap.side === "dialled");
    assertRising(dialled.flatMap(handedNumbers), "handed over");
    assertPrefixes(dialled, echo.numbersOf(1));
    await scene.end();
  }, FAULTY);
});
