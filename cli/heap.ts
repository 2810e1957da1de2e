/**
 * How Node's garbage collector treats a broker's process.
 *
 * @module
 */

import v8 from "node:v8";
import { detectRuntime } from "../adapters/detect.ts";

/**
 * Lets the heap of this process grow to five times what is alive before it is collected as a whole.
 *
 * What a Node socket reads comes in memory outside of the heap, 64 KiB at a time, which counts towards the next collection. A
 * broker's own heap is small, so its limit is small too, and a fast publisher makes V8 collect all of it every 16 MB: half of
 * the processor's time. With this the memory is freed by collections of young objects alone, as in a program that keeps
 * nothing. See docs/BENCHMARKS.md. A program that embeds a broker can do the same, or start Node with the flag.
 *
 * Does nothing on other runtimes: they read into memory of their own.
 */
export function letHeapGrow(): void {
  if (detectRuntime() === "node") v8.setFlagsFromString("--heap-growing-percent=400");
}
