/**
 * Draws the state tables as Mermaid diagrams: what docs/PROTOCOL.md shows is what the machines do.
 *
 * `bun tools/state_diagrams.ts` prints them; a test holds the page to them.
 *
 * @module
 */

import {
  ENGINE_TRANSITIONS,
  FLUSH_TRANSITIONS,
  INPUT_TRANSITIONS,
  type Table,
} from "../src/engine/states.ts";
import { SESSION_TRANSITIONS } from "../src/session/states.ts";

/** The machines, by the heading under which the page shows them. */
export const DIAGRAMS: Readonly<Record<string, string>> = {
  "Connection": draw(ENGINE_TRANSITIONS),
  "Input": draw(INPUT_TRANSITIONS),
  "Flush policy": draw(FLUSH_TRANSITIONS),
  "Session": draw(SESSION_TRANSITIONS),
};

/** One arrow for each pair of states, with all inputs that lead along it. Inputs that change nothing are left out. */
function draw(table: Table<string, string>): string {
  const lines = ["stateDiagram-v2", `  [*] --> ${Object.keys(table)[0]}`];
  for (const [from, row] of Object.entries(table)) {
    const arrows = new Map<string, string[]>();
    for (const [input, to] of Object.entries(row)) {
      if (to !== undefined && to !== from) arrows.set(to, [...arrows.get(to) ?? [], input]);
    }
    for (const [to, inputs] of arrows) lines.push(`  ${from} --> ${to} : ${inputs.join(", ")}`);
  }
  return lines.join("\n");
}

if ((import.meta as { main?: boolean }).main === true) {
  for (const [name, diagram] of Object.entries(DIAGRAMS)) {
    console.log(`### ${name}\n\n\`\`\`mermaid\n${diagram}\n\`\`\`\n`);
  }
}
