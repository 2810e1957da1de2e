import { readFileSync } from "node:fs";
import { test } from "node:test";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { isBytes, TRANSPORT_RULES, type TransportRule } from "../../src/engine/transport_rules.ts";
import { brokenRule, DEVELOPMENT_RULES, type DevelopmentRule } from "../../testing/rules.ts";

test("docs/ADAPTERS.md lists every rule in the words of its error", () => {
  const page = readFileSync("docs/ADAPTERS.md", "utf8");
  const rules = { ...TRANSPORT_RULES, ...DEVELOPMENT_RULES };
  for (const rule of Object.keys(rules) as (TransportRule | DevelopmentRule)[]) {
    assertStringIncludes(page, `| ${rules[rule]} |`);
    const error = brokenRule(rule, "why");
    assertEquals([error.code, error.cause], ["ERR_TRANSPORT", "why"]);
    assertStringIncludes(error.message, rules[rule]);
  }
});

test("bytes are a Uint8Array of any realm and subclass, and nothing else", () => {
  class Foreign extends Uint8Array {}
  // As a test runner's realm makes them: the prototype is another one, the kind of array is the same.
  const other = Object.setPrototypeOf(
    new Uint8Array(3),
    Object.create(Object.getPrototypeOf(Uint8Array.prototype)),
  );
  for (const bytes of [new Uint8Array(0), new Foreign(3), other]) assert(isBytes(bytes));
  const others = [
    "text",
    new ArrayBuffer(3),
    new DataView(new ArrayBuffer(3)),
    new Int8Array(3),
    new Uint16Array(3),
    [1],
    null,
  ];
  for (const value of others) assert(!isBytes(value), String(value));
});
