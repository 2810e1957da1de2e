/**
 * What a figure is, held against what was asked for.
 *
 * @module
 */

/** What is asked for: at least, or at most where less is better. */
export interface Bounds {
  readonly floor: number;
  readonly goal: number;
}

export type Verdict = "MISSED" | "floor met" | "goal met";

export function verdict(value: number, { floor, goal }: Bounds, lessIsBetter: boolean): Verdict {
  const reaches = (bound: number): boolean => lessIsBetter ? value <= bound : value >= bound;
  if (reaches(goal)) return "goal met";
  return reaches(floor) ? "floor met" : "MISSED";
}
