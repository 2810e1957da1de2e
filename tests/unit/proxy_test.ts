import { test } from "node:test";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { MisuseError } from "../../src/errors.ts";
import { Context } from "../../src/socket/context.ts";
import { Proxy } from "../../src/socket/proxy.ts";
import type { Socket } from "../../src/socket/socket.ts";
import {
  Dealer,
  Pair,
  Publisher,
  Pull,
  Push,
  Router,
  Subscriber,
  XPublisher,
  XSubscriber,
} from "../../src/socket/sockets.ts";
import { World } from "../support/world.ts";
import { messageOf, textOf } from "./building_blocks.ts";

/** A world in which sockets find each other over inproc. */
class Bench {
  readonly world: World = new World(1);
  readonly context: Context = new Context({ host: this.world.host });

  async bind<Kind extends Socket>(socket: Kind, name: string): Promise<Kind> {
    await this.world.driveTo(socket.bind(`inproc://${name}`));
    return socket;
  }

  connect<Kind extends Socket>(socket: Kind, name: string): Kind {
    socket.connect(`inproc://${name}`);
    return socket;
  }

  /** A proxy between a Pull that is bound to `in` and a Push that is bound to `out`, both with a mark. */
  async line(
    marks: { readonly in?: number; readonly out?: number } = {},
    capture?: Push,
  ): Promise<Proxy<Pull, Push>> {
    const { context } = this;
    const pull = await this.bind(new Pull({ context, receiveHighWaterMark: marks.in ?? 1_000 }), "in");
    const push = await this.bind(new Push({ context, sendHighWaterMark: marks.out ?? 1_000 }), "out");
    return new Proxy(pull, push, capture);
  }

  /** Sees to it that everything that can happen has happened. */
  async rest(): Promise<void> {
    await this.world.driveFor(1);
  }
}

const texts = (socket: { receiveMany(): Uint8Array[][] }): string[] => socket.receiveMany().map(textOf);

test("messages go through whole and in order, and are counted by message, frame and byte", async () => {
  const bench = new Bench();
  const { context } = bench;
  const proxy = await bench.line();
  const [push, pull] = [
    bench.connect(new Push({ context }), "in"),
    bench.connect(new Pull({ context }), "out"),
  ];
  const done = proxy.run();
  for (const text of ["one", "two||2", ""]) push.trySend(messageOf(text));
  await bench.rest();
  assertEquals(texts(pull), ["one", "two||2", ""]);
  assertEquals(proxy.statistics, {
    frontToBack: { messages: 3, frames: 5, bytes: 7 },
    backToFront: { messages: 0, frames: 0, bytes: 0 },
  });
  proxy.terminate();
  await done;
});

test("paused, nothing moves; resumed, everything does, and what came meanwhile too", async () => {
  const bench = new Bench();
  const { context } = bench;
  const proxy = await bench.line();
  const [push, pull] = [
    bench.connect(new Push({ context }), "in"),
    bench.connect(new Pull({ context }), "out"),
  ];
  const done = proxy.run();
  for (let round = 0; round < 3; round++) {
    proxy.pause();
    proxy.pause();
    assertEquals(proxy.paused, true);
    for (let index = 0; index < 5; index++) push.trySend(`${round} ${index}`);
    await bench.rest();
    assertEquals(texts(pull), []);
    proxy.resume();
    await bench.rest();
    assertEquals(texts(pull), [0, 1, 2, 3, 4].map((index) => `${round} ${index}`));
  }
  proxy.pause();
  proxy.terminate();
  await done;
});

test("a proxy may be paused before it runs", async () => {
  const bench = new Bench();
  const { context } = bench;
  const proxy = await bench.line();
  const [push, pull] = [
    bench.connect(new Push({ context }), "in"),
    bench.connect(new Pull({ context }), "out"),
  ];
  proxy.pause();
  const done = proxy.run();
  push.trySend("x");
  await bench.rest();
  assertEquals(texts(pull), []);
  proxy.resume();
  await bench.rest();
  assertEquals(texts(pull), ["x"]);
  proxy.terminate();
  await done;
});

test("a full side holds the other back, and nothing is lost when it is emptied", async () => {
  const bench = new Bench();
  const { context } = bench;
  const proxy = await bench.line({ in: 2, out: 2 });
  const push = bench.connect(new Push({ context, sendHighWaterMark: 2 }), "in");
  const pull = bench.connect(new Pull({ context, receiveHighWaterMark: 2 }), "out");
  const done = proxy.run();
  let sent = 0;
  for (let round = 0; round < 20; round++) {
    while (push.trySend(`${sent}`)) sent++;
    await bench.rest();
  }
  assert(sent >= 8 && sent <= 10, `${sent} went in, none came out`);
  const got: string[] = [];
  while (got.length < sent) {
    got.push(...texts(pull));
    await bench.rest();
  }
  assertEquals(got, Array.from({ length: sent }, (_, index) => `${index}`));
  proxy.terminate();
  await done;
});

test("a terminated proxy has lost nothing: what it had taken goes where it was to go, the rest stays where it was", async () => {
  const bench = new Bench();
  const { context } = bench;
  const proxy = await bench.line({ in: 2, out: 2 });
  const push = bench.connect(new Push({ context, sendHighWaterMark: 2 }), "in");
  const pull = bench.connect(new Pull({ context, receiveHighWaterMark: 2 }), "out");
  const done = proxy.run();
  let sent = 0;
  for (let round = 0; round < 20; round++) {
    while (push.trySend(`${sent}`)) sent++;
    await bench.rest();
  }
  proxy.terminate();
  await done;
  const got: string[] = [];
  for (let round = 0; round < 20; round++) {
    got.push(...texts(pull));
    await bench.rest();
  }
  got.push(...texts(proxy.frontEnd));
  assertEquals(got, Array.from({ length: sent }, (_, index) => `${index}`));
  assertEquals([proxy.frontEnd.closed, proxy.backEnd.closed], [false, false]);
});

