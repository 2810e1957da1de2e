/**
 * How sockets and related objects print: one line for `console.log`, the same facts for `JSON.stringify`.
 * Node, Deno and Bun all look up the same symbol for the line.
 *
 * @module
 */

const INSPECT = Symbol.for("nodejs.util.inspect.custom");

/** The most entries of a list that a line shows. */
const SHOWN_MAX = 5;

/** The facts to show: names and plain values. */
export type Facts = Readonly<Record<string, unknown>>;

/**
 * Makes instances of a class print as one line of what `facts` returns. The added method is not enumerable.
 */
export function showAs<Shown extends object>(prototype: Shown, facts: (shown: Shown) => Facts): void {
  Object.defineProperty(prototype, INSPECT, {
    value(this: Shown, depth: number): string {
      const { name } = this.constructor;
      return depth < 0 ? `[${name}]` : lineOf(name, facts(this));
    },
    configurable: true,
    writable: true,
  });
}

/**
 * Returns a line such as `Push { connected: ["tcp://127.0.0.1:5555"], peers: 1, queued: 0 }`. Fields that are
 * `undefined` are left out.
 */
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
  if (typeof value !== "object" || value === null) return String(value);
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  return fields.length === 0
    ? "{}"
    : `{ ${fields.map(([name, field]) => `${name}: ${textOf(field)}`).join(", ")} }`;
}
