/**
 * What one option of the log is: which values are legal, its unit, what an error says is allowed, and its default. Whole sets of
 * options are tables of these by dotted path (`retention.bytesMax`), from which checks, the names of environment
 * variables and arguments, and the documentation are made.
 *
 * @module
 */

import { encodeUtf8 } from "../../bytes/utf8.ts";
import { MisuseError } from "../../errors.ts";
import { isPlainObject } from "../../arguments.ts";
import { nearest } from "../../nearest.ts";
import { formatDuration, formatSize } from "./units.ts";

/** How a field's value is written as text. */
export type FieldKind = "bytes" | "ms" | "count" | "flag" | "choice" | "text" | "texts";

/** One option. */
export interface Field {
  readonly kind: FieldKind;
  /** Whether a value is allowed. */
  readonly allows: (value: unknown) => boolean;
  /** What the message of an error says is allowed. */
  readonly allowed: string;
  /** The default. `undefined`: none, or one that depends on other values. */
  readonly value: unknown;
  /** What the table of all options says of it. */
  readonly about: string;
  /** Text that may be a number in a file: a port. */
  readonly numeric?: true;
  /** The default in words, where it depends on other values. */
  readonly valueText?: string;
}

/** Options by dotted path. */
export type Fields = Readonly<Record<string, Field>>;

const MAX = Number.MAX_SAFE_INTEGER;
/** The longest wait a timer of every runtime can tell: 24.8 days. */
export const TIMER_MS_MAX = 2_147_483_647;
/** Bytes of the longest name of a publisher, consumer or topic. */
export const NAME_BYTES_MAX = 255;

/** A number of bytes. */
export function bytesField(about: string, value: number, min: number, max: number = MAX): Field {
  return { kind: "bytes", ...whole("bytes", min, max, formatSize), value, about };
}

/** A number of milliseconds. */
export function msField(about: string, value: number, min: number, max: number = TIMER_MS_MAX): Field {
  return { kind: "ms", ...whole("milliseconds", min, max, formatDuration), value, about };
}

/** A number of something. */
export function countField(
  about: string,
  what: string,
  value: number,
  min: number,
  max: number = MAX,
): Field {
  return { kind: "count", ...whole(what, min, max, String), value, about };
}

/** Yes or no. */
export function flagField(about: string, value: boolean): Field {
  return {
    kind: "flag",
    allows: (given) => typeof given === "boolean",
    allowed: "true or false",
    value,
    about,
  };
}

/** One of a few numbers. `why` is added to what is allowed. */
export function choiceField(
  about: string,
  choices: readonly number[],
  value: number | undefined,
  why: string = "",
): Field {
  const legal = `${choices.slice(0, -1).join(", ")} or ${choices.at(-1)}`;
  return {
    kind: "choice",
    allows: (given) => choices.includes(given as number),
    allowed: why === "" ? legal : `${legal} (${why})`,
    value,
    about,
  };
}

/** Text that may be missing. */
export function textField(
  about: string,
  allowed: string,
  legal: (text: string) => boolean,
  value?: string,
): Field {
  return {
    kind: "text",
    allows: (given) => typeof given === "string" && legal(given),
    allowed,
    value,
    about,
  };
}

/** A list of texts, each different from the others. */
export function textsField(
  about: string,
  allowed: string,
  legal: (text: string) => boolean,
  value: readonly string[],
  min: number = 0,
): Field {
  const allows = (given: unknown): boolean =>
    Array.isArray(given) && given.length >= min && new Set(given).size === given.length &&
    given.every((text) => typeof text === "string" && legal(text));
  return { kind: "texts", allows, allowed, value: Object.freeze([...value]), about };
}

/** Whether a text can name a publisher or consumer. */
export function isName(text: string): boolean {
  return text !== "" && encodeUtf8(text).length <= NAME_BYTES_MAX && !hasControls(text);
}

/** What an error says a name may be. */
export const NAME_ALLOWED: string = `text of 1 to ${NAME_BYTES_MAX} bytes without control characters`;

function hasControls(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit < 0x20 || unit === 0x7f) return true;
  }
  return false;
}

function whole(
  what: string,
  min: number,
  max: number,
  format: (value: number) => string,
): Pick<Field, "allows" | "allowed"> {
  // Another unit says more; the same one says it twice.
  const also = (value: number): string =>
    format(value).startsWith(String(value)) ? "" : ` (${format(value)})`;
  const upTo = max === MAX ? "or more" : `to ${max}${also(max)}`;
  return {
    allows: (given) => Number.isSafeInteger(given) && (given as number) >= min && (given as number) <= max,
    allowed: `${what}: a whole number, ${min} ${upTo}`,
  };
}

