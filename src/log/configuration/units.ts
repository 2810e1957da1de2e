/**
 * Sizes and durations as people write them in files, variables and arguments: `16MiB`, `30s`. Inside of the log they
 * are plain numbers, of the unit that their name ends with.
 *
 * @module
 */

/** Factors to bytes. */
const SIZES: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1_000,
  KB: 1_000,
  MB: 1_000_000,
  GB: 1_000_000_000,
  KiB: 1_024,
  MiB: 1_048_576,
  GiB: 1_073_741_824,
  TiB: 1_099_511_627_776,
};

/** Factors to milliseconds. */
const DURATIONS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  min: 60_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** `16MiB`, `1.5 GiB`, `4096`: bytes, or `undefined` where the text is no size of whole bytes. */
export function parseSize(text: string): number | undefined {
  return parseAmount(text, SIZES);
}

/** `30s`, `7d`, `250`: milliseconds, or `undefined` where the text is no duration of whole milliseconds. */
export function parseDuration(text: string): number | undefined {
  return parseAmount(text, DURATIONS);
}

/** The shortest exact way to write so many bytes: `16MiB`, `16MB`. */
export function formatSize(bytes: number): string {
  const [binary, decimal] = [["TiB", "GiB", "MiB", "KiB"], ["GB", "MB", "kB"]].map((units) =>
    formatAmount(bytes, SIZES, units)
  ) as [string, string];
  return decimal.length < binary.length ? decimal : binary;
}

/** The shortest exact way to write so many milliseconds: `30s`. */
export function formatDuration(ms: number): string {
  return formatAmount(ms, DURATIONS, ["d", "h", "min", "s", "ms"]);
}

function parseAmount(text: string, factors: Readonly<Record<string, number>>): number | undefined {
  const match = /^(\d+(?:\.\d+)?)[ \t]*([A-Za-z]*)$/.exec(text.trim());
  if (match === null) return undefined;
  const [, digits = "", unit = ""] = match;
  if (unit !== "" && !Object.hasOwn(factors, unit)) return undefined;
  const amount = Number(digits) * (factors[unit] ?? 1);
  // 1.1 times 1000 is not whole in binary; a thousandth of a unit is what nobody means.
  const whole = Math.round(amount);
  return Math.abs(amount - whole) < 1e-6 && Number.isSafeInteger(whole) ? whole : undefined;
}

function formatAmount(
  amount: number,
  factors: Readonly<Record<string, number>>,
  units: readonly string[],
): string {
  if (amount <= 0 || !Number.isSafeInteger(amount)) return String(amount);
  const unit = units.find((name) => amount % (factors[name] ?? 1) === 0);
  return unit === undefined ? String(amount) : `${amount / (factors[unit] ?? 1)}${unit}`;
}
