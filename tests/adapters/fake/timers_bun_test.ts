// runtimes: bun
// Bun's fake timers are inside of the runtime: `setTimeout` and every clock stand still, also those that were taken before. So a
// program under them has no time-outs and makes no lost connection again; messages flow all the same.
import { test } from "node:test";
import { exchange, waitForTimers } from "./timers_scene.ts";

interface BunTest {
  readonly jest: { useFakeTimers(): void; useRealTimers(): void };
}

// Not known to the compiler, which has no types of Bun.
const module: string = "bun:test";
const { jest } = await import(module) as BunTest;

test("a default context that is made under bun test's fake timers works", async () => {
  jest.useFakeTimers();
  try {
    await exchange();
  } finally {
    jest.useRealTimers();
  }
});

test("and works on under real timers, and its timers run", async () => {
  await exchange();
  await waitForTimers();
});
