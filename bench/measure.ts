/**
 * Takes samples: each contender in turn, several times over, so that what disturbs the machine disturbs all alike.
 * A ratio is made within one alternation, and the median of those is what counts.
 *
 * @module
 */

import { Child } from "./child.ts";
import { type Case, mainMetric, type Measure, type Metric, type Rival } from "./cases.ts";
import { type Contender, type Contest, contest, excuse, type Setting } from "./contenders.ts";

export interface Timing {
  readonly rounds: number;
  readonly warmupMs: number;
  /** Of processes that have been measured before. */
  readonly warmupAgainMs: number;
  readonly windowMs: number;
  /** Whether each alternation starts its processes anew, so that the luck of one start does not decide. */
  readonly fresh: boolean;
}

export interface Sample {
  /** Whole messages received, round trips, or connections set up. */
  readonly messagesPerSecond: number;
  readonly megabytesPerSecond: number;
  readonly p50Us: number | null;
  readonly p99Us: number | null;
  readonly p999Us: number | null;
  /** Of the contender's own processes: both ends where both are its own, otherwise the server's. */
  readonly cpuSecondsPerMillion: number | null;
  /** Of a publisher: the part of what it published that arrived, over all subscribers. 1: nothing was dropped. */
  readonly deliveredShare: number | null;
  /** Of an open loop: the rate that was asked of the server, and what a closed loop had reached just before. */
  readonly offeredPerSecond: number | null;
  readonly fullPerSecond: number | null;
}

/** hawser ÷ rival, made within each alternation. */
export interface Ratio {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
  /** One per alternation in which both were measured. */
  readonly each: readonly number[];
}

export interface Outcome {
  readonly case: Case;
  /** What every alternation gave, in order. */
  readonly rounds: readonly ReadonlyMap<Contender, Sample>[];
  /** Medians per contender; none where it was not or could not be measured. */
  readonly medians: ReadonlyMap<Contender, Sample>;
  readonly ratios: ReadonlyMap<Rival, ReadonlyMap<Metric, Ratio>>;
  readonly skipped: ReadonlyMap<Contender, string>;
  /** What went wrong, and how often. */
  readonly failures: ReadonlyMap<string, number>;
}

const READY_TIMEOUT_MS = 15000;
const RESULT_GRACE_MS = 15000;
const STOP_TIMEOUT_MS = 15000;

/** The running processes of a contest. */
class Arena {
  readonly #children: Child[] = [];
  readonly #weighed: Child[] = [];
  #meter: Child | undefined;
  #sender: Child | undefined;
  #warm = false;
  #published = 0;
  #received = 0;

  async open(contest: Contest): Promise<void> {
    this.#warm = contest.compiled;
    const first = this.#start(new Child(contest.first));
    this.#weighed.push(first);
    const endpoint = await first.expect("READY", READY_TIMEOUT_MS);
    this.#meter = first;
    if (contest.second === undefined) return;
    const second = this.#start(new Child(contest.second(endpoint)));
    if (contest.weighed === "both") this.#weighed.push(second);
    // A load generator fails with the server that it is connecting to, and the server's word says more.
    first.failWith(second);
    second.failWith(first);
    await second.expect("READY", READY_TIMEOUT_MS);
    if (contest.meter === "second") this.#meter = second;
    if (contest.sender !== undefined) this.#sender = contest.sender === "first" ? first : second;
  }

