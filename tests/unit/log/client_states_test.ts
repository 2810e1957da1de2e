import { test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { next, type Table } from "../../../src/state_table.ts";
import { BugError } from "../../../src/errors.ts";
import { CONNECTION_TRANSITIONS } from "../../../src/log/client/connection.ts";
import { isFinal, PUBLISHER_TRANSITIONS } from "../../../src/log/publisher/states.ts";
import { CONSUMER_TRANSITIONS, CURSOR_TRANSITIONS } from "../../../src/log/reader/states.ts";

interface Spec {
  readonly table: Table<string, string>;
  readonly initial: string;
  readonly inputs: readonly string[];
  /** One line for each state: the next states in the order of `inputs`; `·`: a bug. */
  readonly cells: readonly string[];
}

const SPECS: Readonly<Record<string, Spec>> = {
  publisher: {
    table: PUBLISHER_TRANSITIONS,
    initial: "unopened",
    inputs: [
      ...["linked", "unlinked", "opened", "epochOver", "batchRefused", "gapClosed", "drained", "doubted"],
      ...["superseded", "failed", "closed"],
    ],
    cells: [
      "unopened   opening    unopened   ·          unopened   ·          ·          ·          ·          superseded failed     closed",
      "opening    ·          unopened   open       opening    ·          ·          ·          ·          superseded failed     closed",
      "open       ·          offline    ·          opening    draining   ·          ·          resuming   superseded failed     closed",
      "draining   ·          offline    ·          opening    draining   open       opening    resuming   superseded failed     closed",
      "offline    resuming   offline    ·          unopened   ·          ·          ·          ·          superseded failed     closed",
      "resuming   ·          offline    open       opening    ·          ·          ·          ·          superseded failed     closed",
      ...["superseded", "failed", "closed"].map((state) => [state, ...Array(11).fill(state)].join(" ")),
    ],
  },
  cursor: {
    table: CURSOR_TRANSITIONS,
    initial: "offline",
    inputs: ["linked", "unlinked", "asked", "subscribed", "broken", "ended", "closed"],
    cells: [
      "offline     waiting offline ·           ·       ·       ended  closed",
      "waiting     ·       offline subscribing ·       ·       ended  closed",
      "subscribing ·       offline ·           flowing waiting ended  closed",
      "flowing     ·       offline ·           ·       waiting ended  closed",
      "ended       ended   ended   ·           ·       ·       ended  closed",
      "closed      closed  closed  ·           ·       ·       closed closed",
    ],
  },
  consumer: {
    table: CONSUMER_TRANSITIONS,
    initial: "offline",
    inputs: ["linked", "unlinked", "opened", "superseded", "failed", "closed"],
    cells: [
      "offline opening offline ·    superseded failed closed",
      "opening ·       offline open superseded failed closed",
      "open    ·       offline ·    superseded failed closed",
      ...["superseded", "failed", "closed"].map((state) => [state, ...Array(6).fill(state)].join(" ")),
    ],
  },
  connection: {
    table: CONNECTION_TRANSITIONS,
    initial: "down",
    inputs: ["opened", "welcomed", "lost", "closed"],
    cells: [
      "down     greeting ·      down   closed",
      "greeting ·        ready  down   closed",
      "ready    ·        ready  down   closed",
      "closed   closed   closed closed closed",
    ],
  },
};

for (const [name, { table, initial, inputs, cells }] of Object.entries(SPECS)) {
  test(`${name}: every cell of the table`, () => {
    assertEquals(Object.keys(table).length, cells.length);
    for (const line of cells) {
      const [state = "", ...row] = line.split(/ +/);
      assertEquals(row.length, inputs.length, state);
      row.forEach((to, column) => {
        const input = inputs[column]!;
        if (to === "·") assertThrows(() => next(table, state, input), BugError, `"${state}" on "${input}"`);
        else assertEquals(next(table, state, input), to, `"${state}" on "${input}"`);
      });
      for (const input of Object.keys(table[state]!)) assert(inputs.includes(input), `${state}: ${input}`);
    }
  });

  test(`${name}: every state can be reached, and ended`, () => {
    const reached = new Set<string>([initial]);
    for (const state of reached) for (const to of Object.values(table[state]!)) reached.add(to!);
    assertEquals([...reached].sort(), Object.keys(table).sort());
    for (const state of reached) assert(table[state]!["closed"] !== undefined, state);
  });
}

test("a publisher's last states lead nowhere, and no other state is one", () => {
  for (const [state, row] of Object.entries(PUBLISHER_TRANSITIONS)) {
    const stays = Object.values(row).every((to) => to === state);
    assertEquals(isFinal(state as Parameters<typeof isFinal>[0]), stays, state);
  }
});
