/**
 * Who is measured, and by which processes: hawser and its rivals, each as a pair (or, over inproc, a single one).
 *
 * @module
 */

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { ChildCommand } from "./child.ts";
import type { Case, Rival, Runtime } from "./cases.ts";

export type Contender = "hawser" | Rival;

/**
 * The first process binds and says where; the second connects there. Over inproc one process is both.
 * `meter` says START and RESULT, `load` (if any) sends between START and STOP.
 */
export interface Contest {
  readonly first: ChildCommand;
  readonly second?: (endpoint: string) => ChildCommand;
  readonly meter: "first" | "second";
  /** Compiled ahead of time: a first sample needs no longer warm-up than a later one. */
  readonly compiled: boolean;
}

export interface Setting {
  /** The checkout, and the folder that holds what tsc made of it. */
  readonly root: string;
  readonly built: string;
  /** For unix sockets. */
  readonly scratch: string;
  /** The compiled libzmq program, or why there is none. */
  readonly libzmq: { readonly program: string } | { readonly missing: string };
  readonly libzmqBody: string;
  /** Whether each of two processes is held on a core of its own. */
  readonly pinned: boolean;
}

/** The checkout: the nearest folder upwards that holds this very folder's source. */
export function findRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json")) || !existsSync(join(folder, "bench", "main.ts"))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error("Cannot find the checkout that this benchmark belongs to");
    folder = parent;
  }
  return folder;
}

/** What tsc made of it: beside this very program if it was compiled, else where the tools put it. */
export function findBuilt(root: string): string {
  const here = fileURLToPath(import.meta.url);
  return here.endsWith(".js") ? dirname(dirname(here)) : join(root, ".build");
}

export interface ScriptOptions {
  readonly runtime: Runtime;
  /** A program of `bench/children`, without ending. */
  readonly script: string;
  readonly label: string;
  readonly values: object;
  /** Whether the program may call the garbage collector. */
  readonly exposeGc?: boolean;
}

function scriptCommand(setting: Setting, options: ScriptOptions): readonly [string, readonly string[]] {
  const { runtime, script, exposeGc } = options;
  const source = join(setting.root, "bench", "children", `${script}.ts`);
  const bin = join(setting.root, "node_modules", ".bin");
  switch (runtime) {
    case "node": {
      const built = join(setting.built, "bench", "children", `${script}.js`);
      return [process.execPath, exposeGc ? ["--expose-gc", built] : [built]];
    }
    case "deno": {
      const flags = exposeGc ? ["--v8-flags=--expose-gc"] : [];
      return [join(bin, "deno"), ["run", "-A", "--no-check", "--quiet", ...flags, source]];
    }
    case "bun":
      return [join(bin, "bun"), [source]];
  }
}

/** A child program of `bench/children` on a runtime. */
export function scriptChild(setting: Setting, options: ScriptOptions): ChildCommand {
  const [program, before] = scriptCommand(setting, options);
  const values = Object.entries(options.values).map(([name, value]) => `${name}=${value}`);
  return { label: options.label, program, arguments: [...before, ...values] };
}

/** Why this contender cannot take part in this case, or undefined if it can. */
export function excuse(setting: Setting, contender: Contender, c: Case): string | undefined {
  if (contender === "libzmq" && "missing" in setting.libzmq) return setting.libzmq.missing;
  if (contender === "raw" && c.transport === "inproc") return "there is no raw socket within a process";
  return undefined;
}

/** Messages, both sides. Bodies of a megabyte get fewer, or the queues alone would hold gigabytes. */
function highWaterMark(bytes: number): number {
  return Math.max(16, Math.min(1000, Math.floor(67108864 / bytes)));
}

let endpoints = 0;

function bindEndpoint(setting: Setting, c: Case): string {
  if (c.transport === "tcp") return "tcp://127.0.0.1:0";
  if (c.transport === "inproc") return "inproc://bench";
  return `ipc://${join(setting.scratch, `${++endpoints}.sock`)}`;
}

export function contest(setting: Setting, contender: Contender, c: Case): Contest {
  const make = commandMaker(setting, contender, c);
  const compiled = contender === "libzmq";
  const bound = bindEndpoint(setting, c);
  if (c.transport === "inproc") return { first: make("both", bound), meter: "first", compiled };
  const [binder, connecter] = c.measure === "throughput"
    ? ["receive", "send"] as const
    : ["echo", "ping"] as const;
  const place = (command: ChildCommand, core: number): ChildCommand =>
    setting.pinned ? pin(command, core) : command;
  return {
    first: place(make(binder, bound), 0),
    second: (endpoint) => place(make(connecter, endpoint), 1),
    meter: c.measure === "throughput" ? "first" : "second",
    compiled,
  };
}

function pin(command: ChildCommand, core: number): ChildCommand {
  return {
    ...command,
    program: "taskset",
    arguments: ["-c", String(core), command.program, ...command.arguments],
  };
}

function commandMaker(
  setting: Setting,
  contender: Contender,
  c: Case,
): (role: string, endpoint: string) => ChildCommand {
  return (role, endpoint) => {
    const values = {
      role,
      pattern: c.pattern,
      endpoint,
      bytes: c.bytes,
      api: c.api,
      hwm: highWaterMark(c.bytes),
    };
    const label = `${contender} ${role} ${c.pattern} ${c.transport} ${c.bytes}`;
    switch (contender) {
      case "hawser":
        return scriptChild(setting, { runtime: c.runtime, script: "hawser", label, values });
      case "raw":
        return scriptChild(setting, { runtime: c.runtime, script: `raw_${c.runtime}`, label, values });
      case "zeromqjs":
        return scriptChild(setting, { runtime: "node", script: "zeromqjs", label, values });
      case "libzmq": {
        if ("missing" in setting.libzmq) throw new Error(setting.libzmq.missing);
        const all = { ...values, body: libzmqBody(setting, c) };
        const list = Object.entries(all).map(([name, value]) => `${name}=${value}`);
        return { label, program: setting.libzmq.program, arguments: list };
      }
    }
  };
}

/** Small bodies are copied, as hawser copies them; from 16 KiB on hawser takes them by reference. */
function libzmqBody(setting: Setting, c: Case): string {
  return c.bytes < 16384 ? "copy" : setting.libzmqBody;
}
