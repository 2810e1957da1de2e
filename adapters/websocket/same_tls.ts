/**
 * Whether two sockets may share a listener over TLS.
 *
 * @module
 */

import { equalBytes } from "../../src/bytes/bytes.ts";
import type { TlsOptions } from "../../src/transport_options.ts";

/** Whether two sets of options are the same, field by field. */
export function sameTls(one: TlsOptions | undefined, other: TlsOptions | undefined): boolean {
  if (one === other) return true;
  if (one === undefined || other === undefined) return false;
  const names = new Set([...Object.keys(one), ...Object.keys(other)]) as Set<keyof TlsOptions>;
  return [...names].every((name) => sameValue(one[name], other[name]));
}

function sameValue(one: unknown, other: unknown): boolean {
  if (one instanceof Uint8Array && other instanceof Uint8Array) return equalBytes(one, other);
  if (Array.isArray(one) && Array.isArray(other)) {
    return one.length === other.length && one.every((value, i) => sameValue(value, other[i]));
  }
  return one === other;
}
