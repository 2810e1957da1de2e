import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import type { SocketEvent, SocketEventType } from "../../src/session/events.ts";
import type { Socket } from "../../src/socket/socket.ts";
import { Dealer, Pull, Push, Router, Subscriber, XPublisher } from "../../src/socket/sockets.ts";
import { simulate } from "../support/simulate.ts";
import { World } from "../support/world.ts";
import { Scene } from "./scene.ts";

function listen<Type extends SocketEventType>(socket: Socket, ...types: Type[]): SocketEvent<Type>[] {
  const events: SocketEvent<Type>[] = [];
  for (const type of types) socket.events.on(type, (event) => events.push(event));
  return events;
}

function texts(pull: Pull): string[] {
  return pull.receiveMany().map((message) => new TextDecoder().decode(message[0]));
}

test("without a maximum the wait is the interval and up to as much again, never in step with others", async () => {
  const world = new World(1);
  const scene = new Scene(world);
  const { context } = scene;
  const pushes = Array.from({ length: 20 }, () => scene.add(new Push({ context, reconnectInterval: 100 })));
  const retries = pushes.map((push) => listen(push, "connect:retry"));
  for (const push of pushes) push.connect("sim://nobody");
  await world.driveFor(2_000);
  const waits = retries.flatMap((events) => events.map(({ interval }) => interval!));
  assert(waits.length > 20 * 9, `${waits.length} retries`);
  for (const wait of waits) assert(wait >= 100 && wait < 200, `${wait} ms`);
  assert(new Set(waits.map(Math.round)).size > 50, "the waits are spread");
  await scene.end();
});

test("with a maximum the wait doubles up to it, is never below the interval, and begins anew after a peer", async () => {
  const world = new World(2);
  const scene = new Scene(world);
  const { context } = scene;
  const push = scene.add(new Push({ context, reconnectInterval: 10, reconnectMaxInterval: 1_000 }));
  const retries = listen(push, "connect:retry");
  push.connect("sim://late");
  await world.drive(() => retries.length >= 12);
  retries.forEach(({ interval }, index) => {
    const step = Math.min(500, 10 * 2 ** index);
    assert(interval! >= step && interval! <= 2 * step, `retry ${index} after ${interval} ms`);
  });
  const pull = scene.add(new Pull({ context }));
  await scene.bind(pull, "sim://late");
  await world.driveTo(push.ready());
  world.links.at(-1)!.cut();
  const before = retries.length;
  await world.drive(() => retries.length > before);
  assert(retries.at(-1)!.interval! <= 20, `${retries.at(-1)!.interval} ms after a peer`);
  await scene.end();
});

test("hours of refusals overflow nothing", async () => {
  const world = new World(3);
  const scene = new Scene(world);
  const { context } = scene;
  const push = scene.add(new Push({ context, reconnectInterval: 10, reconnectMaxInterval: 20 }));
  const retries = listen(push, "connect:retry");
  push.connect("sim://nobody");
  await world.drive(() => retries.length > 1_500);
  for (const { interval } of retries.slice(10)) assert(interval! >= 10 && interval! <= 20);
  await scene.end();
});

test("an interval of -1 tries once, and a connection that was lost is not made again", async () => {
  const world = new World(4);
  const scene = new Scene(world);
  const { context } = scene;
  const never = scene.add(new Push({ context, reconnectInterval: -1 }));
  never.connect("sim://nobody");
  await world.driveFor(5_000);
  assertEquals(world.links.length, 1);
  const pull = scene.add(new Pull({ context }));
  await scene.bind(pull, "sim://work");
  const once = scene.add(new Push({ context, reconnectInterval: -1 }));
  const closed = listen(once, "close");
  once.connect("sim://work");
  await world.driveTo(once.ready());
  world.links.at(-1)!.cut();
  await world.driveFor(5_000);
  assertEquals([world.links.length, closed.length, once.peers.length], [2, 1, 0]);
  await scene.end();
});

test("disconnect stops everything: attempts, waits and connections; the endpoint may be connected again", async () => {
  await simulate("disconnect", 40, async (world) => {
    const scene = new Scene(world);
    const { context } = scene;
    const pull = scene.add(new Pull({ context }));
    const push = scene.add(new Push({ context, reconnectInterval: 5, linger: 0 }));
    const bound = world.random.chance(0.5);
    if (bound) await scene.bind(pull, "sim://work");
    push.connect("sim://work");
    await world.driveFor(world.random.upTo(300));
    push.disconnect("sim://work");
    await world.driveFor(3_000);
    const links = world.links.length;
    assertEquals([push.peers.length, pull.peers.length], [0, 0]);
    await world.driveFor(3_000);
    assertEquals(world.links.length, links, "it goes on connecting");
    if (!bound) await scene.bind(pull, "sim://work");
    push.connect("sim://work");
    push.trySend("again");
    let got: Uint8Array[] | undefined;
    await world.drive(() => (got = pull.tryReceive()) !== undefined, { withinMs: 1e6 });
    assertEquals(new TextDecoder().decode(got![0]), "again");
    await scene.end();
  }, { link: { canPause: true } });
});

