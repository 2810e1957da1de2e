import { test } from "node:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { MisuseError, type PeerError } from "../../src/errors.ts";
import type { Dial } from "../../src/ports.ts";
import type { SocketEvent, SocketEventType } from "../../src/session/events.ts";
import { Context } from "../../src/socket/context.ts";
import { Request } from "../../src/socket/types/request.ts";
import type { ContextOption, Socket } from "../../src/socket/socket.ts";
import {
  Dealer,
  Pair,
  Publisher,
  Pull,
  Push,
  Reply,
  Router,
  Subscriber,
  XPublisher,
  XSubscriber,
} from "../../src/socket/sockets.ts";
import { World } from "../support/world.ts";
import { textOf } from "./building_blocks.ts";
import { errorOf } from "../support/event_fields.ts";

function makeWorld(): { world: World; context: Context } {
  const world = new World(1);
  return { world, context: new Context({ host: world.host, transports: { sim: world.network } }) };
}

const TYPES: readonly SocketEventType[] = [
  "accept",
  "accept:error",
  "bind",
  "bind:error",
  "close",
  "connect",
  "connect:delay",
  "connect:retry",
  "disconnect",
  "drop",
  "end",
  "handshake",
  "handshake:error:auth",
  "handshake:error:other",
  "handshake:error:protocol",
];

/** Everything that a socket tells, as `type address`. */
function listen(socket: Socket): { told: string[]; events: SocketEvent[] } {
  const told: string[] = [];
  const events: SocketEvent[] = [];
  for (const type of TYPES) {
    socket.events.on(type, (event) => {
      told.push(`${type} ${event.address}`.trim());
      events.push(event);
    });
  }
  return { told, events };
}

test("the life of a connection as both sides tell it", async () => {
  const { world, context } = makeWorld();
  const [pull, push] = [new Pull({ context }), new Push({ context, reconnectInterval: 50 })];
  const [atPull, atPush] = [listen(pull), listen(push)];
  push.connect("sim://work");
  await world.driveFor(10);
  await world.driveTo(pull.bind("sim://work"));
  await world.driveTo(push.ready());
  await world.driveFor(1);
  world.links.at(-1)!.cut();
  await world.drive(() => push.peers.length === 0);
  await world.driveTo(push.ready());
  await world.driveFor(1);
  push.close();
  await world.driveFor(2_000);
  pull.close();
  await world.driveIdle();
  const attempt = ["connect sim://work", "handshake sim://work", "disconnect sim://work"];
  assertEquals(atPush.told, [
    "connect:delay sim://work",
    "connect:retry sim://work",
    ...attempt,
    "connect:retry sim://work",
    // It closes itself, and knows.
    ...attempt.slice(0, 2),
    "close sim://work",
    "end",
  ]);
  const accepted = ["accept sim://work", "handshake sim://work", "disconnect sim://work"];
  assertEquals(atPull.told, ["bind sim://work", ...accepted, ...accepted, "close sim://work", "end"]);
  const peers = atPull.events.flatMap((event) => event.type === "handshake" ? [event.peer] : []);
  assertEquals(peers.map(({ socketType, version, mechanism }) => [socketType, version, mechanism]), [
    ["PUSH", "3.1", "NULL"],
    ["PUSH", "3.1", "NULL"],
  ]);
  assert(peers[0]!.id < peers[1]!.id, "every connection is a peer of its own");
  assert(peers[0]!.remoteAddress !== "" && peers[0]!.localAddress !== peers[0]!.remoteAddress);
});

test("the life of an inproc connection as both sides tell it", async () => {
  const { world, context } = makeWorld();
  const [pull, push] = [new Pull({ context }), new Push({ context })];
  const [atPull, atPush] = [listen(pull), listen(push)];
  push.connect("inproc://work");
  await world.driveTo(pull.bind("inproc://work"));
  push.disconnect("inproc://work");
  push.connect("inproc://work");
  pull.close();
  await world.driveTo(new Pull({ context }).bind("inproc://work"));
  push.close();
  await world.driveIdle();
  const life = ["handshake inproc://work", "disconnect inproc://work"];
  assertEquals(atPush.told, [...life, ...life, life[0], "end"]);
  assertEquals(atPull.told.filter((one) => !one.startsWith("close")), [
    "bind inproc://work",
    ...life,
    life[0],
    "end",
  ]);
});

