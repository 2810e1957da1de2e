// runtimes: deno
// Deno's sanitizers fail a test that leaves a timer, an interval, an operation or a resource behind. Deno's own
// `Deno.test` switches them on; `node:test` on Deno always leaves them off.
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { assertEquals, assertRejects } from "@std/assert";
import { connectLog, type Log, openFileStores, openLog, startBroker } from "../../log.ts";
import {
  Context,
  Dealer,
  Proxy,
  Pull,
  Push,
  Reply,
  Request,
  Router,
  Subscriber,
  XPublisher,
} from "../../mod.ts";

interface SanitizedTest {
  readonly name: string;
  readonly sanitizeOps: true;
  readonly sanitizeResources: true;
  fn(): Promise<void>;
}

const { Deno } = globalThis as unknown as { readonly Deno: { test(options: SanitizedTest): void } };

function leavesNothing(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `${name}: nothing is left`, sanitizeOps: true, sanitizeResources: true, fn });
}

for (const endpoint of ["tcp://127.0.0.1:*", "ipc://*", "inproc://sanitized"]) {
  const scheme = endpoint.slice(0, endpoint.indexOf(":"));

  leavesNothing(`${scheme}: a message, then both ends are disposed of`, async () => {
    await using pull = new Pull();
    await using push = new Push();
    await pull.bind(endpoint);
    push.connect(pull.lastEndpoint!);
    await push.send("hello");
    assertEquals((await pull.receive()).length, 1);
  });

  leavesNothing(`${scheme}: close() of every socket, and their "end"`, async () => {
    const [reply, request] = [new Reply(), new Request({ heartbeatInterval: 1_000 })];
    const ends = [reply, request].map((socket) =>
      new Promise<void>((resolve) => void socket.events.on("end", () => resolve()))
    );
    await reply.bind(endpoint);
    request.connect(reply.lastEndpoint!);
    const answer = request.request("question", { timeoutMs: 60_000 });
    await reply.receive();
    await reply.send("answer");
    await answer;
    request.close();
    reply.close();
    await Promise.all(ends);
  });

  leavesNothing(`${scheme}: waits that end with the socket`, async () => {
    const pull = new Pull({ receiveTimeout: 60_000 });
    await pull.bind(endpoint);
    const waits = [pull.receive(), pull.ready({ peers: 2 }), pull.waitReadable()];
    const events = (async () => {
      for await (const event of pull.events) if (event.type === "end") return;
    })();
    const ended = pull[Symbol.asyncDispose]();
    for (const wait of waits) await assertRejects(() => wait, Error, "closed");
    await events;
    await ended;
  });
}

leavesNothing("a subscriber and a publisher of a context of their own", async () => {
  const context = new Context();
  const publisher = new XPublisher({ context, heartbeatInterval: 1_000 });
  const subscriber = new Subscriber({ context, heartbeatInterval: 1_000 });
  await publisher.bind("tcp://127.0.0.1:*");
  subscriber.connect(publisher.lastEndpoint!);
  subscriber.subscribe("");
  await publisher.receive();
  const message = subscriber.receive();
  await publisher.send("news");
  await message;
  await Promise.all([publisher[Symbol.asyncDispose](), subscriber[Symbol.asyncDispose]()]);
});

leavesNothing("sockets that close while they connect, back off, shake hands or linger", async () => {
  const silent = createServer((socket) => void socket.on("error", () => {}).resume());
  await new Promise<void>((resolve) => void silent.listen(0, "127.0.0.1", resolve));
  const { port } = silent.address() as { port: number };
  const connecting = new Push({ connectTimeout: 60_000 });
  connecting.connect(`tcp://127.0.0.1:${port}`);
  const shaking = new Push();
  shaking.connect(`tcp://127.0.0.1:${port}`);
  await new Promise<void>((resolve) => void shaking.events.on("connect", () => resolve()));
  const waiting = new Push({ reconnectInterval: 60_000 });
  waiting.connect("ipc:///tmp/hawser-nobody-is-here");
  await new Promise<void>((resolve) => void waiting.events.on("connect:retry", () => resolve()));
  const lingering = new Push({ linger: 20 });
  lingering.connect("ipc:///tmp/hawser-nobody-is-here");
  await lingering.send("to nobody");
  for (const socket of [connecting, shaking, waiting, lingering]) await socket[Symbol.asyncDispose]();
  await new Promise<void>((resolve) => void silent.close(() => resolve()));
});

leavesNothing("a proxy that is terminated", async () => {
  const proxy = new Proxy(new Router(), new Dealer());
  await proxy.frontEnd.bind("inproc://sanitized-front");
  await proxy.backEnd.bind("inproc://sanitized-back");
  const done = proxy.run();
  proxy.terminate();
  await done;
  await proxy.frontEnd[Symbol.asyncDispose]();
  await proxy.backEnd[Symbol.asyncDispose]();
});

/** Uses everything of a log that has timers, and closes it. */
async function useAndClose(log: Log): Promise<void> {
  const named = log.publisher("orders", { name: "shop" });
  await named.publish("one");
  const lazy = log.publisher("orders", { lingerMs: 60_000 });
  const published = lazy.publish("two");
  await lazy.flush();
  await published;
  const subscription = log.subscribe("orders", { from: "earliest" });
  const consumer = log.consumer("orders", "accounting");
  let records = 0;
  for await (const _record of subscription) if (++records === 2) break;
  for await (const record of consumer) {
    await consumer.commit(record.position);
    break;
  }
  await log.status();
  await log.close();
}

leavesNothing("openLog in memory", async () => {
  await useAndClose(await openLog());
});

for (const durability of ["machine", "process"] as const) {
  leavesNothing(`openLog in files, durability ${durability}`, async () => {
    const dir = mkdtempSync(`${tmpdir()}/hawser-sanitized-`);
    try {
      for (let round = 0; round < 2; round++) {
        await useAndClose(await openLog({ stores: await openFileStores({ dir, durability }) }));
      }
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
}

for (const listen of ["tcp://127.0.0.1:*", "ipc://*"]) {
  leavesNothing(`startBroker and connectLog, ${listen}`, async () => {
    const broker = await startBroker({ listen: [listen] });
    await useAndClose(await connectLog(broker.endpoints));
    await broker.close();
  });

  leavesNothing(`a broker that closes before its clients, ${listen}`, async () => {
    const broker = await startBroker({ listen: [listen] });
    const log = await connectLog(broker.endpoints);
    await log.openTopic("orders");
    await broker.close();
    await log.close();
  });
}

leavesNothing("connectLog that reaches nobody", async () => {
  await assertRejects(() => connectLog("ipc:///tmp/hawser-nobody-is-here", { connectTimeoutMs: 20 }));
});
