/**
 * Who is measured, and by which processes: hawser and its rivals, each as a pair (over inproc, a single one), or as a
 * server that the load generator speaks to.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { ChildCommand } from "./child.ts";
import type { Case, Load, Rival, Runtime, Transport } from "./cases.ts";
import type { CompiledLoad } from "./load.ts";
import type { NewestNode } from "./node_newest.ts";

export type Contender = "hawser" | Rival;

/**
 * The first process binds and says where; the second connects there. Over inproc one process is both.
 * `meter` hears START and says RESULT, `sender` (if it is another one) sends between START and STOP.
 */
export interface Contest {
  readonly first: ChildCommand;
  readonly second?: (endpoint: string) => ChildCommand;
  readonly meter: "first" | "second";
  readonly sender?: "first" | "second";
  /** Whose processor time counts: all that is the contender's own, never the load generator's. */
  readonly weighed: "both" | "first";
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
  /** The folder of the certificates, made where a case needs them. */
  readonly certificates?: string;
  /** The compiled load generator, or why there is none; undefined where no case needs it. */
  readonly load?: CompiledLoad;
  /** The newest Node, or why there is none; undefined where it is not asked for. */
  readonly newestNode?: NewestNode;
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
    case "node":
    case "node-newest": {
      const built = join(setting.built, "bench", "children", `${script}.js`);
      const program = runtime === "node" ? process.execPath : newestNode(setting);
      return [program, exposeGc ? ["--expose-gc", built] : [built]];
    }
    case "deno": {
      const flags = exposeGc ? ["--v8-flags=--expose-gc"] : [];
      return [join(bin, "deno"), ["run", "-A", "--no-check", "--quiet", ...flags, source]];
    }
    case "bun":
      return [join(bin, "bun"), [source]];
  }
}

function newestNode({ newestNode }: Setting): string {
  if (newestNode === undefined || "missing" in newestNode) throw new Error("The newest Node is not there");
  return newestNode.program;
}

/** A child program of `bench/children` on a runtime. */
export function scriptChild(setting: Setting, options: ScriptOptions): ChildCommand {
  const [program, before] = scriptCommand(setting, options);
  return { label: options.label, program, arguments: [...before, ...argumentList(options.values)] };
}

/** Why this contender cannot take part in this case, or undefined if it can. */
export function excuse(setting: Setting, contender: Contender, c: Case): string | undefined {
  const { libzmq, load, newestNode } = setting;
  const ofRuntime = contender === "hawser" || contender === "raw";
  if (ofRuntime && c.runtime === "node-newest" && newestNode !== undefined && "missing" in newestNode) {
    return newestNode.missing;
  }
  if (contender === "libzmq" && "missing" in libzmq) return libzmq.missing;
  if (contender === "raw" && c.transport === "inproc") return "there is no raw socket within a process";
  if (contender === "raw" && isWeb(c.transport) && c.runtime === "node") {
    return "Node 20 has no WebSocket of its own; see ws-package";
  }
  if (c.load !== undefined && load !== undefined && "missing" in load) return load.missing;
  return undefined;
}

/** Messages, both sides. Bodies of a megabyte get fewer, or the queues alone would hold gigabytes. */
function highWaterMark(bytes: number): number {
  return Math.max(16, Math.min(1000, Math.floor(67108864 / bytes)));
}

/** In an open loop a server may fall far behind; it must not drop then, or nothing could be said of how far. */
const HIGH_WATER_MARK_OPEN_LOOP = 1_000_000;

let endpoints = 0;

function isWeb(transport: Transport): boolean {
  return transport === "ws" || transport === "wss";
}

function bindEndpoint(setting: Setting, contender: Contender, c: Case): string {
  const { transport } = c;
  if (contender === "tcp") return "tcp://127.0.0.1:0";
  // libzmq knows no port 0 here.
  if (contender === "zeromqjs" && transport === "ws") return "ws://127.0.0.1:*";
  if (transport === "inproc" || transport === "worker") return `${transport}://bench`;
  if (transport !== "ipc") return `${transport}://127.0.0.1:0`;
  return `ipc://${join(setting.scratch, `${++endpoints}.sock`)}`;
}