/** Names the field, the value and what is allowed. */
export function refuseValue(path: string, value: unknown, allowed: string): never {
  throw new MisuseError("ERR_OPTION", `Cannot set option "${path}" to ${show(value)}: allowed is ${allowed}`);
}

/** Checks one value. `path` is what errors call it. */
export function checkField(field: Field, path: string, value: unknown): unknown {
  if (!field.allows(value)) refuseValue(path, value, field.allowed);
  return Array.isArray(value) ? Object.freeze([...value]) : value;
}

/**
 * Checks options that may be given in part, and answers those that were, nested as they came. Fields that are
 * `undefined` count as missing.
 *
 * @throws {MisuseError} `ERR_OPTION`: an unknown option, or a value that is not allowed.
 */
export function checkGiven(
  what: string,
  fields: Fields,
  input: unknown,
  prefix: string = "",
): Record<string, unknown> {
  return checkGroup(what, fields, input, prefix, "");
}

function checkGroup(
  what: string,
  fields: Fields,
  input: unknown,
  prefix: string,
  group: string,
): Record<string, unknown> {
  const checked: Record<string, unknown> = {};
  if (!isPlainObject(input)) {
    refuseValue(
      (prefix + group).replace(/\.$/, "") || what,
      input,
      `an object with ${namesIn(fields, group).join(", ")}`,
    );
  }
  for (const [key, value] of Object.entries(input)) {
    if (value === undefined) continue;
    const path = group + key;
    // A key with a dot in it would pass for a path.
    const field = !key.includes(".") && Object.hasOwn(fields, path) ? fields[path] : undefined;
    if (field !== undefined) checked[key] = checkField(field, prefix + path, value);
    else if (namesIn(fields, `${path}.`).length > 0) {
      checked[key] = Object.freeze(checkGroup(what, fields, value, prefix, `${path}.`));
    } else refuseUnknown(prefix + path, what, namesIn(fields, group));
  }
  return checked;
}

/** Says that there is no such option, which one may have been meant, and which there are. */
export function refuseUnknown(path: string, what: string, names: readonly string[]): never {
  throw unknownOption(path, what, names);
}

/** The error for an option that there is not. `names`: those that there are, without the groups that lead to them. */
export function unknownOption(path: string, what: string, names: readonly string[]): MisuseError {
  const near = nearest(path.slice(path.lastIndexOf(".") + 1), names);
  const meant = near === undefined ? "" : ` (did you mean "${near}"?)`;
  return new MisuseError(
    "ERR_OPTION",
    `Unknown option "${path}" of ${what}${meant}; it has ${names.join(", ")}`,
  );
}

/** The same options with every default filled in that does not depend on others. */
export function fillDefaults(
  fields: Fields,
  given: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const filled: Record<string, unknown> = {};
  for (const [path, field] of Object.entries(fields)) {
    const [outer = "", inner] = path.split(".");
    if (inner === undefined) {
      filled[outer] = given[outer] ?? field.value;
      continue;
    }
    const group = (filled[outer] ??= {}) as Record<string, unknown>;
    group[inner] = (given[outer] as Readonly<Record<string, unknown>> | undefined)?.[inner] ?? field.value;
  }
  return filled;
}

/** Merges options that were given in part; later ones win, nested ones field by field. */
export function mergeGiven(
  ...layers: readonly (Readonly<Record<string, unknown>> | undefined)[]
): Record<string, unknown> {
  const merged: Record<string, unknown> = {};
  for (const layer of layers) {
    for (const [key, value] of Object.entries(layer ?? {})) {
      const nested = isPlainObject(value) && isPlainObject(merged[key]);
      if (nested) merged[key] = mergeGiven(merged[key] as Record<string, unknown>, value);
      else if (value !== undefined) merged[key] = value;
    }
  }
  return merged;
}

function namesIn(fields: Fields, group: string): string[] {
  const names = Object.keys(fields).filter((path) => path.startsWith(group)).map((path) =>
    path.slice(group.length).split(".")[0] ?? ""
  );
  return [...new Set(names)];
}

/** A value as an error shows it. */
export function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (Array.isArray(value)) return `[${value.map(show).join(", ")}]`;
  if (typeof value === "function") return "a function";
  return typeof value === "object" && value !== null ? "an object" : String(value);
}
