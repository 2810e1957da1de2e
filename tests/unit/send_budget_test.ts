import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { Scheduler, type Task } from "../../src/engine/scheduler.ts";
import { SendBudget } from "../../src/socket/send_budget.ts";
import { World } from "../support/world.ts";

function makeBudget(): { world: World; budget: SendBudget; renewed: () => number } {
  const world = new World(1);
  let renewed = 0;
  const budget = new SendBudget(new Scheduler(world.host), () => void renewed++);
  return { world, budget, renewed: () => renewed };
}

test("a turn's budget is 4 096 messages or 1 MiB, whichever comes first", () => {
  const many = makeBudget().budget;
  let messages = 0;
  for (; !many.spent; messages++) many.spend(1);
  assertEquals(messages, 4_096);
  const large = makeBudget().budget;
  let bytes = 0;
  for (; !large.spent; bytes += 1_000) large.spend(1_000);
  assert(bytes >= 1_048_576 && bytes < 1_048_576 + 1_000, `${bytes} bytes`);
});

test("the end of the turn renews it, and tells so only if it was spent", () => {
  const { world, budget, renewed } = makeBudget();
  budget.spend(10);
  world.runFor(0);
  assertEquals([budget.spent, renewed()], [false, 0]);
  budget.spend(2_000_000);
  assert(budget.spent);
  world.runFor(0);
  assertEquals([budget.spent, renewed()], [false, 1]);
  world.runFor(10);
  assertEquals(renewed(), 1);
});

test("all who wait for the turn's end share one promise", async () => {
  const { world, budget } = makeBudget();
  budget.spend(2_000_000);
  const first = budget.nextTurn;
  assert(budget.nextTurn === first);
  await world.driveTo(first);
  budget.spend(2_000_000);
  assert(budget.nextTurn !== first, "the next turn has its own");
  await world.driveTo(budget.nextTurn);
});

test("a budget is spent by its last byte and its last message, and not before", () => {
  const bytes = makeBudget().budget;
  bytes.spend(1_048_575);
  assert(!bytes.spent);
  bytes.spend(1);
  assert(bytes.spent);
  const messages = makeBudget().budget;
  for (let i = 0; i < 4_095; i++) messages.spend(0);
  assert(!messages.spent);
  messages.spend(0);
  assert(messages.spent);
});

test("a turn's end is asked for once, however many messages the turn has, and for each turn anew", () => {
  let asked = 0;
  const tasks: Task[] = [];
  const scheduler = { afterTurn: (task: Task) => (asked++, tasks.push(task)) } as unknown as Scheduler;
  const budget = new SendBudget(scheduler, () => {});
  for (let turn = 1; turn <= 3; turn++) {
    for (let i = 0; i < 100; i++) budget.spend(1);
    assertEquals(asked, turn);
    tasks.pop()!.turnEnded();
  }
});

test("whoever waited for one turn's end is not told of the next one", () => {
  const { world, budget } = makeBudget();
  let ended = 0;
  budget.spend(1);
  void budget.nextTurn;
  world.runFor(0);
  const before = budget.nextTurn;
  void before.then(() => ended++);
  world.runFor(1_000);
  assertEquals(ended, 0, "nothing was sent, so no turn ends");
});
