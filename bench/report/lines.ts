/**
 * The lines that `--json` prints, as `report` reads them: cases of two kinds, and curves.
 *
 * @module
 */

import type { Curve } from "../growth/main.ts";
import { type Bounds, type Verdict, verdict } from "./verdict.ts";

/** A figure that is held against a bound by itself, not as a ratio of alternations: memory, import time. */
export interface FigureLine {
  readonly kind: "figure";
  readonly name: string;
  /** What `value` is. */
  readonly of: string;
  /** hawser's figure and the rival's, with their units. */
  readonly hawser: string;
  readonly against: string;
  readonly rival: string | null;
  readonly value: number;
  /** What to compare `value` with, where the rival has the like. */
  readonly rivalValue?: number;
  readonly lessIsBetter: boolean;
  readonly target: Bounds | null;
}

/** What a measurement of figures says: to people, and with `--json`. */
export interface FigureOutcome {
  readonly lines: readonly string[];
  /** What `--json` prints. */
  readonly rows: readonly string[];
  readonly failed: boolean;
}

/** What is read of an outcome's line (`OutcomeLine` in report.ts). */
export interface OutcomeLine {
  readonly kind: "outcome";
  readonly name: string;
  readonly group: string;
  readonly pattern: string;
  readonly transport: string;
  readonly bytes: number;
  readonly messagesPerSecond: number | null;
  readonly ratios: Readonly<Record<string, number | null>>;
  readonly contenders: Readonly<Record<string, { readonly median: Sample }>>;
  readonly comparisons: readonly Comparison[];
  readonly targets: readonly (Bounds & { readonly rival: string; readonly metric: string })[];
  readonly machine?: Readonly<Record<string, unknown>>;
  readonly versions?: Readonly<Record<string, string>>;
  readonly command?: string;
}

/** hawser ÷ rival. */
export interface Comparison {
  readonly rival: string;
  readonly metric: string;
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
}

export interface Sample {
  readonly messagesPerSecond: number;
  readonly p50Us: number | null;
  readonly p99Us: number | null;
  readonly p999Us: number | null;
  readonly cpuSecondsPerMillion: number | null;
}

export type Line = FigureLine | OutcomeLine | Curve;

/** One row of the table: a figure against one rival. */
export interface Row {
  readonly name: string;
  readonly of: string;
  readonly hawser: string;
  readonly against: string;
  readonly rival: string;
  /** The ratio, or the figure by itself, with its spread. */
  readonly value: number;
  readonly spread: readonly [number, number] | undefined;
  readonly lessIsBetter: boolean;
  readonly target: Bounds | undefined;
  readonly verdict: Verdict | undefined;
  /** Whether libzmq, or whoever it is against, is better. */
  readonly lost: boolean;
  /** Processor seconds per million messages, of both. */
  readonly processor: string;
  /** Whether `value` is hawser ÷ rival. */
  readonly isRatio: boolean;
}

/** Reads lines of JSON; of a case that is there twice the last one counts. */
export function readLines(text: string): Line[] {
  const lines = new Map<string, Line>();
  for (const each of text.split("\n")) {
    if (each.trim() === "") continue;
    const line = JSON.parse(each) as Line;
    const name = line.kind === "growth" ? `${line.growth}/${line.measure}/${line.contender}` : line.name;
    if (name === undefined) throw new Error(`This line names no case; measure again: ${each.slice(0, 200)}`);
    lines.delete(name);
    lines.set(name, line);
  }
  return [...lines.values()];
}

/** The rows of a line. Of an outcome: its targets, and how it stands to libzmq if that is no target. */
export function rowsOf(line: Line): Row[] {
  if (line.kind === "growth") return [];
  if (line.kind === "figure") return [figureRow(line)];
  const wanted = line.comparisons.filter(({ rival, metric }) =>
    line.targets.some((target) => target.rival === rival && target.metric === metric) ||
    (rival === "libzmq" && metric === mainMetric(line) && line.targets.length === 0)
  );
  return wanted.map((comparison) => outcomeRow(line, comparison));
}

function mainMetric(line: OutcomeLine): string {
  return /\/(?:round-trip|open-loop)(?:\/|$)/.test(line.name) ? "p50" : "rate";
}

function figureRow(line: FigureLine): Row {
  const { name, of, hawser, against, rival, value, rivalValue, lessIsBetter, target } = line;
  const lost = rivalValue !== undefined && (lessIsBetter ? value > rivalValue : value < rivalValue);
  return {
    name,
    of,
    hawser,
    against: rival === null ? "" : against,
    rival: rival ?? "",
    value,
    spread: undefined,
    lessIsBetter,
    target: target ?? undefined,
    verdict: target === null ? undefined : verdict(value, target, lessIsBetter),
    lost,
    processor: "",
    isRatio: of.startsWith("ratio"),
  };
}

function outcomeRow(line: OutcomeLine, { rival, metric, median, lowest, highest }: Comparison): Row {
  const lessIsBetter = metric !== "rate";
  const target = line.targets.find((each) => each.rival === rival && each.metric === metric);
  const ours = line.contenders["hawser"]?.median;
  const theirs = line.contenders[rival]?.median;
  const processor = [ours, theirs].map((sample) => sample?.cpuSecondsPerMillion?.toFixed(2) ?? "–");
  return {
    name: line.name,
    of: metric === "p999" ? "p99.9" : metric,
    hawser: figure(ours, metric),
    against: rival,
    rival: figure(theirs, metric),
    value: median,
    spread: [lowest, highest],
    lessIsBetter,
    target,
    verdict: target === undefined ? undefined : verdict(median, target, lessIsBetter),
    lost: lessIsBetter ? median > 1 : median < 1,
    processor: processor.join(" / "),
    isRatio: true,
  };
}

function figure(sample: Sample | undefined, metric: string): string {
  if (sample === undefined) return "–";
  if (metric === "rate") return rateText(sample.messagesPerSecond);
  const us = metric === "p50" ? sample.p50Us : metric === "p99" ? sample.p99Us : sample.p999Us;
  return us === null ? "–" : us >= 10_000 ? `${(us / 1000).toFixed(1)} ms` : `${us.toFixed(1)} µs`;
}

/** `10.7 M/s`, `480 k/s`. */
export function rateText(perSecond: number): string {
  if (perSecond >= 1e6) return `${(perSecond / 1e6).toFixed(2)} M/s`;
  if (perSecond >= 1e3) return `${(perSecond / 1e3).toFixed(1)} k/s`;
  return `${perSecond.toFixed(0)} /s`;
}

/**
 * Where we lose comes first: missed floors, then what the rival does better, each by how far; then the rest,
 * by name.
 */
export function inOrder(rows: readonly Row[]): Row[] {
  const rank = (row: Row): number => row.verdict === "MISSED" ? 0 : row.lost ? 1 : 2;
  const distance = ({ value, lessIsBetter, target }: Row, ranked: number): number => {
    const bound = ranked === 0 && target !== undefined ? target.floor : 1;
    return lessIsBetter ? bound / value : value / bound;
  };
  return [...rows].sort((a, b) => {
    const [ranked, other] = [rank(a), rank(b)];
    if (ranked !== other) return ranked - other;
    const apart = ranked === 2 ? 0 : distance(a, ranked) - distance(b, ranked);
    return apart !== 0 ? apart : a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
  });
}
