import { test } from "node:test";
import { assert, assertEquals, assertGreater, assertLess, assertStringIncludes } from "@std/assert";
import { SubscriptionsTotal } from "../../src/pattern/subscriptions/subscriptions_total.ts";
import { DEFAULT_TOTAL_LIMITS } from "../../src/engine/limits.ts";
import type { SocketEvent } from "../../src/session/events.ts";
import { Context } from "../../src/socket/context.ts";
import {
  Dealer,
  Publisher,
  Pull,
  Push,
  Router,
  Subscriber,
  XPublisher,
  XSubscriber,
} from "../../src/socket/sockets.ts";
import { type Link, World } from "../support/world.ts";
import { Scene } from "./scene.ts";
import { errorOf, peerOf } from "../support/event_fields.ts";

// Bounds over all connections of a context: each holds, and while peers press against it, one that behaves is served.

const MIB = 1_048_576;

function codesOf(events: readonly SocketEvent[]): (string | undefined)[] {
  return events.map((event) => (errorOf(event) as { code?: string } | undefined)?.code);
}

test("subscribers that do not read take no more together than the bound, and one that reads misses nothing", async () => {
  const world = new World(1);
  const scene = new Scene(world, { queuedTotalBytesMax: 2 * MIB });
  const { context } = scene;
  const publisher = scene.add(new Publisher({ context, sendHighWaterMark: 0 }));
  const drops: SocketEvent[] = [];
  publisher.events.on("drop", (event) => drops.push(event));
  await scene.bind(publisher, "sim://news");
  const subscribers: Subscriber[] = [];
  for (let i = 0; i < 9; i++) {
    const subscriber = scene.add(new Subscriber({ context }));
    subscriber.subscribe();
    subscriber.connect("sim://news");
    await world.driveTo(subscriber.ready());
    subscribers.push(subscriber);
  }
  await world.driveFor(10);
  const good = subscribers.pop()!;
  const goodId = publisher.peers.at(-1)!.id;
  for (const link of world.links.slice(0, 8)) link.toClient.hold();
  const { queuedTotal } = context.runtime;
  let received = 0;
  let highest = 0;
  for (let sent = 0; sent < 120; sent++) {
    // Small bodies are copied, large ones are referred to: both count.
    assert(publisher.trySend(new Uint8Array(sent % 2 === 0 ? 100_000 : 1_000)));
    highest = Math.max(highest, queuedTotal.bytes);
    await world.driveFor(1);
    received += good.receiveMany().length;
  }
  assertEquals(received, 120);
  assertGreater(highest, 2 * MIB - 8 * 100_000);
  // Each may be one message above its share.
  assertLess(highest, 2 * MIB + 9 * 200_000);
  assertGreater(drops.length, 0);
  assert(drops.every((event) => peerOf(event)!.id !== goodId), "only those that do not read miss messages");
  for (const drop of drops) assertStringIncludes(String(errorOf(drop)), "queuedTotalBytesMax");
  for (const link of world.links) link.toClient.release();
  await scene.end();
  assertEquals([queuedTotal.bytes, queuedTotal.queues, queuedTotal.waiting.size], [0, 0, 0]);
});

test("a send that waits for the bound goes on when others have made room, though its own peer is still away", async () => {
  const world = new World(2);
  const scene = new Scene(world, { queuedTotalBytesMax: 2 * MIB });
  const { context } = scene;
  const pull = scene.add(new Pull({ context }));
  const busy = scene.add(new Push({ context }));
  await scene.bind(pull, "sim://here");
  busy.connect("sim://here");
  await world.driveTo(busy.ready());
  world.links[0]!.toServer.hold();
  const away = scene.add(new Push({ context }));
  away.connect("sim://nobody");
  const body = new Uint8Array(200_000);
  while (away.trySend(body) && context.runtime.queuedTotal.bytes < MIB);
  let busySent = 0;
  while (busy.trySend(body)) busySent++;
  assertLess(context.runtime.queuedTotal.bytes, 2 * MIB + 500_000);
  while (away.trySend(body));
  let sent = false;
  void away.send(body).then(() => sent = true);
  await world.driveFor(100);
  assertEquals(sent, false);
  world.links[0]!.toServer.release();
  let received = 0;
  await world.drive(() => {
    received += pull.receiveMany().length;
    return received === busySent && sent;
  }, { waitingFor: "the other's room" });
  await scene.end();
});

