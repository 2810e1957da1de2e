import { test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { next, type Table } from "../../../src/state_table.ts";
import { BugError } from "../../../src/errors.ts";
import { BATCH_TRANSITIONS, INGEST_TRANSITIONS, REFUSAL_CODES } from "../../../src/log/ingest/states.ts";

interface Spec {
  readonly table: Table<string, string>;
  readonly initial: string;
  readonly inputs: readonly string[];
  /** One line for each state: the next states in the order of `inputs`; `·`: a bug. */
  readonly cells: readonly string[];
}

const SPECS: Readonly<Record<string, Spec>> = {
  connection: {
    table: INGEST_TRANSITIONS,
    initial: "init",
    inputs: ["header", "granted", "noMemory", "arrived", "lost", "closed"],
    cells: [
      "init         waitHeader ·           ·          waitHeader ·          closed",
      "waitHeader   waitHeader waitPayload waitMemory waitHeader ·          closed",
      "waitMemory   waitHeader waitPayload waitMemory waitHeader waitHeader closed",
      "waitPayload  waitHeader ·           ·          waitHeader waitHeader closed",
      "closed       ·          ·           ·          ·          ·          ·",
    ],
  },
  batch: {
    table: BATCH_TRANSITIONS,
    initial: "waitHeader",
    inputs: ["granted", "noMemory", "noSlot", "stored", "refused", "lost"],
    cells: [
      "waitHeader   waitPayload waitMemory ·        ·        refused ·",
      "waitMemory   waitPayload waitMemory ·        ·        ·       lost",
      "waitPayload  ·           ·          waitSlot complete refused lost",
      "waitSlot     ·           ·          waitSlot complete refused ·",
      "complete     ·           ·          ·        ·        ·       ·",
      "refused      ·           ·          ·        ·        ·       ·",
      "lost         ·           ·          ·        ·        ·       ·",
    ],
  },
};

for (const [name, { table, inputs, cells }] of Object.entries(SPECS)) {
  test(`the table of a ${name}: every cell, and a bug where there is none`, () => {
    const rows = cells.map((line) => line.split(/ +/));
    assertEquals(Object.keys(table).sort(), rows.map((row) => row[0]!).sort());
    for (const [state, ...targets] of rows) {
      assertEquals(targets.length, inputs.length);
      for (const [column, input] of inputs.entries()) {
        const target = targets[column]!;
        if (target === "·") assertThrows(() => next(table, state!, input), BugError, input);
        else assertEquals(next(table, state!, input), target, `${state} on ${input}`);
      }
      for (const input of Object.keys(table[state!]!)) assert(inputs.includes(input), input);
    }
  });
}

for (const [name, { table, initial }] of Object.entries(SPECS)) {
  test(`the table of a ${name}: every state can be reached, and its end from every one that is none`, () => {
    const reach = (from: string): Set<string> => {
      const reached = new Set([from]);
      for (const state of reached) for (const to of Object.values(table[state]!)) reached.add(to!);
      return reached;
    };
    assertEquals([...reach(initial)].sort(), Object.keys(table).sort());
    const ends = Object.keys(table).filter((state) =>
      Object.values(table[state]!).every((to) => to === state)
    );
    for (const state of Object.keys(table)) assert(ends.some((end) => reach(state).has(end)), state);
    assertEquals(ends, name === "batch" ? ["complete", "refused", "lost"] : ["closed"]);
  });
}

test("every refusal but that of a duplicate goes with an error's code", () => {
  for (const [refusal, code] of Object.entries(REFUSAL_CODES)) {
    assertEquals(code === undefined, refusal === "duplicate", refusal);
    if (code !== undefined) assert(code.startsWith("ERR_LOG_"));
  }
});
