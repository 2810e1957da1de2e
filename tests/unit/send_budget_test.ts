import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { Scheduler } from "../../src/engine/scheduler.ts";
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
