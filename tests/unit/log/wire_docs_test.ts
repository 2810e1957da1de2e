import { test } from "node:test";
import { readFileSync } from "node:fs";
import { assertEquals } from "@std/assert";
import { TYPES } from "../../../src/log/wire/layout.ts";
import { LAYOUTS } from "../../../src/log/wire/layouts.ts";

// docs/PROTOCOL.md is what others write their clients from.

/** `batch` and `records` have code of their own instead of a layout; the vectors prove theirs. */
const WITH_RECORDS: Readonly<Record<string, string>> = {
  batch: "`session` id, `epoch` epoch, `count` count, `batch` number, `lastSequence` extra",
  records: "`request` request, `cursor` id, `position` number, `tail` limit, `generation` generation",
};

/** Fields in the order in which they stand in a header. */
const ORDER = ["request", "id", "epoch", "count", "number", "limit", "extra", "generation", "flags"];

function sorted(fields: string): string[] {
  const place = (field: string): number => ORDER.indexOf(field.slice(field.lastIndexOf(" ") + 1));
  return fields.split(", ").sort((a, b) => place(a) - place(b));
}

test("docs/PROTOCOL.md tells every type of message with its number and its fields", () => {
  const page = readFileSync("docs/PROTOCOL.md", "utf8");
  const rows = [...page.matchAll(/^\| (\d+) \| `(\w+)` \| ([^|]*) \|/gm)].map(([, type, name, fields]) => ({
    type: Number(type),
    name: name!,
    fields: sorted(fields!),
  }));
  const expected = Object.entries(TYPES).map(([name, type]) => {
    const places = (LAYOUTS as Readonly<Record<string, (typeof LAYOUTS)["ack"] | undefined>>)[name]?.places ??
      [];
    const fields = places.map(([property, { field }]) => `\`${property}\` ${field ?? "flags"}`).join(", ");
    return { type, name, fields: sorted(WITH_RECORDS[name] ?? fields) };
  });
  assertEquals(rows, expected);
});
