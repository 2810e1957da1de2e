import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { connectLog, openLog, startBroker } from "../../log.ts";
import type { Host } from "../../src/ports.ts";
import { Context } from "../../src/socket/context.ts";
import { Request } from "../../src/socket/types/request.ts";
import { Pair, Pull, Push } from "../../src/socket/sockets.ts";
import { World } from "../support/world.ts";

// What holds a process is counted in one place. A timer that held it by itself would be forgotten there: the process
// would live on for as long as somebody was ready to wait.

// A module that is being loaded is nothing that a virtual world could wait for.

/** A context whose timers are noted: how long each was to run, and whether it held the process. */
class Watched {
  readonly world: World = new World(1);
  readonly delays: Set<number> = new Set();
  readonly referenced: number[] = [];
  readonly context: Context;

  constructor() {
    const { host, network } = this.world;
    const watched: Host = {
      ...host,
      schedule: (delayMs, run, referenced) => {
        this.delays.add(delayMs);
        if (referenced) this.referenced.push(delayMs);
        return host.schedule(delayMs, run, referenced);
      },
    };
    this.context = new Context({ host: watched, transports: { sim: network } });
  }

  assertUnreferenced(...delays: number[]): void {
    for (const delayMs of delays) {
      assert(this.delays.has(delayMs), `no timer ran for ${delayMs} ms, but ${[...this.delays]}`);
    }
    assertEquals(this.referenced, []);
  }
}

/** Lets a wait end however it does. */
function forget(...promises: readonly Promise<unknown>[]): void {
  for (const promise of promises) promise.catch(() => {});
}

test("no timer of a socket holds the process: time-outs, attempts, lingers, handshakes, heartbeats", async () => {
  const watched = new Watched();
  const { world, context } = watched;
  for (const scheme of ["sim", "inproc"]) {
    const [linger, sendTimeout] = scheme === "sim" ? [1_003, 1_001] : [1_013, 1_011];
    const push = new Push({ context, linger, sendTimeout, sendHighWaterMark: 1, reconnectInterval: 1_007 });
    push.connect(`${scheme}://nobody`);
    forget(push.send("kept"), push.send("waits"));
    await world.driveFor(10);
    push.close();
  }
  const pull = new Pull({
    context,
    receiveTimeout: 1_002,
    heartbeatInterval: 1_006,
  });
  await world.driveTo(pull.bind("sim://here"));
  forget(pull.receive());
  const pair = new Pair({ context, linger: 1_004 });
  await world.driveTo(pair.bind("sim://pair"));
  const other = new Pair({ context, receiveHighWaterMark: 1 });
  other.connect("sim://pair");
  await world.driveTo(pair.ready());
  world.links.at(-1)!.configure({ blackholeChance: 1 });
  for (let i = 0; i < 100; i++) forget(pair.send(new Uint8Array(100_000)));
  pair.close();
  const push = new Push({ context });
  push.connect("sim://here");
  await world.driveTo(push.ready());
  const request = new Request({ context });
  forget(request.request("anybody?", { timeoutMs: 1_008 }));
  await world.driveFor(10);
  context.close();
  await world.driveFor(10_000);
  // All connections share one timer, which is first set for the end of a handshake.
  watched.assertUnreferenced(1_001, 1_002, 1_003, 1_004, 1_008, 1_011, 1_013, 30_000);
  assertEquals(world.holdsProcess, false);
});

test("no timer of the log holds the process: time-outs, links made again, publishers, the broker's own", async () => {
  const watched = new Watched();
  const { world, context } = watched;
  const times = { context, requestTimeoutMs: 1_001, closeTimeoutMs: 1_002 };
  forget(connectLog("sim://nobody", { ...times, connectTimeoutMs: 1_003, retryMs: 10 }));
  const broker = await world.driveTo(startBroker({ context, listen: ["sim://log"] }));
  for (const opening of [connectLog("sim://log", times), openLog(times)]) {
    const log = await world.driveTo(opening);
    const publisher = log.publisher("orders", { lingerMs: 1_004, resendTimeoutMs: 1_005 });
    await world.driveTo(publisher.publish("a record"));
    forget(publisher.publish("another"), log.status());
    await world.driveFor(100);
    forget(log.close());
    await world.driveFor(10);
  }
  await world.driveTo(broker.close());
  await world.driveFor(10_000);
  watched.assertUnreferenced(1_001, 1_002, 1_003, 1_004, 1_005);
});
