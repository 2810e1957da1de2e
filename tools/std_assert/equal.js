// Deep equality with the manners of JSR's @std/assert, except that byte views compare by content alone: a Node
// Buffer equals a plain Uint8Array, because which of the two a runtime hands over is never what a test is about.

/** Whether `a` and `b` have the same structure and values. */
export function equal(a, b) {
  return same(a, b, new Map());
}

function same(a, b, seen) {
  if (Object.is(a, b) || a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (a instanceof Uint8Array && b instanceof Uint8Array) return sameElements(a, b);
  if (!sameConstructor(a, b)) return false;
  if (ArrayBuffer.isView(a)) return sameView(a, b);
  if (a instanceof ArrayBuffer) return sameElements(new Uint8Array(a), new Uint8Array(b));
  if (a instanceof Date) return Object.is(a.getTime(), b.getTime());
  if (a instanceof RegExp || a instanceof URL) return String(a) === String(b);
  // Two of these cannot be looked into, so only identity, which was tried above, makes them equal.
  if (a instanceof Promise || a instanceof WeakMap || a instanceof WeakSet || a instanceof WeakRef) {
    return false;
  }
  // A pair that is being compared further up counts as equal there; otherwise cycles would never end.
  if (seen.get(a) === b) return true;
  seen.set(a, b);
  if (a instanceof Set) return sameSet(a, b, seen);
  if (a instanceof Map) return sameMap(a, b, seen);
  if (a instanceof Error && (a.name !== b.name || a.message !== b.message)) return false;
  if (isBoxed(a) && !same(a.valueOf(), b.valueOf(), seen)) return false;
  return sameKeys(a, b, seen);
}

function sameConstructor(a, b) {
  const left = Object.getPrototypeOf(a);
  const right = Object.getPrototypeOf(b);
  if (left === right || a.constructor === b.constructor) return true;
  // An object without a prototype is as plain as a literal.
  return (left === null && right === Object.prototype) || (left === Object.prototype && right === null);
}

function isBoxed(value) {
  return value instanceof Number || value instanceof String || value instanceof Boolean;
}

function sameView(a, b) {
  if (!(a instanceof DataView)) return sameElements(a, b);
  return sameElements(
    new Uint8Array(a.buffer, a.byteOffset, a.byteLength),
    new Uint8Array(b.buffer, b.byteOffset, b.byteLength),
  );
}

function sameElements(a, b) {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index++) {
    if (a[index] !== b[index] && !Object.is(a[index], b[index])) return false;
  }
  return true;
}

function sameSet(a, b, seen) {
  if (a.size !== b.size) return false;
  const rest = new Set(b);
  for (const value of a) {
    if (rest.delete(value)) continue;
    const twin = [...rest].find((candidate) => same(value, candidate, new Map(seen)));
    if (twin === undefined) return false;
    rest.delete(twin);
  }
  return true;
}

function sameMap(a, b, seen) {
  if (a.size !== b.size) return false;
  const rest = new Map(b);
  for (const [key, value] of a) {
    if (rest.has(key)) {
      if (!same(value, rest.get(key), seen)) return false;
      rest.delete(key);
      continue;
    }
    const twin = [...rest].find(([otherKey, otherValue]) =>
      same(key, otherKey, new Map(seen)) && same(value, otherValue, new Map(seen))
    );
    if (twin === undefined) return false;
    rest.delete(twin[0]);
  }
  return true;
}

function enumerableKeys(value) {
  const symbols = Object.getOwnPropertySymbols(value).filter((symbol) =>
    Object.prototype.propertyIsEnumerable.call(value, symbol)
  );
  return [...Object.keys(value), ...symbols];
}

function sameKeys(a, b, seen) {
  if (Array.isArray(a) && a.length !== b.length) return false;
  const keys = enumerableKeys(a);
  if (keys.length !== enumerableKeys(b).length) return false;
  return keys.every((key) => Object.hasOwn(b, key) && same(a[key], b[key], seen));
}
