import { test } from "node:test";
import { assert, assertEquals, assertGreater, assertLessOrEqual } from "@std/assert";
import type { DealerLink } from "../../src/log/client/dealer_link.ts";
import { Context } from "../../src/socket/context.ts";
import { Dealer } from "../../src/socket/sockets.ts";
import { DISCARDED } from "../../src/zmtp/frame_sink.ts";
import { assertWhole, type Caller, Feeder, numbered, numberOf, type Served } from "../support/log_links.ts";
import { SEED_SHARE, simulate } from "../support/simulate.ts";
import { World } from "../support/world.ts";
import { ADDRESS, LogScene } from "./log_scene.ts";

const KIB = 1_024;
const MIB = KIB * KIB;

test("messages of all sizes arrive whole and in order, both ways, in the memory that the allocator gave", async () => {
  const world = new World(1, { link: { splitBytesMax: 65_536, bufferBytes: MIB } });
  const scene = new LogScene(world);
  await scene.listen();
  const caller = await scene.connect();
  const served = scene.door.served[0]!;
  const sizes = [0, 1, 64 * KIB, 300 * KIB, MIB];
  const messages = (number: number): Uint8Array[] =>
    number < 5 ? numbered(number, sizes[number]!) : numbered(number, ...sizes);
  const feeders = [new Feeder(caller, 8, messages), new Feeder(served, 8, messages)];
  for (const feeder of feeders) feeder.pump();
  await scene.until(() => caller.received.length === 8 && served.received.length === 8);
  for (const end of [caller, served]) {
    assertEquals(end.numbers, [0, 1, 2, 3, 4, 5, 6, 7]);
    end.received.forEach(assertWhole);
  }
  // Each frame's identity was compared when it was delivered.
  assertEquals(served.ledger!.delivered, 5 * 2 + 3 * 6);
  assertGreater(served.input!.receivedBytes, 4 * (MIB + 300 * KIB));
  assertEquals(served.peer, "sim://client-1");
  await scene.end();
});

test("in any world whatever is sent arrives whole and in order, both ways", async () => {
  await simulate("log links", 4, async (world) => {
    const scene = new LogScene(world);
    await scene.listen();
    const callers = [scene.call(), scene.call(), scene.call()];
    await scene.until(() => scene.door.served.length === 3 && callers.every((caller) => caller.isOpen));
    const count = 12;
    const messages = (number: number): Uint8Array[] =>
      numbered(number, number * 17, number === 7 ? 20_000 : number * 90);
    const ends: (Caller | Served)[] = [...callers, ...scene.door.served];
    const feeders = ends.map((end) => new Feeder(end, count, messages));
    for (const feeder of feeders) feeder.pump();
    await scene.until(() => ends.every((end) => end.received.length === count));
    for (const end of ends) {
      assertEquals(end.numbers, Array.from({ length: count }, (_, index) => index));
      end.received.forEach(assertWhole);
    }
    await scene.end();
  });
});

