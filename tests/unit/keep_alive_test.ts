import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { KeepAlive } from "../../src/session/keep_alive.ts";
import { World } from "../support/world.ts";

test("the host is held from the first hold until a moment after the last is released", () => {
  const world = new World(1);
  const keepAlive = new KeepAlive(world.host);
  assertEquals(world.keptAlive, false);
  keepAlive.hold();
  keepAlive.hold();
  keepAlive.release();
  world.runFor(1_000);
  assertEquals(world.keptAlive, true);
  keepAlive.release();
  assertEquals(world.keptAlive, true, "not at once");
  world.runFor(1_000);
  assertEquals(world.keptAlive, false);
});

test("a request loop, which holds and releases over and over, does not ask the host for each message", () => {
  const world = new World(2);
  let calls = 0;
  const host = { ...world.host, keepAlive: (on: boolean) => (calls++, world.host.keepAlive(on)) };
  const keepAlive = new KeepAlive(host);
  for (let round = 0; round < 1_000; round++) {
    keepAlive.hold();
    assertEquals(world.keptAlive, true);
    keepAlive.release();
    world.runFor(0.5);
  }
  world.runFor(100);
  assertEquals(world.keptAlive, false);
  assert(calls < 200, `${calls} calls for 1 000 messages`);
});

test("whoever holds while the last release is still waited for is not let go", () => {
  const world = new World(4);
  const keepAlive = new KeepAlive(world.host);
  keepAlive.hold();
  keepAlive.release();
  world.runFor(5);
  keepAlive.hold();
  world.runFor(1_000);
  assertEquals(world.keptAlive, true);
  keepAlive.release();
  world.runFor(1_000);
  assertEquals(world.keptAlive, false);
});

test("the timer that lets go does not itself hold the process", () => {
  const world = new World(3);
  const keepAlive = new KeepAlive(world.host);
  keepAlive.hold();
  keepAlive.release();
  world.host.keepAlive(false);
  assertEquals(world.holdsProcess, false);
});

test("when something is closed the host lets go at once, unless something else holds it, and no timer is left", () => {
  const world = new World(4);
  let timers = 0;
  const schedule: World["host"]["schedule"] = (delayMs, run, referenced) => {
    timers++;
    const cancel = world.host.schedule(delayMs, () => (timers--, run()), referenced);
    return () => (timers--, cancel());
  };
  const keepAlive = new KeepAlive({ ...world.host, schedule });
  keepAlive.hold();
  keepAlive.hold();
  keepAlive.release();
  keepAlive.settle();
  assertEquals(world.keptAlive, true);
  keepAlive.release();
  assertEquals([world.keptAlive, timers], [true, 1]);
  keepAlive.settle();
  assertEquals([world.keptAlive, timers], [false, 0]);
  keepAlive.hold();
  assertEquals(world.keptAlive, true);
});
