/**
 * How long `import` takes: a program that imports one package, above an empty one, each in a process of its
 * own. The package is as npm installs it: its manifest and `dist/`.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import type { Runtime, Selection } from "./cases.ts";
import type { Setting } from "./contenders.ts";
import { median } from "./measure.ts";
import type { FigureLine, FigureOutcome } from "./report/lines.ts";
import { type Bounds, verdict } from "./report/verdict.ts";

export interface ImportCase {
  readonly name: string;
  readonly runtime: ImportRuntime;
  readonly rounds: number;
}

type ImportRuntime = Extract<Runtime, "node" | "deno" | "bun">;

const RUNTIMES: readonly ImportRuntime[] = ["node", "deno", "bun"];
const EMPTY = "empty program";
/** zeromq is the npm package; its addon aborts Bun. */
const PACKAGES = ["hawser", "hawser/log", "zeromq"] as const;
/** Of node, in milliseconds above an empty program. */
const TARGET: Bounds = { floor: 45, goal: 20 };
const TIMEOUT_MS = 20000;

export function selectImportCases({ quick, runtime, filter }: Selection): ImportCase[] {
  const wanted = RUNTIMES.filter((each) =>
    runtime === undefined ? !quick || each === "node" : each === runtime
  );
  return wanted
    .map((each) => ({ name: `import/${each}`, runtime: each, rounds: quick ? 5 : 25 }))
    .filter((c) => filter.every((word) => c.name.includes(word)));
}

/** A folder with the packages installed, and a program for each import. All runtimes share it. */
function installPackages(setting: Setting): string {
  const folder = join(setting.scratch, "import");
  const modules = join(folder, "node_modules");
  if (existsSync(folder)) return folder;
  mkdirSync(join(modules, "hawser"), { recursive: true });
  for (const part of ["package.json", "dist"]) {
    cpSync(join(setting.root, part), join(modules, "hawser", part), { recursive: true });
  }
  const installed = join(setting.root, "node_modules");
  for (const name of ["yaml", "zeromq"]) {
    symlinkSync(join(installed, name), join(modules, name), "dir");
  }
  writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }\n');
  writeFileSync(join(folder, fileOf(EMPTY)), "");
  for (const name of PACKAGES) writeFileSync(join(folder, fileOf(name)), `import "${name}";\n`);
  return folder;
}

function fileOf(program: string): string {
  return `${program.replaceAll(/\W/g, "_")}.mjs`;
}

function commandOf(setting: Setting, runtime: ImportRuntime): readonly string[] {
  const bin = join(setting.root, "node_modules", ".bin");
  if (runtime === "node") return [process.execPath];
  if (runtime === "bun") return [join(bin, "bun")];
  return [join(bin, "deno"), "run", "-A", "--no-check", "--quiet", "--node-modules-dir=manual"];
}

/** Milliseconds from start to end. */
function timeProgram(folder: string, command: readonly string[], program: string): number {
  const [executable = "", ...flags] = command;
  const beganMs = performance.now();
  const options = { cwd: folder, encoding: "utf8", timeout: TIMEOUT_MS, env: environment() } as const;
  const { status, signal, stderr } = spawnSync(executable, [...flags, fileOf(program)], options);
  const tookMs = performance.now() - beganMs;
  if (status !== 0) throw new Error(`${program} ended with ${status ?? signal}: ${stderr.split("\n")[0]}`);
  return tookMs;
}

function environment(): Record<string, string | undefined> {
  return { ...process.env, NODE_OPTIONS: "", NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" };
}

export function measureImports(setting: Setting, c: ImportCase): FigureOutcome {
  try {
    const folder = installPackages(setting);
    return describe(
      c,
      alternate(c, (program) => timeProgram(folder, commandOf(setting, c.runtime), program)),
    );
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    return { lines: [c.name, `  FAILED ${reason}`], rows: [], failed: true };
  }
}

/** Every program once before, then in turn. */
function alternate(c: ImportCase, time: (program: string) => number): Map<string, number[]> {
  const programs = [EMPTY, ...PACKAGES.filter((name) => name !== "zeromq" || c.runtime !== "bun")];
  for (const program of programs) time(program);
  const times = new Map<string, number[]>(programs.map((program) => [program, []]));
  for (let round = 0; round < c.rounds; round++) {
    for (const program of programs) times.get(program)!.push(time(program));
  }
  return times;
}

function describe(c: ImportCase, times: ReadonlyMap<string, readonly number[]>): FigureOutcome {
  const empty = times.get(EMPTY)!;
  const lines = [c.name, `  ${EMPTY.padEnd(13)} ${median(empty).toFixed(1).padStart(6)} ms`];
  const rows: string[] = [];
  const above = (name: string): number | undefined => {
    const own = times.get(name);
    // Within a round, so that what slows the machine slows both.
    return own === undefined ? undefined : median(own.map((ms, round) => ms - empty[round]!));
  };
  const rival = above("zeromq");
  for (const name of PACKAGES) {
    const ms = above(name);
    if (ms === undefined) {
      lines.push(`  ${name.padEnd(13)} skipped: its addon aborts Bun`);
      continue;
    }
    const asked = name !== "zeromq" && c.runtime === "node";
    const said = asked ? ` (floor ${TARGET.floor}, goal ${TARGET.goal}: ${verdict(ms, TARGET, true)})` : "";
    lines.push(`  ${name.padEnd(13)} ${ms.toFixed(1).padStart(6)} ms above it${said}`);
    if (name === "zeromq") continue;
    const row: FigureLine = {
      kind: "figure",
      name: `${c.name}/${name}`,
      of: "ms above an empty program",
      hawser: `${ms.toFixed(1)} ms`,
      against: "zeromqjs",
      rival: rival === undefined ? null : `${rival.toFixed(1)} ms`,
      value: Number(ms.toFixed(1)),
      ...(rival === undefined ? {} : { rivalValue: Number(rival.toFixed(1)) }),
      lessIsBetter: true,
      target: asked ? TARGET : null,
    };
    rows.push(JSON.stringify(row));
  }
  return { lines, rows, failed: false };
}