  #start(child: Child): Child {
    this.#children.push(child);
    return child;
  }

  async sample(timing: Timing, c: Case): Promise<Sample> {
    const meter = this.#meter;
    if (meter === undefined) throw new Error("The contest is not open");
    const warmupMs = this.#warm ? timing.warmupAgainMs : timing.warmupMs;
    this.#warm = true;
    meter.tell(`START ${warmupMs} ${timing.windowMs}`);
    this.#sender?.tell("START");
    await meter.expect("WINDOW", warmupMs + RESULT_GRACE_MS);
    const before = this.#cpuSeconds();
    const result = JSON.parse(await meter.expect("RESULT", timing.windowMs + RESULT_GRACE_MS));
    const after = this.#cpuSeconds();
    const published = await this.#stop(this.#sender);
    const received = await this.#stop(meter);
    const cpuSeconds = before === undefined || after === undefined ? undefined : after - before;
    return toSample(result, {
      cpuSeconds,
      deliveredShare: c.measure === "fan-out" ? this.#deliveredShare(published, received, c) : undefined,
    });
  }

  /** The total that it says. */
  async #stop(child: Child | undefined): Promise<number> {
    child?.tell("STOP");
    return Number(await child?.expect("STOPPED", STOP_TIMEOUT_MS));
  }

  /** Of this sample: the totals count since the processes began. */
  #deliveredShare(published: number, received: number, c: Case): number {
    const share = (received - this.#received) / ((published - this.#published) * (c.load?.clients ?? 1));
    this.#published = published;
    this.#received = received;
    return share;
  }

  #cpuSeconds(): number | undefined {
    let sum = 0;
    for (const child of this.#weighed) {
      const seconds = child.cpuSeconds();
      if (seconds === undefined) return undefined;
      sum += seconds;
    }
    return sum;
  }

  async close(): Promise<void> {
    await Promise.all(this.#children.map((child) => child.stop()));
  }
}

interface WindowResult {
  readonly messages: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly p50Us?: number;
  readonly p99Us?: number;
  readonly p999Us?: number;
  readonly offeredPerSecond?: number;
  readonly fullPerSecond?: number;
}

function toSample(
  result: WindowResult,
  more: { readonly cpuSeconds: number | undefined; readonly deliveredShare: number | undefined },
): Sample {
  const { cpuSeconds, deliveredShare } = more;
  return {
    messagesPerSecond: result.messages / result.seconds,
    megabytesPerSecond: result.bytes / result.seconds / 1e6,
    p50Us: result.p50Us ?? null,
    p99Us: result.p99Us ?? null,
    p999Us: result.p999Us ?? null,
    cpuSecondsPerMillion: cpuSeconds === undefined ? null : (cpuSeconds * 1e6) / result.messages,
    deliveredShare: deliveredShare ?? null,
    offeredPerSecond: result.offeredPerSecond ?? null,
    fullPerSecond: result.fullPerSecond ?? null,
  };
}

/** One message in a thousand is waited for: short windows would hold too few of them. */
const OPEN_LOOP_WINDOWS = 3;

/** What of the timing is a case's own. */
export function timingOf(c: Case, timing: Timing): Timing {
  return c.measure === "open-loop" ? { ...timing, windowMs: timing.windowMs * OPEN_LOOP_WINDOWS } : timing;
}

/** Measures a case: every contender once per alternation, the order turned round each time. */
export async function measureCase(setting: Setting, c: Case, asked: Timing): Promise<Outcome> {
  const timing = timingOf(c, asked);
  const skipped = new Map<Contender, string>();
  const failures = new Map<string, number>();
  const contenders: Contender[] = (["hawser", ...c.rivals] as const).filter((contender) => {
    const reason = excuse(setting, contender, c);
    if (reason !== undefined) skipped.set(contender, reason);
    return reason === undefined;
  });
  const arenas = new Map<Contender, Arena>();
  const rounds: Map<Contender, Sample>[] = [];
  try {
    for (let round = 0; round < timing.rounds; round++) {
      const samples = new Map<Contender, Sample>();
      const order = round % 2 === 0 ? contenders : contenders.slice().reverse();
      for (const contender of order) {
        try {
          samples.set(contender, await sampleOf(arenas, { setting, contender, case: c, timing }));
        } catch (cause) {
          const reason = cause instanceof Error ? cause.message : String(cause);
          failures.set(reason, (failures.get(reason) ?? 0) + 1);
          await arenas.get(contender)?.close();
          arenas.delete(contender);
        }
      }
      rounds.push(samples);
    }
  } finally {
    await Promise.all([...arenas.values()].map((arena) => arena.close()));
  }
  return { case: c, rounds, ...summarise(rounds, contenders, c), skipped, failures };
}

