import { test } from "node:test";
import { rmSync } from "node:fs";
import { loadAdapter } from "../../../adapters/detect.ts";
import { createHost } from "../../../adapters/host.ts";
import { Context } from "../../../src/socket/context.ts";
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import {
  type BrokerServer,
  type BrokerServerOptions,
  connectLog,
  type ConnectOptions,
  type Log,
  LogError,
  type LogEvent,
  openLog,
  startBroker,
} from "../../../log.ts";
import {
  freshFolder,
  logCodeOf,
  logErrorOf,
  nextEvent,
  take,
  takeTexts,
  textOf,
  values,
} from "./client_places.ts";
import { freshPath } from "../support.ts";

/** Runs `use` with a folder that is gone afterwards. */
async function withFolder(use: (dir: string) => Promise<void>): Promise<void> {
  const dir = freshFolder();
  try {
    await use(dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** A broker that goes and comes again at the same place. */
class Server implements AsyncDisposable {
  readonly #dir: string | undefined;
  #broker: BrokerServer;

  constructor(broker: BrokerServer, dir: string | undefined) {
    this.#broker = broker;
    this.#dir = dir;
  }

  static async start(dir?: string): Promise<Server> {
    // Nobody else can take the place while the broker is away.
    return new Server(await startBroker({ listen: [`ipc://${freshPath()}`], dir }), dir);
  }

  get endpoints(): readonly string[] {
    return this.#broker.endpoints;
  }

  connect(options: ConnectOptions = {}): Promise<Log> {
    return connectLog(this.endpoints, { retryMs: 1, retryMaxMs: 20, ...options });
  }

  /** Resolves when `logs` have noticed. */
  async stop(...logs: readonly Log[]): Promise<void> {
    const gone = Promise.all(logs.map((log) => nextEvent(log, "disconnected")));
    await this.#broker.close();
    await gone;
  }

  async startAgain(options: BrokerServerOptions = {}): Promise<void> {
    this.#broker = await startBroker({ ...options, listen: this.endpoints, dir: this.#dir });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#broker.close();
  }
}

test("a named publisher goes on behind the last sequence that is in the log, after the broker has gone and come again", () =>
  withFolder(async (dir) => {
    const job = async (log: Log, from: bigint, to: bigint): Promise<void> => {
      await using publisher = log.publisher("t", { name: "importer", batchBytes: 64 });
      const { lastSequence, epoch } = await publisher.opened();
      assertEquals(lastSequence, from === 0n ? undefined : from - 1n);
      assertEquals(publisher.lastSequence, lastSequence);
      assert(epoch > 0);
      for (let sequence = from; sequence < to; sequence++) {
        void publisher.publish(`value ${sequence}`, { sequence });
      }
      assertEquals(publisher.lastSequence, to - 1n);
      for (const sequence of [0n, to - 1n]) {
        assertEquals(await logCodeOf(publisher.publish("again", { sequence })), "ERR_LOG_SEQUENCE");
        assertThrows(() => publisher.tryPublish("again", { sequence }), LogError, "the last one was");
      }
    };
    for (const [from, to] of [[0n, 20n], [20n, 21n], [21n, 60n]] as const) {
      await using log = await openLog({ dir });
      await job(log, from, to);
    }
    await using broker = await Server.start(dir);
    await using log = await broker.connect();
    await job(log, 60n, 70n);
    const records = await take(log.subscribe("t", { from: "earliest" }), 70);
    assertEquals(records.map(textOf), values(70));
  }));

test("a publisher's name is exclusive: a newcomer ends the one before it, which is told", () =>
  withFolder(async (dir) => {
    await using broker = await Server.start(dir);
    await using one = await broker.connect();
    await using other = await broker.connect();
    const older = one.publisher("t", { name: "job" });
    await older.publish("a", { sequence: 1n });
    const event = nextEvent(one, "superseded");
    const newer = other.publisher("t", { name: "job" });
    const { lastSequence } = await newer.opened();
    assertEquals(lastSequence, 1n);
    const { topic, name } = await event;
    assertEquals([topic, name], ["t", "job"]);
    const late = [older.publish("b"), older.waitWritable(), older.opened()];
    for (const code of late.map(logCodeOf)) assertEquals(await code, "ERR_LOG_SUPERSEDED");
    assertThrows(() => older.tryPublish("b"), LogError, "took over");
    // All that it had published is in the log.
    await older.flush();
    await older.close();
    assertEquals(await newer.publish("b", { sequence: 2n }), { position: 1n });
  }));

test("a broker that goes and comes again while a client publishes, reads and commits: everything once, without help", () =>
  withFolder(async (dir) => {
    await using broker = await Server.start(dir);
    await using log = await broker.connect();
    await log.openTopic("t");
    const events: LogEvent["type"][] = [];
    for (const type of ["connected", "disconnected", "acknowledgedLost", "fenced", "refused"] as const) {
      log.on(type, (event) => events.push(event.type));
    }
    const total = 600;
    const publisher = log.publisher("t", { batchBytes: 256, windowBytes: 4_096 });
    const reader = log.subscribe("t", { from: "earliest" });
    const consumer = log.consumer("t", "billing");
    const positions: (bigint | undefined)[] = [];
    const publishing = (async (): Promise<void> => {
      for (let at = 0; at < total; at += 20) {
        const published = values(20, at).map((value) => publisher.publish(value));
        positions.push(...(await Promise.all(published)).map(({ position }) => position));
      }
    })();
    const readFirst = takeTexts(reader, total / 3);
    for (let round = 1; round <= 3; round++) {
      while (positions.length < round * total / 6) await log.status();
      await broker.stop(log);
      const connected = nextEvent(log, "connected");
      await broker.startAgain();
      await connected;
    }
    await publishing;
    assertEquals(positions, values(total).map((_, index) => BigInt(index)));
    const texts = [...await readFirst, ...await takeTexts(reader, total - total / 3)];
    assertEquals(texts, values(total));
    const half = await takeTexts(consumer, total / 2);
    assertEquals(half, values(total / 2));
    const committed = consumer.commit();
    await broker.stop(log);
    await broker.startAgain();
    await committed;
    assertEquals(await consumer.lag(), BigInt(total / 2));
    assertEquals(await takeTexts(consumer, total / 2), values(total / 2, total / 2));
    assertEquals(events.filter((type) => type !== "connected" && type !== "disconnected"), []);
  }));

test("what a log in memory had acknowledged is gone with its broker, and publishers say so", async () => {
  await using broker = await Server.start();
  await using log = await broker.connect();
  const publisher = log.publisher("t", { batchBytes: 64 });
  for (const value of values(5)) await publisher.publish(value);
  const lost = nextEvent(log, "acknowledgedLost");
  await broker.stop(log);
  const pending = publisher.publish("after");
  await broker.startAgain();
  const { topic, batches, error } = await lost;
  assertEquals([topic, batches, (error as LogError).code], ["t", 5, "ERR_LOG_ACKNOWLEDGED_LOST"]);
  assertEquals(await pending, { position: 0n });
});

test("questions are asked again when the broker is back, and say within which time they were not answered", async () => {
  await using broker = await Server.start();
  await using log = await broker.connect();
  await using hasty = await broker.connect({ requestTimeoutMs: 1 });
  await broker.stop(log, hasty);
  const opened = log.openTopic("t");
  const late = hasty.openTopic("t");
  const error = await late.catch((error: LogError) => error);
  assert(error instanceof LogError);
  assertEquals([error.code, error.message], ["ERR_LOG_TIMEOUT", "The broker did not answer within 1 ms"]);
  await broker.startAgain();
  assertEquals((await opened).topic, "t");
});

test("of several endpoints the one that answers is taken", async () => {
  await using broker = await Server.start();
  const [endpoint] = broker.endpoints;
  await using log = await connectLog(["tcp://127.0.0.1:9", "ipc:///nowhere/at/all", endpoint!], {
    retryMs: 1,
  });
  assertEquals((await log.status()).brokerId, 0);
});

test("a client that reaches no broker in time says why the last attempt came to nothing", async () => {
  const { transports } = await loadAdapter();
  const tcp = transports.get("tcp")!;
  const host = createHost();
  const timeoutMs = 600_000;
  let timeout = (): void => {};
  let dials = 0;
  const context = new Context({
    // Time runs out when several attempts were made, however long that takes.
    host: {
      ...host,
      schedule: (delayMs, run, referenced) => {
        if (delayMs !== timeoutMs) return host.schedule(delayMs, run, referenced);
        timeout = run;
        return () => {};
      },
    },
    transports: {
      tcp: {
        ...tcp,
        dial: (address, options) => {
          if (++dials === 12) host.microtask(timeout);
          return tcp.dial(address, options);
        },
      },
    },
  });
  const endpoints = ["tcp://127.0.0.1:9", "tcp://127.0.0.1:10"];
  const error = await logErrorOf(
    connectLog(endpoints, { context, connectTimeoutMs: timeoutMs, retryMs: 1, retryMaxMs: 10 }),
  );
  assertEquals([error.code, error.cause instanceof Error], ["ERR_LOG_DISCONNECTED", true]);
  assertMatch(error.message, /^Cannot reach the broker within 600000 ms: /);
});

test("what a broker with smaller batches cannot take is rejected, told as an event, and held up by nothing", async () => {
  await using broker = await Server.start();
  await using log = await broker.connect();
  const publisher = log.publisher("t", { batchBytes: 1_024 });
  await publisher.opened();
  await broker.stop(log);
  const refused = nextEvent(log, "refused");
  const before = publisher.publish("before");
  const large = publisher.publish(new Uint8Array(100_000));
  const after = publisher.publish("after");
  const code = logCodeOf(large);
  const flushed = logCodeOf(publisher.flush());
  await broker.startAgain({ stagingBufferBytes: 4_096 });
  assertEquals(await code, "ERR_LOG_BATCH_TOO_LARGE");
  assertEquals(await flushed, "ERR_LOG_BATCH_TOO_LARGE");
  const { topic, records } = await refused;
  assertEquals([topic, records], ["t", 1]);
  assertEquals(await Promise.all([before, after]), [{ position: 0n }, { position: 1n }]);
  await publisher.flush();
  const { acknowledged, refused: never, submitted } = publisher.progress();
  assertEquals([acknowledged, never, submitted], [2, 1, 3]);
  assertEquals(await logCodeOf(publisher.publish(new Uint8Array(100_000))), "ERR_LOG_BATCH_TOO_LARGE");
  assertEquals(await publisher.publish("still"), { position: 2n });
});

test("where clients make no topics, publishing to one that is not there is refused, and reading waits for it", async () => {
  await using broker = await startBroker({
    listen: [`ipc://${freshPath()}`],
    autoCreateTopics: false,
    topics: { there: { order: 2 } },
  });
  await using log = await connectLog(broker.endpoints);
  assertEquals(await log.publisher("there").publish("x"), { position: 0n });
  const publisher = log.publisher("missing");
  const codes = [
    publisher.publish("x"),
    publisher.opened(),
    log.openTopic("missing"),
    log.trim("missing", 0n),
  ];
  for (const code of codes.map(logCodeOf)) assertEquals(await code, "ERR_LOG_TOPIC");
  const waiting = log.subscribe("missing");
  const next = waiting[Symbol.asyncIterator]().next();
  assertEquals((await log.status()).topics.map(({ name }) => name), ["there"]);
  await waiting.close();
  assertEquals((await next).done, true);
});

test("a topic with all the sessions that it remembers refuses one more, and says so", async () => {
  await using broker = await startBroker({ listen: [`ipc://${freshPath()}`], sessionsMax: 2 });
  await using log = await connectLog(broker.endpoints);
  const names = ["a", "b"];
  for (const name of names) await log.publisher("t", { name }).publish(name);
  assertEquals(await logCodeOf(log.publisher("t", { name: "c" }).publish("c")), "ERR_LOG_SESSIONS");
  for (const name of names) await log.publisher("t", { name }).publish(name);
  assertEquals((await log.openTopic("t")).tail, 4n);
});
