import { test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "../../support/properties.ts";
import { BugError } from "../../../src/errors.ts";
import { Acks, AckSlot, type AckSource } from "../../../src/log/order/acks.ts";
import { Prefix } from "../../../src/log/order/prefix.ts";
import type { AckRun } from "../../../src/log/wire/messages.ts";

/** Batches with their records and positions, and the runs that tell them. */
const MERGES: readonly {
  readonly name: string;
  readonly batches: readonly (readonly [batch: number, count: number, position: bigint])[];
  readonly runs: readonly (readonly [batch: number, batches: number, position: bigint])[];
}[] = [
  { name: "nothing", batches: [], runs: [] },
  { name: "one batch", batches: [[0, 3, 0n]], runs: [[0, 1, 0n]] },
  { name: "batch and position go on", batches: [[0, 3, 0n], [1, 2, 3n], [2, 1, 5n]], runs: [[0, 3, 0n]] },
  {
    name: "somebody else's records between",
    batches: [[0, 3, 0n], [1, 2, 4n]],
    runs: [[0, 1, 0n], [1, 1, 4n]],
  },
  { name: "a batch overtook", batches: [[1, 1, 0n], [0, 1, 1n]], runs: [[1, 1, 0n], [0, 1, 1n]] },
  { name: "a batch is missing", batches: [[0, 1, 0n], [2, 1, 1n]], runs: [[0, 1, 0n], [2, 1, 1n]] },
  {
    name: "positions near 2^53",
    batches: [[7, 2, 2n ** 53n - 1n], [8, 1, 2n ** 53n + 1n]],
    runs: [[7, 2, 2n ** 53n - 1n]],
  },
  {
    name: "the last positions",
    batches: [[0, 1, 2n ** 64n - 2n], [1, 1, 2n ** 64n - 1n]],
    runs: [[0, 2, 2n ** 64n - 2n]],
  },
];

for (const { name, batches, runs } of MERGES) {
  test(`runs: ${name}`, () => {
    const wanted = runs.map(([batch, batches, position]) => ({ batch, batches, position }));
    const slot = new AckSlot();
    for (const [batch, count, position] of batches) slot.add(batch, count, position, 8);
    assertEquals(slot.known, wanted);
    assertEquals(slot.takeNews(), wanted);
    assertEquals(slot.takeNews(), [], "told once");
    assertEquals(slot.known, wanted, "and still known");
  });
}

test("a run that goes on after it was told is told from where it goes on", () => {
  const slot = new AckSlot();
  slot.add(0, 2, 0n, 8);
  slot.add(1, 3, 2n, 8);
  assertEquals(slot.takeNews(), [{ batch: 0, batches: 2, position: 0n }]);
  slot.add(2, 1, 5n, 8);
  slot.add(3, 1, 9n, 8);
  assertEquals(slot.takeNews(), [{ batch: 2, batches: 1, position: 5n }, {
    batch: 3,
    batches: 1,
    position: 9n,
  }]);
  assertEquals(slot.takeAll(), [{ batch: 0, batches: 3, position: 0n }, {
    batch: 3,
    batches: 1,
    position: 9n,
  }]);
  assertEquals(slot.takeNews(), [], "a link that resumes was told everything");
});

test("a copy is answered with the whole run that it is in, once, and never before that run is told as news", () => {
  const slot = new AckSlot();
  for (const batch of [0, 1, 2]) slot.add(batch, 1, BigInt(batch), 8);
  slot.again(1);
  assertEquals(slot.takeNews(), [{ batch: 0, batches: 3, position: 0n }], "it is news anyway");
  for (const batch of [2, 0, 1]) slot.again(batch);
  assertEquals(slot.takeNews(), [{ batch: 0, batches: 3, position: 0n }]);
  assertEquals(slot.takeNews(), []);
  slot.again(9);
  assertEquals(slot.takeNews(), [], "of a batch that is not known nothing is said");
});

test("any number of copies costs an ack no more than a few runs, the others learn the prefix", () => {
  const slot = new AckSlot();
  for (let batch = 0; batch < 1_000; batch++) slot.add(batch, 1, BigInt(2 * batch), 1_000);
  slot.takeNews();
  for (let batch = 0; batch < 1_000; batch++) slot.again(batch);
  const told = slot.takeNews();
  assertEquals(
    told,
    Array.from({ length: 16 }, (_, batch) => ({ batch, batches: 1, position: BigInt(2 * batch) })),
  );
});

test("what is forgotten is the oldest, and a link that resumes is told the rest", () => {
  const slot = new AckSlot();
  for (let batch = 0; batch < 200; batch++) {
    slot.add(batch, 1, BigInt(2 * batch), 3);
    assert(slot.known.length <= 3);
    if (batch === 150) slot.takeNews();
  }
  const last = [197, 198, 199].map((batch) => ({ batch, batches: 1, position: BigInt(2 * batch) }));
  assertEquals(slot.takeNews(), last);
  slot.again(100);
  assertEquals(slot.takeNews(), [], "its position is not known any more");
  assertEquals(slot.takeAll(), last);
});

type Move =
  | { readonly do: "add"; readonly batchSkip: number; readonly positionSkip: number; readonly count: number }
  | { readonly do: "again"; readonly back: number }
  | { readonly do: "news" | "all" };

const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("add" as const),
      batchSkip: fc.constantFrom(0, 0, 0, 1, -2),
      positionSkip: fc.constantFrom(0, 0, 0, 5),
      count: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("again" as const), back: fc.nat({ max: 12 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("news" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("all" as const) }) },
);

