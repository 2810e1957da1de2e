/**
 * Node's built-in modules, loaded on demand through `process.getBuiltinModule`, which Node (from 20.16), Deno
 * and Bun all have. So an adapter pays nothing for what it does not use (on Deno `node:net` takes some 40 ms
 * to load), and no bundler ever sees the import. The types below are the few members that hawser calls.
 *
 * @module
 */

import type { NodeNet } from "./node/types.ts";
import type { Timers } from "./standard_host.ts";
import type { NodeFsFiles } from "./store/types.ts";
import type { NodeCrypto, NodeStreams, NodeTls } from "./tls/types.ts";
import type { NodeWorkerThreads, ThreadMessages } from "./worker/types.ts";

/** `node:os` */
export interface NodeOs {
  tmpdir(): string;
  platform(): string;
  networkInterfaces(): Record<string, readonly InterfaceAddress[] | undefined>;
}

/** One address of a network interface. */
export interface InterfaceAddress {
  readonly address: string;
  readonly family: string | number;
  readonly scopeid?: number | undefined;
}

/** `node:fs`. The other members, which file stores call, are in store/types.ts. */
export interface NodeFs extends NodeFsFiles {
  lstatSync(
    path: string,
  ): { readonly dev: number; readonly ino: number; readonly ctimeMs: number; isSocket(): boolean };
  unlinkSync(path: string): void;
  existsSync(path: string): boolean;
  mkdtempSync(prefix: string): string;
  rmSync(path: string, options: { recursive: boolean; force: boolean }): void;
}

/** `node:dns` */
export interface NodeDns {
  lookup(
    host: string,
    options: { family: number; all: true },
    done: (error: unknown, found: readonly { readonly address: string }[]) => void,
  ): void;
}

/** `node:zlib` */
export interface NodeZlib {
  crc32(bytes: Uint8Array, seed: number): number;
}

/** `node:process` */
export interface NodeProcess extends ThreadMessages {
  nextTick(run: () => void): void;
}

/** Of `node:perf_hooks`, or the global one. */
export interface Performance {
  readonly timeOrigin: number;
  now(): number;
}

/** `node:perf_hooks` */
export interface NodePerfHooks {
  readonly performance: Performance;
}

/** A channel of `node:diagnostics_channel`. */
export interface DiagnosticsChannel {
  readonly hasSubscribers: boolean;
  publish(message: unknown): void;
}

/** `node:diagnostics_channel` */
export interface NodeDiagnosticsChannel {
  channel(name: string): DiagnosticsChannel;
}

interface Builtins {
  "node:net": NodeNet;
  "node:tls": NodeTls;
  "node:crypto": NodeCrypto;
  "node:stream": NodeStreams;
  "node:os": NodeOs;
  "node:fs": NodeFs;
  "node:dns": NodeDns;
  "node:zlib": NodeZlib;
  "node:process": NodeProcess;
  "node:timers": Timers;
  "node:perf_hooks": NodePerfHooks;
  "node:diagnostics_channel": NodeDiagnosticsChannel;
  "node:worker_threads": NodeWorkerThreads;
}

interface Globals {
  readonly process?: { getBuiltinModule?(name: string): unknown };
}

const { process } = globalThis as unknown as Globals;

/** Whether this runtime has built-in modules at all. A browser has none. */
export function hasBuiltins(): boolean {
  return typeof process?.getBuiltinModule === "function";
}

/** Returns a built-in module. Throws if the runtime has none of that name. */
export function builtin<Name extends keyof Builtins>(name: Name): Builtins[Name] {
  const found = process?.getBuiltinModule?.(name) as Builtins[Name] | undefined;
  if (found === undefined) throw new Error(`This runtime does not offer ${name}`);
  return found;
}
