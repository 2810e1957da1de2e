/** Numbers for people, and the table at the end. */

import type { Share } from "./ledger.ts";

const UNITS = ["kB", "MB", "GB", "TB"] as const;

/** `0 B`, `999 B`, `1.0 kB`, `12.3 MB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${Math.round(bytes)} B`;
  let value = bytes;
  let unit = "";
  for (const next of UNITS) {
    value /= 1000;
    unit = next;
    if (value < 999.95) break;
  }
  return `${value.toFixed(1)} ${unit}`;
}

/** Who did how much of it: one line per worker, then the sum. `seconds`: how long all of it took. */
export function formatTable(shares: ReadonlyMap<string, Share>, seconds: number): string {
  const total: Share = { files: 0, bytes: 0 };
  const rows = [["runtime", "files", "bytes", "share", "rate"]];
  const sum = [...shares.values()].reduce(
    (sum, { files, bytes }) => ({ files: sum.files + files, bytes: sum.bytes + bytes }),
    total,
  );
  const row = (name: string, { files, bytes }: Share): string[] => [
    name,
    String(files),
    formatBytes(bytes),
    `${(sum.bytes === 0 ? 0 : 100 * bytes / sum.bytes).toFixed(1)} %`,
    `${formatBytes(seconds === 0 ? 0 : bytes / seconds)}/s`,
  ];
  for (const [name, share] of shares) rows.push(row(name, share));
  rows.push(row("total", sum));
  return alignColumns(rows);
}

/** The first column to the left, the others to the right. */
export function alignColumns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) =>
    row.map((cell, column) => column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))
      .join("   ")
  );
  return lines.join("\n");
}
