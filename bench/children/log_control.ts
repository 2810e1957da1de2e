/**
 * What the log's measured processes share: their parameters, and the run of one job of a fixed size.
 *
 * @module
 */

import process from "node:process";
import { fail, follow, say } from "./control.ts";

/** `name=value` arguments; numbers where they look like one. */
export function readValues(): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const argument of process.argv.slice(2)) {
    const equals = argument.indexOf("=");
    values.set(argument.slice(0, equals), argument.slice(equals + 1));
  }
  return values;
}

/** One job, measured. */
export interface JobResult {
  readonly messages: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly p50Us?: number;
  readonly p99Us?: number;
}

/** Runs `job` when the harness says START, and reports what it answers. */
export function serveJob(job: () => Promise<JobResult>): void {
  follow({
    start: () => {
      job().then((result) => say("RESULT " + JSON.stringify(result)), fail);
    },
  });
}

/** Values that differ, so that nobody gains by their likeness. */
export function makeValues(bytes: number, count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, number) => {
    const value = new Uint8Array(bytes);
    for (let at = 0; at < bytes; at++) value[at] = (number * 31 + at * 7) & 0xff;
    return value;
  });
}

/** Median and 99th percentile of microseconds. */
export function percentiles(
  samplesUs: readonly number[],
): { readonly p50Us: number; readonly p99Us: number } {
  const sorted = Float64Array.from(samplesUs).sort();
  const at = (part: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
  return { p50Us: at(0.5), p99Us: at(0.99) };
}
