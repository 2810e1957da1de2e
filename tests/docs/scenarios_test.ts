// runtimes: node
import { test } from "node:test";
import { readdirSync, readFileSync } from "node:fs";
import { assert, assertEquals } from "@std/assert";

// docs/TESTING.md lists the scenarios of failure. Each must be a test whose name says so.

const TITLE = /\btest\(\s*["'`]scenarios? ([\d, and]+):/g;

function numbersIn(text: string): number[] {
  return [...text.matchAll(/\d+/g)].map(([digits]) => Number(digits));
}

/** The numbers in the first column of the page's tables. */
function listed(page: string): number[] {
  return [...page.matchAll(/^\| (\d[\d, ]*) \|/gm)].flatMap(([, numbers]) => numbersIn(numbers!));
}

function tested(): Set<number> {
  const files = readdirSync("tests", { recursive: true, encoding: "utf8" }).filter((path) =>
    path.endsWith("_test.ts")
  );
  return new Set(
    files.flatMap((path) => [...readFileSync(`tests/${path}`, "utf8").matchAll(TITLE)])
      .flatMap(([, numbers]) => numbersIn(numbers!)),
  );
}

test("every scenario in docs/TESTING.md is a test that has its number", () => {
  const numbers = listed(readFileSync("docs/TESTING.md", "utf8"));
  assert(numbers.length >= 50, `only ${numbers.length} scenarios were found in the list`);
  assertEquals(new Set(numbers).size, numbers.length, "a number is listed twice");
  const found = tested();
  assertEquals(numbers.filter((number) => !found.has(number)), [], "these are listed and not tested");
});

test("a scenario that nobody tests would be found", () => {
  assertEquals(listed("| 1 | one |\n| 8, 9 | two |\n| x 3 | none |\n|---|---|\n"), [1, 8, 9]);
  assert(!tested().has(9_999));
});
