import { test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { Deadlines, type Timed } from "../../src/engine/deadlines.ts";
import type { Host } from "../../src/ports.ts";
import { Random } from "../support/random.ts";

/** A clock that the test moves, and the timers that were set on it. */
class Clock {
  nowMs = 0;
  /** How often a timer was set. */
  set = 0;
  readonly timers: Set<{ readonly atMs: number; readonly run: () => void }> = new Set();
  readonly host: Host = {
    nowMs: () => this.nowMs,
    schedule: (delayMs: number, run: () => void, referenced: boolean) => {
      assertEquals([referenced, Number.isInteger(delayMs)], [false, true]);
      this.set++;
      const timer = { atMs: this.nowMs + delayMs, run };
      this.timers.add(timer);
      return () => void this.timers.delete(timer);
    },
  } as unknown as Host;

  /** Runs every timer up to `ms`. */
  runTo(ms: number): void {
    for (;;) {
      const [next] = [...this.timers].sort((a, b) => a.atMs - b.atMs);
      if (next === undefined || next.atMs > ms) break;
      this.timers.delete(next);
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.run();
    }
    this.nowMs = ms;
  }
}

class Item implements Timed {
  deadlineIndex = -1;
  readonly reachedMs: number[] = [];
  readonly #clock: Clock;
  readonly #then: () => void;

  constructor(clock: Clock, then: () => void = () => {}) {
    this.#clock = clock;
    this.#then = then;
  }

  deadlineReached(): void {
    this.reachedMs.push(this.#clock.nowMs);
    this.#then();
  }
}

test("however many wait, the host has one timer, and none when nobody waits", () => {
  const clock = new Clock();
  const deadlines = new Deadlines(clock.host);
  const items = Array.from({ length: 1_000 }, () => new Item(clock));
  items.forEach((item, index) => deadlines.set(item, 30_000 + index / 10));
  assertEquals([clock.timers.size, clock.set], [1, 1]);
  for (const item of items) deadlines.remove(item);
  assertEquals([clock.timers.size, clock.set], [0, 1]);
  assertEquals(items.map((item) => deadlines.of(item)), items.map(() => Infinity));
  clock.runTo(60_000);
  assertEquals(items.flatMap((item) => item.reachedMs), []);
});

test("each has its turn once, in order, at its deadline or less than a millisecond after it", () => {
  const clock = new Clock();
  const deadlines = new Deadlines(clock.host);
  const random = new Random(7);
  const wanted = new Map<Item, number>();
  const items = Array.from({ length: 200 }, () => new Item(clock));
  for (let step = 0; step < 5_000; step++) {
    const item = random.pick(items);
    const before = deadlines.of(item);
    assertEquals(before, wanted.get(item) ?? Infinity);
    const atMs = random.chance(0.3) ? Infinity : clock.nowMs + random.integer(0, 500) + 0.5;
    deadlines.set(item, atMs);
    if (atMs === Infinity) wanted.delete(item);
    else wanted.set(item, atMs);
    if (!random.chance(0.2)) continue;
    clock.runTo(clock.nowMs + random.integer(0, 40));
    for (const each of items) {
      const atMs = wanted.get(each) ?? Infinity;
      const [reachedMs] = each.reachedMs.splice(0);
      if (reachedMs === undefined) {
        assert(atMs + 1 > clock.nowMs, `a deadline of ${atMs} was missed at ${clock.nowMs}`);
        continue;
      }
      assert(reachedMs >= atMs && reachedMs < atMs + 1, `${atMs} was reached at ${reachedMs}`);
      wanted.delete(each);
    }
    assertEquals(clock.timers.size <= 1, true);
  }
});

test("who asks for a deadline that has passed waits for the next timer, and holds up nobody", () => {
  const clock = new Clock();
  const deadlines = new Deadlines(clock.host);
  let again = 3;
  const eager: Item = new Item(clock, () => {
    if (again-- > 0) deadlines.set(eager, 0);
  });
  const other = new Item(clock);
  deadlines.set(eager, 5);
  deadlines.set(other, 5);
  clock.runTo(5);
  assertEquals([eager.reachedMs.length, other.reachedMs, clock.timers.size], [4, [5], 0]);
});

test("what throws at its deadline leaves the others theirs", () => {
  const clock = new Clock();
  const deadlines = new Deadlines(clock.host);
  const faulty = new Item(clock, () => {
    throw new Error("planted");
  });
  const others = [new Item(clock), new Item(clock)];
  deadlines.set(faulty, 5);
  for (const other of others) deadlines.set(other, 6);
  assertThrows(() => clock.runTo(10), Error, "planted");
  clock.runTo(10);
  assertEquals(others.map((other) => other.reachedMs), [[6], [6]]);
});

test("an earlier deadline sets the timer anew; a later one lets it fire early", () => {
  const clock = new Clock();
  const deadlines = new Deadlines(clock.host);
  const [first, second] = [new Item(clock), new Item(clock)];
  deadlines.set(first, 100);
  deadlines.set(second, 50);
  assertEquals([clock.set, clock.timers.size], [2, 1]);
  deadlines.set(second, 300);
  assertEquals([clock.set, clock.timers.size], [2, 1]);
  clock.runTo(99);
  assertEquals([first.reachedMs, second.reachedMs, clock.set], [[], [], 3]);
  clock.runTo(400);
  assertEquals([first.reachedMs, second.reachedMs], [[100], [300]]);
});