export function contest(setting: Setting, contender: Contender, c: Case): Contest {
  const make = commandMaker(setting, contender, c);
  const compiled = contender === "libzmq";
  const bound = bindEndpoint(setting, contender, c);
  if (c.load !== undefined) return loadContest(setting, { c, load: c.load, compiled, make, bound });
  if (c.transport === "inproc" || c.transport === "worker") {
    const role = c.transport === "worker" ? "worker" : "both";
    return { first: make(role, bound), meter: "first", weighed: "both", compiled };
  }
  const [binder, connecter] = c.measure === "round-trip"
    ? ["echo", "ping"] as const
    : c.fromServer === true
    ? ["send-bound", "receive-connected"] as const
    : ["receive", "send"] as const;
  const ends = {
    first: place(setting, make(binder, bound), 0),
    second: (endpoint: string) => place(setting, make(connecter, endpoint), 1),
    weighed: "both",
    compiled,
  } as const;
  if (c.measure === "round-trip") return { ...ends, meter: "second" };
  return c.fromServer === true
    ? { ...ends, meter: "second", sender: "first" }
    : { ...ends, meter: "first", sender: "second" };
}

const SERVERS = { echo: "echo", "open-loop": "echo", "fan-out": "publish", connect: "accept" } as const;
const LOADS = { echo: "echo", "open-loop": "latency", "fan-out": "subscribe", connect: "connect" } as const;

function loadContest(
  setting: Setting,
  what: {
    readonly c: Case;
    readonly load: Load;
    readonly compiled: boolean;
    readonly make: (role: string, endpoint: string) => ChildCommand;
    readonly bound: string;
  },
): Contest {
  const { c, load, compiled, make, bound } = what;
  const { measure } = c;
  if (measure === "throughput" || measure === "round-trip") throw new Error(`${measure} needs no load`);
  const { clients, perSecond, share } = load;
  const values = { role: LOADS[measure], bytes: c.bytes, clients, rate: perSecond ?? 0, share: share ?? 0 };
  const generator = setting.load;
  if (generator === undefined || "missing" in generator) throw new Error("The load generator is not there");
  const second = (endpoint: string): ChildCommand =>
    place(setting, {
      label: `load ${values.role} ${c.bytes} x ${clients}`,
      program: generator.program,
      arguments: argumentList({ ...values, endpoint }),
    }, 1);
  const first = place(setting, make(SERVERS[measure], bound), 0);
  const contest = { first, second, meter: "second", weighed: "first", compiled } as const;
  return measure === "fan-out" ? { ...contest, sender: "first" } : contest;
}

function place(setting: Setting, command: ChildCommand, core: number): ChildCommand {
  if (!setting.pinned) return command;
  return {
    ...command,
    program: "taskset",
    arguments: ["-c", String(core), command.program, ...command.arguments],
  };
}

function argumentList(values: object): string[] {
  return Object.entries(values).map(([name, value]) => `${name}=${value}`);
}

function commandMaker(
  setting: Setting,
  contender: Contender,
  c: Case,
): (role: string, endpoint: string) => ChildCommand {
  return (role, endpoint) => {
    const hwm = c.measure === "open-loop" ? HIGH_WATER_MARK_OPEN_LOOP : highWaterMark(c.bytes);
    const certificates = setting.certificates ?? "";
    const values = { role, pattern: c.pattern, endpoint, bytes: c.bytes, api: c.api, hwm, certificates };
    const label = `${contender} ${role} ${c.pattern} ${c.transport} ${c.bytes}`;
    const { runtime } = c;
    switch (contender) {
      case "hawser":
      case "tcp": {
        const script = c.load === undefined ? "hawser" : "hawser_server";
        return scriptChild(setting, { runtime, script, label, values });
      }
      case "raw": {
        const script = isWeb(c.transport)
          ? "raw_websocket"
          : runtime === "node-newest" || c.transport === "tls"
          ? "raw_node"
          : `raw_${runtime}`;
        return scriptChild(setting, { runtime, script, label, values });
      }
      case "ws-package":
        return scriptChild(setting, { runtime: "node", script: "raw_websocket", label, values });
      case "zeromqjs":
        return scriptChild(setting, { runtime: "node", script: "zeromqjs", label, values });
      case "libzmq": {
        if ("missing" in setting.libzmq) throw new Error(setting.libzmq.missing);
        const all = argumentList({ ...values, body: libzmqBody(setting, c) });
        return { label, program: setting.libzmq.program, arguments: all };
      }
    }
  };
}

/** Small bodies are copied, as hawser copies them; from 16 KiB on hawser takes them by reference. */
function libzmqBody(setting: Setting, c: Case): string {
  return c.bytes < 16384 ? "copy" : setting.libzmqBody;
}
