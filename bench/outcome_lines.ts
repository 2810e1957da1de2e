/**
 * Puts outcomes into JSON lines or aligned tables.
 *
 * @module
 */

import {
  type Case,
  caseName,
  isLessBetter,
  type Load,
  mainMetric,
  type Measure,
  type Metric,
  type Rival,
  RIVALS,
  type Runtime,
  type Target,
} from "./cases.ts";
import type { Contender } from "./contenders.ts";
import type { Surroundings } from "./machine.ts";
import { figureOf, mainRatio, type Outcome, type Ratio, type Sample, type Timing } from "./measure.ts";

/**
 * One line of `--json`: a case, as measured. Figures are hawser's medians unless a field says otherwise; null where
 * something was not measured. Fields are added, never renamed or removed.
 */
export interface OutcomeLine {
  readonly kind: "outcome";
  /** As `--list` and `--filter` know it: group, pattern, transport, bytes, api, runtime, measure, and the load. */
  readonly name: string;
  readonly group: Case["group"];
  readonly pattern: string;
  readonly transport: string;
  readonly bytes: number;
  readonly api: string;
  readonly runtime: string;
  readonly measure: Measure;
  /** Of the load generator; null where both processes are of the same kind. */
  readonly load: Load | null;
  readonly cores: number;
  readonly messagesPerSecond: number | null;
  readonly megabytesPerSecond: number | null;
  readonly p50Us: number | null;
  readonly p99Us: number | null;
  readonly p999Us: number | null;
  readonly cpuSecondsPerMillion: number | null;
  /** hawser ÷ rival, median over the alternations: of rates, or of the p50 (`mainMetric`). */
  readonly ratios: Readonly<Record<Rival, number | null>>;
  readonly mainMetric: Metric;
  /** By contender (`hawser` and the rivals): medians, and every alternation in order, null where it failed. */
  readonly contenders: Readonly<
    Record<string, { readonly median: Sample; readonly rounds: readonly (Sample | null)[] }>
  >;
  /** Every ratio that could be made. */
  readonly comparisons: readonly (Ratio & { readonly rival: Rival; readonly metric: Metric })[];
  readonly targets: readonly (Target & {
    readonly lessIsBetter: boolean;
    readonly ratio: number | null;
    /** `goal met`, `floor met`, `MISSED` or `not measured`. */
    readonly verdict: string;
  })[];
  /** Contender to reason. */
  readonly skipped: Readonly<Record<string, string>>;
  /** What went wrong, and how often. */
  readonly failures: Readonly<Record<string, number>>;
  readonly timing: Timing;
  /** Date and time at which it was measured, ISO 8601. */
  readonly at: string;
  readonly machine: Surroundings["machine"];
  readonly versions: Surroundings["versions"];
  readonly command: string;
}

/** A line of `--json`, without its end. */
export function toJson(outcome: Outcome, timing: Timing, surroundings: Surroundings): string {
  return JSON.stringify(outcomeLine(outcome, timing, surroundings));
}

function outcomeLine(outcome: Outcome, timing: Timing, surroundings: Surroundings): OutcomeLine {
  const { group, pattern, transport, bytes, api, runtime, measure, load } = outcome.case;
  const hawser = outcome.medians.get("hawser");
  const ratio = (rival: Rival): number | null => rounded(mainRatio(outcome, rival)?.median, 3);
  const contenders = [...outcome.medians].map(([contender, sample]) => {
    const rounds = outcome.rounds.map((round) => round.get(contender) ?? null);
    return [contender, { median: sample, rounds }] as const;
  });
  return {
    kind: "outcome",
    name: caseName(outcome.case),
    group,
    pattern,
    transport,
    bytes,
    api,
    runtime,
    measure,
    load: load ?? null,
    cores: surroundings.machine.cores,
    messagesPerSecond: rounded(hawser?.messagesPerSecond, 0),
    megabytesPerSecond: rounded(hawser?.megabytesPerSecond, 1),
    p50Us: rounded(hawser?.p50Us, 1),
    p99Us: rounded(hawser?.p99Us, 1),
    p999Us: rounded(hawser?.p999Us, 1),
    cpuSecondsPerMillion: rounded(hawser?.cpuSecondsPerMillion, 3),
    ratios: Object.fromEntries(RIVALS.map((rival) => [rival, ratio(rival)])) as OutcomeLine["ratios"],
    mainMetric: mainMetric(outcome.case),
    contenders: Object.fromEntries(contenders),
    comparisons: [...outcome.ratios].flatMap(([rival, ofMetrics]) =>
      [...ofMetrics].map(([metric, each]) => ({ rival, metric, ...each }))
    ),
    targets: outcome.case.targets.map((target) => judged(outcome, target)),
    skipped: Object.fromEntries(outcome.skipped),
    failures: Object.fromEntries(outcome.failures),
    timing,
    at: new Date().toISOString(),
    ...surroundings,
  };
}

function judged(outcome: Outcome, target: Target): OutcomeLine["targets"][number] {
  const ratio = outcome.ratios.get(target.rival)?.get(target.metric)?.median;
  const lessIsBetter = isLessBetter(target.metric);
  return { ...target, lessIsBetter, ratio: ratio ?? null, verdict: verdict(ratio, target) };
}

