/**
 * Puts outcomes into JSON lines or aligned tables.
 *
 * @module
 */

import { availableParallelism } from "node:os";
import { caseName, type Rival, type Target } from "./cases.ts";
import type { Contender } from "./contenders.ts";
import type { Outcome, Sample } from "./measure.ts";

const RIVALS: readonly Rival[] = ["raw", "libzmq", "zeromqjs"];

/** One JSON object: hawser's figures and its ratios to each rival; null where not measured. */
export function toJson(outcome: Outcome): string {
  const { pattern, transport, bytes, api, runtime } = outcome.case;
  const hawser = outcome.medians.get("hawser");
  const ratio = (rival: Rival): number | null => rounded(outcome.ratios.get(rival), 3);
  return JSON.stringify({
    pattern,
    transport,
    bytes,
    api,
    runtime,
    cores: availableParallelism(),
    messagesPerSecond: rounded(hawser?.messagesPerSecond, 0),
    megabytesPerSecond: rounded(hawser?.megabytesPerSecond, 1),
    p50Us: rounded(hawser?.p50Us, 1),
    p99Us: rounded(hawser?.p99Us, 1),
    cpuSecondsPerMillion: rounded(hawser?.cpuSecondsPerMillion, 3),
    ratios: { raw: ratio("raw"), libzmq: ratio("libzmq"), zeromqjs: ratio("zeromqjs") },
  });
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
    else if (reason !== undefined) lines.push(`  ${contender.padEnd(9)} skipped: ${reason}`);
  }
  for (const [reason, times] of outcome.failures) lines.push(`  FAILED ${times} x ${reason}`);
  return lines;
}

function sampleLine(outcome: Outcome, contender: Contender, sample: Sample): string {
  const parts = [contender.padEnd(9), rate(sample.messagesPerSecond).padStart(9)];
  parts.push(`${sample.megabytesPerSecond.toFixed(1).padStart(8)} MB/s`);
  if (sample.p50Us !== null) {
    parts.push(`p50 ${sample.p50Us.toFixed(1)} us  p99 ${sample.p99Us?.toFixed(1)} us`);
  }
  if (sample.cpuSecondsPerMillion !== null) parts.push(`${sample.cpuSecondsPerMillion.toFixed(2)} cpu-s/M`);
  const ratio = outcome.ratios.get(contender);
  const spread = outcome.spreads.get(contender);
  if (ratio !== undefined && spread !== undefined) {
    parts.push(`hawser is ${ratio.toFixed(2)} x (${spread[0].toFixed(2)} to ${spread[1].toFixed(2)})`);
  }
  return parts.join("  ");
}

/** `10.7 M/s`, `480 k/s`. */
export function rate(perSecond: number): string {
  if (perSecond >= 1e6) return `${(perSecond / 1e6).toFixed(2)} M/s`;
  if (perSecond >= 1e3) return `${(perSecond / 1e3).toFixed(1)} k/s`;
  return `${perSecond.toFixed(0)} /s`;
}

function verdict(ratio: number | undefined, target: Target, lessIsBetter: boolean): string {
  if (ratio === undefined) return "not measured";
  const reaches = (bound: number): boolean => lessIsBetter ? ratio <= bound : ratio >= bound;
  if (reaches(target.goal)) return "goal met";
  return reaches(target.floor) ? "floor met" : "MISSED";
}

const COLUMNS = ["case", "hawser", "against", "rival", "ratio", "floor", "goal", ""];

/** The table of floors and goals. */
export function targetTable(outcomes: readonly Outcome[]): string[] {
  const rows: string[][] = [COLUMNS];
  for (const outcome of outcomes) {
    const lessIsBetter = outcome.case.measure === "round-trip";
    for (const target of outcome.case.targets) {
      const ratio = outcome.ratios.get(target.rival);
      rows.push([
        caseName(outcome.case),
        figure(outcome.medians.get("hawser"), lessIsBetter),
        target.rival,
        figure(outcome.medians.get(target.rival), lessIsBetter),
        ratio === undefined ? "-" : ratio.toFixed(2),
        (lessIsBetter ? "<= " : ">= ") + target.floor,
        (lessIsBetter ? "<= " : ">= ") + target.goal,
        verdict(ratio, target, lessIsBetter),
      ]);
    }
  }
  return rows.length === 1 ? [] : align(rows);
}

function figure(sample: Sample | undefined, latency: boolean): string {
  if (sample === undefined) return "-";
  return latency ? `${sample.p50Us?.toFixed(1)} us` : rate(sample.messagesPerSecond);
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
