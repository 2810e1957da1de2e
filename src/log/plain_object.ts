/**
 * What may carry options: an object that is no more than its own fields.
 *
 * @module
 */

/**
 * Whether `value` is an object literal, or one without a prototype. An instance of a class, a `Map` or an array is none: its
 * content is not, or not only, in fields of its own, and would be passed over. Objects of another realm are as good.
 */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
