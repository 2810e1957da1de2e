/**
 * `npm run bench -- report FILE…`: writes the tables of docs/BENCHMARKS.md and the plots in docs/benchmarks/
 * from the lines of JSON that the other commands print.
 *
 * @module
 */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Line, readLines } from "./lines.ts";
import { replaceParts } from "./markers.ts";
import { drawSvg, type Plot, plotsOf } from "./plots.ts";
import {
  growthTable,
  isTransport,
  machineText,
  matrixTable,
  readmeTable,
  targetTable,
  transportTable,
  transportTargets,
  transportTrips,
} from "./tables.ts";

const PLOTS = "benchmarks";

/** `root` is the checkout. Later files win over earlier ones. Answers the paths written. */
export async function writeReport(
  root: string,
  files: readonly string[],
  { readme }: { readonly readme: boolean },
): Promise<string[]> {
  const lines = readLines(files.map((file) => readFileSync(file, "utf8")).join("\n"));
  const plots = plotsOf(lines.filter((line) => !isTransport(line)));
  const written = ["docs/BENCHMARKS.md"];
  mkdirSync(join(root, "docs", PLOTS), { recursive: true });
  for (const plot of plots) {
    const path = `docs/${PLOTS}/${plot.name}.svg`;
    writeFileSync(join(root, path), await drawSvg(plot));
    written.push(path);
  }
  rewrite(join(root, "docs", "BENCHMARKS.md"), partsOf(lines, plots));
  if (readme) {
    rewrite(join(root, "README.md"), { ratios: readmeTable(lines) });
    written.push("README.md");
  }
  return written;
}

function partsOf(lines: readonly Line[], plots: readonly Plot[]): Record<string, string> {
  const images = (wanted: (plot: Plot) => boolean): string =>
    plots.filter(wanted).map(({ name, title }) => `![${title}](${PLOTS}/${name}.svg)`).join("\n");
  const has = (wanted: (line: Line) => boolean): boolean => lines.some(wanted);
  const part = (needed: boolean, ...texts: readonly string[]): string =>
    needed ? texts.filter((text) => text !== "").join("\n\n") : "";
  const outcomes = has((line) => line.kind === "outcome" && !isTransport(line));
  const transports = lines.filter(isTransport);
  return {
    machine: outcomes ? machineText(lines.filter((line) => !isTransport(line))) : "",
    transports: part(
      transports.length > 0,
      machineText(transports),
      transportTable(lines),
      transportTargets(lines),
      transportTrips(lines),
    ),
    // Of everything or not at all: a few figures in place of all of them would look as if nothing else were missed.
    table: part(
      outcomes,
      images(({ name }) => name === "ratios"),
      targetTable(lines),
    ),
    matrix: part(has((line) => line.kind === "outcome" && line.group === "matrix"), matrixTable(lines)),
    growth: part(
      has((line) => line.kind === "growth"),
      growthTable(lines),
      images(({ name }) => name !== "ratios"),
    ),
  };
}

function rewrite(path: string, parts: Readonly<Record<string, string>>): void {
  writeFileSync(path, replaceParts(readFileSync(path, "utf8"), parts));
}
