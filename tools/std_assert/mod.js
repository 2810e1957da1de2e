// A local stand-in for JSR's @std/assert, which npm does not carry: the same names and signatures, so that a test
// file runs unchanged on Node, Deno and Bun from one node_modules.
import { equal } from "./equal.js";
import { difference, format } from "./format.js";

export { equal };

/** What every assertion here throws. */
export class AssertionError extends Error {
  constructor(message, options) {
    super(message, options);
    this.name = "AssertionError";
  }
}

function suffix(msg) {
  return msg ? `: ${msg}` : "";
}

function raise(text, msg) {
  throw new AssertionError(text + suffix(msg));
}

export function assert(expr, msg = "") {
  if (!expr) throw new AssertionError(msg || "Expected a truthy value.");
}

export function assertFalse(expr, msg = "") {
  if (expr) throw new AssertionError(msg || "Expected a falsy value.");
}

export function assertEquals(actual, expected, msg) {
  if (equal(actual, expected)) return;
  raise(`Values are not equal${suffix(msg)}\n${difference(actual, expected)}`);
}

export function assertNotEquals(actual, expected, msg) {
  if (equal(actual, expected)) {
    raise(`Expected actual: ${format(actual)} not to be: ${format(expected)}`, msg);
  }
}

export function assertStrictEquals(actual, expected, msg) {
  if (Object.is(actual, expected)) return;
  const text = equal(actual, expected)
    ? `Values have the same structure but are not reference-equal${suffix(msg)}\n\n    ${format(actual)}\n`
    : `Values are not strictly equal${suffix(msg)}\n${difference(actual, expected)}`;
  raise(text);
}

export function assertNotStrictEquals(actual, expected, msg) {
  if (Object.is(actual, expected)) {
    raise(`Expected "actual" to not be strictly equal to: ${format(actual)}`, msg);
  }
}

export function assertExists(actual, msg) {
  if (actual === undefined || actual === null) {
    raise(`Expected actual: "${actual}" to not be null or undefined`, msg);
  }
}

export function assertInstanceOf(actual, expectedType, msg = "") {
  if (actual instanceof expectedType) return;
  const found = actual === null || actual === undefined
    ? String(actual)
    : typeof actual === "object"
    ? `"${actual.constructor?.name ?? "Object"}"`
    : `"${typeof actual}"`;
  raise(
    `Expected object to be an instance of "${expectedType?.name || "anonymous class"}" but was ${found}`,
    msg,
  );
}

export function assertNotInstanceOf(actual, unexpectedType, msg) {
  if (actual instanceof unexpectedType) {
    raise(`Expected object to not be an instance of "${unexpectedType.name}"`, msg);
  }
}

export function assertMatch(actual, expected, msg) {
  if (!expected.test(actual)) raise(`Expected actual: ${format(actual)} to match: ${expected}`, msg);
}

export function assertNotMatch(actual, expected, msg) {
  if (expected.test(actual)) raise(`Expected actual: ${format(actual)} to not match: ${expected}`, msg);
}

export function assertStringIncludes(actual, expected, msg) {
  if (!actual.includes(expected)) {
    raise(`Expected actual: ${format(actual)} to contain: ${format(expected)}`, msg);
  }
}

export function assertArrayIncludes(actual, expected, msg) {
  const missing = Array.from(expected).filter((wanted) =>
    !Array.from(actual).some((found) => equal(wanted, found))
  );
  if (missing.length === 0) return;
  raise(
    `Expected actual: ${format(actual)} to include: ${format(expected)}\nmissing: ${format(missing)}`,
    msg,
  );
}

export function assertGreater(actual, expected, msg) {
  if (!(actual > expected)) raise(`Expect ${format(actual)} > ${format(expected)}`, msg);
}

export function assertGreaterOrEqual(actual, expected, msg) {
  if (!(actual >= expected)) raise(`Expect ${format(actual)} >= ${format(expected)}`, msg);
}

export function assertLess(actual, expected, msg) {
  if (!(actual < expected)) raise(`Expect ${format(actual)} < ${format(expected)}`, msg);
}

export function assertLessOrEqual(actual, expected, msg) {
  if (!(actual <= expected)) raise(`Expect ${format(actual)} <= ${format(expected)}`, msg);
}

