import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { Backoff } from "../../src/session/backoff.ts";

/** Chance that always falls on the same spot: 0 is the least, 1 all but the most. */
function chance(value: number): (into: Uint8Array) => void {
  const word = Math.min(65_535, Math.floor(value * 65_536));
  return (into) => into.set([word >> 8, word & 0xff]);
}

test("without a maximum each wait is the base and up to as much again", () => {
  for (const [value, expected] of [[0, 100], [0.5, 150], [1, 200]] as const) {
    const backoff = new Backoff(chance(value));
    for (let attempt = 0; attempt < 50; attempt++) {
      assert(Math.abs(backoff.nextMs(100, 0) - expected) < 0.01 * expected);
    }
  }
});

test("with a maximum the base doubles up to it; the second half of each wait is chance", () => {
  const least = new Backoff(chance(0));
  const most = new Backoff(chance(1));
  for (const grown of [100, 200, 400, 800, 1_000, 1_000]) {
    assertEquals(least.nextMs(100, 1_000), grown / 2);
    assert(Math.abs(most.nextMs(100, 1_000) - grown) < 0.01 * grown);
  }
});

test("a maximum below the base is the base's bound, and nothing overflows in a thousand attempts", () => {
  const backoff = new Backoff(chance(1));
  for (let attempt = 0; attempt < 1_000; attempt++) {
    const ms = backoff.nextMs(2_147_483_647, 50);
    assert(ms > 0 && ms <= 50, `${ms}`);
  }
  const large = new Backoff(chance(1));
  for (let attempt = 0; attempt < 1_000; attempt++) {
    const ms = large.nextMs(1, 2_147_483_647);
    assert(Number.isFinite(ms) && ms <= 2_147_483_647, `${ms}`);
  }
});

test("a peer that was there makes the next wait short again", () => {
  const backoff = new Backoff(chance(0));
  for (let attempt = 0; attempt < 5; attempt++) backoff.nextMs(100, 10_000);
  backoff.reset();
  assertEquals(backoff.nextMs(100, 10_000), 50);
});

test("a base of 0 waits for nothing", () => {
  assertEquals([new Backoff(chance(1)).nextMs(0, 0), new Backoff(chance(1)).nextMs(0, 100)], [0, 0]);
});