test("unbind keeps the accepted connections; a new one finds nobody", async () => {
  const world = new World(5);
  const scene = new Scene(world);
  const { context } = scene;
  const pull = scene.add(new Pull({ context }));
  await scene.bind(pull, "sim://work");
  const [early, late] = [0, 1].map(() => scene.add(new Push({ context })));
  early!.connect("sim://work");
  await world.driveTo(early!.ready());
  await world.driveTo(pull.unbind("sim://work"));
  const delayed = listen(late!, "connect:delay");
  late!.connect("sim://work");
  assert(early!.trySend("still there"));
  await world.driveFor(1_000);
  assertEquals(texts(pull), ["still there"]);
  assert(delayed.length > 3);
  await scene.bind(pull, "sim://work");
  await world.driveTo(late!.ready());
  await scene.end();
});

test("a connecting socket queues for a peer that is not there yet; with `immediate` it waits for one that is", async () => {
  for (const immediate of [false, true]) {
    const world = new World(6);
    const scene = new Scene(world);
    const { context } = scene;
    const push = scene.add(new Push({ context, immediate }));
    const pull = scene.add(new Pull({ context }));
    push.connect("sim://nobody");
    push.connect("sim://work");
    const sent = Array.from({ length: 10 }, (_, index) => push.trySend(`${index}`));
    assertEquals(sent, Array(10).fill(!immediate));
    await scene.bind(pull, "sim://work");
    await world.driveTo(push.ready());
    if (immediate) { for (let index = 0; index < 10; index++) assert(push.trySend(`${index}`)); }
    await world.driveFor(100);
    // Without it, every other message waits for the peer that never comes.
    assertEquals(texts(pull).length, immediate ? 10 : 5);
    await scene.end();
  }
});

test("with `immediate` a queue belongs to its connection: what was queued for a lost one is gone, new peers get what is new", async () => {
  const world = new World(7);
  const scene = new Scene(world);
  const { context } = scene;
  const push = scene.add(new Push({ context, immediate: true, reconnectInterval: 50 }));
  const pull = scene.add(new Pull({ context }));
  await scene.bind(pull, "sim://work");
  push.connect("sim://work");
  await world.driveTo(push.ready());
  world.links[0]!.toServer.hold();
  for (let index = 0; index < 3; index++) assert(push.trySend(`old ${index}`));
  await world.driveFor(10);
  for (let index = 3; index < 6; index++) assert(push.trySend(`old ${index}`));
  world.links[0]!.cut();
  await world.driveFor(20);
  assertEquals(push.trySend("between"), false);
  const waiting = push.send("waited");
  await world.driveTo(waiting);
  await world.driveFor(100);
  assertEquals(texts(pull), ["waited"]);
  await scene.end();
});

test("a connecting socket keeps its queue through a cut; a binding one loses that peer's", async () => {
  for (const pushBinds of [false, true]) {
    const world = new World(8);
    const scene = new Scene(world);
    const { context } = scene;
    const push = scene.add(new Push({ context, reconnectInterval: 5 }));
    const pull = scene.add(new Pull({ context, reconnectInterval: 5 }));
    await scene.bind(pushBinds ? push : pull, "sim://work");
    (pushBinds ? pull : push).connect("sim://work");
    await world.driveTo(Promise.all([push.ready(), pull.ready()]));
    const [link] = world.links;
    (pushBinds ? link!.toClient : link!.toServer).hold();
    assert(push.trySend("in flight"));
    await world.driveFor(1);
    for (let index = 0; index < 3; index++) assert(push.trySend(`queued ${index}`));
    link!.cut();
    await world.driveFor(200);
    assert(push.trySend("new"));
    await world.driveFor(200);
    const queued = pushBinds ? [] : ["queued 0", "queued 1", "queued 2"];
    assertEquals(texts(pull), [...queued, "new"]);
    await scene.end();
  }
});

test("a receiver that connects gets what was complete before the cut first, then what comes after it", async () => {
  const world = new World(9);
  const scene = new Scene(world);
  const { context } = scene;
  const pull = scene.add(new Pull({ context, receiveHighWaterMark: 1, reconnectInterval: 5 }));
  const push = scene.add(new Push({ context }));
  await scene.bind(push, "sim://work");
  pull.connect("sim://work");
  await world.driveTo(Promise.all([push.ready(), pull.ready()]));
  for (let index = 0; index < 20; index++) assert(push.trySend(`before ${index}`));
  await world.driveFor(10);
  world.links[0]!.cut();
  await world.driveTo(pull.ready());
  await world.driveFor(100);
  for (let index = 0; index < 20; index++) assert(push.trySend(`after ${index}`));
  const got: string[] = [];
  await world.drive(() => got.push(...texts(pull)) > 0 && got.length === 40);
  const expected = ["before", "after"].flatMap((name) =>
    Array.from({ length: 20 }, (_, index) => `${name} ${index}`)
  );
  assertEquals(got, expected);
  await scene.end();
});

