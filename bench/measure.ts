/**
 * Takes samples: each contender in turn, several times over, so that what disturbs the machine disturbs all alike.
 * A ratio is made within one alternation, and the median of those is what counts.
 *
 * @module
 */

import { Child } from "./child.ts";
import type { Case } from "./cases.ts";
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
  readonly messagesPerSecond: number;
  readonly megabytesPerSecond: number;
  readonly p50Us: number | null;
  readonly p99Us: number | null;
  readonly cpuSecondsPerMillion: number | null;
}

export interface Outcome {
  readonly case: Case;
  /** Medians per contender; none where it was not or could not be measured. */
  readonly medians: ReadonlyMap<Contender, Sample>;
  /** Medians of hawser ÷ rival. */
  readonly ratios: ReadonlyMap<Contender, number>;
  /** Lowest and highest of the same ratios. */
  readonly spreads: ReadonlyMap<Contender, readonly [number, number]>;
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
  #meter: Child | undefined;
  #load: Child | undefined;
  #warm = false;

  async open(contest: Contest): Promise<void> {
    this.#warm = contest.compiled;
    const first = this.#start(new Child(contest.first));
    const endpoint = await first.expect("READY", READY_TIMEOUT_MS);
    this.#meter = first;
    if (contest.second === undefined) return;
    const second = this.#start(new Child(contest.second(endpoint)));
    await second.expect("READY", READY_TIMEOUT_MS);
    first.failWith(second);
    second.failWith(first);
    if (contest.meter === "second") this.#meter = second;
    else this.#load = second;
  }

  #start(child: Child): Child {
    this.#children.push(child);
    return child;
  }

  async sample(timing: Timing): Promise<Sample> {
    const meter = this.#meter;
    if (meter === undefined) throw new Error("The contest is not open");
    const warmupMs = this.#warm ? timing.warmupAgainMs : timing.warmupMs;
    this.#warm = true;
    meter.tell(`START ${warmupMs} ${timing.windowMs}`);
    this.#load?.tell("START");
    await meter.expect("WINDOW", warmupMs + RESULT_GRACE_MS);
    const before = this.#cpuSeconds();
    const result = JSON.parse(await meter.expect("RESULT", timing.windowMs + RESULT_GRACE_MS));
    const after = this.#cpuSeconds();
    for (const child of [this.#load, meter]) {
      child?.tell("STOP");
      await child?.expect("STOPPED", STOP_TIMEOUT_MS);
    }
    const cpuSeconds = before === undefined || after === undefined ? undefined : after - before;
    return toSample(result, cpuSeconds);
  }

  #cpuSeconds(): number | undefined {
    let sum = 0;
    for (const child of this.#children) {
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
}

function toSample(result: WindowResult, cpuSeconds: number | undefined): Sample {
  return {
    messagesPerSecond: result.messages / result.seconds,
    megabytesPerSecond: result.bytes / result.seconds / 1e6,
    p50Us: result.p50Us ?? null,
    p99Us: result.p99Us ?? null,
    cpuSecondsPerMillion: cpuSeconds === undefined ? null : (cpuSeconds * 1e6) / result.messages,
  };
}

/** Measures a case: every contender once per alternation, the order turned round each time. */
export async function measureCase(setting: Setting, c: Case, timing: Timing): Promise<Outcome> {
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
  return { case: c, ...summarise(rounds, contenders, c), skipped, failures };
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
  const sample = await arena.sample(timing);
  if (timing.fresh) {
    arenas.delete(contender);
    await arena.close();
  }
  return sample;
}

function summarise(
  rounds: readonly Map<Contender, Sample>[],
  contenders: readonly Contender[],
  c: Case,
): Pick<Outcome, "medians" | "ratios" | "spreads"> {
  const medians = new Map<Contender, Sample>();
  const ratios = new Map<Contender, number>();
  const spreads = new Map<Contender, readonly [number, number]>();
  for (const contender of contenders) {
    const samples = rounds.flatMap((round) => round.get(contender) ?? []);
    if (samples.length > 0) medians.set(contender, medianSample(samples));
    if (contender === "hawser") continue;
    const each = rounds.flatMap((round) => ratioOf(round.get("hawser"), round.get(contender), c) ?? []);
    if (each.length === 0) continue;
    ratios.set(contender, median(each));
    spreads.set(contender, [Math.min(...each), Math.max(...each)]);
  }
  return { medians, ratios, spreads };
}

/** Of rates, so that more is better; of round trips the p50, so that less is. */
function ratioOf(hawser: Sample | undefined, rival: Sample | undefined, c: Case): number | undefined {
  if (hawser === undefined || rival === undefined) return undefined;
  if (c.measure === "throughput") return hawser.messagesPerSecond / rival.messagesPerSecond;
  return (hawser.p50Us ?? 0) / (rival.p50Us ?? 0);
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
    cpuSecondsPerMillion: of((sample) => sample.cpuSecondsPerMillion),
  };
}

export function median(values: readonly number[]): number {
  const sorted = values.slice().sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
