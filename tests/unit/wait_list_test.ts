import { test } from "node:test";
import { assertEquals, assertRejects } from "@std/assert";
import { MisuseError } from "../../src/errors.ts";
import type { AbortSignalLike } from "../../src/ports.ts";
import { Runtime } from "../../src/session/runtime.ts";
import { WaitList } from "../../src/socket/wait_list.ts";
import { World } from "../support/world.ts";

function makeList(): { world: World; list: WaitList<string, string> } {
  const world = new World(1);
  return { world, list: new WaitList(new Runtime(world.host)) };
}

/** A signal that shows who listens. */
class ShownSignal implements AbortSignalLike {
  aborted = false;
  reason: unknown = undefined;
  readonly listeners: Set<() => void> = new Set();

  addEventListener(_type: "abort", listener: () => void): void {
    this.listeners.add(listener);
  }

  removeEventListener(_type: "abort", listener: () => void): void {
    this.listeners.delete(listener);
  }

  abort(reason: unknown): void {
    this.aborted = true;
    this.reason = reason;
    for (const listener of [...this.listeners]) listener();
  }
}

test("a wait holds the process as long as it lasts; its time-out alone does not", async () => {
  const { world, list } = makeList();
  const waiting = list.wait("a", { timeoutMs: 60_000 });
  assertEquals(world.keptAlive, true);
  world.host.keepAlive(false);
  assertEquals(world.holdsProcess, false, "a timer that holds the process would outlive the hold");
  world.host.keepAlive(true);
  list.first()!.resolve("done");
  assertEquals(await waiting, "done");
  world.runFor(100);
  assertEquals(world.holdsProcess, false);
});

test("two waits hold the process until the second has ended", async () => {
  const { world, list } = makeList();
  const waiting = ["a", "b"].map((task) => list.wait(task, {}));
  list.first()!.resolve("1");
  world.runFor(100);
  assertEquals(world.holdsProcess, true);
  list.first()!.resolve("2");
  world.runFor(100);
  assertEquals([world.holdsProcess, await Promise.all(waiting)], [false, ["1", "2"]]);
});

test("a wait that ended leaves no timer and no listener", async () => {
  const { world, list } = makeList();
  const signal = new ShownSignal();
  const waiting = list.wait("a", { timeoutMs: 60_000, signal });
  assertEquals(signal.listeners.size, 1);
  list.first()!.resolve("done");
  await waiting;
  assertEquals(signal.listeners.size, 0);
  world.runIdle();
  assertEquals(world.nowMs < 1_000, true, `a timer was left until ${world.nowMs} ms`);
});

test("a time-out of 0 ends the wait with the next timers, a negative one never", async () => {
  const { world, list } = makeList();
  const late = assertRejects(() => list.wait("now", { timeoutMs: 0 }), MisuseError);
  const patient = list.wait("ever", { timeoutMs: -1 });
  world.runFor(0);
  assertEquals((await late).code, "ERR_AGAIN");
  world.runFor(3_600_000);
  assertEquals([...list].map(({ task }) => task), ["ever"]);
  list.resolveAll("there");
  assertEquals(await patient, "there");
});

test("a wait ends once, however often and however differently it is ended", async () => {
  const { world, list } = makeList();
  const signal = new ShownSignal();
  let ended = 0;
  const waiting = list.wait("a", { timeoutMs: 10, signal }, () => ended++);
  const waiter = list.first()!;
  waiter.resolve("first");
  waiter.resolve("second");
  waiter.reject(new Error("third"));
  signal.abort("fourth");
  world.runFor(1_000);
  assertEquals([await waiting, ended, list.size, world.holdsProcess], ["first", 1, 0, false]);
});

test("an abort ends the one wait it belongs to, with the reason as its cause", async () => {
  const { list } = makeList();
  const signal = new ShownSignal();
  const aborted = assertRejects(() => list.wait("a", { signal }), MisuseError);
  const other = list.wait("b", {});
  signal.abort("enough");
  const error = await aborted;
  assertEquals([error.code, error.cause, list.size], ["ERR_ABORTED", "enough", 1]);
  const again = await assertRejects(() => list.wait("c", { signal }), MisuseError);
  assertEquals([again.code, list.size], ["ERR_ABORTED", 1]);
  list.resolveAll("done");
  assertEquals(await other, "done");
});
