/**
 * Which runtime this is, and the adapter that belongs to it.
 *
 * @module
 */

import type { Adapter, Host } from "../src/ports.ts";
import { createHost } from "./host.ts";

/** A runtime that hawser knows. `web` is anything else: a browser or a worker. */
export type Runtime = "node" | "deno" | "bun" | "web";

interface Globals {
  readonly Bun?: { readonly version?: string };
  readonly Deno?: { readonly version?: { readonly deno?: string } };
  readonly process?: { readonly versions?: { readonly node?: string } };
}

/** The runtime that runs this. Deno and Bun show themselves as Node too, so Node is asked last. */
export function detectRuntime(): Runtime {
  const globals = globalThis as unknown as Globals;
  if (typeof globals.Bun?.version === "string") return "bun";
  if (typeof globals.Deno?.version?.deno === "string") return "deno";
  if (typeof globals.process?.versions?.node === "string") return "node";
  return "web";
}

/**
 * Loads the adapter of this runtime, and no other: each is a module of its own, imported when it is asked for. Where
 * there is none, the memory adapter takes its place.
 */
export async function loadAdapter(): Promise<Adapter> {
  switch (detectRuntime()) {
    case "bun":
      return (await import("./bun/mod.ts")).bunAdapter;
    case "deno":
      return (await import("./deno/mod.ts")).denoAdapter;
    case "node":
      return (await import("./node/mod.ts")).nodeAdapter;
    case "web":
      return (await import("./memory/mod.ts")).memoryAdapter;
  }
}

/** A host of its own over this runtime's globals, at once: what a context needs before its adapter is loaded. */
export function detectHost(): Host {
  return createHost();
}
