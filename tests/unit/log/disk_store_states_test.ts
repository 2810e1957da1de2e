import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import type { Table } from "../../../src/state_table.ts";
import { SYNCER_TRANSITIONS, type SyncerInput, type SyncerState } from "../../../src/log/store/syncer.ts";
import { WRITER_TRANSITIONS, type WriterInput, type WriterState } from "../../../src/log/store/writer.ts";

/** What each state answers; everything else is a bug. Written down a second time, so that a change is one on purpose. */
function assertTable<State extends string, Input extends string>(
  table: Table<State, Input>,
  expected: Readonly<Record<State, string>>,
): void {
  for (const state of Object.keys(expected) as State[]) {
    const row = Object.entries(table[state]).map(([input, to]) => `${input}→${to}`).sort();
    assertEquals(row, expected[state].split(" ").sort(), state);
  }
  assertEquals(Object.keys(table).sort(), Object.keys(expected).sort());
}

test("the writer's states", () => {
  assertTable<WriterState, WriterInput>(WRITER_TRANSITIONS, {
    idle: "appended→deferred failed→stopped",
    deferred: "appended→deferred opens→opening writes→writing failed→stopped",
    opening: "appended→opening writes→writing full→waiting failed→stopped",
    writing: "appended→writing opens→opening writes→writing drained→idle full→waiting failed→stopped",
    waiting: "appended→waiting opens→opening writes→writing failed→stopped",
    stopped: "appended→stopped failed→stopped",
  });
});

test("the syncer's states", () => {
  assertTable<SyncerState, SyncerInput>(SYNCER_TRANSITIONS, {
    idle: "asked→waiting failed→stopped",
    waiting: "asked→waiting begun→running failed→stopped",
    running: "asked→running satisfied→idle unsatisfied→waiting failed→stopped",
    stopped: "asked→stopped failed→stopped",
  });
});

test("nothing leads out of stopped, and everything leads there", () => {
  for (const table of [WRITER_TRANSITIONS, SYNCER_TRANSITIONS] as Table<string, string>[]) {
    assertEquals([...new Set(Object.values(table["stopped"]!))], ["stopped"]);
    assert(Object.values(table).every((row) => row["failed"] === "stopped"));
  }
});
