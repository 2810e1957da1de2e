/**
 * Entries of a segment as people and programs read them.
 *
 * @module
 */

import { decodeUtf8 } from "../src/bytes/utf8.ts";
import { decodeRound, type EntryHeader } from "../src/log/order/entries.ts";
import { decodeOpening } from "../src/log/order/segment_opening.ts";
import { decodeSnapshot } from "../src/log/order/snapshot.ts";

/** Names and values, in the order in which they are shown. */
export type Details = Readonly<Record<string, string | number | bigint | boolean>>;

/** What an entry says. A body that cannot be read shows as `unreadable`. */
export function detailsOf(header: EntryHeader, offset: number, body: Uint8Array): Details {
  const { type, id, epoch, count, number } = header;
  switch (type) {
    case "segment":
      return openingOf(header, offset, body);
    case "snapshot":
      return snapshotOf(body);
    case "payload":
      return { session: id, epoch, batch: number, records: count };
    case "order":
      return roundOf(header, body);
    case "sessionOpened":
      return { session: id, epoch, publisher: decodeUtf8(body) };
    case "sessionEnded":
      return { session: id, epoch };
    case "fence":
      return { session: id, epoch, committed: number };
    case "consumerOpened":
      return { consumer: decodeUtf8(body), epoch };
    case "commit":
      return { consumer: decodeUtf8(body), position: number, generation: epoch };
    case "generation":
      return { generation: epoch, position: number };
    case "trim":
      return { position: number };
    case "cleanStop":
      return {};
  }
}

const UNREADABLE: Details = { unreadable: true };

function openingOf(header: EntryHeader, offset: number, body: Uint8Array): Details {
  const opening = decodeOpening(header, offset, body);
  if (opening === undefined) return UNREADABLE;
  const { topic, options: { order, ack }, firstPosition, syncedThrough } = opening;
  const { version, epoch } = header;
  return { topic, position: firstPosition, order, ack, generation: epoch, format: version, syncedThrough };
}

function snapshotOf(body: Uint8Array): Details {
  const snapshot = decodeSnapshot(body);
  if (snapshot === undefined) return UNREADABLE;
  const { nextPosition, trimmedTo, sessions, consumers } = snapshot;
  return { position: nextPosition, trimmedTo, sessions: sessions.length, consumers: consumers.length };
}

function roundOf({ count, number }: EntryHeader, body: Uint8Array): Details {
  const round = decodeRound(body, count);
  if (round === undefined) return UNREADABLE;
  const records = round.rows.reduce((sum, row) => sum + row.count, 0);
  const time = new Date(round.timestampMs).toISOString();
  return { position: number, records, batches: count, time, syncedThrough: round.syncedThrough };
}

/** One line: `  1048576  order  position=5 records=10 …` */
export function entryLine({ type, bodyBytes }: EntryHeader, offset: number, details: Details): string {
  const said = Object.entries(details).map(([name, value]) =>
    `${name}=${typeof value === "string" && /[\s"=]|^$/.test(value) ? JSON.stringify(value) : value}`
  );
  return `${String(offset).padStart(12)}  ${type.padEnd(14)}  bytes=${bodyBytes} ${said.join(" ")}`.trimEnd();
}

/** One line of JSON. Numbers of 64 bits are text. */
export function entryJson({ type, bodyBytes }: EntryHeader, offset: number, details: Details): string {
  return JSON.stringify(
    { offset, type, bytes: bodyBytes, ...details },
    (_name, value: unknown) => typeof value === "bigint" ? String(value) : value,
  );
}