test("for any interleaving: every batch is told once with its position, copies again, and no run joins what does not follow", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 6 }),
      fc.array(move, { maxLength: 80, size: "max" }),
      (keep, moves) => {
        const slot = new AckSlot();
        /** Batch → its position and records, and what of that the runs of one link have said. */
        const all = new Map<number, { readonly position: bigint; readonly count: number }>();
        const told = new Set<number>();
        const asked = new Set<number>();
        let copies = 0;
        /** The runs that are known, as lists of batches. */
        let runs: number[][] = [];
        let [batch, position] = [-1, 0n];
        const read = (list: readonly AckRun[]): number[] =>
          list.flatMap((run) => {
            let at = run.position;
            return Array.from({ length: run.batches }, (_, index) => {
              const one = all.get(run.batch + index);
              assert(one !== undefined, "a batch that was never committed");
              assertEquals(at, one.position, `the position of batch ${run.batch + index}`);
              at += BigInt(one.count);
              return run.batch + index;
            });
          });
        for (const one of moves) {
          const known = new Set(runs.flat());
          if (one.do === "add") {
            let next = batch + 1 + one.batchSkip;
            while (next < 0 || all.has(next)) next++;
            const follows = next === batch + 1 && one.positionSkip === 0;
            [batch, position] = [next, position + BigInt(one.positionSkip)];
            all.set(batch, { position, count: one.count });
            slot.add(batch, one.count, position, keep);
            position += BigInt(one.count);
            if (follows && runs.length > 0) runs.at(-1)!.push(batch);
            else runs = [...runs, [batch]].slice(-keep);
          } else if (one.do === "again") {
            const copy = Math.max(0, batch - one.back);
            slot.again(copy);
            if (++copies <= 16 && told.has(copy) && known.has(copy)) asked.add(copy);
          } else if (one.do === "news") {
            const said = read(slot.takeNews());
            const news = [...known].filter((one) => !told.has(one));
            const fresh = said.filter((one) => !told.has(one));
            assertEquals(
              fresh.sort((a, b) => a - b),
              news.sort((a, b) => a - b),
              "everything untold, and once",
            );
            for (const copy of asked) assert(said.includes(copy) || !known.has(copy), `copy ${copy}`);
            if (asked.size === 0) {
              assertEquals(
                said.length,
                fresh.length,
                "nothing twice that nobody asked for",
              );
            }
            for (const one of said) told.add(one);
            asked.clear();
            copies = 0;
          } else {
            assertEquals(read(slot.takeAll()).sort((a, b) => a - b), [...known].sort((a, b) => a - b));
            for (const one of known) told.add(one);
            asked.clear();
            copies = 0;
          }
          assertEquals(slot.known.map((run) => read([run])), runs);
        }
      },
    ),
    { numRuns: 400 },
  );
});

/** A session as acks see it. */
class Source implements AckSource {
  readonly id = 7n;
  epoch = 1;
  attached = true;
  acks: AckSlot = new AckSlot();
  assignedEnd = 0;
  nextBatch = 0;
  nextSyncedBatch = 0;
  limit = 10;
}

function commit(source: Source, acks: Acks<Source>, batches: number): void {
  for (let i = 0; i < batches; i++) {
    const batch = source.nextBatch++;
    source.assignedEnd = source.nextBatch;
    source.acks.add(batch, 1, BigInt(batch), 8);
    acks.mark(source);
  }
}

