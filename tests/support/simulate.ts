/**
 * Runs a test in many simulated worlds, and says which one failed.
 *
 * @module
 */

import { detectRuntime } from "../../adapters/detect.ts";
import { World } from "./world.ts";
import type { WorldInit } from "./world.ts";

export interface SimulateOptions extends WorldInit {
  /** Refused connections, cuts and silence are allowed. */
  readonly faults?: boolean;
}

/**
 * The part of the seeds that run where nobody asks for more: all on Node, and elsewhere enough to see that the same machines
 * run there too. Tests that count on what happens in some of many worlds take their share of it.
 */
export const SEED_SHARE: number = detectRuntime() === "node" ? 1 : 1 / 3;

/**
 * Runs `body` in a swarm world for each seed: 1 to {@link SEED_SHARE} of `seeds`, or those listed. A failure names its seed and shows the
 * world. `HAWSER_SEED=n` runs that seed alone; `HAWSER_SEEDS=n` runs 1 to n.
 */
export async function simulate(
  name: string,
  seeds: number | readonly number[],
  body: (world: World) => void | Promise<void>,
  options: SimulateOptions = {},
): Promise<void> {
  const share = typeof seeds === "number" ? Math.ceil(seeds * SEED_SHARE) : seeds;
  for (const seed of chosenSeeds(share)) {
    const world = World.swarm(seed, options);
    try {
      await body(world);
      world.assertNoViolations();
    } catch (cause) {
      throw explain(name, world, cause);
    }
  }
}

function explain(name: string, world: World, cause: unknown): Error {
  const said = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
  const report = said.includes("last events:") ? "" : `\n${world.report()}`;
  return new Error(`${name}: seed=${world.seed} (again: HAWSER_SEED=${world.seed}): ${said}${report}`, {
    cause,
  });
}

export function chosenSeeds(seeds: number | readonly number[]): readonly number[] {
  const one = environmentNumber("HAWSER_SEED");
  if (one !== undefined) return [one];
  const count = environmentNumber("HAWSER_SEEDS") ?? (typeof seeds === "number" ? seeds : undefined);
  if (count === undefined) return seeds as readonly number[];
  return Array.from({ length: count }, (_, index) => index + 1);
}

function environmentNumber(name: string): number | undefined {
  const { process } = globalThis as { process?: { env: Record<string, string | undefined> } };
  const text = process?.env[name];
  if (text === undefined || text === "") return undefined;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`Cannot use ${name}=${text}: not a seed`);
  }
  return value;
}
