/**
 * The plots, as SVG. They take their ink from the colour scheme, so that they can be read on a light and on a
 * dark page, and hold nothing that changes from run to run.
 *
 * @module
 */

import { parse, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";
import type { Curve } from "../growth/main.ts";
import { inOrder, type Line, type Row, rowsOf } from "./lines.ts";

/** Stands for the ink until the picture is drawn: Vega asks for a colour. */
const INK = "#010203";
const THEME = "<style>svg{color:#1f2328}@media (prefers-color-scheme:dark){svg{color:#e6edf3}}</style>";

const FONT = "system-ui,sans-serif";
/** Middle tones, which stand out from white and from black. */
const CONTENDERS: Readonly<Record<string, string>> = {
  "hawser": "#2f81f7",
  "libzmq": "#d9822b",
  "bare socket": "#8b949e",
};
const VERDICTS: Readonly<Record<string, string>> = {
  "missed": "#e5534b",
  "behind": "#d9822b",
  "floor met": "#6cb6ff",
  "goal met": "#2da44e",
  "no floor": "#8b949e",
};

export interface Plot {
  /** The file's name without its ending. */
  readonly name: string;
  readonly title: string;
  readonly spec: TopLevelSpec;
}

/** Every plot that the lines have figures for. */
export function plotsOf(lines: readonly Line[]): Plot[] {
  const rows = inOrder(lines.flatMap(rowsOf)).filter((row) =>
    row.isRatio && row.against === "libzmq" && !row.name.startsWith("matrix/")
  );
  const curves = lines.filter((line): line is Curve => line.kind === "growth");
  const drawn = [...new Set(curves.map(({ growth, measure }) => `${growth}/${measure}`))];
  const plots = drawn.map((name) =>
    growthPlot(curves.filter(({ growth, measure }) => `${growth}/${measure}` === name))
  );
  return lines.some(({ kind }) => kind === "outcome") && rows.length > 0
    ? [ratioPlot(rows), ...plots]
    : plots;
}

/** The picture: small, and the same for the same plot. */
export async function drawSvg({ spec, title }: Plot): Promise<string> {
  const view = new View(parse(compile({ ...spec, config: CONFIG }).spec), { renderer: "none" });
  const svg = await view.toSVG();
  view.finalize();
  const themed = svg.replace(/^(<svg[^>]*>)/, `$1<title>${title}</title>${THEME}`)
    .replaceAll(INK, "currentColor");
  return `${shortened(themed)}\n`;
}

/** Coordinates to a hundredth of a pixel, and no descriptions of every single mark. */
function shortened(svg: string): string {
  return svg.replace(/ aria-[a-z]+="[^"]*"| role="[^"]*"/g, "")
    .replace(/\d+\.\d{3,}/g, (number) => String(Number(Number(number).toFixed(2))));
}

const CONFIG: NonNullable<TopLevelSpec["config"]> = {
  background: "transparent",
  font: FONT,
  view: { stroke: "transparent" },
  axis: {
    labelColor: INK,
    titleColor: INK,
    domainColor: INK,
    tickColor: INK,
    gridColor: INK,
    gridOpacity: 0.15,
    labelLimit: 0,
    titleFontWeight: "normal",
  },
  legend: { labelColor: INK, titleColor: INK, labelLimit: 0 },
  title: { color: INK, anchor: "start" },
};

/** More than 1 is better for hawser: ratios of times are turned over. */
function ratioPlot(rows: readonly Row[]): Plot {
  const bars = rows.map((row) => {
    const turned = (value: number): number => row.lessIsBetter ? 1 / value : value;
    return {
      case: row.of === "rate" ? row.name : `${row.name}, ${row.of}`,
      ratio: Number(turned(row.value).toFixed(3)),
      floor: row.target === undefined ? null : turned(row.target.floor),
      goal: row.target === undefined ? null : turned(row.target.goal),
      state: stateOf(row),
    };
  });
  const title = "hawser ÷ libzmq, where we lose first; ticks: floor and goal; times turned over";
  const y = { field: "case", type: "nominal" as const, sort: null, title: null };
  const scale = { type: "log" as const, nice: false };
  const axis = {
    values: ticks(bars.flatMap(({ ratio, floor, goal }) => [ratio, floor ?? 1, goal ?? 1]), [1, 2, 5]),
  };
  const x = (field: string) => ({
    field,
    type: "quantitative" as const,
    title: "hawser ÷ libzmq",
    scale,
    axis: { ...axis, format: "~g" },
  });
  const tick = (field: string, strokeWidth: number) => ({
    transform: [{ filter: `datum.${field} !== null` }],
    mark: { type: "tick" as const, color: INK, thickness: strokeWidth, size: 12 },
    encoding: { y, x: x(field) },
  });
  const domain = Object.keys(VERDICTS);
  const spec: TopLevelSpec = {
    title,
    width: 420,
    height: { step: 16 },
    data: { values: bars },
    layer: [
      { data: { values: [{ one: 1 }] }, mark: { type: "rule", color: INK }, encoding: { x: x("one") } },
      {
        mark: { type: "point", filled: true, size: 70, opacity: 1 },
        encoding: {
          y,
          x: x("ratio"),
          color: {
            field: "state",
            type: "nominal",
            title: null,
            scale: { domain, range: Object.values(VERDICTS) },
            legend: { orient: "bottom" },
          },
        },
      },
      tick("floor", 1),
      tick("goal", 2),
    ],
  };
  return { name: "ratios", title, spec };
}

/** Round numbers from the least to the greatest of `values`: every step of every power of ten. */
function ticks(values: readonly number[], steps: readonly number[]): number[] {
  const [least, greatest] = [Math.min(...values), Math.max(...values)];
  const found: number[] = [];
  for (let power = Math.floor(Math.log10(least)); 10 ** power <= greatest; power++) {
    for (const step of steps) {
      const tick = Number((step * 10 ** power).toPrecision(1));
      if (tick >= least && tick <= greatest) found.push(tick);
    }
  }
  return found;
}

function stateOf({ verdict, lost }: Row): string {
  if (verdict === "MISSED") return "missed";
  if (lost) return "behind";
  return verdict ?? "no floor";
}

const UNITS: Readonly<Record<string, string>> = {
  "connections/memory": "resident memory, MiB",
  "connections/set-up": "seconds to set all of them up",
  "subscribers/publish": "µs for each message published",
  "subscribers/processor": "µs of processor time of the publisher for each message",
  "topics/publish": "ns for each message published",
  "topics/memory": "resident memory, MiB",
};
const FACTORS: Readonly<Record<string, number>> = {
  "connections/memory": 2 ** -20,
  "subscribers/publish": 1e-3,
  "subscribers/processor": 1e-3,
  "topics/memory": 2 ** -20,
};

function growthPlot(curves: readonly Curve[]): Plot {
  const [{ growth, measure, of, unit }] = curves as [Curve];
  const name = `${growth}/${measure}`;
  const factor = FACTORS[name] ?? 1;
  const label = ({ contender, exponent }: Curve): string =>
    exponent === null ? contender : `${contender} ~ n^${exponent.toFixed(2)}`;
  const values = curves.flatMap((curve) =>
    curve.points.map(([count, cost]) => ({
      count,
      cost: Number((cost * factor).toPrecision(4)),
      contender: label(curve),
    }))
  );
  const title = `${growth}: ${measure}`;
  const spec: TopLevelSpec = {
    title,
    width: 420,
    height: 240,
    data: { values },
    mark: { type: "line", point: { filled: true, size: 30 }, strokeWidth: 2 },
    encoding: {
      x: {
        field: "count",
        type: "quantitative",
        title: of,
        scale: { type: "log" },
        axis: { values: ticks(values.map(({ count }) => count), [1]), format: "~s" },
      },
      y: {
        field: "cost",
        type: "quantitative",
        title: UNITS[name] ?? unit,
        scale: { type: "log" },
        axis: { values: ticks(values.map(({ cost }) => cost), [1, 2, 5]), format: "~g" },
      },
      color: {
        field: "contender",
        type: "nominal",
        title: null,
        sort: null,
        scale: {
          domain: curves.map(label),
          range: curves.map(({ contender }) => CONTENDERS[contender] ?? INK),
        },
        legend: { orient: "bottom" },
      },
    },
  };
  return { name: name.replaceAll(/\W/g, "_"), title, spec };
}