test("a slot holds the latest value: however often it is marked, its session is named once, and one ack says all", () => {
  const acks = new Acks<Source>();
  const source = new Source();
  commit(source, acks, 3);
  assertEquals(acks.takeMarked(), [7n]);
  commit(source, acks, 2);
  source.nextSyncedBatch = 1;
  acks.mark(source);
  assertEquals(acks.takeMarked(), [], "its ack was not taken yet");
  assertEquals(acks.take(source), {
    type: "ack",
    session: 7n,
    epoch: 1,
    nextBatch: 5,
    nextSyncedBatch: 1,
    limit: 10,
    runs: [{ batch: 0, batches: 5, position: 0n }],
  });
  assertEquals(acks.take(source), undefined, "there is nothing new");
  commit(source, acks, 1);
  assertEquals(acks.takeMarked(), [7n]);
  assertEquals(acks.take(source)!.runs, [{ batch: 5, batches: 1, position: 5n }]);
});

test("a session without a link is not named, and one whose link went is not either", () => {
  const acks = new Acks<Source>();
  const source = new Source();
  source.attached = false;
  commit(source, acks, 1);
  assertEquals(acks.takeMarked(), []);
  source.attached = true;
  commit(source, acks, 1);
  source.attached = false;
  assertEquals(acks.takeMarked(), []);
  source.attached = true;
  acks.mark(source);
  assertEquals(acks.takeMarked(), [7n], "it is named when it is marked again");
  assertEquals(acks.take(source)!.nextBatch, 2);
});

test("a link that resumes is told everything, and named again for what comes then, although the one before took nothing", () => {
  const acks = new Acks<Source>();
  const source = new Source();
  commit(source, acks, 2);
  assertEquals(acks.takeMarked(), [7n]);
  assertEquals(source.acks.takeAll(), [{ batch: 0, batches: 2, position: 0n }]);
  assertEquals(acks.take(source), undefined);
  commit(source, acks, 1);
  assertEquals(acks.takeMarked(), [7n]);
  assertEquals(acks.take(source)!.runs, [{ batch: 2, batches: 1, position: 2n }]);
});

test("a new epoch's slot is named, also where the one before was in the list", () => {
  const acks = new Acks<Source>();
  const source = new Source();
  commit(source, acks, 2);
  source.epoch = 2;
  source.acks = new AckSlot();
  source.nextBatch = 0;
  commit(source, acks, 1);
  assertEquals(acks.takeMarked(), [7n], "once");
  const { epoch, nextBatch, runs } = acks.take(source)!;
  assertEquals([epoch, nextBatch, runs], [2, 1, [{ batch: 0, batches: 1, position: 0n }]]);
});

test("an ack above what was ordered, or synced above what is committed, is a bug and is never told", () => {
  const wrong: readonly Partial<Source>[] = [
    { nextBatch: 3, assignedEnd: 2 },
    { nextBatch: 2, assignedEnd: 2, nextSyncedBatch: 3 },
  ];
  for (const part of wrong) {
    const acks = new Acks<Source>();
    const source = Object.assign(new Source(), part);
    acks.mark(source);
    assertThrows(() => acks.take(source), BugError);
  }
});

const number = fc.nat({ max: 30 });

test("a prefix: as a set, for numbers in any order, twice, and raised over holes", () => {
  const moves = fc.array(fc.tuple(fc.constantFrom("add", "add", "add", "raise"), number), { maxLength: 60 });
  fc.assert(fc.property(number, fc.array(number, { maxLength: 5 }), moves, (start, ahead, moves) => {
    const prefix = new Prefix(start, ahead);
    const set = new Set([...Array(start).keys(), ...ahead]);
    for (const [what, value] of moves) {
      const before = prefix.next;
      if (what === "add") assertEquals(prefix.add(value), !set.has(value));
      else prefix.raise(value);
      for (let one = what === "add" ? value : 0; one < (what === "add" ? value + 1 : value); one++) {
        set.add(one);
      }
      let next = 0;
      while (set.has(next)) next++;
      assertEquals(prefix.next, next);
      assert(prefix.next >= before, "it only rises");
      assertEquals(prefix.ahead, [...set].filter((one) => one > next).sort((a, b) => a - b));
      for (let one = 0; one < 40; one++) assertEquals(prefix.has(one), set.has(one));
    }
  }));
});

test("scenario 34: the frontier is the contiguous prefix, for every order in which six batches can complete", () => {
  const orders = (left: readonly number[]): number[][] =>
    left.length === 0
      ? [[]]
      : left.flatMap((one) => orders(left.filter((other) => other !== one)).map((rest) => [one, ...rest]));
  const all = orders([0, 1, 2, 3, 4, 5]);
  assertEquals(all.length, 720);
  for (const order of all) {
    const prefix = new Prefix();
    const done: number[] = [];
    for (const batch of order) {
      prefix.add(batch);
      done.push(batch);
      const first = [0, 1, 2, 3, 4, 5, 6].find((one) => !done.includes(one))!;
      assertEquals(prefix.next, first, `${done}`);
    }
    assertEquals([prefix.next, prefix.ahead], [6, []], "nothing is remembered of what is behind");
  }
});
