/**
 * Reporting of errors in application code that no caller can receive, such as those of a listener that
 * throws.
 *
 * @module
 */

import type { Host } from "../ports.ts";

/** Surfaces `error` as an uncaught error of the runtime, and returns so that the caller can continue. */
export function reportError(host: Host, error: unknown): void {
  if (host.reportError !== undefined) return host.reportError(error);
  host.microtask(() => {
    throw error;
  });
}
