import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { CommandBudget } from "../../src/engine/command_budget.ts";

function spendAll(budget: CommandBudget, nowMs: number, most = 100_000): number {
  let spent = 0;
  while (spent < most && budget.spend(nowMs) === undefined) spent++;
  return spent;
}

test("a peer may send a second's commands at once, and no more", () => {
  const budget = new CommandBudget(10);
  assertEquals(spendAll(budget, 5_000), 10);
  assertEquals(budget.spend(5_000)?.code, "ERR_PEER_COMMAND_FLOOD");
});

test("the budget fills with time, and what is not used is saved", () => {
  const budget = new CommandBudget(10);
  spendAll(budget, 0);
  assertEquals(spendAll(budget, 1_500), 15);
  assertEquals(spendAll(budget, 61_500), 600);
});

test("no more than an hour is saved", () => {
  const budget = new CommandBudget(10);
  spendAll(budget, 0);
  assertEquals(spendAll(budget, 10 * 3_600_000), 36_000);
});
