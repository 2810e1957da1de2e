/**
 * The table of the sockets' options as docs/CONFIGURATION.md shows it, made of what src/socket/options.ts declares: who
 * has an option, its default, what is allowed, and its doc comment. Run it to print the table.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { OPTION_NAMES, OPTION_ROWS, type OptionName } from "../src/socket/options.ts";
import { TRANSPORT_OPTIONS } from "../src/socket/transport_checks.ts";
import type { SocketType } from "../src/zmtp/socket_type.ts";

const TYPES = Object.keys(OPTION_NAMES) as SocketType[];

/** The doc comments of options, by name. An option of two groups has two. */
export function optionComments(source: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (
    const [, text, name] of source.matchAll(/^ {2}\/\*\*\s((?:(?!\*\/)[\s\S])+?)\s+\*\/\n {2}(\w+)\?:/gm)
  ) {
    const lines = text!.split("\n").map((line) => line.replace(/^ *\* ?/, ""));
    found.set(name!, [...found.get(name!) ?? [], lines.filter((line) => line !== "").join(" ")]);
  }
  return found;
}

/** A comment without its default, which has a column of its own. */
export function withoutDefault(comment: string): string {
  return comment.replace(/ Default (?:-?[\d ]+(?: MiB)?|true|false|null)\./, "");
}

/** The rows of the table. */
export function optionTable(): string[] {
  const comments = optionComments(readFileSync("src/socket/options.ts", "utf8"));
  return (Object.keys(OPTION_ROWS) as OptionName[]).map((name) => {
    const { value } = OPTION_ROWS[name];
    const ofTransports = TRANSPORT_OPTIONS[name]?.allowed;
    const allowed = [OPTION_ROWS[name].allowed, ...(ofTransports === undefined ? [] : [ofTransports])].join(
      ", or ",
    );
    const texts = new Set((comments.get(name) ?? []).map(withoutDefault));
    return `| \`${name}\` | ${typesWith(name)} | ${shown(value)} | ${allowed} | ${[...texts].join(" · ")} |`;
  });
}

function typesWith(name: OptionName): string {
  const types = TYPES.filter((type) => OPTION_NAMES[type].includes(name));
  return types.length === TYPES.length ? "all" : types.join(", ");
}

function shown(value: unknown): string {
  return typeof value === "number" ? String(value) : JSON.stringify(value);
}

if ((import.meta as { main?: boolean }).main === true) console.log(optionTable().join("\n"));