interface Flood {
  /** The socket that receives, and those that flood it. */
  readonly make: (context: Context) => {
    readonly receiver: Router | Pull | Subscriber | XPublisher;
    readonly sender: () => Dealer | Push | Publisher | XSubscriber;
  };
  /** The frame of a received message that the sender wrote. */
  readonly at: number;
}

const FLOODS: Readonly<Record<string, Flood>> = {
  PULL: {
    make: (context) => ({
      receiver: new Pull({ context, pendingBytesMax: 50_000 }),
      sender: () => new Push({ context, sendHighWaterMark: 0 }),
    }),
    at: 0,
  },
  ROUTER: {
    make: (context) => ({
      receiver: new Router({ context, pendingBytesMax: 50_000 }),
      sender: () => new Dealer({ context, sendHighWaterMark: 0 }),
    }),
    at: 1,
  },
  SUB: {
    make: (context) => {
      const receiver = new Subscriber({ context, pendingBytesMax: 50_000 });
      receiver.subscribe();
      return { receiver, sender: () => new Publisher({ context, sendHighWaterMark: 0 }) };
    },
    at: 0,
  },
  XPUB: {
    make: (context) => ({
      receiver: new XPublisher({ context, pendingBytesMax: 50_000 }),
      sender: () => new XSubscriber({ context, sendHighWaterMark: 0 }),
    }),
    at: 0,
  },
};

/** `bytes` bytes that begin with the sender's number and the message's. 0 and 1 would pass for subscriptions. */
function numbered(bytes: number, sender: number, index: number): Uint8Array {
  const body = new Uint8Array(bytes);
  body[0] = 2 + sender;
  body[1] = index;
  return body;
}

for (const [type, { make, at }] of Object.entries(FLOODS)) {
  for (const bytes of [3_000, 200_000]) {
    test(`20 peers that flood a ${type} with ${bytes} bytes hold no more than the bound, and none is shut out`, async () => {
      const world = new World(bytes, { link: { bufferBytes: 65_536 } });
      const bound = 2 * MIB;
      const scene = new Scene(world, { receivedTotalBytesMax: bound });
      const { context } = scene;
      const { receiver, sender } = make(context);
      scene.add(receiver);
      await scene.bind(receiver, "sim://here");
      const join = async (): Promise<ReturnType<typeof sender>> => {
        const socket = scene.add(sender());
        socket.connect("sim://here");
        await world.driveTo(socket.ready());
        // A subscriber's topics are on their way.
        await world.driveFor(10);
        return socket;
      };
      const { receivedTotal } = context.runtime;
      let highest = 0;
      const look = (): void => {
        highest = Math.max(highest, receivedTotal.bytes);
      };
      const count = bytes === 3_000 ? 200 : 15;
      const floods: Awaited<ReturnType<typeof join>>[] = [];
      for (let number = 0; number < 20; number++) floods.push(await join());
      for (let i = 0; i < count; i++) {
        for (const [number, flood] of floods.entries()) void flood.send(numbered(bytes, number, i));
      }
      const untilMs = world.nowMs + 1_000;
      world.host.schedule(1_000, () => {}, true);
      await world.drive(() => {
        look();
        return world.nowMs >= untilMs;
      });
      assertGreater(highest, bound - 1);
      // Each may be one message and one chunk above its share, and finishes a message that has begun.
      assertLess(highest, bound + 20 * (2 * bytes + 65_536 + 1_000));
      assertGreater(scene.taps.reduce((sum, { pauses }) => sum + pauses, 0), 0);

      // One that has nothing there gets its message through while the bound is full.
      const good = await join();
      const before = receivedTotal.queues;
      assert(good.trySend(numbered(10, 20, 0)));
      await world.driveFor(10);
      assertEquals(receivedTotal.queues, before + 1);
      // It is among the first: each peer has its turn.
      const next = Array.from({ length: 21 }, () => 0);
      const read = (): number => {
        const message = receiver.tryReceive();
        look();
        if (message === undefined) return -1;
        const number = message[at]![0]! - 2;
        assertEquals(message[at]![1], next[number]!++, `of sender ${number}`);
        return number;
      };
      for (let turn = 1; turn <= 5; turn++) {
        if (type !== "XPUB") {
          for (let i = 0; i < 25; i++) read();
          assertEquals(next[20], turn);
        }
        if (turn < 5 && type !== "XPUB") assert(good.trySend(numbered(10, 20, turn)));
        await world.driveFor(10);
      }
      let sum = 0;
      await world.drive(() => {
        while (read() >= 0);
        sum = next.reduce((all, one) => all + one, 0);
        return sum === 20 * count + next[20]! && next[20]! > 0;
      }, { waitingFor: "everything" });
      assertLess(highest, bound + 21 * (2 * bytes + 65_536 + 1_000));
      assertEquals([receivedTotal.bytes, receivedTotal.queues, receivedTotal.waiting.size], [0, 0, 0]);
      await scene.end();
    });
  }
}

