/**
 * A {@link Host} over globals that Node, Deno, Bun and browsers share.
 *
 * @module
 */

import type { Host } from "../src/ports.ts";
import { builtin, hasBuiltins, type Performance, type Timer, type Timers } from "./builtin.ts";
import { trace } from "./trace.ts";

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
// Every clock is taken here, when the module loads, and never looked up again: fake timers of a test runner, which
// replace the globals for a while, must neither stop a socket nor stay in a host that is made meanwhile.
// Node's built-in modules still have the real ones when the fakes are there first, as with Jest's `enableGlobally`.
const isNode = hasBuiltins() && globals.Deno === undefined && globals.Bun === undefined;
const timers: Timers = isNode ? builtin("node:timers") : globals;
const { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate } = timers;
const { queueMicrotask, MessageChannel } = globals;
const performance: Performance = isNode ? builtin("node:perf_hooks").performance : globals.performance;
const monotonicMs = performance.now.bind(performance);
// Whoever fakes timers fakes Date as well, which no module has.
const unixMs = setTimeout === globals.setTimeout
  ? globals.Date.now
  : () => Math.floor(performance.timeOrigin + monotonicMs());

/**
 * Makes a host. Each has its own `keepAlive`, so give every context one of its own, or count there.
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
  };
  // `node:zlib` has had crc32 for longer than `process` has had getBuiltinModule, so the latter tells.
  return hasBuiltins() ? { ...host, crc32, trace } : host;
}

/** Not with a promise: what a promise's reaction throws is an unhandled rejection, which is another event. */
function reportError(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}

/** Of its own, never a piece of Node's shared pool, and without Buffer's methods, which differ from a Uint8Array's. */
function uninitialized(bytes: number): Uint8Array {
  const buffer = globals.Buffer!.allocUnsafeSlow(bytes);
  return new Uint8Array(buffer.buffer, buffer.byteOffset, bytes);
}

/** Loaded by the first call: on Deno the module takes milliseconds, and most programs never ask. */
let nativeCrc32: ((bytes: Uint8Array, seed: number) => number) | undefined;

function crc32(bytes: Uint8Array, seed: number): number {
  nativeCrc32 ??= builtin("node:zlib").crc32;
  return nativeCrc32(bytes, seed);
}

/** The cheapest deferral on all three runtimes is a reaction to one promise that resolved long ago. */
const RESOLVED: Promise<void> = Promise.resolve();

function microtask(run: () => void): void {
  RESOLVED.then(run);
}

/** Timers beyond this fire at once, with a warning on Node, so longer waits are cut into pieces. */
const TIMER_MS_MAX = 2 ** 31 - 1;

function schedule(delayMs: number, run: () => void, referenced: boolean): () => void {
  // A wait without end needs no timer, and a referenced one would never let the process go.
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

/** Browsers have no `setImmediate`; a message to oneself takes its place, without the 4 ms that nested timers get. */
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
 * One timer that never does anything, there only while it holds the process: some test runners count a timer that is
 * left over as a leak, also one that is not referenced.
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
