/**
 * `npm run bench -- sockets|log|growth|micro|report [options]`.
 *
 * @module
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { reapAtExit } from "./child.ts";
import { type Case, caseName, quickNote, type Runtime, selectCases } from "./cases.ts";
import { findBuilt, findRoot, type Setting } from "./contenders.ts";
import { makeCertificates } from "./certificates.ts";
import { compileLibzmq } from "./libzmq.ts";
import { compileLoad } from "./load.ts";
import { lookAround, surroundingsLine } from "./machine.ts";
import { measureCase, type Outcome, type Timing, timingOf } from "./measure.ts";
import { measureImports, selectImportCases } from "./import_time.ts";
import { measureMemory, selectMemoryCases } from "./memory.ts";
import { ensureNewestNode, type NewestNode } from "./node_newest.ts";
import { targetTable, toJson, toLines } from "./outcome_lines.ts";

const USAGE = `npm run bench -- sockets [options]   sockets in processes of their own, against their rivals
npm run bench -- log [options]       the ordered log, against a plain stream, JetStream and Redis Streams
npm run bench -- growth [options]    connections, subscribers and topics as they grow, with fitted exponents
npm run bench -- micro [--filter text]   parts of the core, with mitata
npm run bench -- report FILE… [--readme]   tables and plots in docs/ (and README's table) from what --json printed

  --quick             a minute and a half: fewer alternations, a sample of the matrix
  --json              one JSON object per line; everything else goes to stderr
  --runtime NAME      every case on node, node-newest (from npm, fetched when asked for), deno or bun
  --filter TEXT       cases whose name holds all these words (core/push-pull/tcp/64/sync/node/throughput,
                      many/router/tcp/64/await/node/echo/100-clients)
  --rounds N          alternations (5; quick: 2)
  --window MS         length of a sample, at least 500; an open loop's is three times as long
  --warmup MS         before each sample
  --libzmq-body MODE  how libzmq sends bodies from 16 KiB on: reference (default), allocate or copy
  --pin               sender and receiver on a core each (taskset), not over inproc
  --bytes SIZE        log: bytes of each run (1GB; quick: 200MB)
  --list              names of the cases, nothing measured

Rivals: libzmq in C; zeromqjs, which is libzmq under Node; and "raw", a bare socket of the same runtime that only counts
frames. It reads what the runtime gives it (64 KiB on Node, 256 KiB on Deno), so it is no limit. Where there are many
clients or subscribers, one load generator in C meets each server in turn. Processor seconds per million messages
(cpu-s/M) are those of both processes where both are the contender's own, and of the server alone beside the load
generator.`;

const RUNTIMES: readonly Runtime[] = ["node", "node-newest", "deno", "bun"];

interface Options {
  readonly json: boolean;
  readonly quick: boolean;
  readonly list: boolean;
  readonly pinned: boolean;
  readonly runtime: Runtime | undefined;
  readonly filter: readonly string[];
  readonly timing: Timing;
  readonly libzmqBody: string;
  /** Bytes of a run of the log; undefined: the default. */
  readonly bytes: number | undefined;
  /** report: what to read, and whether README's table is written too. */
  readonly files: readonly string[];
  readonly readme: boolean;
}

function usageError(message: string): never {
  console.error(`${message}\n\n${USAGE}`);
  process.exit(2);
}

function oneOf<T extends string>(name: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((each) => each === value);
  return found ?? usageError(`--${name} must be one of ${allowed.join(", ")}, not "${value}"`);
}

function atLeast(name: string, value: string | undefined, floor: number, otherwise: number): number {
  if (value === undefined) return otherwise;
  const number = Number(value);
  if (!Number.isInteger(number) || number < floor) {
    usageError(`--${name} must be a whole number from ${floor} on`);
  }
  return number;
}

/** `1GB`, `200MB`, or plain bytes. */
function size(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(GB|MB|)$/.exec(text) ?? usageError(`--bytes ${text} is no size`);
  return Math.floor(Number(number) * (unit === "GB" ? 1e9 : unit === "MB" ? 1e6 : 1));
}