test("what is told of a peer: its type, identity, metadata, addresses", async () => {
  for (const scheme of ["sim", "inproc"]) {
    const { world, context } = makeWorld();
    const router = new Router({ context });
    const dealer = new Dealer({
      context,
      routingId: "me",
      ...(scheme === "sim" ? { metadata: { "X-Name": "value" } } : {}),
    });
    await world.driveTo(router.bind(`${scheme}://router`));
    dealer.connect(`${scheme}://router`);
    await world.driveTo(Promise.all([router.ready(), dealer.ready()]));
    const [peer] = router.peers;
    assertEquals([peer!.socketType, textOf([peer!.identity]), peer!.endpoint], [
      "DEALER",
      "me",
      `${scheme}://router`,
    ]);
    assertEquals(textOf([peer!.metadata.get("socket-type")!]), "DEALER");
    if (scheme === "sim") assertEquals(textOf([peer!.metadata.get("x-name")!]), "value");
    assertEquals(dealer.peers[0]!.socketType, "ROUTER");
  }
});

test("sockets that do not fit are told so on both sides, over streams and inproc", async () => {
  for (const scheme of ["sim", "inproc"]) {
    const { world, context } = makeWorld();
    const [pull, dealer] = [new Pull({ context }), new Dealer({ context, reconnectInterval: 1_000 })];
    const [atPull, atDealer] = [listen(pull), listen(dealer)];
    await world.driveTo(pull.bind(`${scheme}://x`));
    dealer.connect(`${scheme}://x`);
    await world.driveFor(100);
    for (const { events } of [atPull, atDealer]) {
      const codes = events.flatMap((event) =>
        event.type === "handshake:error:protocol" ? [(event.error as PeerError).code] : []
      );
      assertEquals(codes[0], "ERR_PEER_SOCKET_TYPE", scheme);
    }
    assertEquals([pull.peers.length, dealer.peers.length], [0, 0]);
  }
});

test("ready waits for as many peers as asked, counts those that left out, and ends with the socket", async () => {
  const { world, context } = makeWorld();
  const router = new Router({ context });
  await world.driveTo(router.bind("sim://router"));
  const dealers = [0, 1, 2].map(() => new Dealer({ context, reconnectInterval: -1 }));
  dealers[0]!.connect("sim://router");
  await world.driveTo(router.ready());
  await router.ready({ peers: 0 });
  let three = false;
  void router.ready({ peers: 3 }).then(() => three = true);
  dealers[1]!.connect("sim://router");
  await world.driveFor(10);
  dealers[0]!.close();
  await world.driveFor(10);
  dealers[2]!.connect("sim://router");
  await world.driveFor(10);
  assertEquals([three, router.peers.length], [false, 2]);
  const another = new Dealer({ context });
  another.connect("sim://router");
  await world.driveFor(10);
  assertEquals(three, true);
  const rejected = assertRejects(() => router.ready({ peers: 9 }), MisuseError);
  router.close();
  assertEquals((await rejected).code, "ERR_CLOSED");
});

test("dropped messages are told once a turn and peer, with their number and the reason", async () => {
  const { world, context } = makeWorld();
  const publisher = new Publisher({ context, sendHighWaterMark: 1 });
  const { events } = listen(publisher);
  await world.driveTo(publisher.bind("sim://news"));
  const subscriber = new Subscriber({ context });
  subscriber.connect("sim://news");
  subscriber.subscribe();
  await world.driveTo(publisher.subscribed(""));
  world.links[0]!.toClient.hold();
  for (let index = 0; index < 10; index++) publisher.trySend("x");
  await world.driveFor(1);
  for (let index = 0; index < 5; index++) publisher.trySend("x");
  await world.driveFor(1);
  const drops = events.flatMap((event) => event.type === "drop" ? [event] : []);
  assertEquals(drops.map(({ count }) => count), [9, 5]);
  assert(drops[0]!.error.message.includes("high-water mark") && drops[0]!.peer?.socketType === "SUB");
  const router = new Router({ context });
  const heard = listen(router);
  router.trySend(["nobody", "x"]);
  await world.driveFor(1);
  const [unroutable, ...others] = heard.events;
  assert(unroutable?.type === "drop" && others.length === 0);
  assertEquals([unroutable.count, unroutable.peer], [1, undefined]);
});

