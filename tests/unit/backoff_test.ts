import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { Backoff } from "../../src/session/backoff.ts";

/** Chance that always falls on the same spot: 0 is the least, 1 all but the most. */
function chance(value: number): (into: Uint8Array) => void {
  const word = Math.min(65_535, Math.floor(value * 65_536));
  return (into) => into.set([word >> 8, word & 0xff]);
}

/** Waits one after the other, each as long as it says, with nothing in between. */
function waits(backoff: Backoff, baseMs: number, maxMs: number, count: number): number[] {
  return Array.from({ length: count }, () => Math.round(backoff.nextMs(baseMs, maxMs, 0)));
}

test("without a maximum each wait is the interval and up to as much again", () => {
  for (const [value, expected] of [[0, 100], [0.5, 150], [1, 200]] as const) {
    assertEquals(waits(new Backoff(chance(value)), 100, 0, 50), Array(50).fill(expected));
  }
});

test("with a maximum the wait doubles, is never below the interval nor above the maximum, and always has chance in it", () => {
  assertEquals(waits(new Backoff(chance(0)), 100, 1_000, 6), [100, 200, 400, 500, 500, 500]);
  assertEquals(waits(new Backoff(chance(1)), 100, 1_000, 6), [200, 400, 800, 1_000, 1_000, 1_000]);
  assertEquals(waits(new Backoff(chance(0)), 100, 150, 3), [100, 100, 100]);
  assertEquals(waits(new Backoff(chance(1)), 100, 150, 3), [150, 150, 150]);
});

test("a maximum that is not above the interval is none, and nothing overflows in a thousand attempts", () => {
  assertEquals(waits(new Backoff(chance(0)), 100, 50, 3), [100, 100, 100]);
  assertEquals(waits(new Backoff(chance(1)), 100, 100, 3), [200, 200, 200]);
  for (const [baseMs, maxMs] of [[1, 2_147_483_647], [2_147_483_647, 0], [2_147_483_647, 1]] as const) {
    const backoff = new Backoff(chance(1));
    for (let attempt = 0; attempt < 1_000; attempt++) {
      backoff.connected(0);
      const ms = backoff.nextMs(baseMs, maxMs, 0);
      assert(ms >= baseMs && ms <= Math.max(maxMs, 2 * baseMs), `${ms}`);
    }
  }
});

test("a peer that was there for long makes the next wait short again, whatever came before", () => {
  const backoff = new Backoff(chance(0));
  waits(backoff, 100, 10_000, 5);
  backoff.connected(0);
  assertEquals(backoff.nextMs(100, 10_000, 30_000), 100);
  for (let turn = 0; turn < 5; turn++) {
    backoff.connected(0);
    backoff.nextMs(100, 10_000, 1_000);
  }
  backoff.connected(0);
  assertEquals(backoff.nextMs(100, 10_000, 30_000), 100);
  waits(backoff, 100, 10_000, 5);
  backoff.reset();
  assertEquals(backoff.nextMs(100, 10_000, 0), 100);
});

test("many connections in a row that do not last make the wait grow, with and without a maximum", () => {
  const backoff = new Backoff(chance(0));
  const grown: number[] = [];
  for (let turn = 0; turn < 11; turn++) {
    backoff.connected(0);
    grown.push(backoff.nextMs(100, 0, 29_999), backoff.nextMs(100, 0, 29_999));
  }
  const steps = [100, 100, 100, 200, 400, 800, 1_600, 3_200, 4_000, 4_000, 4_000];
  assertEquals(grown, steps.flatMap((step) => [step, step]));
  const bounded = new Backoff(chance(1));
  for (let turn = 0; turn < 9; turn++) {
    bounded.connected(0);
    assert(bounded.nextMs(100, 1_000, 1) <= 1_000);
  }
});