function readArguments(argv: readonly string[]) {
  return parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      quick: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
      pin: { type: "boolean", default: false },
      runtime: { type: "string" },
      filter: { type: "string", default: "" },
      rounds: { type: "string" },
      window: { type: "string" },
      warmup: { type: "string" },
      "libzmq-body": { type: "string", default: "reference" },
      bytes: { type: "string" },
      readme: { type: "boolean", default: false },
    },
  });
}

function parse(argv: readonly string[]): { readonly command: string; readonly options: Options } {
  let read: ReturnType<typeof readArguments>;
  try {
    read = readArguments(argv);
  } catch (cause) {
    usageError(cause instanceof Error ? cause.message : String(cause));
  }
  const { values, positionals } = read;
  const quick = values.quick;
  const warmupMs = atLeast("warmup", values.warmup, 0, quick ? 300 : 500);
  const options: Options = {
    json: values.json,
    quick,
    list: values.list,
    pinned: values.pin,
    runtime: values.runtime === undefined ? undefined : oneOf("runtime", values.runtime, RUNTIMES),
    filter: values.filter.split(/\s+/).filter((word) => word !== ""),
    bytes: values.bytes === undefined ? undefined : size(values.bytes),
    files: positionals.slice(1),
    readme: values.readme,
    libzmqBody: oneOf("libzmq-body", values["libzmq-body"], ["reference", "allocate", "copy"]),
    timing: {
      rounds: atLeast("rounds", values.rounds, 1, quick ? 2 : 5),
      windowMs: atLeast("window", values.window, 500, quick ? 500 : 700),
      warmupMs,
      warmupAgainMs: Math.min(warmupMs, 100),
      fresh: !quick,
    },
  };
  return { command: positionals[0] ?? "", options };
}

/** What these cases need, compiled and fetched. */
async function prepare(options: Options, cases: readonly Case[]) {
  const root = findRoot();
  const scratch = mkdtempSync(join(tmpdir(), "hawser-bench-"));
  process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));
  const libzmq = await compileLibzmq(root, scratch);
  const load = cases.some((each) => each.load !== undefined) ? await compileLoad(root, scratch) : undefined;
  const newestNode = await newestNodeFor(options, root);
  const encrypted = cases.some(({ transport }) => transport === "tls" || transport === "wss");
  const certificates = encrypted ? await makeCertificates(scratch) : undefined;
  const { libzmqBody, pinned } = options;
  const setting: Setting = {
    root,
    built: findBuilt(root),
    scratch,
    libzmq,
    libzmqBody,
    pinned,
    ...(load === undefined ? {} : { load }),
    ...(certificates === undefined ? {} : { certificates }),
    ...(newestNode === undefined ? {} : { newestNode }),
  };
  const newestVersion = newestNode !== undefined && "version" in newestNode ? newestNode.version : undefined;
  return { setting, surroundings: await lookAround(root, libzmq.version, newestVersion) };
}

async function newestNodeFor({ runtime, list }: Options, root: string): Promise<NewestNode | undefined> {
  return runtime === "node-newest" && !list ? await ensureNewestNode(root) : undefined;
}