async function sampleOf(
  arenas: Map<Contender, Arena>,
  what: {
    readonly setting: Setting;
    readonly contender: Contender;
    readonly case: Case;
    readonly timing: Timing;
  },
): Promise<Sample> {
  const { setting, contender, timing } = what;
  let arena = arenas.get(contender);
  if (arena === undefined) {
    arena = new Arena();
    arenas.set(contender, arena);
    await arena.open(contest(setting, contender, what.case));
  }
  const sample = await arena.sample(timing, what.case);
  if (timing.fresh) {
    arenas.delete(contender);
    await arena.close();
  }
  return sample;
}

/** Medians of the samples, and of the ratios within each alternation. */
export function summarise(
  rounds: readonly ReadonlyMap<Contender, Sample>[],
  contenders: readonly Contender[],
  c: Case,
): Pick<Outcome, "medians" | "ratios"> {
  const medians = new Map<Contender, Sample>();
  const ratios = new Map<Rival, ReadonlyMap<Metric, Ratio>>();
  for (const contender of contenders) {
    const samples = rounds.flatMap((round) => round.get(contender) ?? []);
    if (samples.length > 0) medians.set(contender, medianSample(samples));
    if (contender === "hawser") continue;
    const ofMetrics = new Map<Metric, Ratio>();
    for (const metric of METRICS[c.measure]) {
      const each = rounds.flatMap((round) =>
        ratioOf(round.get("hawser"), round.get(contender), metric) ?? []
      );
      if (each.length === 0) continue;
      const [lowest, highest] = [Math.min(...each), Math.max(...each)];
      ofMetrics.set(metric, { median: median(each), lowest, highest, each });
    }
    if (ofMetrics.size > 0) ratios.set(contender, ofMetrics);
  }
  return { medians, ratios };
}

const TIMES: readonly Metric[] = ["p50", "p99", "p999"];
/** What is compared. The rate of an open loop is what was asked for, and says nothing. */
const METRICS: Record<Measure, readonly Metric[]> = {
  throughput: ["rate"],
  "fan-out": ["rate"],
  "round-trip": TIMES,
  "open-loop": TIMES,
  echo: ["rate", ...TIMES],
  connect: ["rate", ...TIMES],
};

/** The figure of a sample that a metric is about. */
export function figureOf(sample: Sample | undefined, metric: Metric): number | null | undefined {
  switch (metric) {
    case "rate":
      return sample?.messagesPerSecond;
    case "p50":
      return sample?.p50Us;
    case "p99":
      return sample?.p99Us;
    case "p999":
      return sample?.p999Us;
  }
}

/** The ratio that stands for the case: of its rates, or of its p50. */
export function mainRatio(outcome: Outcome, rival: Rival): Ratio | undefined {
  return outcome.ratios.get(rival)?.get(mainMetric(outcome.case));
}

function ratioOf(hawser: Sample | undefined, rival: Sample | undefined, metric: Metric): number | undefined {
  const [ours, theirs] = [figureOf(hawser, metric), figureOf(rival, metric)];
  return typeof ours !== "number" || typeof theirs !== "number" ? undefined : ours / theirs;
}

function medianSample(samples: readonly Sample[]): Sample {
  const of = (pick: (sample: Sample) => number | null): number | null => {
    const values = samples.flatMap((sample) => pick(sample) ?? []);
    return values.length === 0 ? null : median(values);
  };
  return {
    messagesPerSecond: of((sample) => sample.messagesPerSecond) ?? 0,
    megabytesPerSecond: of((sample) => sample.megabytesPerSecond) ?? 0,
    p50Us: of((sample) => sample.p50Us),
    p99Us: of((sample) => sample.p99Us),
    p999Us: of((sample) => sample.p999Us),
    cpuSecondsPerMillion: of((sample) => sample.cpuSecondsPerMillion),
    deliveredShare: of((sample) => sample.deliveredShare),
    offeredPerSecond: of((sample) => sample.offeredPerSecond),
    fullPerSecond: of((sample) => sample.fullPerSecond),
  };
}

/** The middle one; of an even number the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.slice().sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
