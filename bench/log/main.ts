/**
 * `npm run bench -- log`: the ordered log in processes of its own, beside a plain stream, JetStream and Redis Streams.
 * Everyone takes a turn in each round; a ratio is made within one round, and its median is what counts.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { rate } from "../outcome_lines.ts";
import type { Runtime } from "../cases.ts";
import type { Setting } from "../contenders.ts";
import {
  type Job,
  runEmbedded,
  runJetStream,
  runLog,
  runRaw,
  runRedis,
  runRoundTrip,
  type Sample,
} from "./job.ts";

/** What `npm run bench -- log` was asked for. */
export interface LogBenchOptions {
  readonly json: boolean;
  readonly quick: boolean;
  readonly runtime: Runtime | undefined;
  readonly filter: readonly string[];
  readonly rounds: number;
  /** Bytes of records of one run. */
  readonly bytes: number;
}

type Run = (job: Job, all: ReadonlyMap<string, Sample>) => Promise<Sample>;

interface Contender {
  readonly name: string;
  /** Part of the bytes that it gets: slow rivals get fewer. */
  readonly part: number;
  readonly run: Run;
  /** A program that must be there. */
  readonly needs?: string;
}

const RECORD_BYTES = 1_024;

const published = { store: "memory", order: 5, until: "acknowledged" } as const;

const CONTENDERS: readonly Contender[] = [
  { name: "raw", part: 1, run: runRaw },
  { name: "publish", part: 1, run: (job) => runLog(job, published) },
  { name: "publish-order0", part: 1, run: (job) => runLog(job, { ...published, order: 0 }) },
  { name: "end-to-end", part: 1, run: (job) => runLog(job, { ...published, until: "read" }) },
  { name: "publish-file", part: 1, run: (job) => runLog(job, { ...published, store: "file" }) },
  { name: "embedded", part: 1, run: runEmbedded },
  { name: "append", part: 1, run: (job) => runLog(job, { ...published, role: "append" }) },
  { name: "round-trip", part: 1, run: runRoundTrip },
  { name: "load-10", part: 1, run: (job, all) => runLog(job, loadOf(all, 0.1)) },
  { name: "load-50", part: 1, run: (job, all) => runLog(job, loadOf(all, 0.5)) },
  { name: "jetstream", part: 1 / 32, run: runJetStream, needs: "nats-server" },
  { name: "redis", part: 1 / 8, run: runRedis, needs: "redis-server" },
];

function loadOf(all: ReadonlyMap<string, Sample>, part: number) {
  const full = all.get("publish");
  if (full === undefined) throw new Error("The load is a part of the publish rate, which was not measured");
  return { ...published, role: "rate", rate: Math.floor(full.records / full.seconds * part) } as const;
}

interface Target {
  readonly case: string;
  readonly over: string;
  readonly what: string;
  readonly floor: number;
  readonly goal: number;
  /** Latencies: the ratio of medians, and less is better. */
  readonly latency?: boolean;
}

const TARGETS: readonly Target[] = [
  { case: "publish", over: "raw", what: "publish acknowledged / raw stream", floor: 0.4, goal: 0.7 },
  { case: "publish", over: "jetstream", what: "publish acknowledged / JetStream", floor: 15, goal: 30 },
  { case: "publish", over: "redis", what: "publish acknowledged / Redis Streams", floor: 0, goal: 0 },
  { case: "end-to-end", over: "raw", what: "end to end / raw stream", floor: 0.25, goal: 0.4 },
  { case: "end-to-end", over: "jetstream", what: "end to end / JetStream", floor: 10, goal: 20 },
  { case: "publish-file", over: "publish", what: "file store / memory store", floor: 0.4, goal: 0.7 },
  { case: "publish", over: "publish-order0", what: "order 5 / order 0", floor: 0.85, goal: 0.95 },
  {
    case: "append",
    over: "round-trip",
    what: "append p50 / round trip p50",
    floor: 2,
    goal: 1.3,
    latency: true,
  },
];
const EMBEDDED_FLOOR = 1_500_000;
const EMBEDDED_GOAL = 2_500_000;

/** Runs the benchmark; answers whether everything could be measured. */
export async function benchLog(
  setting: Setting,
  options: LogBenchOptions,
  say: (line: string) => void,
): Promise<boolean> {
  const runtime = options.runtime ?? "node";
  const chosen = CONTENDERS.filter(({ name }) => options.filter.every((word) => name.includes(word)));
  const rounds: Map<string, Sample>[] = [];
  let whole = true;
  const there = chosen.filter((contender) => {
    const reason = missing(contender);
    if (reason !== undefined) say(`${contender.name}: skipped: ${reason}`);
    return reason === undefined;
  });
  say(
    `# ${options.rounds} rounds, ${options.bytes} bytes of ${RECORD_BYTES}-byte records in each run, ${runtime}`,
  );
  for (let round = 0; round < options.rounds; round++) {
    const samples = new Map<string, Sample>();
    for (const contender of there) {
      const job: Job = {
        setting,
        runtime,
        total: Math.floor(options.bytes * contender.part),
        recordBytes: RECORD_BYTES,
        timeoutMs: 60_000 + options.bytes / 10_000,
      };
      try {
        const sample = await contender.run(job, samples);
        samples.set(contender.name, sample);
        say(`round ${round + 1}  ${contender.name.padEnd(15)} ${describe(sample)}`);
      } catch (cause) {
        whole = false;
        say(
          `round ${round + 1}  ${contender.name.padEnd(15)} FAILED ${
            cause instanceof Error ? cause.message : cause
          }`,
        );
      }
    }
    rounds.push(samples);
  }
  report(rounds, runtime, options, say);
  return whole;
}