async function benchSockets(options: Options): Promise<void> {
  const say = (line: string): void => options.json ? console.error(line) : console.log(line);
  const { quick, runtime, filter, pinned, timing } = options;
  const cases = selectCases({ quick, filter, ...(runtime === undefined ? {} : { runtime }) });
  const memoryCases = selectMemoryCases({ quick, filter, ...(runtime === undefined ? {} : { runtime }) });
  const importCases = selectImportCases({ quick, filter, ...(runtime === undefined ? {} : { runtime }) });
  if (options.list) {
    const others = [...memoryCases, ...importCases].map((each) => each.name);
    return [...cases.map(caseName), ...others].forEach(say);
  }
  const { setting, surroundings } = await prepare(options, cases);
  say(`# ${surroundingsLine(surroundings)}`);
  if (quick) say(`# ${quickNote()}`);
  say(
    `# ${timing.rounds} alternations, windows of ${timing.windowMs} ms after ${timing.warmupMs} ms of warm-up`,
  );
  if (pinned) say("# pinned: the process that binds on core 0, the one that connects on core 1");
  const outcomes: Outcome[] = [];
  for (const each of cases) {
    const outcome = await measureCase(setting, each, timing);
    outcomes.push(outcome);
    for (const line of toLines(outcome)) say(line);
    if (options.json) console.log(toJson(outcome, timingOf(each, timing), surroundings));
  }
  let failed = outcomes.some((outcome) => outcome.failures.size > 0);
  for (const each of memoryCases) {
    const outcome = await measureMemory(setting, each);
    failed ||= outcome.failed;
    for (const line of outcome.lines) say(line);
    if (options.json) outcome.rows.forEach((row) => console.log(row));
  }
  for (const each of importCases) {
    const outcome = measureImports(setting, each);
    failed ||= outcome.failed;
    for (const line of outcome.lines) say(line);
    if (options.json) outcome.rows.forEach((row) => console.log(row));
  }
  const table = targetTable(outcomes);
  if (table.length > 0) ["", ...table].forEach(say);
  if (failed) {
    say("\nSome children failed: see FAILED above.");
    process.exitCode = 1;
  }
}

async function benchOrderedLog(options: Options): Promise<void> {
  const say = (line: string): void => options.json ? console.error(line) : console.log(line);
  const { benchLog } = await import("./log/main.ts");
  const root = findRoot();
  const scratch = mkdtempSync(join(tmpdir(), "hawser-bench-"));
  process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));
  const newestNode = await newestNodeFor(options, root);
  if (newestNode !== undefined && "missing" in newestNode) return say(`skipped: ${newestNode.missing}`);
  const setting: Setting = {
    root,
    built: findBuilt(root),
    scratch,
    libzmq: { missing: "not asked for" },
    libzmqBody: "",
    pinned: false,
    ...(newestNode === undefined ? {} : { newestNode }),
  };
  say(`# ${surroundingsLine(await lookAround(root, "not used", newestNode?.version))}`);
  const { json, quick, runtime, filter } = options;
  const bytes = options.bytes ?? (quick ? 200e6 : 1e9);
  const rounds = options.timing.rounds;
  if (!await benchLog(setting, { json, quick, runtime, filter, rounds, bytes }, say)) process.exitCode = 1;
}

async function benchGrowing(options: Options): Promise<void> {
  const say = (line: string): void => options.json ? console.error(line) : console.log(line);
  const { benchGrowth } = await import("./growth/main.ts");
  const root = findRoot();
  const scratch = mkdtempSync(join(tmpdir(), "hawser-bench-"));
  process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));
  const libzmq = await compileLibzmq(root, scratch);
  const setting: Setting = { root, built: findBuilt(root), scratch, libzmq, libzmqBody: "", pinned: false };
  say(`# ${surroundingsLine(await lookAround(root, libzmq.version))}`);
  if (!await benchGrowth(setting, { ...options, ...options.timing }, say)) process.exitCode = 1;
}

async function report({ files, readme }: Options): Promise<void> {
  if (files.length === 0) usageError("Name the files that hold what --json printed");
  const { writeReport } = await import("./report/main.ts");
  for (const path of await writeReport(findRoot(), files, { readme })) console.log(path);
}

async function main(): Promise<void> {
  const { command, options } = parse(process.argv.slice(2));
  if (command === "micro") {
    const { benchMicro } = await import("./micro/main.ts");
    return await benchMicro(options);
  }
  if (command === "log") {
    reapAtExit();
    return await benchOrderedLog(options);
  }
  if (command === "report") return await report(options);
  if (command === "growth") {
    reapAtExit();
    return await benchGrowing(options);
  }
  if (command !== "sockets") {
    usageError(command === "" ? "Say what to measure" : `There is no benchmark "${command}"`);
  }
  reapAtExit();
  await benchSockets(options);
}

main().catch((cause) => {
  console.error(cause);
  process.exit(1);
});
