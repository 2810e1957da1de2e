import { test } from "node:test";
import nodeAssert from "node:assert/strict";
import {
  assert,
  assertAlmostEquals,
  assertArrayIncludes,
  assertEquals,
  assertExists,
  assertFalse,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  AssertionError,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertNotEquals,
  assertObjectMatch,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  equal,
  fail,
  unimplemented,
  unreachable,
} from "@std/assert";

// Every other test trusts these assertions, so they are held to node:assert here and each is seen to fail.

/** Runs `run`, which must fail, and answers what it said. */
function failure(run: () => void): string {
  try {
    run();
  } catch (error) {
    nodeAssert.ok(error instanceof AssertionError, `not an AssertionError: ${error}`);
    return error.message;
  }
  nodeAssert.fail("the assertion passed");
}

/** Like `failure`, for a promise. */
async function rejection(run: () => Promise<unknown>): Promise<string> {
  try {
    await run();
  } catch (error) {
    nodeAssert.ok(error instanceof AssertionError, `not an AssertionError: ${error}`);
    return error.message;
  }
  nodeAssert.fail("the assertion passed");
}

const LOOP: Record<string, unknown> = { name: "loop" };
LOOP["self"] = LOOP;
const OTHER_LOOP: Record<string, unknown> = { name: "loop" };
OTHER_LOOP["self"] = OTHER_LOOP;

