/**
 * What is looked at as it grows, and by which processes: connections, subscribers, topics.
 *
 * @module
 */

import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { Child, type ChildCommand } from "../child.ts";
import { scriptChild, type Setting } from "../contenders.ts";
import { TOPIC_BYTES } from "./bursts.ts";

const compile = promisify(execFile);

export type Contender = "hawser" | "libzmq" | "bare socket";

/** One round at one count: what each measure of the curve came to. */
export type Costs = Readonly<Record<string, number>>;

export interface Growth {
  readonly name: string;
  /** What is counted. */
  readonly of: string;
  readonly last: number;
  /** The measures, and their units. */
  readonly measures: Readonly<Record<string, string>>;
  readonly contenders: readonly Contender[];
  /** One round: every count in turn. A contender that cannot go on throws; what was told until then counts. */
  readonly run: (
    setting: GrowthSetting,
    contender: Contender,
    counts: readonly number[],
    tell: (count: number, costs: Costs) => void,
  ) => Promise<void>;
}

/** `twin` is the compiled libzmq program. */
export interface GrowthSetting extends Setting {
  readonly twin: string | undefined;
  readonly warmupMs: number;
  readonly windowMs: number;
}

const READY_TIMEOUT_MS = 30_000;
/** A million subscriptions take their time. */
const RESULT_TIMEOUT_MS = 120_000;
/** Connections before the first look, so that code and pools, which the first bring, are not counted. */
const WARM_CONNECTIONS = 200;
const MESSAGE_BYTES = 64;
/** Memory of less is what the runtime happened to keep. */
const NOISE_BYTES = 1 << 20;

export const GROWTHS: readonly Growth[] = [
  {
    name: "connections",
    of: "idle connections",
    last: 10_000,
    measures: { memory: "bytes", "set-up": "seconds" },
    contenders: ["hawser", "libzmq", "bare socket"],
    run: openConnections,
  },
  {
    name: "subscribers",
    of: "subscribers",
    last: 1_000,
    measures: { publish: "ns", processor: "ns" },
    contenders: ["hawser", "libzmq"],
    run: (setting, contender, counts, tell) => publishBursts(setting, "subscribers", contender, counts, tell),
  },
  {
    name: "topics",
    of: "topics",
    last: 1_000_000,
    measures: { publish: "ns", memory: "bytes" },
    contenders: ["hawser", "libzmq"],
    run: (setting, contender, counts, tell) => publishBursts(setting, "topics", contender, counts, tell),
  },
];

/** Compiles the twin of `publisher.ts`; undefined where there is no libzmq to compile with. */
export async function compileTwin(setting: Setting): Promise<string | undefined> {
  if ("missing" in setting.libzmq) return undefined;
  const program = join(setting.scratch, "growth");
  const { stdout } = await compile("pkg-config", ["--cflags", "--libs", "libzmq"]);
  const source = join(setting.root, "bench", "growth", "libzmq.c");
  await compile("cc", ["-O2", "-std=gnu11", source, "-o", program, ...stdout.trim().split(/\s+/)]);
  return program;
}

/** Ends all of them, however the work ends. */
async function withChildren(work: (start: (command: ChildCommand) => Child) => Promise<void>): Promise<void> {
  const children: Child[] = [];
  try {
    await work((command) => {
      const child = new Child(command);
      for (const other of children) {
        other.failWith(child);
        child.failWith(other);
      }
      children.push(child);
      return child;
    });
  } finally {
    await Promise.all(children.map((child) => child.stop()));
  }
}

/** One server, to which more and more connections are opened. */
function openConnections(
  setting: GrowthSetting,
  contender: Contender,
  counts: readonly number[],
  tell: (count: number, costs: Costs) => void,
): Promise<void> {
  return withChildren(async (start) => {
    const server = start(connectionServer(setting, contender));
    const endpoint = await server.expect("READY", READY_TIMEOUT_MS);
    const open = async (
      connections: number,
    ): Promise<{ readonly clients: Child; readonly seconds: number }> => {
      const clients = start(script(setting, "memory_clients", { endpoint, bytes: connections }));
      await clients.expect("READY", READY_TIMEOUT_MS);
      clients.tell("START");
      return { clients, ...JSON.parse(await clients.expect("RESULT", RESULT_TIMEOUT_MS)) };
    };
    await (await open(WARM_CONNECTIONS)).clients.stop();
    const residentBefore = await residentBytes(server, contender);
    let opened = 0;
    let seconds = 0;
    for (const count of counts) {
      seconds += (await open(count - opened)).seconds;
      opened = count;
      const memory = await residentBytes(server, contender) - residentBefore;
      tell(count, { "set-up": seconds, ...(memory < NOISE_BYTES ? {} : { memory }) });
    }
  });
}

function script(setting: Setting, name: string, values: object, label: string = name): ChildCommand {
  return scriptChild(setting, { runtime: "node", script: name, label, values, exposeGc: true });
}

function connectionServer(setting: Setting, contender: Contender): ChildCommand {
  if (contender !== "libzmq") {
    const name = contender === "hawser" ? "memory_hawser" : "memory_bare";
    return script(setting, name, { role: "idle", hwm: 1000 });
  }
  if ("missing" in setting.libzmq) throw new Error(setting.libzmq.missing);
  const values = ["role=receive", "pattern=push-pull", "endpoint=tcp://127.0.0.1:*", "hwm=1000"];
  return { label: "libzmq", program: setting.libzmq.program, arguments: values };
}

/** After a collection, where there is a collector. */
async function residentBytes(server: Child, contender: Contender): Promise<number> {
  if (contender === "libzmq") return server.residentBytes() ?? 0;
  server.tell("START");
  return JSON.parse(await server.expect("RESULT", READY_TIMEOUT_MS)).residentBytes;
}

interface Window {
  readonly messages: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly residentBytesBefore: number;
  readonly residentBytes: number;
}

/** For each count a publisher and its subscribers of their own. */
async function publishBursts(
  setting: GrowthSetting,
  role: "subscribers" | "topics",
  contender: Contender,
  counts: readonly number[],
  tell: (count: number, costs: Costs) => void,
): Promise<void> {
  const bytes = role === "topics" ? TOPIC_BYTES : MESSAGE_BYTES;
  for (const count of counts) {
    await withChildren(async (start) => {
      const values = { role, bytes, hwm: count };
      const publisher = start(
        contender === "hawser" ? script(setting, "../growth/publisher", values) : twin(setting, values),
      );
      const endpoint = await publisher.expect("READY", READY_TIMEOUT_MS);
      const subscribers = start(script(setting, "../growth/subscribers", { ...values, endpoint }));
      await subscribers.expect("READY", READY_TIMEOUT_MS);
      publisher.tell(`START ${setting.warmupMs} ${setting.windowMs}`);
      const window = JSON.parse(await publisher.expect("RESULT", RESULT_TIMEOUT_MS)) as Window;
      const publish = window.seconds * 1e9 / window.messages;
      const memory = window.residentBytes - window.residentBytesBefore;
      const processor = window.cpuSeconds * 1e9 / window.messages;
      if (role === "subscribers") tell(count, { publish, processor });
      else tell(count, { publish, ...(memory < NOISE_BYTES ? {} : { memory }) });
    });
  }
}

function twin({ twin: program }: GrowthSetting, values: object): ChildCommand {
  if (program === undefined) throw new Error("libzmq cannot be compiled here");
  const list = Object.entries(values).map(([name, value]) => `${name}=${value}`);
  return { label: "libzmq growth", program, arguments: list };
}