test("what waits unread counts over all sockets, and goes on when another socket is read or closed", async () => {
  for (const how of ["read", "close"]) {
    const world = new World(10, { link: { bufferBytes: 65_536 } });
    const scene = new Scene(world, { receivedTotalBytesMax: MIB, pendingTotalBytesMax: 64 * MIB });
    const { context } = scene;
    const { receivedTotal } = context.runtime;
    const pulls: Pull[] = [];
    for (const address of ["sim://one", "sim://two"]) {
      const pull = scene.add(new Pull({ context }));
      const push = scene.add(new Push({ context, sendHighWaterMark: 0 }));
      await scene.bind(pull, address);
      push.connect(address);
      await world.driveTo(push.ready());
      for (let i = 0; i < 40; i++) void push.send(new Uint8Array(50_000));
      await world.driveFor(100);
      pulls.push(pull);
    }
    const [one, two] = pulls;
    assertEquals(receivedTotal.waiting.size, 2);
    const events: number[] = [];
    two!.events.on("disconnect", () => events.push(1));
    if (how === "close") one!.close();
    else assertEquals(await count(world, one!), 40);
    await world.driveFor(100);
    // The other one has taken what was freed, though nobody read it, but for the last eighth.
    assertGreater(receivedTotal.bytes, MIB * 0.875);
    assertEquals(receivedTotal.queues, 1);
    assertEquals(await count(world, two!), 40);
    assertEquals(events, []);
    await scene.end();
  }
});

async function count(world: World, pull: Pull): Promise<number> {
  let received = 0;
  for (let before = -1; received > before; await world.driveFor(10)) {
    before = received;
    received += pull.receiveMany(3).length + pull.receiveMany().length;
  }
  return received;
}

test("peers that come one after another to a full bound hold twice the bound and no more", async () => {
  const world = new World(12, { link: { bufferBytes: 4_096 } });
  const bound = 256 * 1_024;
  const scene = new Scene(world, { receivedTotalBytesMax: bound });
  const { context } = scene;
  const pull = scene.add(new Pull({ context, receiveHighWaterMark: 0 }));
  await scene.bind(pull, "sim://here");
  let sent = 0;
  for (let i = 0; i < 20; i++) {
    const push = scene.add(new Push({ context, sendHighWaterMark: 0 }));
    push.connect("sim://here");
    await world.driveTo(push.ready());
    for (let j = 0; j < 300; j++) if (push.trySend(new Uint8Array(1_000))) sent++;
    await world.driveFor(10);
  }
  const { receivedTotal } = context.runtime;
  // Each finishes a chunk, which counts in full for its first and for its last messages.
  assert(receivedTotal.bytes > 2 * bound - 1 && receivedTotal.bytes < 2 * bound + 20 * 3 * 4_096);
  assertEquals(await count(world, pull), sent);
  assertEquals(receivedTotal.bytes, 0);
  await scene.end();
});

