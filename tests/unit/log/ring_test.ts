import { test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "../../support/properties.ts";
import { MisuseError } from "../../../src/errors.ts";
import { Ring, type SlotWaiter } from "../../../src/log/ingest/ring.ts";

/** Reserves and publishes `count` values from `from` on. */
function fill(ring: Ring<number>, from: number, count: number): void {
  for (let value = from; value < from + count; value++) assert(ring.publish(ring.reserve(0), value));
}

function drain(ring: Ring<number>): number[] {
  const values: number[] = [];
  for (let value = ring.consume(); value !== undefined; value = ring.consume()) values.push(value);
  return values;
}

test("values come out in the order of their reservations, whatever the order of their publications", () => {
  const ring = new Ring<string>({ size: 3 });
  const [a, b, c] = [ring.reserve(0), ring.reserve(0), ring.reserve(0)];
  assertEquals([a, b, c], [0, 1, 2]);
  assert(ring.publish(c, "c"));
  assertEquals(ring.consume(), undefined);
  assert(ring.publish(a, "a"));
  assertEquals(ring.consume(), "a");
  assertEquals(ring.consume(), undefined, "b is reserved and not published");
  assert(ring.publish(b, "b"));
  assertEquals([ring.consume(), ring.consume(), ring.consume()], ["b", "c", undefined]);
  assertEquals([ring.next, ring.consumed, ring.inFlight], [3, 3, 0]);
});

test("a size below 1 is refused", () => {
  for (const size of [0, -1, 1.5, NaN, Infinity]) assertThrows(() => new Ring({ size }), MisuseError, "size");
});

test("indices never wrap, for every size over many laps", () => {
  for (let size = 1; size <= 9; size++) {
    const ring = new Ring<number>({ size });
    for (let value = 0; value < size * 50; value++) {
      assertEquals(ring.reserve(0), value);
      assert(ring.publish(value, value));
      if (ring.full) assertEquals(ring.consume(), ring.consumed - 1);
    }
  }
});

test("a retired slot is passed over, at the front at once, behind others when they were consumed", () => {
  const ring = new Ring<number>({ size: 4 });
  const [a, b, c] = [ring.reserve(0), ring.reserve(0), ring.reserve(0)];
  assert(ring.retire(a));
  assertEquals(ring.inFlight, 2, "the front slot is free without anybody consuming");
  assert(ring.retire(c));
  assertEquals(ring.inFlight, 2);
  assert(ring.publish(b, 1));
  assertEquals(ring.consume(), 1);
  assertEquals(ring.inFlight, 0);
  assertEquals(ring.retired, 2);
  assert(!ring.retire(a));
  assert(!ring.retire(b));
  assert(!ring.retire(7));
  assertEquals(ring.retired, 2);
});

test("a publication into a slot that is not the caller's is refused and counted, whatever became of it", () => {
  const ring = new Ring<number>({ size: 2 });
  assert(!ring.publish(0, 9), "never reserved");
  assert(!ring.publish(-1, 9), "what reserve answers of a full ring");
  const a = ring.reserve(0);
  assert(ring.publish(a, 1));
  assert(!ring.publish(a, 9), "published");
  const b = ring.reserve(0);
  ring.retire(b);
  assert(!ring.publish(b, 9), "retired");
  assertEquals(drain(ring), [1]);
  assert(!ring.publish(a, 9), "consumed");
  const c = ring.reserve(0);
  assertEquals(c % 2, a % 2);
  assert(!ring.publish(a, 9), "the same slot one lap later");
  assert(!ring.publish(c + 2, 9), "the same slot one lap ahead");
  assert(ring.publish(c, 2));
  assertEquals(drain(ring), [2]);
  assertEquals(ring.stalePublishes, 7);
});

test("claims that nobody publishes are retired when their time has come, oldest first", () => {
  const ring = new Ring<string>({ size: 8, claimTimeoutMs: 10 });
  assertEquals(ring.nextTimeoutMs, Infinity);
  const a = ring.reserve(100);
  const b = ring.reserve(103);
  const c = ring.reserve(103);
  const d = ring.reserve(105);
  assertEquals(ring.nextTimeoutMs, 110);
  ring.publish(a, "a");
  assertEquals(ring.nextTimeoutMs, 113);
  ring.publish(c, "c");
  assertEquals(ring.retireOlder(112.9), 0);
  assertEquals(ring.retireOlder(113), 1, "b");
  assert(!ring.publish(b, "late"));
  assertEquals([ring.consume(), ring.consume(), ring.consume()], ["a", "c", undefined]);
  assertEquals(ring.nextTimeoutMs, 115);
  assertEquals(ring.retireOlder(1_000), 1, "d");
  assert(!ring.publish(d, "late"));
  assertEquals([ring.inFlight, ring.nextTimeoutMs, ring.stalePublishes], [0, Infinity, 2]);
  assertEquals(new Ring({ size: 1 }).nextTimeoutMs, Infinity);
});

test("without a time-out no claim is ever retired by time", () => {
  const ring = new Ring<number>({ size: 1 });
  ring.reserve(0);
  assertEquals([ring.nextTimeoutMs, ring.retireOlder(Number.MAX_VALUE)], [Infinity, 0]);
});

test("congestion begins at 80 % and ends at 50 %", () => {
  for (const size of [1, 2, 5, 10, 64, 100]) {
    const ring = new Ring<number>({ size });
    let expected = false;
    for (let round = 0; round < 3; round++) {
      for (let inFlight = 1; inFlight <= size; inFlight++) {
        fill(ring, 0, 1);
        if (inFlight / size >= 0.8) expected = true;
        assertEquals(ring.congested, expected, `${inFlight} of ${size}`);
      }
      for (let inFlight = size - 1; inFlight >= 0; inFlight--) {
        ring.consume();
        if (inFlight / size <= 0.5) expected = false;
        assertEquals(ring.congested, expected, `${inFlight} of ${size}`);
      }
    }
  }
});

test("refusals and the greatest filling are counted", () => {
  const ring = new Ring<number>({ size: 2 });
  fill(ring, 0, 1);
  drain(ring);
  assertEquals([ring.fullCount, ring.highWater], [0, 1]);
  fill(ring, 0, 2);
  assertEquals([ring.reserve(0), ring.reserve(0)], [-1, -1]);
  assertEquals([ring.fullCount, ring.highWater], [2, 2]);
});

test("who waits is woken in order, until one is not done", () => {
  const ring = new Ring<string>({ size: 2 });
  const log: string[] = [];
  const waiter = (name: string): SlotWaiter => ({
    slotFreed(): boolean {
      const index = ring.reserve(0);
      log.push(`${name}${index < 0 ? "-" : "+"}`);
      return index >= 0 && ring.publish(index, name);
    },
  });
  ring.publish(ring.reserve(0), "x");
  ring.publish(ring.reserve(0), "y");
  const [a, b, c] = [waiter("a"), waiter("b"), waiter("c")];
  for (const who of [a, b, a, c]) ring.wait(who);
  assertEquals(ring.waiting, 3);
  ring.wake();
  assertEquals(log, ["a-"]);
  ring.consume();
  assertEquals(log, ["a-"], "consuming wakes nobody");
  ring.wake();
  assertEquals(log, ["a-", "a+", "b-"]);
  assertEquals([ring.consume(), ring.consume()], ["y", "a"]);
  ring.forget(b);
  ring.wake();
  assertEquals(log, ["a-", "a+", "b-", "c+"]);
  assertEquals([ring.consume(), ring.waiting], ["c", 0]);
  ring.wake();
  assertEquals(log.length, 4);
});

test("a waiter that wakes, waits and consumes from inside is served once and in its turn", () => {
  const ring = new Ring<string>({ size: 1 });
  const log: string[] = [];
  const late: SlotWaiter = { slotFreed: () => log.push("late") > 0 };
  const first: SlotWaiter = {
    slotFreed(): boolean {
      log.push("first");
      ring.wait(late);
      ring.wait(first);
      ring.wake();
      return true;
    },
  };
  const second: SlotWaiter = { slotFreed: () => log.push("second") > 0 };
  ring.wait(first);
  ring.wait(second);
  ring.wake();
  assertEquals(log, ["first", "second", "late"]);
  assertEquals(ring.waiting, 0);
});

/** The ring as a list that somebody keeps: what is in flight, from the oldest on. */
class NaiveRing {
  slots: { index: number; state: "claimed" | "published" | "retired"; value: number; atMs: number }[] = [];
  next = 0;
  stale = 0;

  readonly size: number;

  constructor(size: number) {
    this.size = size;
  }

  reserve(atMs: number): number {
    if (this.slots.length >= this.size) return -1;
    this.slots.push({ index: this.next, state: "claimed", value: 0, atMs });
    return this.next++;
  }

  end(index: number, state: "published" | "retired", value: number): boolean {
    const slot = this.slots.find((one) => one.index === index && one.state === "claimed");
    if (slot !== undefined) Object.assign(slot, { state, value });
    else if (state === "published") this.stale++;
    this.settle();
    return slot !== undefined;
  }

  retireOlder(nowMs: number, timeoutMs: number): number {
    const old = this.slots.filter(({ state, atMs }) => state === "claimed" && nowMs - atMs >= timeoutMs);
    for (const slot of old) slot.state = "retired";
    this.settle();
    return old.length;
  }

  consume(): number | undefined {
    if (this.slots[0]?.state !== "published") return undefined;
    const { value } = this.slots.shift()!;
    this.settle();
    return value;
  }

  settle(): void {
    while (this.slots[0]?.state === "retired") this.slots.shift();
  }
}

test("the ring does what its naive twin does, over many laps", () => {
  const step = fc.tuple(
    fc.constantFrom("reserve", "reserve", "publish", "publish", "retire", "consume", "consume", "time"),
    fc.nat(40),
  );
  const property = fc.property(
    fc.integer({ min: 1, max: 7 }),
    fc.array(step, { maxLength: 300 }),
    (size, steps) => {
      const ring = new Ring<number>({ size, claimTimeoutMs: 50 });
      const twin = new NaiveRing(size);
      let nowMs = 0;
      for (const [at, [kind, number]] of steps.entries()) {
        // Indices from two laps back to a little ahead.
        const index = twin.next + 3 - number % (2 * size + 5);
        if (kind === "reserve") assertEquals(ring.reserve(nowMs), twin.reserve(nowMs));
        if (kind === "publish") assertEquals(ring.publish(index, at), twin.end(index, "published", at));
        if (kind === "retire") assertEquals(ring.retire(index), twin.end(index, "retired", 0));
        if (kind === "consume") assertEquals(ring.consume(), twin.consume());
        if (kind === "time") assertEquals(ring.retireOlder(nowMs += number), twin.retireOlder(nowMs, 50));
        assertEquals(ring.inFlight, twin.slots.length);
        assertEquals(ring.next, twin.next);
        assertEquals(ring.consumed, twin.next - twin.slots.length);
        assertEquals(ring.full, twin.slots.length === size);
        assertEquals(ring.stalePublishes, twin.stale);
        const oldest = twin.slots.find(({ state }) => state === "claimed");
        assertEquals(ring.nextTimeoutMs, oldest === undefined ? Infinity : oldest.atMs + 50);
      }
    },
  );
  fc.assert(property, { numRuns: 500 });
});