test("a copy of everything goes to the capture socket; one that takes nothing holds nobody back", async () => {
  const bench = new Bench();
  const { context } = bench;
  const capture = await bench.bind(new Push({ context, sendHighWaterMark: 1 }), "capture");
  const watcher = bench.connect(new Pull({ context, receiveHighWaterMark: 1 }), "capture");
  const proxy = await bench.line({}, capture);
  const [push, pull] = [
    bench.connect(new Push({ context }), "in"),
    bench.connect(new Pull({ context }), "out"),
  ];
  const done = proxy.run();
  for (const text of ["a|1", "b", "c", "d"]) push.trySend(messageOf(text));
  await bench.rest();
  assertEquals([texts(pull), texts(watcher)], [["a|1", "b", "c", "d"], ["a|1", "b"]]);
  capture.close();
  push.trySend("e");
  await bench.rest();
  assertEquals(texts(pull), ["e"], "a closed capture socket is none");
  proxy.terminate();
  await done;
});

test("subscriptions go up through XSUB and XPUB, messages down", async () => {
  const bench = new Bench();
  const { context } = bench;
  const front = await bench.bind(new XSubscriber({ context }), "in");
  const back = await bench.bind(new XPublisher({ context }), "out");
  const proxy = new Proxy(front, back);
  const done = proxy.run();
  const publisher = bench.connect(new Publisher({ context }), "in");
  const subscribers = ["a", "b"].map((topic) => {
    const subscriber = bench.connect(new Subscriber({ context }), "out");
    subscriber.subscribe(topic);
    return subscriber;
  });
  await bench.rest();
  for (const text of ["a1", "b1", "c1"]) publisher.trySend(text);
  await bench.rest();
  assertEquals(subscribers.map(texts), [["a1"], ["b1"]]);
  assertEquals(proxy.statistics.frontToBack.messages, 2, "c reaches nobody, not even the proxy");
  subscribers[0]!.close();
  await bench.rest();
  for (const text of ["a2", "b2"]) publisher.trySend(text);
  await bench.rest();
  assertEquals([texts(subscribers[1]!), proxy.statistics.frontToBack.messages], [["b2"], 3]);
  proxy.terminate();
  await done;
});

test("a mandatory Router with one full peer neither stops the loop of events nor loses the message", async () => {
  const bench = new Bench();
  const { context } = bench;
  const front = await bench.bind(new Router({ context, mandatory: true, sendHighWaterMark: 1 }), "in");
  const back = await bench.bind(new Dealer({ context }), "out");
  const proxy = new Proxy(front, back);
  const slow = bench.connect(new Dealer({ context, routingId: "slow", receiveHighWaterMark: 1 }), "in");
  const quick = bench.connect(new Dealer({ context, routingId: "quick", receiveHighWaterMark: 1 }), "in");
  const worker = bench.connect(new Dealer({ context }), "out");
  const done = proxy.run();
  await bench.rest();
  for (const text of ["slow|1", "slow|2", "slow|3", "quick|1"]) worker.trySend(messageOf(text));
  let alive = false;
  bench.world.host.schedule(5, () => alive = true, true);
  await bench.world.drive(() => alive, { waitingFor: "a timer", eventsMax: 1_000 });
  assertEquals(texts(slow), ["1", "2"]);
  await bench.rest();
  assertEquals([texts(slow), texts(quick)], [["3"], ["1"]]);
  proxy.terminate();
  await done;
});

test("it runs once, and not after it was terminated", async () => {
  const bench = new Bench();
  const proxy = await bench.line();
  const done = proxy.run();
  assertEquals((await assertRejects(() => proxy.run(), MisuseError)).code, "ERR_STATE");
  proxy.terminate();
  proxy.terminate();
  await done;
  assertEquals((await assertRejects(() => proxy.run(), MisuseError)).code, "ERR_STATE");
});

test("it ends when either of its sockets closes, running or paused", async () => {
  for (const paused of [false, true]) {
    for (const side of ["frontEnd", "backEnd"] as const) {
      const bench = new Bench();
      const proxy = await bench.line();
      const done = proxy.run();
      if (paused) proxy.pause();
      await bench.rest();
      proxy[side].close();
      await bench.world.driveTo(done);
      proxy.frontEnd.close();
      proxy.backEnd.close();
    }
  }
});

test("what can never flow is refused when the proxy is made", () => {
  const { context } = new Bench();
  for (
    const [front, back] of [
      [new Push({ context }), new Push({ context })],
      [new Push({ context }), new Pull({ context })],
      [new Publisher({ context }), new Publisher({ context })],
    ]
  ) {
    if (front instanceof Push && back instanceof Pull) {
      // Back to front, this one flows.
      assert(new Proxy(front, back) instanceof Proxy);
      continue;
    }
    assertEquals(assertThrows(() => new Proxy(front!, back!), MisuseError).code, "ERR_STATE");
  }
  assert(new Proxy(new Pair({ context }), new Pair({ context })) instanceof Proxy);
});