test("a body that must wait for memory stops its connection alone, and goes on where it stopped", async () => {
  await simulate("pool of one", 5, async (world) => {
    const scene = new LogScene(world);
    // One piece of memory for the large bodies of three connections: who finds it taken waits in line.
    let owner: Served | undefined;
    const line: Served[] = [];
    let waited = 0;
    const free = (): void => {
      owner = undefined;
      const [first] = line.splice(0, 1);
      if (first !== undefined) first.input!.restart();
    };
    scene.door.onServed = (served) => {
      served.ledger!.decide = (bytes) => {
        if (bytes < 1_000) return undefined;
        if (owner === undefined && (line.length === 0 || !line.includes(served))) {
          owner = served;
          return undefined;
        }
        if (!line.includes(served)) line.push(served);
        waited++;
        return "later";
      };
      served.onMessage = (frames) => {
        if (frames.length > 1 && owner === served) free();
      };
    };
    await scene.listen();
    const callers = [scene.call(), scene.call(), scene.call()];
    await scene.until(() => callers.every((caller) => caller.isOpen));
    const feeders = callers.map((caller) =>
      new Feeder(caller, 10, (number) => numbered(number, 1_000 + number))
    );
    for (const feeder of feeders) feeder.pump();
    await scene.until(
      () => scene.door.served.every((served) => served.received.length === 10),
      "all through memory for one",
    );
    for (const served of scene.door.served) {
      assertEquals(served.numbers, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
      served.received.forEach(assertWhole);
    }
    assertEquals(line, []);
    if (process.env["HAWSER_SEED"] === undefined && world.seed === 1) assertGreater(waited, 0);
    await scene.end();
  }, { link: { reentrantPeerChance: 0 } });
});

test("a body that is discarded leaves framing in step: the message comes with its mark, the next one whole", async () => {
  await simulate("discard", 5, async (world) => {
    const scene = new LogScene(world);
    scene.door.onServed = ({ ledger }) => {
      ledger!.decide = (bytes, before) =>
        bytes >= 5_000 && before.length === 1 && numberOf(before) % 2 === 1 ? "discard" : undefined;
    };
    await scene.listen();
    const caller = await scene.connect();
    const feeder = new Feeder(caller, 12, (number) => numbered(number, 5_000, number));
    feeder.pump();
    const served = scene.door.served[0]!;
    await scene.until(() => served.received.length === 12);
    for (const [index, frames] of served.received.entries()) {
      assertEquals(numberOf(frames), index);
      assertEquals(frames[1] === DISCARDED, index % 2 === 1);
      assertWhole(frames);
    }
    await scene.end();
  });
});

test("a peer that is cut off at any byte gives its memory back, and its end is told once, last", async () => {
  const message = numbered(7, 3, 400, 0);
  // 107 bytes of greeting and READY, then the message.
  for (let byte = 1; byte <= 107 + 18 + 5 + 409 + 2; byte += 3) {
    const world = new World(byte, { link: { splitBytesMax: byte % 2 === 0 ? 7 : Infinity } });
    const scene = new LogScene(world);
    await scene.listen();
    world.network.onLink = (link) => link.toServer.breakAt(byte, { keepsFlight: byte % 5 !== 0 });
    const caller = scene.call({ retryMs: 1_000_000, retryMaxMs: 1_000_000 });
    caller.onOpened = () => void caller.send(...message);
    await scene.until(() => world.links[0]?.closed === true);
    await world.settle();
    assertEquals(caller.closes, caller.opens);
    scene.door.assertDone();
    await scene.end();
  }
});

test("a peer that is cut off while its body waits for memory is told so, and wants no memory any more", async () => {
  const world = new World(3);
  const scene = new LogScene(world);
  scene.door.onServed = ({ ledger }) => {
    ledger!.decide = (bytes) => bytes > 100 ? "later" : undefined;
  };
  await scene.listen();
  const caller = await scene.connect({ retryMs: 1_000_000, retryMaxMs: 1_000_000 });
  const served = scene.door.served[0]!;
  caller.send(...numbered(1, 50));
  caller.send(...numbered(2, 500, 50));
  caller.send(...numbered(3, 50));
  await scene.until(() => served.ledger!.asked === 4);
  assertEquals(served.numbers, [1]);
  world.links[0]!.cut({ keepsFlight: true });
  await scene.until(() => served.closes === 1);
  // What had arrived whole is still delivered; the body without memory is discarded.
  assertEquals(served.numbers, [1, 2, 3]);
  assertEquals(served.received[1]!.map((frame) => frame === DISCARDED), [false, true, false]);
  const { asked } = served.ledger!;
  served.input!.restart();
  await world.settle();
  assertEquals(served.ledger!.asked, asked, "the dead ask for nothing");
  await scene.end();
});

test("a hundred peers talk at the same time", async () => {
  const world = new World(5, { link: { latencyMsMax: 3, jitterMsMax: 1 }, loop: { turnEventsMax: 16 } });
  const scene = new LogScene(world);
  await scene.listen();
  scene.door.onServed = (served) => {
    served.onMessage = (frames) => assert(served.send(...frames.map((frame) => frame.slice())), "echo");
  };
  const callers = Array.from({ length: 100 }, () => scene.call());
  for (const [index, caller] of callers.entries()) {
    caller.onOpened = () =>
      new Feeder(caller, 10, (number) => numbered(index * 10 + number, 500 + index)).pump();
  }
  await scene.until(() => callers.every((caller) => caller.received.length === 10));
  for (const [index, caller] of callers.entries()) {
    assertEquals(caller.numbers, Array.from({ length: 10 }, (_, number) => index * 10 + number));
    caller.received.forEach(assertWhole);
  }
  assertEquals(scene.server.links, 100);
  await scene.end();
});

test("a peer that takes nothing keeps to its byte mark, holds up nobody, and gets the rest when it takes again", async () => {
  const markBytes = 100_000;
  const world = new World(6);
  const scene = new LogScene(world, { server: { sendHighWaterMarkBytes: markBytes } });
  await scene.listen();
  const stopped = await scene.connect();
  const lively = await scene.connect();
  const [toStopped, toLively] = scene.door.served as [Served, Served];
  world.links[0]!.toClient.hold();
  const bytes = 10_000;
  const feeder = new Feeder(toStopped, 100, (number) => numbered(number, bytes));
  feeder.pump();
  await world.driveFor(100);
  // What the transport took is not counted, so at most one message is above the mark.
  assertLessOrEqual(feeder.sent * bytes, markBytes + 65_536 + 2 * bytes);
  assertGreater(feeder.sent, 9);
  assertEquals(toStopped.send(...numbered(0, 1)), false);
  for (let number = 0; number < 50; number++) {
    assert(toLively.send(...numbered(number, bytes)));
    await scene.until(() => lively.received.length === number + 1);
  }
  assertEquals(toStopped.writables, 0);
  assertEquals(stopped.received.length, 0);
  world.links[0]!.toClient.release();
  await scene.until(() => stopped.received.length === 100);
  assertEquals(stopped.numbers, Array.from({ length: 100 }, (_, number) => number));
  stopped.received.forEach(assertWhole);
  assertGreater(toStopped.writables, 0);
  await scene.end();
});

test("a broker that reads nothing of a client stops it at its byte mark", async () => {
  const world = new World(7);
  const scene = new LogScene(world, { server: { pendingBytesMax: 20_000 } });
  scene.door.onServed = ({ ledger }) => {
    ledger!.decide = () => "later";
  };
  await scene.listen();
  const caller = await scene.connect({ socket: { sendHighWaterMarkBytes: 50_000 } });
  const feeder = new Feeder(caller, 1_000, (number) => numbered(number, 1_000));
  feeder.pump();
  await world.driveFor(100);
  assertLessOrEqual(feeder.sent * 1_000, 50_000 + 20_000 + 4 * 65_536);
  const served = scene.door.served[0]!;
  served.ledger!.decide = () => undefined;
  served.input!.restart();
  await scene.until(() => served.received.length === 1_000);
  assertEquals(served.numbers, Array.from({ length: 1_000 }, (_, number) => number));
  await scene.end();
});

test("closing one link ends that peer's connection alone, after its last words", async () => {
  let fast = 0;
  await simulate("close one", 6, async (world) => {
    const scene = new LogScene(world);
    await scene.listen();
    const options = { retryMs: 1_000_000, retryMaxMs: 1_000_000 };
    const callers = [scene.call(options), scene.call(options), scene.call(options)];
    await scene.until(() => callers.every((caller) => caller.isOpen) && scene.door.served.length === 3);
    const served = scene.door.served[1]!;
    let sent = 0;
    while (sent < 20 && served.send(...numbered(sent, 900))) sent++;
    assertEquals(sent, 20);
    const why = new Error("enough");
    served.close(why);
    served.close(new Error("too late"));
    assertEquals(served.send(...numbered(99)), false);
    assertEquals(served.closes, 0, "not from inside the call");
    await scene.until(() => callers.filter((caller) => caller.closes === 1).length === 1);
    assertEquals(served.closes, 1);
    assertEquals(served.reason, why);
    const closed = callers.find((caller) => caller.closes === 1)!;
    // A second is not long enough in every world: the end may be lost, never the middle.
    assertEquals(closed.numbers, Array.from({ length: closed.received.length }, (_, number) => number));
    if (world.options.link.bufferBytes >= 65_536) fast += closed.received.length === 20 ? 1 : 0;
    const others = callers.filter((caller) => caller !== closed);
    for (const caller of others) assert(caller.send(...numbered(1, 10)));
    await scene.until(() => scene.door.served.filter((one) => one.received.length === 1).length === 2);
    await scene.end();
  });
  if (process.env["HAWSER_SEED"] === undefined) assertGreater(fast, 3 * SEED_SHARE);
});

test("nothing but the end is told of a link that was closed, however much of it had arrived", async () => {
  const world = new World(8);
  const scene = new LogScene(world);
  await scene.listen();
  const caller = await scene.connect({ retryMs: 1_000_000, retryMaxMs: 1_000_000 });
  const served = scene.door.served[0]!;
  served.onMessage = (frames) => {
    if (numberOf(frames) === 3) served.close();
  };
  for (let number = 0; number < 10; number++) assert(caller.send(...numbered(number, 700)));
  await scene.until(() => served.closes === 1 && caller.closes === 1);
  assertEquals(served.numbers, [0, 1, 2, 3]);
  assertEquals(served.reason, undefined);
  assertGreater(served.ledger!.released, 0, "what was received and not delivered goes back");
  await scene.end();
});

test("an allocator may close its own link while it is asked for memory", async () => {
  const world = new World(9);
  const scene = new LogScene(world);
  scene.door.onServed = (served) => {
    served.ledger!.decide = (bytes) => {
      if (bytes !== 600) return undefined;
      served.close(new Error("a body of 600 bytes"));
      return "discard";
    };
  };
  await scene.listen();
  const caller = await scene.connect({ retryMs: 1_000_000, retryMaxMs: 1_000_000 });
  for (const [number, bytes] of [10, 20, 600, 30].entries()) assert(caller.send(...numbered(number, bytes)));
  const served = scene.door.served[0]!;
  await scene.until(() => served.closes === 1 && caller.closes === 1);
  assertEquals(served.received, [], "what waited in the same chunk is not wanted either");
  assertEquals(served.reason?.message, "a body of 600 bytes");
  await scene.end();
});

test("a peer that floods is served in bounded bursts, and others between", async () => {
  const world = new World(10, { link: { bufferBytes: 64 * MIB } });
  const scene = new LogScene(world, { server: { receiveHighWaterMark: 0, receiveHighWaterMarkBytes: 0 } });
  await scene.listen();
  const flooder = await scene.connect({ socket: { sendHighWaterMarkBytes: 64 * MIB } });
  const modest = await scene.connect();
  const [ofFlooder, ofModest] = scene.door.served as [Served, Served];
  ofFlooder.keep = false;
  let flooded = 0;
  ofFlooder.onMessage = () => flooded++;
  const count = 40_000;
  const feeder = new Feeder(flooder, count, (number) => numbered(number));
  feeder.pump();
  let floodedBefore = 0;
  ofModest.onMessage = () => floodedBefore = flooded;
  await scene.until(() => flooded > 0);
  assert(modest.send(...numbered(1, 10)));
  await scene.until(() => ofModest.received.length === 1);
  assertGreater(count, floodedBefore);
  await scene.until(() => flooded === count);
  for (const size of scene.door.burstSizes) assertLessOrEqual(size, 4_096);
  await scene.end();
});

test("each burst of messages is followed by its end, whatever is told next", async () => {
  await simulate("bursts", 4, async (world) => {
    const scene = new LogScene(world);
    await scene.listen();
    const callers = Array.from(
      { length: 4 },
      () => scene.call({ retryMs: 1_000_000, retryMaxMs: 1_000_000 }),
    );
    await scene.until(() => callers.every((caller) => caller.isOpen) && scene.door.served.length === 4);
    const feeders = callers.map((caller) => new Feeder(caller, 25, (number) => numbered(number, 300)));
    for (const feeder of feeders) feeder.pump();
    await scene.until(() => scene.door.served.some((served) => served.received.length > 10));
    callers[0]!.close();
    // The door itself checks that nothing is told between a message and the end of its burst.
    await scene.until(() => scene.door.served.filter((served) => served.received.length === 25).length >= 3);
    const delivered = scene.door.served.reduce((sum, served) => sum + served.received.length, 0);
    assertEquals(scene.door.burstSizes.reduce((sum, size) => sum + size, 0), delivered);
    await scene.end();
  });
});

test("two clients that claim the same routing id are two links", async () => {
  const world = new World(11);
  const scene = new LogScene(world);
  await scene.listen();
  const make = (): Dealer =>
    new Dealer({ context: scene.context, routingId: "me", immediate: true, linger: 0 });
  const dealers = [make(), make()];
  for (const dealer of dealers) dealer.connect(ADDRESS);
  await scene.until(() =>
    scene.door.served.length === 2 && dealers.every((dealer) => dealer.peers.length === 1)
  );
  for (const [index, dealer] of dealers.entries()) assert(dealer.trySend(numbered(index, 10)));
  await scene.until(() => scene.door.served.every((served) => served.received.length === 1));
  for (const served of scene.door.served) {
    assert(served.send(...numbered(numberOf(served.received[0]!) + 10, 5)));
  }
  for (const [index, dealer] of dealers.entries()) {
    const answer = await world.driveTo(dealer.receive());
    assertEquals(numberOf(answer), index + 10);
  }
  dealers[0]!.close();
  await scene.until(() => scene.door.open.length === 1);
  assert(dealers[1]!.trySend(numbered(5)));
  await scene.until(() => scene.door.open[0]!.received.length === 2);
  dealers[1]!.close();
  await scene.end();
});

test("scenario 45: connections refused several times, then accepted: the client opens, after growing waits", async () => {
  const world = new World(12);
  const scene = new LogScene(world);
  const caller = scene.call({ retryMs: 100, retryMaxMs: 1_000 });
  await scene.until(() => caller.failures.length === 7);
  for (const [index, { reason, retryMs }] of caller.failures.entries()) {
    assert(reason.message.includes("ECONNREFUSED"), reason.message);
    const stepMs = Math.min(500, 100 * 2 ** index);
    assert(retryMs >= stepMs && retryMs <= 2 * stepMs, `attempt ${index}: ${retryMs} ms`);
  }
  assertEquals(caller.opens, 0);
  assertEquals(caller.send(...numbered(1)), false);
  await scene.listen();
  await scene.until(() => caller.isOpen);
  assert(caller.send(...numbered(1, 100)));
  await scene.until(() => scene.door.served[0]?.received.length === 1);
  await scene.end();
});

test("a broker that accepts and hangs up is asked less and less often; one that answers, at once again", async () => {
  const world = new World(13);
  const scene = new LogScene(world);
  let answers = false;
  scene.door.onServed = (served) => {
    if (answers) served.onMessage = () => void served.send(...numbered(2));
    else served.close();
  };
  await scene.listen();
  const caller = scene.call({ retryMs: 100, retryMaxMs: 100_000 });
  const openedAtMs: number[] = [];
  caller.onOpened = () => {
    openedAtMs.push(world.nowMs);
    caller.send(...numbered(1));
  };
  await scene.until(() => caller.opens === 8);
  const waits = openedAtMs.slice(1).map((at, index) => at - openedAtMs[index]!);
  for (const [index, wait] of waits.entries()) assertGreater(wait, 100 * 2 ** index - 1);
  answers = true;
  await scene.until(() => caller.received.length === 1);
  const lostAtMs = world.nowMs;
  world.links.at(-1)!.cut();
  await scene.until(() => caller.isOpen === false);
  await scene.until(() => caller.isOpen);
  assertLessOrEqual(world.nowMs - lostAtMs, 201);
  await scene.end();
});

test("after any cut the client opens again, and nothing stale precedes what it sends then", async () => {
  let cuts = 0;
  let lost = 0;
  await simulate("log cuts", 8, async (world) => {
    const scene = new LogScene(world, { server: { heartbeatInterval: 500, handshakeInterval: 5_000 } });
    world.network.onLink = () => {
      const calm = { cutBytesMean: 0, silenceBytesMean: 0, refuseChance: 0, blackholeChance: 0 };
      const link = world.links.at(-1)!;
      if (world.links.length >= 8) return void link.configure(calm);
      // Most of the world's own cuts come before a link is open.
      const keepsFlight = world.random.chance(0.5);
      link.toServer.breakAt(world.random.integer(100, 20_000), { keepsFlight });
    };
    await scene.listen();
    const socket = {
      heartbeatInterval: 500,
      heartbeatTimeout: 2_000,
      handshakeInterval: 5_000,
      connectTimeout: 2_000,
      // So little that sending goes on for many connections.
      sendHighWaterMarkBytes: 3_000,
    };
    const caller = scene.call({ retryMs: 10, retryMaxMs: 100, socket });
    let next = 0;
    let session = 0;
    const pump = (): void => {
      while (next < 200 && caller.send(...numbered(next, session, 300))) next++;
    };
    caller.onOpened = () => {
      session++;
      // The session's opening says where it begins, as a publisher's does.
      assert(caller.send(...numbered(1_000_000 + next, session)), "a new link has room");
      pump();
    };
    caller.onWritable = pump;
    await scene.until(() => next === 200);
    await scene.until(() =>
      scene.door.open.some((served) => served.numbers.at(-1) === 199 || lostEnd(served))
    );
    for (const served of scene.door.served) {
      const { numbers } = served;
      if (numbers.length === 0) continue;
      const first = numbers[0]! - 1_000_000;
      assert(first >= 0, "something came before the session's opening");
      assertEquals(numbers.slice(1), Array.from({ length: numbers.length - 1 }, (_, index) => first + index));
    }
    cuts += caller.closes;
    const received = new Set(scene.door.served.flatMap((served) => served.numbers));
    for (let number = 0; number < 200; number++) if (!received.has(number)) lost++;
    await scene.end();

    /** The last messages were lost with a connection: nothing more is to come. */
    function lostEnd(served: Served): boolean {
      return served.numbers[0] === 1_000_000 + 200;
    }
  }, { faults: true });
  if (process.env["HAWSER_SEED"] !== undefined) return;
  assertGreater(cuts, 20 * SEED_SHARE);
  assertGreater(lost, 10 * SEED_SHARE);
});

test("memory of a body that a transport reads into is not used again, however its connection ends", async () => {
  let forfeited = 0;
  await simulate("armed", 12, async (world) => {
    const scene = new LogScene(world);
    await scene.listen();
    const message = numbered(3, 100, 60_000);
    const endings: ((served: Served, caller: Caller) => void)[] = [
      (_, caller) => caller.close(),
      (served) => served.close(),
      () => world.links.at(-1)!.cut(),
    ];
    for (const end of endings) {
      const caller = await scene.connect({ retryMs: 1_000_000, retryMaxMs: 1_000_000 });
      const served = scene.door.served.at(-1)!;
      caller.send(...message);
      const bytes = served.input!.receivedBytes + world.random.integer(1_000, 60_000);
      await scene.until(() => served.input!.receivedBytes >= bytes);
      end(served, caller);
      await scene.until(() => served.closes === 1);
      await world.driveFor(20_000);
      // The ledger finds what was written to after it was released.
      served.ledger!.assertSettled();
      forfeited += served.ledger!.forfeited;
    }
    await scene.end();
  }, { link: { splitBytesMax: 5_000 } });
  if (process.env["HAWSER_SEED"] === undefined) assertGreater(forfeited, 10 * SEED_SHARE);
});

test("a client that resets its link gets another, one that closes it does not", async () => {
  const world = new World(14);
  const scene = new LogScene(world);
  await scene.listen();
  const caller = await scene.connect();
  const link = caller.link as DealerLink;
  const why = new Error("malformed");
  caller.calls.run(() => link.reset(why));
  assertEquals(link.open, false);
  await scene.until(() => caller.opens === 2 && scene.door.served.length === 2);
  assertEquals(caller.closes, 1);
  assertEquals(caller.reason, why);
  caller.send(...numbered(5, 10));
  caller.close();
  assertEquals(caller.send(...numbered(6)), false);
  await scene.until(() => caller.closes === 2 && scene.door.served.every((served) => served.closes === 1));
  assertEquals(scene.door.served[1]!.numbers, [5], "what was sent before the end arrives");
  await world.driveFor(60_000);
  assertEquals(scene.door.served.length, 2);
  caller.close();
  await scene.end();
});

test("a client may be closed at any moment of its life", async () => {
  for (let event = 0; event < 40; event++) {
    const world = new World(15, { link: { latencyMsMax: 2 } });
    const scene = new LogScene(world);
    if (event % 2 === 0) await scene.listen();
    const caller = scene.call({ retryMs: 1 });
    world.atEvent(world.eventCount + (event >> 1), () => caller.close());
    await world.driveFor(50);
    caller.close();
    await world.driveFor(3_000);
    assertEquals(caller.opens, caller.closes);
    scene.door.assertDone();
    const { length } = world.links;
    await world.driveFor(10_000);
    assertEquals(world.links.length, length, "it went on connecting");
    await scene.end();
  }
});

test("a link holds the process only for whoever waits for an answer", async () => {
  const world = new World(16);
  const scene = new LogScene(world);
  await scene.listen();
  let held = false;
  // A context of its own: the world's switch is the broker's.
  const host = { ...world.host, keepAlive: (on: boolean): void => void (held = on) };
  const context = new Context({ host, transports: { sim: world.network } });
  const caller = await scene.connect({ context });
  await world.driveFor(1_000);
  assertEquals(held, false, "an idle link");
  const link = caller.link as DealerLink;
  link.hold(true);
  link.hold(true);
  assertEquals(held, true);
  link.hold(false);
  await world.driveFor(1_000);
  assertEquals(held, false);
  link.hold(true);
  caller.close();
  await world.driveFor(3_000);
  assertEquals(held, false, "a closed link holds nothing");
  link.hold(true);
  assertEquals(held, false);
  await scene.end();
});

test("a server that stops delivers what has arrived, lets what it said leave, and tells every link", async () => {
  await simulate("stop", 4, async (world) => {
    const scene = new LogScene(world, { server: { linger: 600_000 } });
    await scene.listen();
    const options = { retryMs: 1_000_000, retryMaxMs: 1_000_000 };
    const callers = [scene.call(options), scene.call(options), scene.call(options)];
    await scene.until(() => callers.every((caller) => caller.isOpen) && scene.door.served.length === 3);
    for (const caller of callers) {
      for (let number = 0; number < 5; number++) caller.send(...numbered(number, 3_000));
    }
    for (const served of scene.door.served) {
      for (let number = 0; number < 10; number++) assert(served.send(...numbered(number, 3_000)));
    }
    const stopped = scene.server.stop();
    assertEquals(scene.server.stop(), stopped);
    for (const served of scene.door.served) assertEquals(served.closes, 0, "not from inside the call");
    await world.driveTo(stopped);
    scene.door.assertDone();
    await scene.until(() => callers.every((caller) => caller.closes === 1));
    for (const caller of callers) {
      // A client that is cut while it still sends may lose the end of what it was told.
      assertEquals(caller.numbers, Array.from({ length: caller.received.length }, (_, number) => number));
    }
    await scene.end();
  });
});

test("a context that is closed over their heads ends every link, with its memory given back before", async () => {
  for (const sent of [107, 118, 122, 200, 500]) {
    const world = new World(17);
    const scene = new LogScene(world);
    await scene.listen();
    const caller = await scene.connect();
    const served = scene.door.served[0]!;
    // A few bytes at a time, so that the end comes in the middle of a message.
    world.links[0]!.configure({ splitBytesMax: 3 });
    caller.send(...numbered(1, 90, 300));
    await scene.until(() => served.input!.receivedBytes >= sent || served.received.length === 1);
    scene.context.close();
    await scene.until(() => served.closes === 1 && caller.closes === 1);
    // The door compared given, delivered and released bodies when the end was told.
    await world.driveFor(60_000);
    assertEquals(caller.opens, 1, "a closed context has no new links");
    assertEquals(caller.failures, []);
    await scene.end();
  }
});

test("over inproc large frames go by reference, small ones are the sender's again, and a client may come first", async () => {
  const world = new World(18);
  const scene = new LogScene(world);
  const caller = scene.call({ endpoint: "inproc://broker" });
  await world.driveFor(10_000);
  assertEquals([caller.opens, caller.failures], [0, []]);
  await scene.listen("inproc://broker");
  await scene.until(() => caller.isOpen && scene.door.served.length === 1);
  const served = scene.door.served[0]!;
  assertEquals([served.input, served.peer], [undefined, "inproc://broker"]);
  const [small, large] = [numbered(1)[0]!, new Uint8Array(16_384)];
  for (const [from, to] of [[caller, served], [served, caller]] as const) {
    assert(from.send(small, large));
    small.fill(0xff);
    await scene.until(() => to.received.length === 1);
    assertEquals(numberOf(to.received[0]!), 1);
    assert(to.received[0]![1] === large, "no copy");
    small.set(numbered(1)[0]!);
  }
  served.close();
  await scene.until(() => caller.opens === 2 && scene.door.served.length === 2);
  caller.close();
  await scene.until(() => scene.door.open.length === 0 && caller.closes === 2);
  await scene.end();
});