test("what peers that are gone have left counts until it is read, or its socket is closed", async () => {
  for (const { make, at } of Object.values(FLOODS)) {
    for (const reads of [true, false]) {
      const world = new World(11, { link: { cutKeepsFlightChance: 1 } });
      const scene = new Scene(world, { receivedTotalBytesMax: MIB });
      const { context } = scene;
      const { receivedTotal } = context.runtime;
      const { receiver, sender } = make(context);
      scene.add(receiver);
      await scene.bind(receiver, "sim://here");
      for (let number = 0; number < 3; number++) {
        const leaving = scene.add(sender());
        leaving.connect("sim://here");
        await world.driveTo(leaving.ready());
        await world.driveFor(10);
        for (let i = 0; i < 10; i++) assert(leaving.trySend(numbered(1_000, number, i)));
        await world.driveFor(10);
        leaving.close();
        await world.driveFor(10);
      }
      assertEquals(receiver.peers.length, 0);
      assertGreater(receivedTotal.bytes, 30_000);
      let received = 0;
      while (reads && receiver.tryReceive()?.[at] !== undefined) received++;
      assertEquals(received, reads ? 30 : 0);
      assertEquals(receivedTotal.bytes === 0, reads);
      await scene.end();
    }
  }
});

test("peers that stop in the middle of large messages hold no more than the bound, and lose their place to one that goes on", async () => {
  const world = new World(5);
  const scene = new Scene(world, { pendingTotalBytesMax: MIB });
  const { context } = scene;
  const pull = scene.add(new Pull({ context }));
  const lost: SocketEvent[] = [];
  pull.events.on("disconnect", (event) => lost.push(event));
  await scene.bind(pull, "sim://work");
  const { pendingTotal } = context.runtime;
  let highest = 0;
  for (let i = 0; i < 12; i++) {
    const bad = scene.add(new Push({ context, reconnectInterval: -1 }));
    bad.connect("sim://work");
    await world.driveTo(bad.ready());
    const { server, toServer } = world.links.at(-1)!;
    // Half of them are not large enough to be assembled from chunks.
    bad.trySend(new Uint8Array(i % 2 === 0 ? 10 * MIB : 900_000));
    await world.drive(() => server.deliveredBytes > 200_000 || server.paused, {
      waitingFor: "half a message",
    });
    toServer.hold();
    highest = Math.max(highest, pendingTotal.bytes);
    if (i === 1) assertEquals(lost.length, 0, "nobody goes while there is room");
  }
  assertGreater(highest, MIB);
  const quick = scene.add(new Push({ context }));
  const large = scene.add(new Push({ context }));
  for (const push of [quick, large]) {
    push.connect("sim://work");
    await world.driveTo(push.ready());
  }
  for (let i = 0; i < 10; i++) {
    // A small message never waits for large ones.
    assert(quick.trySend("small"));
    await world.drive(() => pull.tryReceive()?.[0]?.length === 5, {
      withinMs: 1,
      waitingFor: "a small message",
    });
  }
  for (let i = 0; i < 6; i++) {
    assert(large.trySend(new Uint8Array(600_000)));
    await world.drive(() => {
      highest = Math.max(highest, pendingTotal.bytes);
      return pull.tryReceive()?.[0]?.length === 600_000;
    }, { withinMs: 30_000, waitingFor: "a large message" });
  }
  assertGreater(lost.length, 0);
  assertEquals(new Set(codesOf(lost)), new Set(["ERR_PEER_PENDING"]));
  // One body of up to a MiB was begun below the bound, and each connection may have had a chunk on its way.
  assertLess(highest, 2 * MIB + 14 * 65_536);
  assertEquals(pull.peers.filter(({ id }) => id > 12 * 2).length, 2, "those that behave are still there");
  await scene.end();
});