test("subscribed waits for somebody whom a message with that topic would reach, and is told at once if there is one", async () => {
  const { world, context } = makeWorld();
  const publisher = new XPublisher({ context });
  await world.driveTo(publisher.bind("sim://news"));
  const resolved: string[] = [];
  for (const topic of ["a", "ab", "b", ""]) void publisher.subscribed(topic).then(() => resolved.push(topic));
  const subscriber = new Subscriber({ context });
  subscriber.connect("sim://news");
  subscriber.subscribe("a");
  await world.driveFor(10);
  assertEquals(resolved.sort(), ["a", "ab"]);
  subscriber.subscribe("");
  await world.driveFor(10);
  assertEquals(resolved.sort(), ["", "a", "ab", "b"]);
  await publisher.subscribed("anything");
  const aborted = assertRejects(
    () => new Publisher({ context }).subscribed("x", { signal: AbortSignal.abort() }),
    MisuseError,
  );
  assertEquals((await aborted).code, "ERR_ABORTED");
});

test("events can be iterated: every one from then on, to the last", async () => {
  const { world, context } = makeWorld();
  const pull = new Pull({ context });
  const told: string[] = [];
  const loop = (async (): Promise<void> => {
    for await (const { type } of pull.events) told.push(type);
  })();
  await world.driveTo(pull.bind("sim://work"));
  pull.close();
  await world.driveTo(loop);
  assertEquals(told, ["bind", "close", "end"]);
  assertEquals((await assertRejects(() => pull.events.receive(), MisuseError)).code, "ERR_CLOSED");
});

test("a listener that throws harms nobody and surfaces, and one that was taken off hears nothing", async () => {
  const { world, context } = makeWorld();
  const [left, right] = [new Pair({ context }), new Pair({ context })];
  let heard = 0;
  const count = (): void => void heard++;
  const fault = new Error("a listener's fault");
  left.events.on("handshake", () => {
    throw fault;
  }).on("handshake", count).on("accept", count);
  left.events.off("accept", count);
  await world.driveTo(left.bind("sim://pair"));
  right.connect("sim://pair");
  await world.driveTo(right.ready());
  await world.driveFor(10);
  assert(left.trySend("x"));
  await world.drive(() => right.tryReceive() !== undefined);
  assertEquals(heard, 1);
  assert(world.reported.length === 1 && world.reported[0] === fault);
});

test("bind refuses a name in use and leaves the socket as it was; port 0 gives every bind its own", async () => {
  const { world, context } = makeWorld();
  const one = new Pull({ context });
  for (const scheme of ["sim", "inproc"]) {
    const two = new Pull({ context });
    await world.driveTo(one.bind(`${scheme}://taken`));
    const { events } = listen(two);
    const error = await world.driveTo(assertRejects(() => two.bind(`${scheme}://taken`), MisuseError));
    assertEquals([error.code, events.map(({ type }) => type)], ["ERR_ADDRESS_IN_USE", ["bind:error"]]);
    assertEquals([two.lastEndpoint, two.closed], [null, false]);
    await world.driveTo(one.unbind(`${scheme}://taken`));
    await world.driveTo(two.bind(`${scheme}://taken`));
    await world.driveTo(two.unbind(`${scheme}://taken`));
    assertEquals(
      (await assertRejects(() => two.unbind(`${scheme}://taken`), MisuseError)).code,
      "ERR_NOT_BOUND",
    );
  }
  await world.driveTo(one.bind("sim://*"));
  const first = one.lastEndpoint;
  await world.driveTo(one.bind("sim://*"));
  assert(first !== one.lastEndpoint && first!.startsWith("sim://"));
});

