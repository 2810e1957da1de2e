/**
 * The holder of a lock, as the lock's file records it: a process, by its id and start time, because ids are
 * reused.
 *
 * @module
 */

import { builtin } from "../builtin.ts";
import { detectRuntime } from "../detect.ts";
import { codeOf } from "../system_errors.ts";

/** The content of the file. */
export interface Holder {
  readonly pid: number;
  /** When the process started, in Unix milliseconds. */
  readonly startedMs: number;
  /** Its runtime and version. */
  readonly runtime: string;
  /** Linux: the boot that the process belongs to, and when it started after that, in clock ticks. */
  readonly boot?: string | undefined;
  readonly ticks?: string | undefined;
}

interface Process {
  readonly pid: number;
  readonly version: string;
  readonly versions: Readonly<Record<string, string | undefined>>;
  kill(pid: number, signal: number): unknown;
}

const { process, performance } = globalThis as unknown as {
  readonly process: Process;
  readonly performance: { readonly timeOrigin: number };
};

/** Returns this process as a holder. */
export function ownHolder(): Holder {
  const { pid, version, versions } = process;
  const runtime = detectRuntime();
  return {
    pid,
    startedMs: Math.round(performance.timeOrigin),
    runtime: `${runtime} ${versions[runtime] ?? version}`,
    boot: bootId(),
    ticks: startTicks(pid),
  };
}

/** Parses the text of a lock's file. Returns `undefined` when it is not a holder. */
export function parseHolder(text: string): Holder | undefined {
  try {
    const holder = JSON.parse(text) as Holder;
    const valid = Number.isSafeInteger(holder.pid) && holder.pid > 0 && Number.isFinite(holder.startedMs) &&
      typeof holder.runtime === "string";
    return valid ? holder : undefined;
  } catch {
    return undefined;
  }
}

/** Describes a holder for messages. */
export function showHolder({ pid, startedMs, runtime }: Holder): string {
  const whose = pid === process.pid ? "this process" : `process ${pid}`;
  return `${whose} (${runtime}, since ${new Date(startedMs).toISOString()})`;
}

/** Whether the process still runs, as far as can be determined: the same one, not another with its id. */
export function isAlive(holder: Holder): boolean {
  const { pid, boot, ticks } = holder;
  if (boot !== undefined && ticks !== undefined && bootId() !== undefined) {
    return boot === bootId() && ticks === startTicks(pid);
  }
  // In a container every program may be process 1.
  if (pid === process.pid) return holder.startedMs === ownHolder().startedMs;
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return codeOf(cause) !== "ESRCH";
  }
}

function bootId(): string | undefined {
  return read("/proc/sys/kernel/random/boot_id")?.trim();
}

/**
 * Returns when a process started, in clock ticks after boot: field 22, found by counting after the name,
 * which may contain anything.
 */
function startTicks(pid: number): string | undefined {
  const stat = read(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
}

function read(path: string): string | undefined {
  try {
    return builtin("node:fs").readFileSync(path, "utf8");
  } catch {
    // Another system, or no such process.
    return undefined;
  }
}