test("one that is read on and only drips goes, so that those behind it wait no longer than a bounded time", async () => {
  const world = new World(7, { link: { bufferBytes: 65_536 } });
  const scene = new Scene(world, { pendingTotalBytesMax: MIB });
  const { context } = scene;
  const pull = scene.add(new Pull({ context }));
  const lost: SocketEvent[] = [];
  pull.events.on("disconnect", (event) => lost.push(event));
  await scene.bind(pull, "sim://work");
  const drips: Link[] = [];
  for (let i = 0; i < 4; i++) {
    const bad = scene.add(new Push({ context, reconnectInterval: -1 }));
    bad.connect("sim://work");
    await world.driveTo(bad.ready());
    const link = world.links.at(-1)!;
    bad.trySend(new Uint8Array(10 * MIB));
    await world.drive(() => link.server.deliveredBytes > 500_000 || link.server.paused, {
      waitingFor: "half a message",
    });
    // Never silent for as long as a second, and always below what is asked.
    link.configure({ bytesPerMs: 25 });
    drips.push(link);
  }
  const large = scene.add(new Push({ context }));
  large.connect("sim://work");
  await world.driveTo(large.ready());
  for (let i = 0; i < 3; i++) {
    assert(large.trySend(new Uint8Array(600_000)));
    await world.drive(() => pull.tryReceive()?.[0]?.length === 600_000, {
      withinMs: 15_000,
      waitingFor: "a large message",
    });
  }
  assertGreater(lost.length, 0);
  assertEquals(new Set(codesOf(lost)), new Set(["ERR_PEER_PENDING"]));
  assert(lost.some((event) => String(errorOf(event)).includes("65536 bytes of it came in 1000 ms")));
  await scene.end();
});

test("one that is read on slowly, but goes on, is waited for", async () => {
  const world = new World(8, { link: { bufferBytes: 65_536 } });
  const scene = new Scene(world, { pendingTotalBytesMax: MIB });
  const { context } = scene;
  const pull = scene.add(new Pull({ context }));
  const lost: SocketEvent[] = [];
  pull.events.on("disconnect", (event) => lost.push(event));
  await scene.bind(pull, "sim://work");
  const pushes = [0, 1].map(() => scene.add(new Push({ context })));
  for (const push of pushes) {
    push.connect("sim://work");
    await world.driveTo(push.ready());
    world.links.at(-1)!.configure({ bytesPerMs: 100 });
    assert(push.trySend(new Uint8Array(3 * MIB)));
  }
  let received = 0;
  await world.drive(() => {
    received += pull.receiveMany().length;
    return received === 2;
  }, { waitingFor: "both messages" });
  assertEquals(lost, []);
  assertGreater(scene.taps.reduce((sum, { pauses }) => sum + pauses, 0), 0);
  await scene.end();
});

test("peers that send more large messages at once than fit lose none and are all served", async () => {
  const world = new World(6, { link: { bufferBytes: 16_384 } });
  const scene = new Scene(world, { pendingTotalBytesMax: 256 * 1_024 });
  const { context } = scene;
  const pull = scene.add(new Pull({ context }));
  const lost: SocketEvent[] = [];
  pull.events.on("disconnect", (event) => lost.push(event));
  await scene.bind(pull, "sim://work");
  const { pendingTotal } = context.runtime;
  const pushes = Array.from({ length: 10 }, () => scene.add(new Push({ context })));
  for (const push of pushes) push.connect("sim://work");
  await world.driveTo(pull.ready({ peers: 10 }));
  let highest = 0;
  for (const [index, push] of pushes.entries()) {
    for (let i = 0; i < 2; i++) void push.send(new Uint8Array(index % 2 === 0 ? 150_000 : 1_100_000));
  }
  let received = 0;
  await world.drive(() => {
    highest = Math.max(highest, pendingTotal.bytes);
    received += pull.receiveMany().length;
    return received === 20;
  }, { waitingFor: "all messages" });
  assertEquals(lost, []);
  // The one that is read on may be larger than what was left; of the others one chunk each may have been on its way.
  assertLess(highest, 256 * 1_024 + 1_100_000 + 10 * 65_536);
  assertGreater(scene.taps.reduce((sum, { pauses }) => sum + pauses, 0), 0);
  await scene.end();
});