test("an endpoint whose transport cannot be had tells so once, and closes; one that is closed already tells nothing", async () => {
  for (const closedFirst of [false, true]) {
    const world = new World(1);
    let fail = (_error: Error): void => {};
    const context = new Context({ host: world.host });
    context.transport = () => new Promise((_resolve, reject) => fail = reject);
    const push = new Push({ context });
    const { told, events } = listen(push);
    push.connect("odd://place");
    if (closedFirst) push.disconnect("odd://place");
    const before = closedFirst ? ["close odd://place"] : [];
    assertEquals(told, before);
    const error = new Error("no such module");
    fail(error);
    await world.driveFor(1_000);
    assertEquals(told, closedFirst ? before : ["connect:delay odd://place", "close odd://place"]);
    const [first] = events;
    if (!closedFirst) assertEquals(first?.type === "connect:delay" && first.error, error);
    push.close();
    await world.driveIdle();
    assertEquals(world.holdsProcess, false);
  }
});

test("a dial that throws is an attempt that failed: it is told, and made again", async () => {
  const { world, context } = makeWorld();
  let attempts = 0;
  context.register("odd", {
    dial: (address, options) => {
      const dial = world.network.dial(address.replace("odd", "sim"), options);
      return (handlers) => {
        if (++attempts < 3) throw new Error(`attempt ${attempts}`);
        return dial(handlers);
      };
    },
    listen: () => {
      throw new Error("nobody binds here");
    },
  });
  const [pull, push] = [new Pull({ context }), new Push({ context, reconnectInterval: 10 })];
  await world.driveTo(pull.bind("sim://place"));
  const { told, events } = listen(push);
  push.connect("odd://place");
  await world.driveTo(push.ready());
  const failed = ["connect:delay odd://place", "connect:retry odd://place"];
  assertEquals(told, [...failed, ...failed, "connect odd://place", "handshake odd://place"]);
  assertEquals(
    events.flatMap((event) => event.type === "connect:delay" ? [event.error.message] : []),
    ["attempt 1", "attempt 2"],
  );
  context.close();
  await world.driveIdle();
  assertEquals(world.holdsProcess, false);
});

test("connecting to one endpoint twice is connecting once for DEALER, SUB, PUB and REQ, and twice for the others", async () => {
  const cases: readonly (readonly [
    new (options: ContextOption) => Socket,
    new (options: ContextOption) => Socket,
    number,
  ])[] = [
    [Dealer, Router, 1],
    [Subscriber, Publisher, 1],
    [Publisher, Subscriber, 1],
    [Request, Router, 1],
    [XSubscriber, Publisher, 2],
    [XPublisher, Subscriber, 2],
    [Push, Pull, 2],
    [Pull, Push, 2],
    [Router, Dealer, 2],
    [Reply, Dealer, 2],
  ];
  for (const scheme of ["sim", "inproc"]) {
    for (const [Connecting, Bound, peers] of cases) {
      const { world, context } = makeWorld();
      const [connecting, bound] = [new Connecting({ context }), new Bound({ context })];
      await world.driveTo(bound.bind(`${scheme}://here`));
      for (let i = 0; i < 2; i++) connecting.connect(`${scheme}://here`);
      await world.driveFor(1_000);
      assertEquals([bound.peers.length, connecting.peers.length], [peers, peers], connecting.type);
      context.close();
      await world.driveIdle();
    }
  }
});

test("an endpoint whose dial throws can be left while it waits for its next attempt, and then is gone", async () => {
  const { world, context } = makeWorld();
  context.register("odd", {
    dial: () => () => {
      throw new Error("never");
    },
    listen: () => {
      throw new Error("nobody binds here");
    },
  });
  const push = new Push({ context, reconnectInterval: 60_000 });
  const { told } = listen(push);
  push.connect("odd://place");
  push.disconnect("odd://place");
  assertEquals(told, ["connect:delay odd://place", "connect:retry odd://place", "close odd://place"]);
  push.connect("odd://place");
  await world.driveTo(push[Symbol.asyncDispose]());
  assertEquals(told.slice(3), [...told.slice(0, 3), "end"]);
  assert(world.nowMs < 60_000);
});

