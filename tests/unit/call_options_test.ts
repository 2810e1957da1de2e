import { test } from "node:test";
import { assert, assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import { Context as OwnContext } from "../../mod.ts";
import { MisuseError } from "../../src/errors.ts";
import { Context } from "../../src/socket/context.ts";
import { Request } from "../../src/socket/types/request.ts";
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
import { World } from "../support/world.ts";

// Every call that takes options refuses what it does not know, as constructors do, and every wait takes a signal and
// a time-out.

interface Scene {
  readonly world: World;
  readonly push: Push;
  readonly pull: Pull;
  readonly publisher: Publisher;
  readonly upstream: XPublisher;
  readonly router: Router;
  readonly request: Request;
  close(): void;
}

/** Sockets without peers: whatever they are asked to do waits. */
function makeScene(): Scene {
  const world = new World(1);
  const context = new Context({ host: world.host, transports: { sim: world.network } });
  return {
    world,
    push: new Push({ context }),
    pull: new Pull({ context }),
    publisher: new Publisher({ context }),
    upstream: new XPublisher({ context }),
    router: new Router({ context, mandatory: true }),
    request: new Request({ context }),
    close: () => context.close(),
  };
}

type Call = (scene: Scene, options: never) => Promise<unknown>;

/** Every call that waits; all of these wait for ever unless an option ends it. */
const WAITS: Readonly<Record<string, Call>> = {
  send: ({ push }, options) => push.send("x", options),
  "send of a Request": ({ request }, options) => request.send("x", options),
  waitWritable: ({ push }, options) => push.waitWritable(options),
  receive: ({ pull }, options) => pull.receive(options),
  waitReadable: ({ pull }, options) => pull.waitReadable(options),
  ready: ({ pull }, options) => pull.ready(options),
  "events.receive": ({ pull }, options) => pull.events.receive(options),
  subscribed: ({ publisher }, options) => publisher.subscribed("topic", options),
  "subscribed of an XPublisher": ({ upstream }, options) => upstream.subscribed("topic", options),
  request: ({ request }, options) => request.request("x", options),
};

/** Every call that has options. */
const CALLS: Readonly<Record<string, Call>> = {
  ...WAITS,
  "waitWritable of a Router": ({ router }, options) => router.waitWritable(options),
  "connect of a Router": connectRouter,
};

function connectRouter({ router }: Scene, options: never): Promise<unknown> {
  return Promise.resolve().then(() => router.connect("sim://x", options));
}

/** What is no object of options at all. */
const NO_OPTIONS: readonly unknown[] = [
  null,
  5,
  "5",
  true,
  [],
  new Map([["timeoutMs", 5]]),
  new AbortController().signal,
  new (class Options {
    readonly timeoutMs = 5;
  })(),
];

const BAD_SIGNALS: readonly unknown[] = [
  {},
  null,
  "signal",
  true,
  new AbortController(),
  { aborted: false, addEventListener(): void {} },
];

const BAD_TIMES: readonly unknown[] = [NaN, -2, -0.5, 2 ** 31, Infinity, "5", null, 5n, true];

async function refusal(run: () => Promise<unknown>): Promise<MisuseError> {
  const error = await run().then(() => undefined, (reason: unknown) => reason);
  assertInstanceOf(error, MisuseError);
  return error;
}

async function assertRefused(name: string, call: Call, options: unknown, ...texts: string[]): Promise<void> {
  const scene = makeScene();
  const error = await refusal(() => call(scene, options as never));
  assertEquals(error.code, "ERR_OPTION", `${name}: ${error.message}`);
  for (const text of texts) assertStringIncludes(error.message, text, name);
  // Nothing is left that could not be ended.
  scene.close();
}

for (const [name, call] of Object.entries(CALLS)) {
  test(`${name} refuses options that are none, and names that it does not know`, async () => {
    for (const options of NO_OPTIONS) await assertRefused(name, call, options, "plain object");
    for (const known of ["timeout", "Signal", "toString", "__proto__"]) {
      await assertRefused(name, call, JSON.parse(`{ "${known}": 1 }`), `"${known}"`);
    }
  });
}

for (const [name, call] of Object.entries(WAITS)) {
  test(`${name} refuses a signal that is none and a time-out that is none, and the socket can be closed`, async () => {
    for (const signal of BAD_SIGNALS) {
      await assertRefused(name, call, { signal }, '"signal"', "AbortSignal");
    }
    for (const timeoutMs of BAD_TIMES) {
      await assertRefused(name, call, { timeoutMs }, '"timeoutMs"', "milliseconds");
    }
  });

  test(`${name} waits as long as timeoutMs says`, async () => {
    const scene = makeScene();
    const code = name === "request" ? "ERR_TIMEOUT" : "ERR_AGAIN";
    for (const timeoutMs of [250, 0.5, 0]) {
      const beganMs = scene.world.nowMs;
      const error = await scene.world.driveTo(refusal(() => call(scene, { timeoutMs } as never)));
      assertEquals(error.code, code, error.message);
      const tookMs = scene.world.nowMs - beganMs;
      assert(tookMs >= timeoutMs && tookMs <= timeoutMs + 5, `${tookMs} ms instead of ${timeoutMs}`);
    }
    let ended = false;
    const waiting = call(scene, { timeoutMs: -1, signal: undefined } as never).finally(() => ended = true);
    const closed = waiting.then(() => undefined, (reason: MisuseError) => reason);
    await scene.world.driveFor(1_000_000);
    assertEquals(ended, false);
    scene.close();
    if (name === "events.receive") {
      assertEquals(await scene.world.driveTo(waiting), { type: "end", address: "" });
    } else assertEquals((await scene.world.driveTo(closed))?.code, "ERR_CLOSED");
  });

  test(`${name} rejects with an AbortError whose cause is the signal's reason`, async () => {
    const scene = makeScene();
    const reason = { because: "the user left" };
    for (const when of ["before", "meanwhile"]) {
      const controller = new AbortController();
      if (when === "before") controller.abort(reason);
      const refused = refusal(() => call(scene, { signal: controller.signal } as never));
      controller.abort(reason);
      const error = await scene.world.driveTo(refused);
      assertEquals([error.name, error.code], ["AbortError", "ERR_ABORTED"], when);
      assert(error.cause === reason, when);
    }
    scene.close();
  });
}

test("a call's own time-out takes the place of the socket's, whichever is longer", async () => {
  const { world, push, pull, close } = makeScene();
  push.sendTimeout = 100;
  pull.receiveTimeout = 100;
  for (
    const [run, timeoutMs] of [[push.send.bind(push, "x"), 10], [pull.receive.bind(pull), 1_000]] as const
  ) {
    const beganMs = world.nowMs;
    const error = await world.driveTo(refusal(() => run({ timeoutMs })));
    assertEquals(error.code, "ERR_AGAIN");
    assertStringIncludes(error.message, `${timeoutMs} ms`);
    assert(Math.abs(world.nowMs - beganMs - timeoutMs) < 5);
  }
  close();
});

test("options that some calls alone have are checked, too", async () => {
  const cases: readonly (readonly [string, Call, readonly unknown[]])[] = [
    ["peers", WAITS["ready"]!, [-1, 1.5, "2", null]],
    ["retries", WAITS["request"]!, [-1, 1.5, "2", Infinity]],
    ["routingId", connectRouter, [5, null, "", new Uint8Array(256), "x".repeat(256)]],
    ["routingId", ({ router }, options) => router.waitWritable(options), [5, null, "text"]],
    ["signal", ({ router }, options) => router.waitWritable(options), BAD_SIGNALS],
    ["timeoutMs", ({ router }, options) => router.waitWritable(options), BAD_TIMES],
  ];
  for (const [option, call, values] of cases) {
    for (const value of values) await assertRefused(option, call, { [option]: value }, `"${option}"`);
  }
});

test("numbers of messages and topics are checked", async () => {
  const scene = makeScene();
  const misuse = async (run: () => unknown): Promise<void> => {
    const error = await refusal(() => Promise.resolve().then(run));
    assertEquals(error.code, "ERR_OPTION", error.message);
  };
  // A batch of none would be delivered again and again.
  for (const max of [0, -1, 1.5, NaN, "5", {}]) await misuse(() => scene.pull.batches(max as number));
  for (const max of [-1, 1.5, NaN, "5", {}]) await misuse(() => scene.pull.receiveMany(max as number));
  assertEquals(scene.pull.receiveMany(0), []);
  const context = scene.pull.context;
  for (const topic of [5, null, ["news"], {}]) {
    await misuse(() => new Subscriber({ context }).subscribe(topic as string));
    await misuse(() => new Subscriber({ context }).unsubscribe(topic as string));
    await misuse(() => new XSubscriber({ context }).subscribe(topic as string));
    await misuse(() => new XPublisher({ context, manual: true }).subscribe(topic as string));
    await misuse(() => scene.publisher.subscribed(topic as string));
  }
  scene.close();
});

test("constructors refuse what are no options, a context that is none, and what a context does not know", async () => {
  const misuse = async (run: () => unknown, text: string): Promise<void> => {
    const error = await refusal(() => Promise.resolve().then(run));
    assertEquals(error.code, "ERR_OPTION", error.message);
    assertStringIncludes(error.message, text);
  };
  for (const options of NO_OPTIONS) {
    await misuse(() => new Push(options as object), "plain object");
    await misuse(() => new OwnContext(options as object), "plain object");
  }
  for (const context of [{}, null, 5]) await misuse(() => new Push({ context } as never), '"context"');
  await misuse(() => new OwnContext({ transport: {} } as never), '"transport"');
  await misuse(() => new OwnContext({ transports: new Map() } as never), '"transports"');
  await misuse(() => new OwnContext({ pendingTotalBytesMax: 0 }), '"pendingTotalBytesMax"');
});

test("connect of a socket that takes no options there refuses all, a Dealer's routingId as well", async () => {
  const { pull } = makeScene();
  const dealer = new Dealer({ context: pull.context });
  for (const options of [{ routingId: "me" }, { timeoutMs: 5 }, 5, null, "me"]) {
    const error = await refusal(() =>
      Promise.resolve().then(() => dealer.connect("sim://x", options as never))
    );
    assertEquals(error.code, "ERR_OPTION", error.message);
  }
  assertEquals(dealer.toJSON()["connected"], []);
});