function missing({ needs }: Contender): string | undefined {
  if (needs === undefined) return undefined;
  return spawnSync(needs, ["--version"]).error === undefined ? undefined : `there is no ${needs} here`;
}

function describe(sample: Sample): string {
  const perSecond = sample.records / sample.seconds;
  const parts = [
    rate(perSecond).padStart(10),
    `${(sample.bytes / sample.seconds / 1e6).toFixed(1).padStart(7)} MB/s`,
  ];
  if (sample.p50Us !== null) {
    parts.push(`p50 ${sample.p50Us.toFixed(0)} us  p99 ${sample.p99Us?.toFixed(0)} us`);
  }
  if (sample.cpuSeconds !== null) {
    parts.push(`${(sample.cpuSeconds * 1e6 / Math.max(1, sample.records)).toFixed(2)} cpu-s/M`);
  }
  if (sample.brokerRssBytes !== null) {
    parts.push(`broker RSS ${(sample.brokerRssBytes / 1048576).toFixed(0)} MiB`);
  }
  return parts.join("  ");
}

function median(values: readonly number[]): number | undefined {
  if (values.length === 0) return undefined;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

const speed = (sample: Sample): number => sample.bytes / sample.seconds;

function ratioOf(rounds: readonly ReadonlyMap<string, Sample>[], target: Target): number | undefined {
  return median(rounds.flatMap((samples) => {
    const [one, other] = [samples.get(target.case), samples.get(target.over)];
    if (one === undefined || other === undefined) return [];
    if (target.latency !== true) return [speed(one) / speed(other)];
    return one.p50Us === null || other.p50Us === null ? [] : [one.p50Us / other.p50Us];
  }));
}

function report(
  rounds: readonly ReadonlyMap<string, Sample>[],
  runtime: Runtime,
  options: LogBenchOptions,
  say: (line: string) => void,
): void {
  if (options.json) { for (const { name } of CONTENDERS) printJson(name, rounds, runtime); }
  say("");
  for (const target of TARGETS) {
    const ratio = ratioOf(rounds, target);
    if (ratio === undefined) continue;
    const met = (bound: number): boolean => target.latency === true ? ratio <= bound : ratio >= bound;
    const verdict = target.goal === 0
      ? ""
      : met(target.goal)
      ? "goal met"
      : met(target.floor)
      ? "floor met"
      : "MISSED";
    const bounds = target.goal === 0 ? "" : `(floor ${target.floor}, goal ${target.goal})`;
    say(`${target.what.padEnd(36)} ${ratio.toFixed(2).padStart(7)} x  ${bounds} ${verdict}`);
  }
  const embedded = median(rounds.flatMap((samples) => {
    const sample = samples.get("embedded");
    return sample === undefined ? [] : [sample.records / sample.seconds];
  }));
  if (embedded === undefined) return;
  const verdict = embedded >= EMBEDDED_GOAL
    ? "goal met"
    : embedded >= EMBEDDED_FLOOR
    ? "floor met"
    : "MISSED";
  say(`${"embedded, records per second".padEnd(36)} ${rate(embedded)} (floor 1.5 M, goal 2.5 M) ${verdict}`);
}

/** The fields of the sockets' benchmark; `pattern` is the case. */
function printJson(name: string, rounds: readonly ReadonlyMap<string, Sample>[], runtime: Runtime): void {
  const samples = rounds.flatMap((round) => round.get(name) ?? []);
  if (samples.length === 0) return;
  const of = (value: (sample: Sample) => number | null): number | null =>
    median(samples.flatMap((sample) => value(sample) ?? [])) ?? null;
  const ratios: Record<string, number | null> = {};
  for (const over of ["raw", "jetstream", "redis", "publish", "publish-order0", "round-trip"]) {
    const latency = over === "round-trip";
    ratios[over] = ratioOf(rounds, { case: name, over, what: "", floor: 0, goal: 0, latency }) ?? null;
  }
  console.log(JSON.stringify({
    pattern: name,
    transport: name === "embedded" ? "local" : "tcp",
    bytes: RECORD_BYTES,
    api: name === "append" ? "await" : "sync",
    runtime,
    cores: availableParallelism(),
    messagesPerSecond: of((sample) => sample.records / sample.seconds),
    megabytesPerSecond: of((sample) => speed(sample) / 1e6),
    p50Us: of((sample) => sample.p50Us),
    p99Us: of((sample) => sample.p99Us),
    cpuSecondsPerMillion: of((sample) =>
      sample.cpuSeconds === null ? null : sample.cpuSeconds * 1e6 / Math.max(1, sample.records)
    ),
    brokerRssBytes: of((sample) => sample.brokerRssBytes),
    ratios,
  }));
}
