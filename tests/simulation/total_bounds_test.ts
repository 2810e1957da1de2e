import { test } from "node:test";
import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { DEFAULT_TOTAL_LIMITS } from "../../src/engine/limits.ts";
import type { SocketEvent } from "../../src/session/events.ts";
import { Context } from "../../src/socket/context.ts";
import { Publisher, Pull, Push, Subscriber } from "../../src/socket/sockets.ts";
import { World } from "../support/world.ts";
import { Scene } from "./scene.ts";

// Bounds over all connections of a context: each holds, and while peers press against it, one that behaves is served.

const MIB = 1_048_576;

function codesOf(events: readonly SocketEvent[]): (string | undefined)[] {
  return events.map(({ error }) => (error as { code?: string } | undefined)?.code);
}

test("subscribers that do not read take no more together than the bound, and one that reads misses nothing", async () => {
  const world = new World(1);
  const scene = new Scene(world, { queuedTotalBytesMax: 4 * MIB });
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
  for (let sent = 0; sent < 400; sent++) {
    // Small bodies are copied, large ones are referred to: both count.
    assert(publisher.trySend(new Uint8Array(sent % 2 === 0 ? 100_000 : 1_000)));
    highest = Math.max(highest, queuedTotal.bytes);
    await world.driveFor(1);
    received += good.receiveMany().length;
  }
  assertEquals(received, 400);
  assertGreater(highest, 4 * MIB - 8 * 100_000);
  // Each may be one message above its share.
  assertLess(highest, 4 * MIB + 9 * 200_000);
  assertGreater(drops.length, 0);
  assert(drops.every(({ peer }) => peer!.id !== goodId), "only those that do not read miss messages");
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
  const { subscriptionsTotal } = context.runtime;
  let received = 0;
  for (let flood = 0; flood < 6; flood++) {
    const bad = scene.add(new Subscriber({ context, reconnectInterval: 50 }));
    bad.connect("sim://news");
    for (let i = 0; i < 120; i++) bad.subscribe(`bad ${flood} ${i}`);
    for (let i = 0; i < 50; i++) {
      await world.driveFor(5);
      assert(subscriptionsTotal.bytes <= 200_000, `${subscriptionsTotal.bytes} bytes`);
      assert(publisher.trySend(`good ${flood}`));
      await world.driveFor(5);
      received += good.receiveMany().length;
    }
  }
  assertEquals(received, 300);
  assertGreater(lost.length, 5);
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
