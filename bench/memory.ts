/**
 * Resident memory: what an idle accepted connection costs above a bare socket of the same runtime that carried the same
 * bytes, and what a PUSH holds when its PULL has stopped.
 *
 * @module
 */

import { Child } from "./child.ts";
import type { Runtime, Selection } from "./cases.ts";
import { scriptChild, type Setting } from "./contenders.ts";
import { median } from "./measure.ts";
import type { FigureLine, FigureOutcome } from "./report/lines.ts";
import { verdict } from "./report/verdict.ts";

export interface MemoryCase {
  readonly name: string;
  readonly kind: "idle" | "stopped";
  readonly runtime: Runtime;
  readonly rounds: number;
}

const RUNTIMES: readonly Runtime[] = ["node", "deno", "bun"];
const CONNECTIONS = 1000;
/** Opened before the first look, so that code, pools and a grown heap, which the first connections bring, are not counted. */
const CONNECTIONS_BEFORE = 1000;
/** KiB above a bare socket. */
const IDLE_TARGET = { floor: 6, goal: 3 } as const;
const TIMEOUT_MS = 30000;
const KIB = 1024;
const MIB = 1024 * 1024;

export function selectMemoryCases(selection: Selection): MemoryCase[] {
  const { quick, runtime, filter } = selection;
  const cases: MemoryCase[] = [];
  for (const kind of ["idle", "stopped"] as const) {
    for (const each of RUNTIMES) {
      if (runtime !== undefined && each !== runtime) continue;
      // A minute is not enough for all.
      if (quick && (kind !== "idle" || (runtime === undefined && each !== "node"))) continue;
      cases.push({ name: `memory/${kind}/${each}`, kind, runtime: each, rounds: quick ? 1 : 3 });
    }
  }
  return cases.filter((c) => filter.every((word) => c.name.includes(word)));
}

export async function measureMemory(setting: Setting, c: MemoryCase): Promise<FigureOutcome> {
  try {
    if (c.kind === "idle") return await measureIdle(setting, c);
    const lines = await measureStopped(setting, c);
    return { lines: [c.name, ...lines], rows: [], failed: false };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    return { lines: [c.name, `  FAILED ${reason}`], rows: [], failed: true };
  }
}

async function measureIdle(setting: Setting, c: MemoryCase): Promise<FigureOutcome> {
  const hawser: number[] = [];
  const bare: number[] = [];
  for (let round = 0; round < c.rounds; round++) {
    bare.push(await bytesPerConnection(setting, c.runtime, "bare"));
    hawser.push(await bytesPerConnection(setting, c.runtime, "hawser"));
  }
  const above = hawser.map((bytes, i) => (bytes - bare[i]!) / KIB);
  const kib = (values: readonly number[]): string => (median(values) / KIB).toFixed(1);
  const line =
    `  ${CONNECTIONS} idle connections: hawser ${kib(hawser)} KiB each, bare socket ${kib(bare)} KiB each, ` +
    `above it ${median(above).toFixed(1)} KiB (floor ${IDLE_TARGET.floor}, goal ${IDLE_TARGET.goal}: ` +
    `${verdict(median(above), IDLE_TARGET, true)})`;
  const row: FigureLine = {
    kind: "figure",
    name: c.name,
    of: "KiB per idle connection above a bare socket",
    hawser: `${kib(hawser)} KiB`,
    against: "bare socket",
    rival: `${kib(bare)} KiB`,
    value: Number(median(above).toFixed(1)),
    lessIsBetter: true,
    target: IDLE_TARGET,
  };
  return { lines: [c.name, line], rows: [JSON.stringify(row)], failed: false };
}

async function bytesPerConnection(
  setting: Setting,
  runtime: Runtime,
  who: "hawser" | "bare",
): Promise<number> {
  const children: Child[] = [];
  const start = (script: string, on: Runtime, values: object): Child => {
    const label = `memory ${who} ${runtime} ${script}`;
    const child = new Child(scriptChild(setting, { runtime: on, script, label, values, exposeGc: true }));
    children.push(child);
    return child;
  };
  try {
    const server = start(who === "hawser" ? "memory_hawser" : "memory_bare", runtime, { role: "idle" });
    const endpoint = await server.expect("READY", TIMEOUT_MS);
    const open = async (connections: number): Promise<void> => {
      const clients = start("memory_clients", "node", { endpoint, bytes: connections, api: who });
      await clients.expect("READY", TIMEOUT_MS);
      clients.tell("START");
      await clients.expect("RESULT", TIMEOUT_MS);
    };
    await open(CONNECTIONS_BEFORE);
    const before = await residentBytes(server);
    await open(CONNECTIONS);
    return (await residentBytes(server) - before) / CONNECTIONS;
  } finally {
    await Promise.all(children.map((child) => child.stop()));
  }
}

/** After a garbage collection. */
async function residentBytes(child: Child): Promise<number> {
  child.tell("START");
  return JSON.parse(await child.expect("RESULT", TIMEOUT_MS)).residentBytes;
}

async function measureStopped(setting: Setting, c: MemoryCase): Promise<string[]> {
  const lines: string[] = [];
  for (const highWaterMark of [1000, 100000]) {
    const make = (role: string, endpoint: string): Child =>
      new Child(scriptChild(setting, {
        runtime: c.runtime,
        script: "memory_hawser",
        label: `memory ${role} ${c.runtime}`,
        values: { role, endpoint, bytes: 1024, hwm: highWaterMark },
        exposeGc: true,
      }));
    const pull = make("stopped", "tcp://127.0.0.1:0");
    let push: Child | undefined;
    try {
      push = make("fill", await pull.expect("READY", TIMEOUT_MS));
      await push.expect("READY", TIMEOUT_MS);
      const before = await residentBytes(pull);
      push.tell("START");
      const filled = JSON.parse(await push.expect("RESULT", TIMEOUT_MS));
      const pullGrew = (await residentBytes(pull) - before) / MIB;
      const pushGrew = (filled.residentBytes - filled.residentBytesBefore) / MIB;
      lines.push(
        `  high-water mark ${highWaterMark}, PULL stopped: PUSH took ${filled.messages} messages of 1 KiB ` +
          `(${(filled.bytes / MIB).toFixed(1)} MiB); RSS grew by ${pushGrew.toFixed(1)} MiB in PUSH, ` +
          `${pullGrew.toFixed(1)} MiB in PULL`,
      );
    } finally {
      await Promise.all([pull.stop(), push?.stop()]);
    }
  }
  return lines;
}
