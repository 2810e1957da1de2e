/**
 * A {@link Host} over globals that Node, Deno, Bun and browsers share.
 *
 * @module
 */

import type { Host } from "../src/ports.ts";
import { builtin, hasBuiltins, type Performance, type Timer, type Timers } from "./builtin.ts";
import { trace, traces } from "./trace.ts";

interface Port {
  onmessage: (() => void) | null;
  postMessage(value: unknown): void;
}

interface Globals extends Timers {
  readonly Deno?: unknown;
  readonly Bun?: unknown;
  readonly performance: Performance;
  readonly crypto: { getRandomValues(into: Uint8Array): Uint8Array };
  readonly Date: { now(): number };
  readonly queueMicrotask: (run: () => void) => void;
  readonly Buffer?: { allocUnsafeSlow(bytes: number): Uint8Array };
  readonly MessageChannel?: new () => { readonly port1: Port; readonly port2: Port };
}

const globals = globalThis as unknown as Globals;
// Clocks and timers are read once, when the module loads: a test runner's fake timers, which replace the
// globals for a while, must neither stop a socket nor remain in a host that is created meanwhile. Node's own
// modules still have the real ones where the fakes are there first, as with Jest's `enableGlobally`.
const isNode = hasBuiltins() && globals.Deno === undefined && globals.Bun === undefined;
const timers: Timers = isNode ? builtin("node:timers") : globals;
const { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate } = timers;
const { queueMicrotask, MessageChannel } = globals;
const nextTick = hasBuiltins() ? builtin("node:process").nextTick : undefined;
const performance: Performance = isNode ? builtin("node:perf_hooks").performance : globals.performance;
const monotonicMs = performance.now.bind(performance);
// Fake timers come with a fake Date, and no module has the real one.
const unixMs = setTimeout === globals.setTimeout
  ? globals.Date.now
  : () => Math.floor(performance.timeOrigin + monotonicMs());

/**
 * Creates a host. Each has its own `keepAlive`, so give every context a separate host, or count the calls.
 */
export function createHost(): Host {
  const host: Host = {
    nowMs: monotonicMs,
    wallMs: unixMs,
    schedule,
    microtask,
    turn: createTurn(),
    random,
    keepAlive: createKeepAlive(),
    reportError,
    ...(globals.Buffer === undefined ? {} : { memory: uninitialized }),
    // The queue of `nextTick` is run when that of the promises is empty, on all three runtimes.
    ...(nextTick === undefined ? {} : { afterReactions: nextTick }),
  };
  // `node:zlib` had crc32 before `process` had getBuiltinModule, so the latter implies the former.
  return hasBuiltins() ? { ...host, crc32, trace, traces } : host;
}

/** Uses no promise: what a promise reaction throws is an unhandled rejection, which is a different event. */
function reportError(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
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

/** A reaction to one promise that resolved long ago is the cheapest deferral on all three runtimes. */
const RESOLVED: Promise<void> = Promise.resolve();

function microtask(run: () => void): void {
  RESOLVED.then(run);
}

/** Timers beyond this fire at once, with a warning on Node, so longer waits are split. */
const TIMER_MS_MAX = 2 ** 31 - 1;

function schedule(delayMs: number, run: () => void, referenced: boolean): () => void {
  // An endless wait needs no timer, and a referenced timer would never let the process exit.
  if (delayMs === Infinity) return nothing;
  let timer: Timer | undefined;
  let leftMs = delayMs > 0 ? Math.ceil(delayMs) : 0;
  const step = (): void => {
    timer = undefined;
    if (leftMs < 0) return run();
    const pieceMs = Math.min(leftMs, TIMER_MS_MAX);
    leftMs = leftMs > TIMER_MS_MAX ? leftMs - pieceMs : -1;
    timer = setTimeout(step, pieceMs);
    if (!referenced) timer.unref?.();
  };
  step();
  return () => {
    if (timer !== undefined) clearTimeout(timer);
    timer = undefined;
  };
}

function nothing(): void {}

function createTurn(): (run: () => void) => void {
  if (setImmediate !== undefined) return (run) => void setImmediate(run);
  if (MessageChannel !== undefined) return channelTurn(new MessageChannel());
  return (run) => void setTimeout(run, 0);
}

/**
 * Browsers have no `setImmediate`. A message to oneself replaces it, without the 4 ms delay of nested timers.
 */
function channelTurn(channel: { readonly port1: Port; readonly port2: Port }): (run: () => void) => void {
  const runs: (() => void)[] = [];
  channel.port1.onmessage = () => runs.shift()?.();
  return (run) => {
    runs.push(run);
    channel.port2.postMessage(0);
  };
}

/** The Web Crypto API refuses more than this in one call. */
const RANDOM_BYTES_MAX = 65_536;

function random(into: Uint8Array): void {
  for (let at = 0; at < into.length; at += RANDOM_BYTES_MAX) {
    globals.crypto.getRandomValues(into.subarray(at, at + RANDOM_BYTES_MAX));
  }
}

/**
 * One timer that does nothing and exists only while it keeps the process alive, because some test runners
 * report any remaining timer as a leak, even an unreferenced one.
 */
function createKeepAlive(): (on: boolean) => void {
  let timer: Timer | undefined;
  return (on) => {
    if (on) {
      timer ??= setInterval(nothing, TIMER_MS_MAX);
    } else if (timer !== undefined) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}
