import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { exchange, waitForTimers } from "./timers_scene.ts";

/** Everything that tells time or defers a call. A fake of it does nothing, ever, and its clock stands still. */
const NAMES = [
  "setTimeout",
  "clearTimeout",
  "setInterval",
  "clearInterval",
  "setImmediate",
  "clearImmediate",
  "queueMicrotask",
  "MessageChannel",
  "Date",
  "performance",
] as const;

/** Replaces the globals, as `FakeTime` and its like do, and puts them back. */
async function withFakes(run: () => Promise<void>): Promise<void> {
  const globals = globalThis as unknown as Record<string, unknown>;
  const real = NAMES.map((name) => Object.getOwnPropertyDescriptor(globals, name)!);
  let called = 0;
  // Called as a function, as a constructor or for its `now`.
  const fake = Object.assign(function () {
    called++;
  }, { now: () => called++ });
  for (const name of NAMES) {
    Object.defineProperty(globals, name, { value: fake, writable: true, configurable: true });
  }
  try {
    await run();
  } finally {
    for (const [i, name] of NAMES.entries()) Object.defineProperty(globals, name, real[i]!);
  }
  assertEquals(called, 0, "a clock was looked up while fake ones were there");
}

test("a default context that is made under fake timers works, and its timers run", async () => {
  await withFakes(async () => {
    await exchange();
    await waitForTimers();
  });
});

test("and works on under real timers", async () => {
  await exchange();
  await waitForTimers();
});
