import { test } from "node:test";
import { assertEquals, assertThrows } from "@std/assert";
import { Faulty } from "./faulty.ts";
import { type Delivered, Judge, Positions, type Promised, Runs } from "./judge.ts";
import { readClaim, RecordSource } from "./records.ts";

// A judge that finds nothing wrong proves nothing, unless it finds what is.

const SEED = "judge";

/** Record `index` of `publisher`. */
function record(publisher: number, index: number): Uint8Array {
  return new RecordSource(SEED).make(publisher, index).slice();
}

/** Records of publishers 7 and 8 at positions from 0 on. */
function deliver(...records: readonly (readonly [publisher: number, index: number])[]): Delivered[] {
  return records.map(([publisher, index], at) => ({ position: BigInt(at), value: record(publisher, index) }));
}

function faultOf(act: () => void): string {
  return assertThrows(act, Faulty).message;
}

function judge(records: readonly Delivered[]): void {
  new Judge("it", new RecordSource(SEED), [7, 8]).check(records);
}

const promised = (publisher: number, records: number): Promised => ({
  publisher,
  records,
  runs: [],
  untold: 0,
});

test("an honest topic is right, however publishers alternate", () => {
  const judge = new Judge("it", new RecordSource(SEED), [7, 8]);
  judge.check(deliver([7, 0], [8, 0]));
  judge.check([{ position: 2n, value: record(8, 1) }]);
  judge.finish([promised(7, 1), promised(8, 2), promised(9, 100)]);
  assertEquals(judge.position, 3n);
});

test("a hole, a second delivery, a lost, doubled, overtaken, changed and foreign record are all seen", () => {
  const [first, second, third] = deliver([7, 0], [7, 1], [7, 2]) as [Delivered, Delivered, Delivered];
  assertEquals(
    faultOf(() => judge([first, third])),
    "it: a hole: position 2 was delivered, and 1 was next",
  );
  assertEquals(
    faultOf(() => judge([first, second, second])),
    "it: position 1 was delivered again, and 2 was next",
  );
  assertEquals(
    faultOf(() => judge(deliver([7, 0], [7, 2]))),
    "it: position 1 is record 2 of publisher 7, too early: 1 was next",
  );
  assertEquals(
    faultOf(() => judge(deliver([7, 0], [7, 0]))),
    "it: position 1 is record 0 of publisher 7, a second time: 1 was next",
  );
  const changed = record(7, 0);
  changed[changed.length - 1]! ^= 1;
  for (const value of [changed, record(7, 0).subarray(0, -1), new RecordSource("another").make(7, 0)]) {
    assertEquals(
      faultOf(() => judge([{ position: 0n, value }])),
      "it: position 0 is not record 0 of publisher 7, byte for byte",
    );
  }
  assertEquals(faultOf(() => judge(deliver([9, 0]))), "it: position 0 is nobody's record");
  assertEquals(
    faultOf(() => judge([{ position: 0n, value: new Uint8Array(3) }])),
    "it: position 0 is nobody's record",
  );
});

test("what was acknowledged and is not there is seen, and what is there and was not submitted", () => {
  const judge = new Judge("it", new RecordSource(SEED), [7, 8]);
  judge.check(deliver([7, 0], [8, 0]));
  for (const records of [0, 2]) {
    assertEquals(
      faultOf(() => judge.finish([promised(8, 1), promised(7, records)])),
      `it: publisher 7 was acknowledged ${records} records, and 1 are there`,
    );
  }
});

test("records are where they were promised to be", () => {
  const runs = new Runs();
  for (const [index, position] of [[0, 0n], [1, 1n], [2, undefined], [3, 4n], [4, 5n]] as const) {
    runs.add(index, position);
  }
  assertEquals({ runs: runs.list, untold: runs.untold }, { runs: [[0, 0, 2], [3, 4, 2]], untold: 1 });
  const promise: Promised = { publisher: 7, records: 5, runs: runs.list, untold: runs.untold };
  const right = deliver([7, 0], [7, 1], [8, 0], [7, 2], [7, 3], [7, 4]);
  new Positions([promise]).check(right);
  // Nobody was told where record 2 is, and nobody asks where those of publisher 8 are.
  new Positions([promise]).check(deliver([7, 0], [7, 1], [7, 2], [8, 0], [7, 3], [7, 4]));
  assertEquals(
    faultOf(() => new Positions([promise]).check(deliver([7, 0], [7, 1], [7, 2], [7, 3]))),
    "record 3 of publisher 7 was acknowledged at position 4, and is at 3",
  );
});

test("a record says whose it is, also beyond 32 bits, and is of the length that was asked for", () => {
  const source = new RecordSource(SEED, 1_024);
  for (const index of [0, 1, 0xffff_ffff, 0x1_0000_0000, 10_485_760_000]) {
    const value = source.make(3, index);
    assertEquals(value.length, 1_024);
    assertEquals(readClaim(value), { publisher: 3, index });
  }
});
