/**
 * The {@link Host} of Node, Deno and Bun: what every runtime has, and the modules of Node that they all know.
 *
 * @module
 */

import type { Host } from "../src/ports.ts";
import { builtin, hasBuiltins, type Performance } from "./builtin.ts";
import { createStandardHost, STANDARD_CLOCKS, type Timers } from "./standard_host.ts";
import { trace, traces } from "./trace.ts";

interface Globals {
  readonly Deno?: unknown;
  readonly Bun?: unknown;
  readonly performance: Performance;
  readonly setTimeout: unknown;
  readonly Buffer?: { allocUnsafeSlow(bytes: number): Uint8Array };
}

const globals = globalThis as unknown as Globals;
// Node's own modules still have the real clocks and timers where a test runner's fake ones are there first,
// as with Jest's `enableGlobally`.
const isNode = hasBuiltins() && globals.Deno === undefined && globals.Bun === undefined;
// A copy: a test runner's fake timers replace the functions of the module, too.
const timers: Timers = isNode ? { ...builtin("node:timers") } : STANDARD_CLOCKS.timers;
const nextTick = hasBuiltins() ? builtin("node:process").nextTick : undefined;
const performance: Performance = isNode ? builtin("node:perf_hooks").performance : globals.performance;
const monotonicMs = performance.now.bind(performance);
// Fake timers come with a fake Date, and no module has the real one.
const unixMs = timers.setTimeout === globals.setTimeout
  ? STANDARD_CLOCKS.unixMs
  : () => Math.floor(performance.timeOrigin + monotonicMs());

/**
 * Creates a host. Each has its own `keepAlive`, so give every context a separate host, or count the calls.
 */
export function createHost(): Host {
  const host: Host = {
    ...createStandardHost({ timers, monotonicMs, unixMs }),
    ...(globals.Buffer === undefined ? {} : { memory: uninitialized }),
    // The queue of `nextTick` is run when that of the promises is empty, on all three runtimes.
    ...(nextTick === undefined ? {} : { afterReactions: nextTick }),
  };
  // `node:zlib` had crc32 before `process` had getBuiltinModule, so the latter implies the former.
  return hasBuiltins() ? { ...host, crc32, trace, traces } : host;
}

/**
 * Allocates separate memory, never a piece of Node's shared pool. Not a Buffer, whose methods differ from a
 * Uint8Array's.
 */
function uninitialized(bytes: number): Uint8Array {
  const buffer = globals.Buffer!.allocUnsafeSlow(bytes);
  return new Uint8Array(buffer.buffer, buffer.byteOffset, bytes);
}

/**
 * Loaded on the first call: on Deno the module takes milliseconds to load, and most programs never need it.
 */
let nativeCrc32: ((bytes: Uint8Array, seed: number) => number) | undefined;

function crc32(bytes: Uint8Array, seed: number): number {
  nativeCrc32 ??= builtin("node:zlib").crc32;
  return nativeCrc32(bytes, seed);
}
