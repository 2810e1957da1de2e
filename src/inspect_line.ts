/**
 * The line that `console.log` shows for an object, on the runtimes that ask objects for one.
 *
 * @module
 */

import { type Facts, PRESENT } from "./inspect.ts";

/** Entries of a list that a line shows. */
const SHOWN_MAX = 5;

/** `Push { connected: ["tcp://127.0.0.1:5555"], peers: 1, queued: 0 }` */
export function lineOf(name: string, facts: Facts): string {
  return `${name} ${textOf(facts)}`;
}

function textOf(value: unknown): string {
  if (Array.isArray(value)) {
    const texts = value.slice(0, SHOWN_MAX).map(textOf);
    if (value.length > SHOWN_MAX) texts.push(`… ${value.length - SHOWN_MAX} more`);
    return `[${texts.join(", ")}]`;
  }
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (value instanceof Uint8Array) return `Uint8Array(${value.length})`;
  if (typeof value !== "object" || value === null) return String(value);
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  return fields.length === 0 ? "{}" : `{ ${fields.map(fieldText).join(", ")} }`;
}

function fieldText([name, value]: readonly [string, unknown]): string {
  return value === PRESENT ? name : `${name}: ${textOf(value)}`;
}
