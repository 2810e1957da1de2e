/**
 * `npm run bench -- growth`: connections, subscribers and topics as curves, each with the exponent of the
 * power law that fits.
 *
 * @module
 */

import type { Setting } from "../contenders.ts";
import { median } from "../measure.ts";
import { compileTwin, type Contender, type Costs, type Growth, GROWTHS } from "./curves.ts";
import type { FigureLine } from "../report/lines.ts";
import { verdict } from "../report/verdict.ts";
import { fittedExponent, logSpaced, type Point } from "./fit.ts";

export interface GrowthOptions {
  readonly json: boolean;
  readonly quick: boolean;
  readonly filter: readonly string[];
  readonly rounds: number;
  readonly warmupMs: number;
  readonly windowMs: number;
}

/** A curve: one measure of one contender. What `--json` prints. */
export interface Curve {
  readonly kind: "growth";
  readonly growth: string;
  readonly of: string;
  readonly measure: string;
  readonly unit: string;
  readonly contender: Contender;
  /** Medians. */
  readonly points: readonly Point[];
  readonly exponent: number | null;
  /** Why it ends before it should. */
  readonly ended?: string;
}

const QUICK_LAST = 10_000;

/** Answers whether everything could be measured. */
export async function benchGrowth(
  setting: Setting,
  options: GrowthOptions,
  say: (line: string) => void,
): Promise<boolean> {
  const growths = GROWTHS.filter(({ name }) =>
    options.filter.every((word) => `growth/${name}`.includes(word))
  );
  const twin = await compileTwin(setting);
  const all = { ...setting, twin, warmupMs: options.warmupMs, windowMs: options.windowMs };
  let complete = true;
  for (const growth of growths) {
    const last = options.quick ? Math.min(growth.last, QUICK_LAST) : growth.last;
    const counts = logSpaced(growth.name === "topics" ? 1_000 : 1, last);
    const told = new Map<Contender, Map<number, Costs[]>>();
    const ended = new Map<Contender, string>();
    for (let round = 0; round < options.rounds; round++) {
      for (const contender of round % 2 === 0 ? growth.contenders : [...growth.contenders].reverse()) {
        if (contender === "libzmq" && twin === undefined) continue;
        const costs = told.get(contender) ?? new Map<number, Costs[]>();
        told.set(contender, costs);
        try {
          await growth.run(all, contender, counts, (count, one) => {
            costs.set(count, [...costs.get(count) ?? [], one]);
          });
        } catch (cause) {
          const reason = cause instanceof Error ? cause.message : String(cause);
          ended.set(contender, reason);
          say(`FAILED ${reason}`);
          complete = false;
        }
      }
    }
    const curves = curvesOf(growth, told, ended);
    for (const curve of curves) {
      if (options.json) console.log(JSON.stringify(curve));
      for (const line of linesOf(curve)) say(line);
    }
    for (const figure of topicFigures(curves)) {
      if (options.json) console.log(JSON.stringify(figure));
      say(figureText(figure));
    }
  }
  return complete;
}

function curvesOf(
  { name, of, measures, contenders }: Growth,
  told: ReadonlyMap<Contender, ReadonlyMap<number, readonly Costs[]>>,
  ended: ReadonlyMap<Contender, string>,
): Curve[] {
  const curves: Curve[] = [];
  for (const [measure, unit] of Object.entries(measures)) {
    for (const contender of contenders) {
      const points = [...told.get(contender) ?? []].flatMap(([count, costs]): Point[] => {
        const values = costs.flatMap((one) => one[measure] ?? []);
        return values.length === 0 ? [] : [[count, significant(median(values))]];
      });
      if (points.length === 0) continue;
      const exponent = fittedExponent(points);
      const reason = ended.get(contender);
      curves.push({
        kind: "growth",
        growth: name,
        of,
        measure,
        unit,
        contender,
        points,
        exponent: exponent === undefined ? null : Number(exponent.toFixed(2)),
        ...(reason === undefined ? {} : { ended: reason }),
      });
    }
  }
  return curves;
}

function significant(value: number): number {
  return Number(value.toPrecision(4));
}

function linesOf({ growth, measure, unit, contender, points, exponent, ended }: Curve): string[] {
  const lines = [`growth/${growth}/${measure}/${contender}  ~ count^${exponent ?? "?"}`];
  for (const [count, cost] of points) {
    const each = unit === "ns" ? "" : `  ${(cost / count).toPrecision(3)} ${unit} each`;
    lines.push(`  ${String(count).padStart(8)}  ${cost.toPrecision(4)} ${unit}${each}`);
  }
  if (ended !== undefined) lines.push(`  ended early: ${ended}`);
  return lines;
}

/** Of rates, hawser ÷ libzmq. */
const MATCH_TARGETS = [
  [1_000, { floor: 1.7, goal: 2 }],
  [10_000, { floor: 1.1, goal: 1.5 }],
  [100_000, { floor: 0.8, goal: 1.2 }],
] as const;
const TOPIC_BYTES_TARGET = { floor: 400, goal: 200 } as const;
const TOPICS_FOR_BYTES = 100_000;

/** What is asked of publishers with many topics, read off the curves. */
function topicFigures(curves: readonly Curve[]): FigureLine[] {
  const cost = (measure: string, contender: Contender, count: number): number | undefined =>
    curves.find((curve) =>
      curve.growth === "topics" && curve.measure === measure && curve.contender === contender
    )?.points.find(([at]) => at === count)?.[1];
  const lines: FigureLine[] = [];
  for (const [count, target] of MATCH_TARGETS) {
    const [ours, theirs] = [cost("publish", "hawser", count), cost("publish", "libzmq", count)];
    if (ours === undefined || theirs === undefined) continue;
    lines.push({
      kind: "figure",
      name: `growth/topics/publish/${count}`,
      of: "ratio of matched publishes",
      hawser: `${ours.toFixed(0)} ns`,
      against: "libzmq",
      rival: `${theirs.toFixed(0)} ns`,
      value: Number((theirs / ours).toFixed(2)),
      rivalValue: 1,
      lessIsBetter: false,
      target,
    });
  }
  const bytes = cost("memory", "hawser", TOPICS_FOR_BYTES);
  const theirs = cost("memory", "libzmq", TOPICS_FOR_BYTES);
  if (bytes === undefined) return lines;
  const each = (total: number): number => Math.round(total / TOPICS_FOR_BYTES);
  lines.push({
    kind: "figure",
    name: `growth/topics/memory/${TOPICS_FOR_BYTES}`,
    of: "bytes for each topic",
    hawser: `${each(bytes)} B`,
    against: "libzmq",
    rival: theirs === undefined ? null : `${each(theirs)} B`,
    value: each(bytes),
    ...(theirs === undefined ? {} : { rivalValue: each(theirs) }),
    lessIsBetter: true,
    target: TOPIC_BYTES_TARGET,
  });
  return lines;
}

function figureText({ name, of, hawser, against, rival, value, lessIsBetter, target }: FigureLine): string {
  const said = target === null ? "" : ` (floor ${target.floor}, goal ${target.goal}: ` +
    `${verdict(value, target, lessIsBetter)})`;
  return `${name}: hawser ${hawser}, ${against} ${rival ?? "–"}; ${of} ${value}${said}`;
}
