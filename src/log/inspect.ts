/**
 * What `console.log` shows of the log's objects: one line instead of their internals.
 *
 * @module
 */

/** Under this name Node, Deno and Bun look for how an object is to be shown. */
const INSPECT = Symbol.for("nodejs.util.inspect.custom");

/** What a class is, of which objects are shown. */
interface Shown<T> {
  readonly prototype: T;
}

/** From here on `console.log` shows objects of this class as `line` has it. For a static block, which sees private fields. */
export function showAs<T extends object>(shown: Shown<T>, line: (one: T) => string): void {
  const value = function (this: T): string {
    return line(this);
  };
  Object.defineProperty(shown.prototype, INSPECT, { value, configurable: true, writable: true });
}

/** `Name { position: 0n, key, value: Uint8Array(5) }`. Of `true` the name alone is shown, of `undefined` and `false` nothing. */
export function oneLine(name: string, parts: Readonly<Record<string, unknown>>): string {
  const shown = Object.entries(parts).flatMap(([part, value]) => {
    if (value === undefined || value === false) return [];
    return [value === true ? part : `${part}: ${shownValue(value)}`];
  });
  return shown.length === 0 ? `${name} {}` : `${name} { ${shown.join(", ")} }`;
}

function shownValue(value: unknown): string {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "string") return JSON.stringify(value);
  if (value instanceof Uint8Array) return `Uint8Array(${value.length})`;
  return Array.isArray(value) ? `[${value.map(shownValue).join(", ")}]` : String(value);
}
