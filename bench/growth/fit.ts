/**
 * How a cost grows: the exponent of a power law, and the points to look at.
 *
 * @module
 */

/** What is counted, and what it cost. */
export type Point = readonly [count: number, cost: number];

/** 1, 3, 10, 30, … up to `last`: as even as whole numbers lie on a logarithmic axis. */
export function logSpaced(first: number, last: number): number[] {
  const counts: number[] = [];
  for (let tens = first; tens <= last; tens *= 10) {
    counts.push(tens);
    if (tens * 3 < last) counts.push(tens * 3);
  }
  return counts;
}

/**
 * The exponent e of cost = c · count^e that fits best: the slope of the line of least squares through the logarithms.
 * Points that have no logarithm do not count; undefined where fewer than two are left.
 */
export function fittedExponent(points: readonly Point[]): number | undefined {
  const logs = points.filter(([count, cost]) => count > 0 && cost > 0)
    .map(([count, cost]) => [Math.log(count), Math.log(cost)] as const);
  const meanX = logs.reduce((sum, [x]) => sum + x, 0) / logs.length;
  const meanY = logs.reduce((sum, [, y]) => sum + y, 0) / logs.length;
  const spread = logs.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  if (logs.length < 2 || spread === 0) return undefined;
  return logs.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0) / spread;
}