function rounded(value: number | null | undefined, digits: number): number | null {
  return value === null || value === undefined ? null : Number(value.toFixed(digits));
}

/** `group/pattern/…` with the figures of everyone measured, as a few lines for people. */
export function toLines(outcome: Outcome): string[] {
  const lines = [caseName(outcome.case)];
  for (const contender of ["hawser", ...RIVALS] as const) {
    const sample = outcome.medians.get(contender);
    const reason = outcome.skipped.get(contender);
    if (sample !== undefined) lines.push("  " + sampleLine(outcome, contender, sample));
    else if (reason !== undefined) lines.push(`  ${label(contender, outcome.case)} skipped: ${reason}`);
  }
  for (const [reason, times] of outcome.failures) lines.push(`  FAILED ${times} x ${reason}`);
  return lines;
}

/** How much a bare socket reads at a time, where its runtime says so. */
const RAW_READS: Record<Runtime, string> = {
  node: "raw 64 KiB reads",
  "node-newest": "raw 64 KiB reads",
  deno: "raw 256 KiB reads",
  bun: "raw reads",
};

function label(contender: Contender, c: Case): string {
  return (contender === "raw" ? RAW_READS[c.runtime] : contender).padEnd(17);
}

function sampleLine(outcome: Outcome, contender: Contender, sample: Sample): string {
  const parts = [label(contender, outcome.case), rate(sample.messagesPerSecond).padStart(9)];
  if (sample.megabytesPerSecond > 0) parts.push(`${sample.megabytesPerSecond.toFixed(1).padStart(8)} MB/s`);
  if (sample.deliveredShare !== null) {
    parts.push(`${percent(sample.deliveredShare)} arrived`);
  }
  if (sample.fullPerSecond !== null) parts.push(`closed loop ${rate(sample.fullPerSecond)}`);
  if (sample.p50Us !== null) {
    parts.push(`p50 ${micros(sample.p50Us)}  p99 ${micros(sample.p99Us)}  p99.9 ${micros(sample.p999Us)}`);
  }
  if (sample.cpuSecondsPerMillion !== null) {
    const whose = outcome.case.load === undefined ? "" : "server ";
    parts.push(`${whose}${sample.cpuSecondsPerMillion.toFixed(2)} cpu-s/M`);
  }
  if (contender !== "hawser") parts.push(...ratioParts(outcome, contender));
  return parts.join("  ");
}

/** The main ratio with its spread, and that of the p99 where times are what it is about. */
function ratioParts(outcome: Outcome, rival: Rival): string[] {
  const main = mainRatio(outcome, rival);
  if (main === undefined) return [];
  const { median, lowest, highest } = main;
  const parts = [`hawser is ${median.toFixed(2)} x (${lowest.toFixed(2)} to ${highest.toFixed(2)})`];
  const p99 = outcome.ratios.get(rival)?.get("p99");
  if (p99 !== undefined) parts.push(`p99 ${p99.median.toFixed(2)} x`);
  return parts;
}

function micros(us: number | null): string {
  if (us === null) return "-";
  return us >= 10_000 ? `${(us / 1000).toFixed(1)} ms` : `${us.toFixed(1)} us`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/** `10.7 M/s`, `480 k/s`. */
export function rate(perSecond: number): string {
  if (perSecond >= 1e6) return `${(perSecond / 1e6).toFixed(2)} M/s`;
  if (perSecond >= 1e3) return `${(perSecond / 1e3).toFixed(1)} k/s`;
  return `${perSecond.toFixed(0)} /s`;
}

function verdict(ratio: number | undefined, target: Target): string {
  if (ratio === undefined) return "not measured";
  const less = isLessBetter(target.metric);
  const reaches = (bound: number): boolean => less ? ratio <= bound : ratio >= bound;
  if (reaches(target.goal)) return "goal met";
  return reaches(target.floor) ? "floor met" : "MISSED";
}

const COLUMNS = ["case", "of", "hawser", "against", "rival", "ratio", "floor", "goal", ""];

/** The table of floors and goals. */
export function targetTable(outcomes: readonly Outcome[]): string[] {
  const rows: string[][] = [COLUMNS];
  for (const outcome of outcomes) {
    for (const target of outcome.case.targets) {
      const { rival, metric, floor, goal } = target;
      const ratio = outcome.ratios.get(rival)?.get(metric)?.median;
      const bound = isLessBetter(metric) ? "<= " : ">= ";
      rows.push([
        caseName(outcome.case),
        metric,
        figure(outcome.medians.get("hawser"), metric),
        rival,
        figure(outcome.medians.get(rival), metric),
        ratio === undefined ? "-" : ratio.toFixed(2),
        bound + floor,
        bound + goal,
        verdict(ratio, target),
      ]);
    }
  }
  return rows.length === 1 ? [] : align(rows);
}

function figure(sample: Sample | undefined, metric: Metric): string {
  const value = figureOf(sample, metric);
  if (value === null || value === undefined) return "-";
  return metric === "rate" ? rate(value) : micros(value);
}

/** Text columns, the first to the left, the others to the right, the last to the left again. */
export function align(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => widths[i] = Math.max(widths[i] ?? 0, cell.length));
  return rows.map((row) => {
    const cells = row.map((cell, i) =>
      i === 0 || i === row.length - 1 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)
    );
    return cells.join("  ").trimEnd();
  });
}
