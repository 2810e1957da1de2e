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
