/**
 * Parts of the core by themselves, with mitata. Every figure is of a batch; divide by the number in its name.
 *
 * @module
 */

import process from "node:process";
import { run } from "mitata";
import { defineCodec } from "./codec.ts";
import { definePipe } from "./pipe.ts";
import { defineSubscriptions } from "./subscriptions.ts";

export interface MicroOptions {
  /** Words that must all occur in the name. */
  readonly filter: readonly string[];
  /** One object per line (`name, nanoseconds, operations, nanosecondsPerOperation`) instead of mitata's table. */
  readonly json: boolean;
}

export async function benchMicro(options: MicroOptions): Promise<void> {
  defineCodec();
  definePipe();
  defineSubscriptions();
  const filter = new RegExp(options.filter.map((word) => `(?=.*${escaped(word)})`).join("") || ".");
  const colors = process.stdout.isTTY === true;
  const result = await run({ filter, colors, format: options.json ? "quiet" : "mitata", throw: true });
  if (!options.json) return;
  for (const trial of result.benchmarks) {
    const stats = trial.runs[0]?.stats;
    if (stats === undefined) continue;
    const operations = operationsOf(trial.alias);
    console.log(JSON.stringify({
      name: trial.alias,
      nanoseconds: Math.round(stats.p50),
      operations,
      nanosecondsPerOperation: Number((stats.p50 / operations).toFixed(2)),
    }));
  }
}

/** The first number of a name: `encode 992 x 64 B` is 992 operations. */
function operationsOf(name: string): number {
  return Number(/\d+/.exec(name)?.[0] ?? 1);
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
