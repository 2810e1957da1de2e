import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { Scheduler, type Task } from "../../src/engine/scheduler.ts";
import { World } from "../support/world.ts";

function makeTask(log: string[], name: string, more: Partial<Task> = {}): Task {
  return {
    callbackEnded(): void {
      log.push(`${name} callback`);
      more.callbackEnded?.();
    },
    turnEnded(): void {
      log.push(`${name} turn`);
      more.turnEnded?.();
    },
  };
}

test("tasks run in order: at the end of the callback, then at the end of the turn", () => {
  const world = new World(1);
  const log: string[] = [];
  const scheduler = new Scheduler(world.host);
  const [a, b] = [makeTask(log, "a"), makeTask(log, "b")];
  scheduler.afterTurn(a);
  scheduler.afterCallback(b);
  scheduler.afterCallback(a);
  scheduler.afterTurn(b);
  assertEquals(log, []);
  world.runFor(0);
  assertEquals(log, ["b callback", "a callback", "a turn", "b turn"]);
});

test("however many tasks there are, the host is asked once for each walk", () => {
  const world = new World(2);
  let asked = 0;
  const host = {
    ...world.host,
    microtask: (run: () => void) => (asked++, world.host.microtask(run)),
    turn: (run: () => void) => (asked++, world.host.turn(run)),
  };
  const scheduler = new Scheduler(host);
  const log: string[] = [];
  for (let i = 0; i < 100; i++) {
    scheduler.afterCallback(makeTask(log, `${i}`));
    scheduler.afterTurn(makeTask(log, `${i}`));
  }
  world.runFor(0);
  assertEquals([asked, log.length], [2, 200]);
});

test("a task that is added during a walk runs in the next one", () => {
  const world = new World(3);
  const log: string[] = [];
  const scheduler = new Scheduler(world.host);
  const late = makeTask(log, "late");
  scheduler.afterTurn(makeTask(log, "first", { turnEnded: () => scheduler.afterTurn(late) }));
  scheduler.afterTurn(makeTask(log, "second"));
  scheduler.afterCallback(makeTask(log, "first", { callbackEnded: () => scheduler.afterCallback(late) }));
  world.runFor(0);
  assertEquals(log, ["first callback", "late callback", "first turn", "second turn", "late turn"]);
});

test("turns are counted where there was something to do", () => {
  const world = new World(4);
  const scheduler = new Scheduler(world.host);
  for (let turn = 1; turn <= 3; turn++) {
    scheduler.afterTurn(makeTask([], ""));
    world.runFor(1);
    assertEquals(scheduler.turns, turn);
  }
  world.runFor(100);
  assertEquals(scheduler.turns, 3);
});

test("connections that write after another one do so together: 32 at a time, the rest when the turn ends", () => {
  const world = new World(5);
  const scheduler = new Scheduler(world.host);
  const written: string[] = [];
  const turn: string[] = [];
  assert(!scheduler.wroteInTurn);
  scheduler.wrote();
  assert(scheduler.wroteInTurn);
  for (let i = 0; i < 40; i++) scheduler.afterBurst({ burstEnded: () => void written.push(`${i}`) });
  scheduler.afterTurn(makeTask(turn, "task"));
  world.host.microtask(() => turn.push(`${written.length} at the end of the callback`));
  world.runFor(0);
  assertEquals(turn, ["40 at the end of the callback", "task turn"]);
  assertEquals(written, Array.from({ length: 40 }, (_, i) => `${i}`));
  assert(!scheduler.wroteInTurn, "a new turn");
  for (let i = 0; i < 5; i++) scheduler.afterBurst({ burstEnded: () => void written.push(`few ${i}`) });
  scheduler.afterTurn(makeTask(turn, `${written.length} before`));
  world.host.microtask(() => assertEquals(written.length, 40, "five wait for more"));
  world.runFor(0);
  assertEquals([written.length, turn.at(-1)], [45, "40 before turn"]);
});

test("the end of a callback comes after all promise reactions in it where the host can tell", () => {
  const world = new World(6);
  const asked: string[] = [];
  const afterReactions = (run: () => void): void => {
    asked.push("after reactions");
    world.host.microtask(run);
  };
  const log: string[] = [];
  new Scheduler({ ...world.host, afterReactions }).afterCallback(makeTask(log, "task"));
  world.runFor(0);
  assertEquals([asked, log], [["after reactions"], ["task callback"]]);
});
