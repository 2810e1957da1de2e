/**
 * Detects the runtime and loads the adapter that belongs to it.
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

/** Returns the current runtime. Deno and Bun identify themselves as Node too, so Node is checked last. */
export function detectRuntime(): Runtime {
  const globals = globalThis as unknown as Globals;
  if (typeof globals.Bun?.version === "string") return "bun";
  if (typeof globals.Deno?.version?.deno === "string") return "deno";
  if (typeof globals.process?.versions?.node === "string") return "node";
  return "web";
}

/**
 * Loads the adapter of this runtime and no other: each is a separate module, imported on demand. Runtimes
 * without one get the memory adapter.
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

/**
 * Returns a new host over this runtime's globals, synchronously, because a context needs one before its
 * adapter is loaded.
 */
export function detectHost(): Host {
  return createHost();
}
