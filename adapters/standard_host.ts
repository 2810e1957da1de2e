/**
 * A {@link Host} over what every runtime has: Node, Deno, Bun, pages and workers. What only some have is
 * added by host.ts.
 *
 * @module
 */

import type { Host } from "../src/ports.ts";

/** What `setTimeout` makes: a number in browsers. */
export interface Timer {
  ref?(): void;
  unref?(): void;
}

/** `node:timers`, or what the globals have of it. */
export interface Timers {
  readonly setTimeout: (run: () => void, delayMs: number) => Timer;
  readonly clearTimeout: (timer: Timer) => void;
  readonly setInterval: (run: () => void, delayMs: number) => Timer;
  readonly clearInterval: (timer: Timer) => void;
  readonly setImmediate?: (run: () => void) => unknown;
}

interface Port {
  onmessage: (() => void) | null;
  postMessage(value: unknown): void;
}

/** The clocks and timers that a host uses. */
export interface Clocks {
  readonly timers: Timers;
  /** Monotonic time in milliseconds. */
  readonly monotonicMs: () => number;
  /** Unix time in milliseconds. */
  readonly unixMs: () => number;
}

interface Globals extends Timers {
  readonly performance: { now(): number };
  readonly crypto: { getRandomValues(into: Uint8Array): Uint8Array };
  readonly Date: { now(): number };
  readonly queueMicrotask: (run: () => void) => void;
  readonly MessageChannel?: new () => { readonly port1: Port; readonly port2: Port };
}

// Everything is read once, when the module loads: a test runner's fake timers, which replace the globals for
// a while, must neither stop a socket nor remain in a host that is created meanwhile.
const globals = globalThis as unknown as Globals;
const { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate, queueMicrotask, MessageChannel } =
  globals;
const now = globals.performance.now.bind(globals.performance);

/** The clocks and timers of the globals. A browser's functions want their global object as `this`. */
export const STANDARD_CLOCKS: Clocks = {
  timers: { setTimeout, clearTimeout, setInterval, clearInterval, ...(setImmediate && { setImmediate }) },
  monotonicMs: now,
  unixMs: globals.Date.now,
};

/**
 * Creates a host. Each has its own `keepAlive`, so give every context a separate host, or count the calls.
 */
export function createStandardHost({ timers, monotonicMs, unixMs }: Clocks): Host {
  // Called as plain functions.
  const { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate } = timers;
  return {
    nowMs: monotonicMs,
    wallMs: unixMs,
    schedule: (delayMs, run, referenced) => schedule(setTimeout, clearTimeout, delayMs, run, referenced),
    microtask,
    turn: createTurn(setTimeout, setImmediate),
    random,
    keepAlive: createKeepAlive(setInterval, clearInterval),
    reportError,
  };
}

/** Uses no promise: what a promise reaction throws is an unhandled rejection, which is a different event. */
function reportError(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}

/** A reaction to one promise that resolved long ago is the cheapest deferral on all three runtimes. */
const RESOLVED: Promise<void> = Promise.resolve();

function microtask(run: () => void): void {
  RESOLVED.then(run);
}

/** Timers beyond this fire at once, with a warning on Node, so longer waits are split. */
const TIMER_MS_MAX = 2 ** 31 - 1;

function schedule(
  setTimeout: Timers["setTimeout"],
  clearTimeout: Timers["clearTimeout"],
  delayMs: number,
  run: () => void,
  referenced: boolean,
): () => void {
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

function createTurn(
  setTimeout: Timers["setTimeout"],
  setImmediate: Timers["setImmediate"],
): (run: () => void) => void {
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
function createKeepAlive(
  setInterval: Timers["setInterval"],
  clearInterval: Timers["clearInterval"],
): (on: boolean) => void {
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
