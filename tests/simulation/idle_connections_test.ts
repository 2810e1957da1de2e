import { test } from "node:test";
import { assertEquals, assertLess } from "@std/assert";
import { Context } from "../../src/socket/context.ts";
import { Dealer, Router } from "../../src/socket/sockets.ts";
import { World } from "../support/world.ts";
import { Scene } from "./scene.ts";

// What must not grow with the number of connections that only wait, and what making one takes.

const CONNECTIONS = 40;

/** Timers of a context that are set, by what they were set for. */
class Timers {
  readonly world: World = new World(1);
  /** How often one was set. */
  count = 0;
  readonly outstanding: Set<number> = new Set();
  readonly context: Context;

  constructor() {
    const { host, network } = this.world;
    const schedule = (delayMs: number, run: () => void, referenced: boolean): () => void => {
      const id = this.count++;
      this.outstanding.add(id);
      const cancel = host.schedule(delayMs, () => {
        this.outstanding.delete(id);
        run();
      }, referenced);
      return () => {
        this.outstanding.delete(id);
        cancel();
      };
    };
    this.context = new Context({ host: { ...host, schedule }, transports: { sim: network } });
  }

  /** A Router with many peers, all connected. */
  async connect(options: { readonly heartbeatInterval?: number } = {}): Promise<Router> {
    const { context, world } = this;
    const router = new Router({ context, ...options });
    await world.driveTo(router.bind("sim://here"));
    for (let i = 0; i < CONNECTIONS; i++) new Dealer({ context, ...options }).connect("sim://here");
    await world.driveTo(router.ready({ peers: CONNECTIONS }));
    await world.driveFor(1_000);
    return router;
  }
}

test("connections that wait for nothing have no timer", async () => {
  const timers = new Timers();
  await timers.connect();
  assertEquals(timers.outstanding.size, 0);
  const { count } = timers;
  await timers.world.driveFor(3_600_000);
  assertEquals(timers.count, count);
  timers.context.close();
  await timers.world.driveFor(10_000);
  assertEquals(timers.outstanding.size, 0);
});

test("connections with heartbeats share one timer, and leave none", async () => {
  const timers = new Timers();
  const router = await timers.connect({ heartbeatInterval: 10_000 });
  assertEquals(timers.outstanding.size, 1);
  const { count } = timers;
  await timers.world.driveFor(100_000);
  assertEquals([router.peers.length, timers.outstanding.size], [CONNECTIONS, 1]);
  // Each connection waits for its next PING, and while one is out for the reply to it.
  assertLess(timers.count - count, 2 * 2 * 11 * CONNECTIONS);
  timers.context.close();
  await timers.world.driveFor(10_000);
  assertEquals(timers.outstanding.size, 0);
});

test("a handshake takes two writes of who dials and, if that one speaks at once, one of who accepts", async () => {
  const world = new World(2, { link: { lendChance: 0 } });
  const scene = new Scene(world);
  const { context } = scene;
  const router = scene.add(new Router({ context }));
  const dealer = scene.add(new Dealer({ context }));
  await scene.bind(router, "sim://here");
  dealer.connect("sim://here");
  await world.driveTo(Promise.all([router.ready(), dealer.ready()]));
  assertEquals(scene.taps.map(({ handed }) => handed.map(({ length }) => length)), [[64, 43], [64 + 43]]);
  await scene.end();
});