const SAME: readonly (readonly [string, unknown, unknown])[] = [
  ["numbers", 1, 1],
  ["NaN", Number.NaN, Number.NaN],
  ["bigints", 7n, 7n],
  ["nested structures", { a: [1, { b: "c" }] }, { a: [1, { b: "c" }] }],
  ["key order", { a: 1, b: 2 }, { b: 2, a: 1 }],
  ["a Buffer and a Uint8Array of the same bytes", Buffer.from("hi"), new Uint8Array([104, 105])],
  ["views at different offsets", new Uint8Array([9, 1, 2]).subarray(1), new Uint8Array([1, 2])],
  ["bytes inside structures", [{ body: Buffer.from([1]) }], [{ body: new Uint8Array([1]) }]],
  ["sets", new Set([{ a: 1 }, 2]), new Set([2, { a: 1 }])],
  ["maps", new Map([["a", [1]]]), new Map([["a", [1]]])],
  ["dates", new Date(5), new Date(5)],
  ["an object without prototype", Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
  ["cycles", LOOP, OTHER_LOOP],
  ["errors", new RangeError("x"), new RangeError("x")],
];

const DIFFERENT: readonly (readonly [string, unknown, unknown])[] = [
  ["numbers", 1, 2],
  ["a number and a string", 1, "1"],
  ["a number and a bigint", 1, 1n],
  ["null and undefined", null, undefined],
  ["a missing key and undefined", { a: undefined }, {}],
  ["keys of the same count", { a: undefined }, { b: undefined }],
  ["array lengths", [1], [1, undefined]],
  ["arrays and objects", [], {}],
  ["bytes", new Uint8Array([1, 2]), new Uint8Array([1, 3])],
  ["byte lengths", new Uint8Array([1, 2]), new Uint8Array([1])],
  ["element types", new Uint16Array([1]), new Uint8Array([1])],
  ["array buffers", new Uint8Array([1]).buffer, new Uint8Array([2]).buffer],
  ["sets", new Set([1]), new Set([2])],
  ["set sizes", new Set([1]), new Set([1, 2])],
  ["map values", new Map([["a", 1]]), new Map([["a", 2]])],
  ["map keys", new Map([["a", 1]]), new Map([["b", 1]])],
  ["dates", new Date(5), new Date(6)],
  ["regular expressions", /a/g, /a/i],
  ["error messages", new Error("x"), new Error("y")],
  ["classes", new (class One {})(), new (class Two {})()],
  ["promises", Promise.resolve(1), Promise.resolve(1)],
  ["functions", () => {}, () => {}],
];

test("equal and assertEquals accept what is the same", () => {
  for (const [name, left, right] of SAME) {
    nodeAssert.equal(equal(left, right), true, name);
    nodeAssert.equal(equal(right, left), true, `${name}, turned round`);
    assertEquals(left, right, name);
    failure(() => assertNotEquals(left, right));
  }
});

test("equal and assertEquals refuse what differs", () => {
  for (const [name, left, right] of DIFFERENT) {
    nodeAssert.equal(equal(left, right), false, name);
    nodeAssert.equal(equal(right, left), false, `${name}, turned round`);
    assertNotEquals(left, right, name);
    failure(() => assertEquals(left, right));
  }
});

test("a failed assertEquals shows what differs", () => {
  const text = failure(() =>
    assertEquals({ kept: 1, changed: "old" }, { kept: 1, changed: "new" }, "the note")
  );
  nodeAssert.match(text, /the note/);
  nodeAssert.match(text, /^- .*changed: 'old'/m);
  nodeAssert.match(text, /^\+ .*changed: 'new'/m);
  nodeAssert.match(text, /^ .*kept: 1/m);
  const bytes = failure(() => assertEquals(new Uint8Array([1, 2, 255]), new Uint8Array([1, 2, 254, 0])));
  nodeAssert.match(bytes, /3 bytes against 4 expected; the first difference is at index 2/);
  nodeAssert.match(bytes, /^- {3}01 02 ff$/m);
  nodeAssert.match(bytes, /^\+ {3}01 02 fe 00$/m);
});

test("the plain assertions pass and fail as their names say", () => {
  assert(1);
  failure(() => assert(0));
  assertFalse("");
  failure(() => assertFalse("x"));
  assertStrictEquals(LOOP, LOOP);
  nodeAssert.match(failure(() => assertStrictEquals([1], [1])), /not reference-equal/);
  assertExists(0);
  failure(() => assertExists(undefined));
  failure(() => assertExists(null));
  assertInstanceOf(new RangeError("x"), Error);
  nodeAssert.match(
    failure(() => assertInstanceOf(new Error("x"), RangeError)),
    /"RangeError" but was "Error"/,
  );
  assertMatch("abc", /b/);
  failure(() => assertMatch("abc", /x/));
  assertStringIncludes("abc", "bc");
  failure(() => assertStringIncludes("abc", "cb"));
  assertArrayIncludes([1, { a: 2 }, 3], [{ a: 2 }]);
  failure(() => assertArrayIncludes([1, 3], [2]));
  assertAlmostEquals(1, 1.000000001);
  assertAlmostEquals(10, 12, 2);
  failure(() => assertAlmostEquals(10, 12.5, 2));
  failure(() => assertAlmostEquals(Number.NaN, 1));
  failure(() => fail("why"));
  failure(() => unreachable());
  failure(() => unimplemented());
});

test("the comparisons know their edges", () => {
  assertGreater(2, 1);
  failure(() => assertGreater(1, 1));
  assertGreaterOrEqual(1, 1);
  failure(() => assertGreaterOrEqual(0, 1));
  assertLess(1n, 2n);
  failure(() => assertLess(2n, 2n));
  assertLessOrEqual(2, 2);
  failure(() => assertLessOrEqual(Number.NaN, 2));
});

test("assertObjectMatch looks only at what is expected", () => {
  assertObjectMatch({ a: 1, b: { c: 2, d: 3 }, e: [1, { f: 4, g: 5 }] }, { b: { c: 2 }, e: [1, { f: 4 }] });
  failure(() => assertObjectMatch({ a: 1 }, { a: 2 }));
  failure(() => assertObjectMatch({ a: 1 }, { b: undefined }));
  failure(() => assertObjectMatch({ e: [1, 2] }, { e: [1] }));
  failure(() => assertObjectMatch({ e: 1 }, { e: { f: 1 } }));
});

test("assertThrows answers the error and refuses a wrong one", () => {
  const thrown = new RangeError("out of range");
  const raise = (): never => {
    throw thrown;
  };
  assertStrictEquals(assertThrows(raise), thrown);
  assertStrictEquals(assertThrows(raise, "a note"), thrown);
  const typed: RangeError = assertThrows(raise, RangeError, "of range");
  assertStrictEquals(typed, thrown);
  failure(() => assertThrows(() => 1));
  nodeAssert.match(failure(() => assertThrows(raise, TypeError)), /instance of "TypeError"/);
  failure(() => assertThrows(raise, RangeError, "something else"));
  nodeAssert.match(failure(() => assertThrows(() => Promise.reject(thrown))), /assertRejects/);
});

test("assertRejects answers the error and refuses a wrong one", async () => {
  const cause = new RangeError("out of range");
  assertStrictEquals(await assertRejects(() => Promise.reject(cause)), cause);
  const typed: RangeError = await assertRejects(() => Promise.reject(cause), RangeError, "of range");
  assertStrictEquals(typed, cause);
  await rejection(() => assertRejects(() => Promise.resolve(1)));
  await rejection(() => assertRejects(() => Promise.reject(cause), TypeError));
  await rejection(() => assertRejects(() => Promise.reject(cause), RangeError, "something else"));
  const throwsAtOnce = (): never => {
    throw cause;
  };
  nodeAssert.match(await rejection(() => assertRejects(throwsAtOnce)), /throws when expected to reject/);
});
