// runtimes: node
import { mock, test } from "node:test";
import { exchange, waitForTimers } from "./timers_scene.ts";

test("a default context that is made under node:test's fake timers works, and its timers run", async () => {
  mock.timers.enable({ apis: ["setInterval", "setTimeout", "setImmediate", "Date"] });
  try {
    await exchange();
    await waitForTimers();
  } finally {
    mock.timers.reset();
  }
});

test("and works on under real timers", async () => {
  await exchange();
  await waitForTimers();
});
