/** Which runtime this is. */

import process from "node:process";

/** The runtimes that take part, in the order in which the table shows them. */
export const RUNTIMES = ["Node", "Deno", "Bun"] as const;

export type RuntimeName = (typeof RUNTIMES)[number];

/** The runtime that runs this. Deno and Bun show themselves as Node too, so they are asked first. */
export function thisRuntime(): { readonly name: RuntimeName; readonly version: string } {
  const { deno, bun, node } = process.versions;
  if (deno !== undefined) return { name: "Deno", version: deno };
  if (bun !== undefined) return { name: "Bun", version: bun };
  return { name: "Node", version: node };
}

/** The same for people, `Deno 2.9.6`. */
export function labelOfRuntime(): string {
  const { name, version } = thisRuntime();
  return `${name} ${version}`;
}

/** A worker: what it runs on, and over which transport it takes part. */
export interface WorkerPlan {
  readonly runtime: RuntimeName;
  readonly scheme: "tcp" | "tls" | "ws";
}

/** One worker on each runtime, over TCP. */
export const EACH_RUNTIME: readonly WorkerPlan[] = RUNTIMES.map((runtime) => ({ runtime, scheme: "tcp" }));

/** How a worker on this runtime is called when it connects to `endpoint`: `Deno 2.9.6`, `Bun 1.4.5 over ws`. */
export function workerLabel(endpoint: string): string {
  const scheme = endpoint.slice(0, endpoint.indexOf(":"));
  return scheme === "tcp" ? labelOfRuntime() : `${labelOfRuntime()} over ${scheme}`;
}