test("whoever waits for a subscriber is told that the publisher closed, and so is whoever asks later", async () => {
  const { world, context } = makeWorld();
  const publisher = new Publisher({ context });
  const waiting = assertRejects(() => publisher.subscribed("news"), MisuseError);
  publisher.close();
  assertEquals((await waiting).code, "ERR_CLOSED");
  const late = await assertRejects(() => publisher.subscribed("news"), MisuseError);
  assertEquals(late.code, "ERR_CLOSED");
  await world.driveIdle();
  assertEquals(world.holdsProcess, false);
});

test("the time of a handshake counts from the dial: a stream that never opens is given up, too", async () => {
  const world = new World(1, { link: { blackholeChance: 1 } });
  const context = new Context({ host: world.host, transports: { sim: world.network } });
  const push = new Push({ context, handshakeInterval: 70, reconnectInterval: -1 });
  const { events } = listen(push);
  push.connect("sim://nowhere");
  await world.drive(() => events.length > 0, { withinMs: 1_000, waitingFor: "the end of the attempt" });
  assertEquals([events[0]!.type, (errorOf(events[0]) as { code?: string }).code], [
    "connect:delay",
    "ERR_PEER_HANDSHAKE_TIMEOUT",
  ]);
  push.close();
  await world.driveIdle();
});

test("the time of a handshake counts from the accept, whether or not the stream is ever open", async () => {
  const { world, context } = makeWorld();
  const pull = new Pull({ context, handshakeInterval: 70 });
  const { events } = listen(pull);
  let accept = (_attach: Dial): void => {};
  context.register("late", {
    dial: world.network.dial.bind(world.network),
    listen: (address) => (accepting) => {
      accept = accepting;
      return Promise.resolve({ address, close: () => Promise.resolve() });
    },
  });
  await world.driveTo(pull.bind("late://here"));
  let aborted = false;
  accept((handlers) => ({
    write: () => true,
    setPaused: () => true,
    close: () => {
      aborted = true;
      handlers.close();
    },
  }));
  await world.driveFor(100);
  assert(aborted);
  assertEquals(events.at(-1)!.type, "handshake:error:other");
  pull.close();
  await world.driveIdle();
});

test("at its limit a listener gives up a handshake of the host that has most of them, not the oldest of all", async () => {
  const { world, context } = makeWorld();
  const pull = new Pull({ context, handshakesMax: 4 });
  let accept = (_attach: Dial): void => {};
  context.register("late", {
    dial: world.network.dial.bind(world.network),
    listen: (address) => (accepting) => {
      accept = accepting;
      return Promise.resolve({ address, close: () => Promise.resolve() });
    },
  });
  await world.driveTo(pull.bind("late://here"));
  const closed: string[] = [];
  const come = (remoteAddress: string): void => {
    let open = (): void => {};
    accept((handlers) => {
      open = () => handlers.open({ localAddress: "late://here", remoteAddress });
      return {
        write: () => true,
        setPaused: () => true,
        close: () => {
          closed.push(remoteAddress);
          handlers.close();
        },
      };
    });
    open();
  };
  for (const address of ["late://slow:1", "late://flood:1", "late://flood:2", "late://flood:3"]) {
    come(address);
  }
  for (let port = 4; port <= 7; port++) come(`late://flood:${port}`);
  assertEquals(closed, [1, 2, 3, 4].map((port) => `late://flood:${port}`));
  pull.close();
  await world.driveIdle();
});

test("an endpoint that the socket has no place for is told why, ends, and leaves the others alone", async () => {
  const { world, context } = makeWorld();
  const far = ["one", "two"].map(() => new Pair({ context }));
  await world.driveTo(far[0]!.bind("sim://one"));
  await world.driveTo(far[1]!.bind("sim://two"));
  const pair = new Pair({ context });
  pair.connect("sim://one");
  await world.driveTo(pair.ready());
  const { told, events } = listen(pair);
  pair.connect("sim://two");
  await world.driveFor(1_000);
  assertEquals(told, ["disconnect sim://two", "close sim://two"]);
  assert(errorOf(events[0]) instanceof Error, "why");
  assertEquals([pair.peers.length, far[1]!.peers.length], [1, 0]);
  assert(pair.trySend("still here"));
  await world.drive(() => far[0]!.tryReceive() !== undefined);
  context.close();
  await world.driveIdle();
  assertEquals(world.holdsProcess, false);
});