test("a peer with most topics goes when those of all take too much, and others keep theirs", async () => {
  const world = new World(3);
  const scene = new Scene(world, { subscriptionsTotalBytesMax: 200_000 });
  const { context } = scene;
  const publisher = scene.add(new Publisher({ context }));
  const lost: SocketEvent[] = [];
  publisher.events.on("disconnect", (event) => lost.push(event));
  await scene.bind(publisher, "sim://news");
  const good = scene.add(new Subscriber({ context }));
  good.connect("sim://news");
  for (let i = 0; i < 10; i++) good.subscribe(`good ${i}`);
  await world.driveTo(good.ready());
  const subscriptionsTotal = SubscriptionsTotal.of(context.runtime);
  let received = 0;
  for (let flood = 0; flood < 4; flood++) {
    const bad = scene.add(new Subscriber({ context, reconnectInterval: 50 }));
    bad.connect("sim://news");
    for (let i = 0; i < 120; i++) bad.subscribe(`bad ${flood} ${i}`);
    for (let i = 0; i < 30; i++) {
      await world.driveFor(5);
      assert(subscriptionsTotal.bytes <= 200_000, `${subscriptionsTotal.bytes} bytes`);
      assert(publisher.trySend(`good ${flood}`));
      await world.driveFor(5);
      received += good.receiveMany().length;
    }
  }
  assertEquals(received, 120);
  assertGreater(lost.length, 3);
  assertEquals(new Set(codesOf(lost)), new Set(["ERR_PEER_SUBSCRIPTIONS"]));
  // A newcomer that wants little is taken in the middle of it.
  const late = scene.add(new Subscriber({ context }));
  late.subscribe("late");
  late.connect("sim://news");
  await world.driveTo(publisher.subscribed("late"));
  await scene.end();
  assertEquals(subscriptionsTotal.bytes, 0);
});

test("the bounds of a context are checked when it is made, and their defaults are what the docs say", () => {
  const { host } = new World(4);
  for (const name of Object.keys(DEFAULT_TOTAL_LIMITS)) {
    for (const value of [0, -1, NaN, "1"]) {
      let error: unknown;
      try {
        new Context({ host, [name]: value });
      } catch (thrown) {
        error = thrown;
      }
      assert(
        String(error).includes(name) && String(error).includes("1 or more"),
        `${name} ${value}: ${error}`,
      );
    }
    new Context({ host, [name]: 1 });
  }
});

test("over inproc what waits is bounded by the byte marks of both ends, as they are by default", async () => {
  const scene = new Scene(new World(9));
  const { context, world } = scene;
  const body = new Uint8Array(MIB);
  const push = scene.add(new Push({ context, sendHighWaterMark: 0 }));
  push.connect("inproc://work");
  let sent = 0;
  // What one turn of the loop may take is less.
  const fill = async (): Promise<void> => {
    for (let before = -1; sent > before; await world.driveFor(1)) {
      before = sent;
      while (push.trySend(body)) sent++;
    }
  };
  await fill();
  assertEquals(sent, 64, "with nobody there, the sender's own");
  const pull = scene.add(new Pull({ context, receiveHighWaterMark: 0 }));
  await scene.bind(pull, "inproc://work");
  await world.driveTo(push.ready());
  await fill();
  assertEquals(sent, 128);
  let more = false;
  void push.send(body).then(() => more = true);
  await world.driveFor(10);
  assertEquals(more, false);
  for (let i = 0; i < 129; i++) assertEquals((await world.driveTo(pull.receive()))[0]!.length, MIB);

  const publisher = scene.add(new Publisher({ context, sendHighWaterMark: 0 }));
  const drops: SocketEvent[] = [];
  publisher.events.on("drop", (event) => drops.push(event));
  await scene.bind(publisher, "inproc://news");
  const subscriber = scene.add(new Subscriber({ context, receiveHighWaterMark: 0 }));
  subscriber.subscribe();
  subscriber.connect("inproc://news");
  await world.driveTo(subscriber.ready());
  for (let i = 0; i < 200; i++) await world.driveTo(publisher.send(body));
  await world.driveFor(10);
  assertEquals(drops.reduce((sum, drop) => sum + ((drop as { count?: number }).count ?? 0), 0), 72);
  assertStringIncludes(String(errorOf(drops[0])), "high-water mark");
  assertEquals(subscriber.receiveMany(1_000).length, 128);
  await scene.end();
});
