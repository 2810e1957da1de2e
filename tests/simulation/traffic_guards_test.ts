import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { Dealer, Pull, Push, Router, Subscriber, XPublisher } from "../../src/socket/sockets.ts";
import { World } from "../support/world.ts";
import { Scene } from "./scene.ts";

// What a message costs on the main paths, counted instead of timed: writes, and views of memory. A change that adds one
// per message would cost more than a benchmark on a busy machine can show.

/** How many `Uint8Array`s are made while `run` runs, views and copies alike. */
function arraysMadeBy(run: () => void): number {
  let made = 0;
  const Original = globalThis.Uint8Array;
  const { subarray } = Original.prototype;
  globalThis.Uint8Array = new Proxy(Original, {
    construct: (target, args) => (made++, Reflect.construct(target, args)),
  });
  Original.prototype.subarray = function (...args): ReturnType<typeof subarray> {
    made++;
    return subarray.apply(this, args);
  };
  try {
    run();
  } finally {
    globalThis.Uint8Array = Original;
    Original.prototype.subarray = subarray;
  }
  return made;
}

const quiet = { link: { lendChance: 0 } };

test("64 bytes, sent in a loop: no view per message at the sender, one at the receiver, 64 KiB per write", async () => {
  const world = new World(1, quiet);
  const scene = new Scene(world);
  const pull = scene.add(new Pull({ context: scene.context, receiveHighWaterMark: 0 }));
  const push = scene.add(new Push({ context: scene.context, sendHighWaterMark: 0 }));
  await scene.bind(pull, "sim://guard");
  push.connect("sim://guard");
  await world.driveTo(Promise.all([push.ready(), pull.ready()]));
  const tap = scene.taps.find(({ side }) => side === "dialled")!;
  const before = tap.handed.length;
  const body = new Uint8Array(64).fill(1);
  // More would be refused in one turn of the event loop.
  const messages = 4_000;
  const sending = arraysMadeBy(() => {
    for (let i = 0; i < messages; i++) assert(push.trySend(body));
  });
  assert(sending < messages / 100, `${sending} views for ${messages} messages`);
  let received = 0;
  let receiving = 0;
  while (received < messages) {
    await world.driveIdle();
    receiving += arraysMadeBy(() => {
      while (pull.tryReceive() !== undefined) received++;
    });
  }
  // A message that crosses the end of a chunk was copied when it arrived, so reading it makes no view.
  const copied = messages - receiving;
  assert(copied >= 0 && copied < messages / 100, `${copied} of ${messages} messages were copied`);
  const bytes = messages * 66;
  const writes = tap.handed.length - before;
  assert(writes <= Math.ceil(bytes / 65_000) + 1, `${writes} writes for ${bytes} bytes`);
  await scene.end();
});

test("a server that answers each of many peers makes one write per reply, whatever the awaits between", async () => {
  const world = new World(2, quiet);
  const scene = new Scene(world);
  const router = scene.add(new Router({ context: scene.context }));
  await scene.bind(router, "sim://guard");
  const dealers: Dealer[] = [];
  for (let i = 0; i < 70; i++) {
    const dealer = scene.add(new Dealer({ context: scene.context }));
    dealer.connect("sim://guard");
    dealers.push(dealer);
  }
  await world.driveTo(Promise.all(dealers.map((dealer) => dealer.ready())));
  const echo = async (): Promise<void> => {
    for await (const message of router) await router.send(message);
  };
  void echo();
  const accepted = scene.taps.filter(({ side }) => side === "accepted");
  const before = accepted.map(({ handed }) => handed.length);
  for (let round = 0; round < 5; round++) {
    for (const dealer of dealers) assert(dealer.trySend("ping"));
    for (const dealer of dealers) await world.driveTo(dealer.receive());
  }
  assertEquals(accepted.map(({ handed }, at) => handed.length - before[at]!), accepted.map(() => 5));
  await scene.end();
});

test("one message to a hundred subscribers: no view per subscriber, and few writes to each", async () => {
  const world = new World(3, quiet);
  const scene = new Scene(world);
  const { context } = scene;
  const publisher = scene.add(new XPublisher({ context, sendHighWaterMark: 0 }));
  await scene.bind(publisher, "sim://guard");
  const subscribers: Subscriber[] = [];
  for (let i = 0; i < 100; i++) {
    const subscriber = scene.add(new Subscriber({ context, receiveHighWaterMark: 0 }));
    subscriber.subscribe("");
    subscriber.connect("sim://guard");
    subscribers.push(subscriber);
  }
  await world.driveTo(Promise.all(subscribers.map((subscriber) => subscriber.ready())));
  await world.driveIdle();
  assert(publisher.tryReceive() !== undefined, "the subscriptions have arrived");
  const accepted = scene.taps.filter(({ side }) => side === "accepted");
  const before = accepted.map(({ handed }) => handed.length);
  const body = new Uint8Array(64).fill(1);
  const messages = 2_000;
  const made = arraysMadeBy(() => {
    for (let i = 0; i < messages; i++) assert(publisher.trySend(body));
  });
  // A write makes a view of its segment; each subscriber gets 132 000 bytes.
  assert(made <= messages + 100 * 4, `${made} views for ${messages} messages to 100 subscribers`);
  await world.driveIdle();
  for (const subscriber of subscribers) assertEquals(subscriber.receiveMany(10_000).length, messages);
  const writes = accepted.map(({ handed }, at) => handed.length - before[at]!);
  assert(Math.max(...writes) <= 4, `${Math.max(...writes)} writes to one subscriber`);
  await scene.end();
});
