/**
 * A fault of the application's own code that nobody of ours can answer for, such as a listener that throws.
 *
 * @module
 */

import type { Host } from "../ports.ts";

/** Lets `error` surface as the runtime shows errors that nobody caught. Returns, and the caller goes on. */
export function reportError(host: Host, error: unknown): void {
  if (host.reportError !== undefined) return host.reportError(error);
  host.microtask(() => {
    throw error;
  });
}
