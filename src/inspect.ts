/**
 * How the objects that users hold show themselves: one line for `console.log` instead of their internals.
 * Node, Deno and Bun all look for the same symbol.
 *
 * @module
 */

const INSPECT = Symbol.for("nodejs.util.inspect.custom");

/** Entries of a list that a line shows. */
const SHOWN_MAX = 5;

/** As a value: the line shows the fact's name alone. */
export const PRESENT: unique symbol = Symbol("present");

/** What is shown: names and plain values. A fact that is `undefined` is left out. */
export type Facts = Readonly<Record<string, unknown>>;

/**
 * From here on `console.log` shows the instances of a class as one line made of what `facts` returns, and
 * JSON has the same, unless the class says itself what JSON has. Call it in a static block where `facts`
 * reads private fields. `name` is the name of the class, which bundlers change, or what else to call it; a
 * class that extends it has its own name.
 */
export function showAs<Shown extends object>(
  prototype: Shown,
  name: string,
  facts: (shown: Shown) => Facts,
): void {
  nameAs(prototype, name);
  define(prototype, INSPECT, function (this: Shown, depth: number): string {
    const title = titleOf(this);
    return depth < 0 ? `[${title}]` : lineOf(title, facts(this));
  });
  if ("toJSON" in prototype) return;
  define(prototype, "toJSON", function (this: Shown): unknown {
    return jsonOf(facts(this));
  });
}

/** What a class is called when it is shown. Bundlers change the names of classes. */
export function nameAs(prototype: object, name: string): void {
  NAMES.set(prototype, name);
}

const NAMES: WeakMap<object, string> = new WeakMap();

function titleOf(shown: object): string {
  return NAMES.get(Object.getPrototypeOf(shown) as object) ?? shown.constructor.name;
}

function define(prototype: object, name: PropertyKey, value: unknown): void {
  Object.defineProperty(prototype, name, { value, configurable: true, writable: true });
}

/** What JSON can hold: positions are decimal text, as in a record's. */
function jsonOf(facts: Facts): Facts {
  const entries = Object.entries(facts).map(([name, value]) =>
    [name, typeof value === "bigint" ? `${value}` : value] as const
  );
  return Object.fromEntries(entries);
}

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