test("a refusal by ERROR is final; a connection that just closes in the handshake is tried again", async () => {
  for (const [says, attempts] of [["ERROR", 1], ["end", 4], ["cut", 4]] as const) {
    const world = new World(10);
    const scene = new Scene(world);
    const { context } = scene;
    const greeting = new Uint8Array(64);
    greeting.set([0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 1, 0x4e, 0x55, 0x4c, 0x4c]);
    let accepted = 0;
    const ignore = (): void => {};
    await world.driveTo(
      world.network.listen("sim://strict", {})((attach) => {
        accepted++;
        const transport = attach({
          open: () => speak(),
          data: ignore,
          drain: ignore,
          end: ignore,
          close: ignore,
        });
        const speak = (): void => {
          transport.write(greeting);
          if (says === "ERROR") {
            transport.write(Uint8Array.of(4, 9, 5, 0x45, 0x52, 0x52, 0x4f, 0x52, 2, 0x6e, 0x6f));
          }
          transport.close(says === "cut" ? "abort" : "flush");
        };
      }, ignore),
    );
    const push = scene.add(new Push({ context, reconnectInterval: 5, linger: 0 }));
    const events = listen(push, "handshake:error:auth", "handshake:error:other", "close");
    push.connect("sim://strict");
    if (attempts > 1) await world.drive(() => accepted >= attempts);
    else await world.driveFor(5_000);
    assertEquals(says === "ERROR", accepted === 1, `${says}: ${accepted} attempts`);
    if (says === "ERROR") assertEquals(events.map(({ type }) => type), ["handshake:error:auth", "close"]);
    push.close();
    await world.driveFor(3_000);
  }
});

test("a server that restarts under the same name is found again at once by a peer with a name of its own", async () => {
  const world = new World(11);
  const scene = new Scene(world);
  const { context } = scene;
  const dealer = scene.add(new Dealer({ context, routingId: "dealer", reconnectInterval: 20 }));
  dealer.connect("sim://router");
  for (let life = 0; life < 4; life++) {
    const router = scene.add(new Router({ context, linger: 0, mandatory: true }));
    await scene.bind(router, "sim://router");
    const before = world.nowMs;
    assert(dealer.trySend(`life ${life}`));
    let message: Uint8Array[] | undefined;
    await world.drive(() => (message = router.tryReceive()) !== undefined);
    assert(world.nowMs - before <= 60, `found after ${world.nowMs - before} ms`);
    assertEquals(message!.map((frame) => new TextDecoder().decode(frame)), ["dealer", `life ${life}`]);
    assert(router.trySend(["dealer", "welcome"]));
    await world.drive(() => dealer.tryReceive() !== undefined);
    await world.driveTo(router[Symbol.asyncDispose]());
  }
  await scene.end();
});

test("two ROUTERs that connect to each other under the same names come to one stable link each way", async () => {
  await simulate("cross connect", 40, async (world) => {
    const scene = new Scene(world);
    const { context } = scene;
    const make = (routingId: string): Router =>
      scene.add(new Router({ context, routingId, mandatory: true, handover: true, reconnectInterval: 20 }));
    const [left, right] = [make("left"), make("right")];
    await scene.bind(left, "sim://left");
    await scene.bind(right, "sim://right");
    left.connect("sim://right", { routingId: "right" });
    right.connect("sim://left", { routingId: "left" });
    await world.driveFor(10_000);
    const links = world.links.length;
    const talk = async (from: Router, to: Router, name: string): Promise<void> => {
      assert(from.trySend([name, "hello"]), `${name} is full`);
      await world.drive(() => to.tryReceive() !== undefined, { withinMs: 1e6 });
    };
    for (let round = 0; round < 3; round++) {
      await talk(left, right, "right");
      await talk(right, left, "left");
    }
    await world.driveFor(10_000);
    assertEquals(world.links.length, links, "the links flap");
    await scene.end();
  }, { link: { canPause: true } });
});

test("subscriptions are told again after every cut, and forgotten by the publisher at each", async () => {
  const world = new World(12);
  const scene = new Scene(world);
  const { context } = scene;
  const publisher = scene.add(new XPublisher({ context }));
  const subscriber = scene.add(new Subscriber({ context, reconnectInterval: 5 }));
  await scene.bind(publisher, "sim://news");
  subscriber.connect("sim://news");
  subscriber.subscribe("a", "b");
  subscriber.subscribe("a");
  const seen: string[] = [];
  const read = (): void => {
    for (let one = publisher.tryReceive(); one !== undefined; one = publisher.tryReceive()) {
      seen.push(`${one[0]![0]}${new TextDecoder().decode(one[0]!.subarray(1))}`);
    }
    seen.sort();
  };
  await world.driveFor(50);
  read();
  assertEquals(seen.splice(0), ["1a", "1b"]);
  subscriber.unsubscribe("b");
  subscriber.unsubscribe("a");
  await world.driveFor(50);
  read();
  assertEquals(seen.splice(0), ["0b"], "one reference to a is left");
  for (let cut = 0; cut < 3; cut++) {
    world.links.at(-1)!.cut();
    await world.driveFor(1_000);
    read();
    assertEquals(seen.splice(0), ["0a", "1a"]);
  }
  await scene.end();
});
