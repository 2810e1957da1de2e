import { test } from "node:test";
import { inspect } from "node:util";
import { assert, assertEquals } from "@std/assert";
import { Context } from "../../src/socket/context.ts";
import { lineOf } from "../../src/inspect_line.ts";
import { Proxy } from "../../src/socket/proxy.ts";
import { Dealer, Pull, Push, Router } from "../../src/socket/sockets.ts";
import { World } from "../support/world.ts";

// What a person sees who prints a socket.

function makeWorld(): { world: World; context: Context } {
  const world = new World(1);
  return { world, context: new Context({ host: world.host, transports: { sim: world.network } }) };
}

interface Inspector {
  inspect(value: unknown): string;
}

/** What `console.log(value)` prints: each runtime has its own idea of it. */
function printed(value: unknown): string {
  const { Deno, Bun } = globalThis as { readonly Deno?: Inspector; readonly Bun?: Inspector };
  return (Bun ?? Deno ?? { inspect }).inspect(value);
}

test("a socket is printed in one line that says what it is bound and connected to, its peers and its queue", async () => {
  const { world, context } = makeWorld();
  const [push, pull] = [new Push({ context }), new Pull({ context })];
  assertEquals(printed(push), "Push { peers: 0, queued: 0 }");
  push.connect("sim://work");
  await world.driveTo(push.send("one"));
  void push.send("two").catch(() => {});
  assertEquals(printed(push), 'Push { connected: ["sim://work"], peers: 0, queued: 2 }');
  await world.driveTo(pull.bind("sim://work"));
  await world.driveTo(pull.ready());
  await world.driveFor(1);
  assertEquals(printed(push), 'Push { connected: ["sim://work"], peers: 1, queued: 0 }');
  assertEquals(printed(pull), 'Pull { bound: ["sim://work"], peers: 1 }');
  assertEquals(JSON.parse(JSON.stringify({ push })), {
    push: { type: "PUSH", bound: [], connected: ["sim://work"], peers: 1, queued: 0, closed: false },
  });
  context.close();
  await world.driveTo(push[Symbol.asyncDispose]());
  assertEquals(printed(push), "Push { peers: 0, queued: 0, closed: true }");
});

test("sends that wait for a peer are counted as queued", async () => {
  const { context } = makeWorld();
  const push = new Push({ context });
  const ended = [push.send("one"), push.send("two")].map((sent) => sent.catch(() => {}));
  assertEquals(printed(push), "Push { peers: 0, queued: 2 }");
  push.close();
  await Promise.all(ended);
});

test("a socket inside of other values is still one line, and the class of a program's own is named", () => {
  const { context } = makeWorld();
  class Jobs extends Push {}
  const jobs = new Jobs({ context });
  assert(printed({ jobs }).includes("Jobs { peers: 0, queued: 0 }"), printed({ jobs }));
  assert(printed([[jobs]]).includes("Jobs { peers: 0, queued: 0 }"), printed([[jobs]]));
});

test("a context, a socket's events and a proxy are printed in one line, and as JSON", async () => {
  const { world, context } = makeWorld();
  const proxy = new Proxy(new Router({ context }), new Dealer({ context }));
  assertEquals(printed(context), 'Context { sockets: 2, transports: ["inproc", "sim"], closed: false }');
  const { events } = proxy.frontEnd;
  events.on("bind", () => {});
  assertEquals(printed(events), 'Observer { listeners: ["bind"], waiting: 0, closed: false }');
  const none = { messages: 0, frames: 0, bytes: 0 };
  assertEquals(
    printed(proxy),
    'Proxy { frontEnd: "ROUTER", backEnd: "DEALER", frontToBack: { messages: 0, frames: 0, bytes: 0 }, ' +
      "backToFront: { messages: 0, frames: 0, bytes: 0 }, running: false, paused: false }",
  );
  assertEquals(JSON.parse(JSON.stringify([context, events, proxy])), [
    { sockets: 2, transports: ["inproc", "sim"], closed: false },
    { listeners: ["bind"], waiting: 0, closed: false },
    {
      frontEnd: "ROUTER",
      backEnd: "DEALER",
      frontToBack: none,
      backToFront: none,
      running: false,
      paused: false,
    },
  ]);
  context.close();
  await world.driveIdle();
  assertEquals(printed(context), 'Context { sockets: 0, transports: ["inproc", "sim"], closed: true }');
  assertEquals(printed(events), 'Observer { listeners: ["bind"], waiting: 0, closed: true }');
});

test("a long list is cut in the line", () => {
  const endpoints = Array.from({ length: 8 }, (_, index) => `e${index}`);
  assertEquals(
    lineOf("Push", { endpoints, none: undefined, empty: {}, nothing: null }),
    'Push { endpoints: ["e0", "e1", "e2", "e3", "e4", … 3 more], empty: {}, nothing: null }',
  );
});
