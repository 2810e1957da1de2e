/**
 * How the objects that users hold show themselves: one line for `console.log` instead of their internals.
 * Node, Deno and Bun all look for the same symbol.
 *
 * @module
 */

const INSPECT = Symbol.for("nodejs.util.inspect.custom");

/** As a value: the line shows the fact's name alone. */
export const PRESENT: unique symbol = Symbol("present");

/** What is shown: names and plain values. A fact that is `undefined` is left out. */
export type Facts = Readonly<Record<string, unknown>>;

/** Writes what `console.log` shows: see inspect_line.ts. */
export type LineOf = (name: string, facts: Facts) => string;

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
    return depth < 0 || lineOf === undefined ? `[${title}]` : lineOf(title, facts(this));
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

let lineOf: LineOf | undefined;

/** How lines are written, from now on. A browser's console shows objects itself. */
export function showLines(by: LineOf | undefined): void {
  lineOf = by;
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
