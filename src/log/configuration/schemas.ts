/**
 * zod, which is loaded when a log is opened and not when the package is imported: it takes longer to load
 * than everything else of the log, and many programs import a log that they never open.
 *
 * @module
 */

import type { z, ZodTypeAny } from "zod/v3";
import { BugError } from "../../errors.ts";

/** What makes schemas. */
export type Zod = typeof z;

/** How a value is checked: makes its schema when the first one is. */
export type Schema = (z: Zod) => ZodTypeAny;

let zod: Zod | undefined;
const made = new WeakMap<Schema, ZodTypeAny>();

/** Whoever has options checked waits for this first. */
export function loadSchemas(): Promise<void> {
  if (zod !== undefined) return Promise.resolve();
  return import("zod/v3").then((loaded) => {
    zod = loaded.z;
  });
}

/** Whether a value is one that a schema allows. */
export function matches(schema: Schema, value: unknown): boolean {
  let checker = made.get(schema);
  if (checker === undefined) {
    if (zod === undefined) throw new BugError("Options were checked before their schemas were loaded");
    checker = schema(zod);
    made.set(schema, checker);
  }
  return checker.safeParse(value).success;
}
