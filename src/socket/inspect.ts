/**
 * How sockets and what belongs to them show themselves: one line for `console.log`, the same facts for
 * `JSON.stringify`. Node, Deno and Bun ask one and the same symbol for the line.
 *
 * @module
 */

const INSPECT = Symbol.for("nodejs.util.inspect.custom");

/** Entries of a list that a line shows. */
const SHOWN_MAX = 5;

/** What is shown: names and plain values. */
export type Facts = Readonly<Record<string, unknown>>;

/**
 * Lets the instances of a class show themselves as the line of what `facts` finds. Not to be listed among
 * its members.
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

/** `Push { connected: ["tcp://127.0.0.1:5555"], peers: 1, queued: 0 }`; what is `undefined` is left out. */
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