export function assertAlmostEquals(actual, expected, tolerance, msg) {
  if (Object.is(actual, expected)) return;
  const allowed = tolerance ?? (Number.isFinite(expected) ? Math.abs(expected * 1e-7) : 1e-7);
  const delta = Math.abs(expected - actual);
  if (delta <= allowed) return;
  raise(
    `Expected actual: "${actual}" to be close to "${expected}": delta "${delta}" is greater than "${allowed}"`,
    msg,
  );
}

export function assertObjectMatch(actual, expected, msg) {
  const part = pick(actual, expected, new Map());
  if (equal(part, expected)) return;
  raise(`Object does not match${suffix(msg)}\n${difference(part, expected)}`);
}

/** The part of `actual` that `expected` speaks about, so that the two can be compared and shown as a whole. */
function pick(actual, expected, seen) {
  if (!isContainer(actual) || !isContainer(expected) || Array.isArray(actual) !== Array.isArray(expected)) {
    return actual;
  }
  if (seen.has(expected)) return seen.get(expected);
  const part = Array.isArray(actual) ? [] : Object.create(Object.getPrototypeOf(expected));
  seen.set(expected, part);
  // An array matches as a whole length; its elements may be partial.
  if (Array.isArray(actual)) part.length = actual.length;
  for (const key of Reflect.ownKeys(expected)) {
    if (key !== "length" && key in actual) part[key] = pick(actual[key], expected[key], seen);
  }
  return part;
}

function isContainer(value) {
  if (Array.isArray(value)) return true;
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return false;
  return !(value instanceof Map || value instanceof Set || value instanceof Date || value instanceof RegExp);
}

export function assertIsError(error, ErrorClass, msgMatches, msg) {
  if (!(error instanceof Error)) raise(`Expected "error" to be an Error object, got ${format(error)}`, msg);
  if (ErrorClass && !(error instanceof ErrorClass)) {
    raise(
      `Expected error to be instance of "${ErrorClass.name}", but was "${error.constructor?.name}": ${error.message}`,
      msg,
    );
  }
  const matches = msgMatches === undefined ||
    (typeof msgMatches === "string" ? error.message.includes(msgMatches) : msgMatches.test(error.message));
  if (!matches) raise(`Expected error message ${format(error.message)} to match ${format(msgMatches)}`, msg);
}

/** `(fn, msg?)` or `(fn, ErrorClass, msgIncludes?, msg?)`, the two forms of assertThrows and assertRejects. */
function expectation(classOrMsg, msgIncludesOrMsg, msg) {
  if (typeof classOrMsg === "string") return { msg: classOrMsg };
  if (classOrMsg === undefined) return { msg };
  return { ErrorClass: classOrMsg, msgIncludes: msgIncludesOrMsg, msg };
}

function checkThrown(error, { ErrorClass, msgIncludes, msg }) {
  if (ErrorClass !== undefined) assertIsError(error, ErrorClass, msgIncludes, msg);
  return error;
}

export function assertThrows(fn, classOrMsg, msgIncludesOrMsg, msg) {
  const expected = expectation(classOrMsg, msgIncludesOrMsg, msg);
  let value;
  try {
    value = fn();
  } catch (error) {
    return checkThrown(error, expected);
  }
  if (typeof value?.then === "function") {
    value.then(undefined, () => {});
    raise("Expected function to throw, but it returned a promise: use assertRejects", expected.msg);
  }
  raise("Expected function to throw", expected.msg);
}

export async function assertRejects(fn, classOrMsg, msgIncludesOrMsg, msg) {
  const expected = expectation(classOrMsg, msgIncludesOrMsg, msg);
  let promise;
  try {
    promise = fn();
  } catch {
    raise("Function throws when expected to reject", expected.msg);
  }
  if (typeof promise?.then !== "function") raise("Expected function to return a promise", expected.msg);
  try {
    await promise;
  } catch (error) {
    return checkThrown(error, expected);
  }
  raise("Expected function to reject", expected.msg);
}

export function fail(msg) {
  raise("Failed assertion", msg || undefined);
}

export function unreachable(reason) {
  raise("Unreachable", reason);
}

export function unimplemented(msg) {
  raise("Unimplemented", msg);
}
