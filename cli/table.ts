/**
 * Plain text in columns.
 *
 * @module
 */

/** Rows under a heading; columns are as wide as their widest cell, numbers stand on the right. */
export function formatTable(
  head: readonly string[],
  rows: readonly (readonly (string | number | bigint)[])[],
): string {
  const widths = head.map((name, column) =>
    Math.max(name.length, ...rows.map((row) => String(row[column] ?? "").length))
  );
  const toLine = (cells: readonly (string | number | bigint)[]): string =>
    widths.map((width, column) => {
      const cell = cells[column] ?? "";
      return typeof cell === "string" ? cell.padEnd(width) : String(cell).padStart(width);
    }).join("  ").trimEnd();
  return [head, ...rows].map((cells) => `${toLine(cells)}\n`).join("");
}
