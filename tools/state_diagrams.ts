/**
 * Draws the state tables as Mermaid diagrams: what docs/PROTOCOL.md and docs/ARCHITECTURE.md show is what the machines do.
 *
 * `bun tools/state_diagrams.ts` prints them; a test holds the pages to them.
 *
 * @module
 */

import {
  ENGINE_TRANSITIONS,
  FLUSH_TRANSITIONS,
  INPUT_TRANSITIONS,
  STREAM_TRANSITIONS,
} from "../src/engine/states.ts";
import type { Table } from "../src/state_table.ts";
import { CONNECTION_TRANSITIONS } from "../src/log/client/connection.ts";
import { BATCH_TRANSITIONS, INGEST_TRANSITIONS } from "../src/log/ingest/states.ts";
import { SESSION_TRANSITIONS as EPOCH_TRANSITIONS } from "../src/log/order/states.ts";
import { PUBLISHER_TRANSITIONS } from "../src/log/publisher/states.ts";
import { CONSUMER_TRANSITIONS, CURSOR_TRANSITIONS } from "../src/log/reader/states.ts";
import { SEGMENT_TRANSITIONS } from "../src/log/store/segment.ts";
import { SYNCER_TRANSITIONS } from "../src/log/store/syncer.ts";
import { WRITER_TRANSITIONS } from "../src/log/store/writer.ts";
import { ACCEPT_TRANSITIONS, INPROC_TRANSITIONS, SESSION_TRANSITIONS } from "../src/session/states.ts";
import { SOCKET_TRANSITIONS } from "../src/websocket/states.ts";

/** The machines of sockets, by the heading under which docs/PROTOCOL.md shows them. */
export const DIAGRAMS: Readonly<Record<string, string>> = {
  "Connection": draw(ENGINE_TRANSITIONS),
  "Stream": draw(STREAM_TRANSITIONS),
  "Input": draw(INPUT_TRANSITIONS),
  "Flush policy": draw(FLUSH_TRANSITIONS),
  "Session": draw(SESSION_TRANSITIONS),
  "An end over inproc": draw(INPROC_TRANSITIONS),
  "Accepted connection": draw(ACCEPT_TRANSITIONS),
  "WebSocket": draw(SOCKET_TRANSITIONS),
};

/** The machines of the log, by the heading under which docs/ARCHITECTURE.md shows them. */
export const LOG_DIAGRAMS: Readonly<Record<string, string>> = {
  "A client's link": draw(CONNECTION_TRANSITIONS),
  "A publisher": draw(PUBLISHER_TRANSITIONS),
  "The input of a publisher's connection": draw(INGEST_TRANSITIONS),
  "A batch that arrives": draw(BATCH_TRANSITIONS),
  "A session and its epoch": draw(EPOCH_TRANSITIONS),
  "A segment's memory": draw(SEGMENT_TRANSITIONS),
  "The writer of a topic": draw(WRITER_TRANSITIONS),
  "The syncer of a topic": draw(SYNCER_TRANSITIONS),
  "A subscription": draw(CURSOR_TRANSITIONS),
  "A consumer's name": draw(CONSUMER_TRANSITIONS),
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
  for (const [name, diagram] of Object.entries({ ...DIAGRAMS, ...LOG_DIAGRAMS })) {
    console.log(`### ${name}\n\n\`\`\`mermaid\n${diagram}\n\`\`\`\n`);
  }
}
