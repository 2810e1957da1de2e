/**
 * The tables of docs/BENCHMARKS.md and README.md, as Markdown.
 *
 * @module
 */

import type { Curve } from "../growth/main.ts";
import { inOrder, type Line, type OutcomeLine, rateText, type Row, rowsOf } from "./lines.ts";

/** What is written after a part of the machine's description. */
const UNITS: Readonly<Record<string, string>> = { cores: " cores", memoryGiB: " GiB" };

/** Machine, versions and command of a measurement, and where they differ within the lines: all of them. */
export function machineText(lines: readonly Line[]): string {
  const texts = new Set<string>();
  for (const line of lines) {
    if (line.kind !== "outcome" || line.command === undefined) continue;
    const versions = Object.entries(line.versions ?? {}).map(([name, version]) => `${name} ${version}`).join(
      ", ",
    );
    const machine = Object.entries(line.machine ?? {}).map(([name, value]) => `${value}${UNITS[name] ?? ""}`)
      .join(", ");
    const parts = [machine, versions, `\`${line.command}\``].filter((part) => part !== "");
    texts.add(filled(parts.join("; ")));
  }
  return [...texts].join("\n\n");
}

/** Everything that is held against a floor, or against libzmq, where we lose first. */
export function targetTable(lines: readonly Line[]): string {
  return tableOfRows(inOrder(lines.filter((line) => !isMatrix(line) && !isTransport(line)).flatMap(rowsOf)));
}

function tableOfRows(rows: readonly Row[]): string {
  const head = ["case", "of", "hawser", "against", "", "ratio", "floor", "goal", "", "cpu-s/M, both"];
  return table(head, rows.map(targetCells));
}

/** Whether a line is about tls, ws, wss or worker. */
export function isTransport(line: Line): line is OutcomeLine {
  return line.kind === "outcome" && line.group === "transports";
}

const WEB_TRANSPORTS = ["tls", "ws", "wss", "worker"];
const RUNTIMES = ["node", "deno", "bun"];

/** What of tls, ws, wss and worker is held against a floor. */
export function transportTargets(lines: readonly Line[]): string {
  return tableOfRows(
    inOrder(lines.filter(isTransport).flatMap(rowsOf).filter(({ target }) => target !== undefined)),
  );
}

/** Messages per second over tls, ws, wss and worker on each runtime, with ratios to whatever they are held against. */
export function transportTable(lines: readonly Line[]): string {
  const found = lines.filter(isTransport).filter(({ name }) => name.includes("/throughput"));
  const rows = WEB_TRANSPORTS.flatMap((transport) =>
    ["", "from-server"].flatMap((way) =>
      [...SIZES, 65_536].flatMap((bytes) => {
        const cases = RUNTIMES.map((runtime) =>
          found.find((line) =>
            line.transport === transport && line.bytes === bytes && line.name.includes(`/${runtime}/`) &&
            line.name.endsWith(way === "" ? "/throughput" : `/${way}`)
          )
        );
        if (cases.every((line) => line === undefined)) return [];
        const named = way === "" ? transport : `${transport}, sent by the server`;
        return [[
          named,
          String(bytes),
          ...cases.map((line) => line === undefined ? "–" : rateAndRatios(line)),
        ]];
      })
    )
  );
  return table(["transport", "bytes", "Node", "Deno", "Bun"], rows);
}

const RATIO_NAMES: Readonly<Record<string, string>> = {
  tcp: "tcp",
  raw: "raw",
  "ws-package": "ws",
  zeromqjs: "libzmq",
};

function rateAndRatios({ messagesPerSecond, ratios }: OutcomeLine): string {
  const said = Object.entries(RATIO_NAMES).flatMap(([rival, name]) => {
    const ratio = ratios[rival];
    return typeof ratio === "number" ? [`${ratio.toFixed(2)} × ${name}`] : [];
  });
  return [`**${rateText(messagesPerSecond ?? 0)}**`, ...said].join(", ");
}

/** Round trips over tls, ws and wss: p50, and how much that is more than over the bare stream. */
export function transportTrips(lines: readonly Line[]): string {
  const rows = lines.filter(isTransport).filter(({ name }) => name.includes("/round-trip")).map((line) => {
    const p50 = (contender: string): number | undefined =>
      line.contenders[contender]?.median.p50Us ?? undefined;
    const [ours, raw, tcp] = [p50("hawser"), p50("raw") ?? p50("ws-package"), p50("tcp")];
    const shown = (us: number | undefined): string => us === undefined ? "–" : `${us.toFixed(1)} µs`;
    const more = ours === undefined || raw === undefined ? "–" : shown(ours - raw);
    const [, , transport = "", , , runtime = ""] = line.name.split("/");
    return [transport, runtime, shown(ours), shown(raw), more, shown(tcp)];
  });
  return table(["transport", "runtime", "p50", "bare stream, or ws", "more", "our tcp"], rows);
}

function isMatrix(line: Line): boolean {
  return line.kind === "outcome" && line.group === "matrix";
}

function targetCells(row: Row): string[] {
  const { name, of, hawser, against, rival, target, lessIsBetter, processor } = row;
  const bound = (value: number | undefined): string =>
    value === undefined ? "" : `${lessIsBetter ? "≤" : "≥"} ${value}`;
  return [name, of, hawser, against, rival, valueText(row), bound(target?.floor), bound(target?.goal)]
    .concat(judgement(row), processor);
}

function valueText({ value, spread, isRatio }: Row): string {
  if (!isRatio) return String(value);
  if (spread === undefined) return value.toFixed(2);
  return `${value.toFixed(2)} (${spread[0].toFixed(2)}–${spread[1].toFixed(2)})`;
}

function judgement({ verdict, lost }: Row): string {
  const said = verdict === "MISSED" ? "**missed**" : verdict ?? "";
  if (!lost || verdict === "MISSED") return said;
  return said === "" ? "**behind**" : `${said}, behind`;
}

const SIZES = [64, 1024];
const TRANSPORTS = ["tcp", "ipc", "inproc"];

/** Ratios to libzmq: a row for each pattern. */
export function matrixTable(lines: readonly Line[]): string {
  const cells = lines.filter((line): line is OutcomeLine => isMatrix(line));
  const columns = TRANSPORTS.flatMap((transport) => SIZES.map((bytes) => ({ transport, bytes })));
  const patterns = [...new Set(cells.map(({ pattern }) => pattern))];
  const cellText = (pattern: string, transport: string, bytes: number): string => {
    const found = cells.find((c) => c.pattern === pattern && c.transport === transport && c.bytes === bytes);
    const ratio = found?.ratios["libzmq"];
    if (found === undefined || typeof ratio !== "number") return "–";
    const text = ratio < 1 ? `**${ratio.toFixed(2)}**` : ratio.toFixed(2);
    return `${text} (${rateText(found.messagesPerSecond ?? 0)})`;
  };
  return table(
    ["pattern", ...columns.map(({ transport, bytes }) => `${transport} ${bytes} B`)],
    patterns.map((pattern) => [
      pattern,
      ...columns.map(({ transport, bytes }) => cellText(pattern, transport, bytes)),
    ]),
  );
}

/** First and last point of every curve, and how it grows. */
export function growthTable(lines: readonly Line[]): string {
  const curves = lines.filter((line): line is Curve => line.kind === "growth");
  const head = ["growth", "of", "contender", "at first", "at last", "exponent"];
  return table(
    head,
    curves.map((curve) => {
      const { growth, measure, contender, points, exponent, ended } = curve;
      const [first, last] = [points[0]!, points.at(-1)!];
      const end = ended === undefined ? "" : ", where it ended";
      return [
        growth,
        measure,
        contender,
        costText(curve, first),
        costText(curve, last) + end,
        `${exponent ?? "–"}`,
      ];
    }),
  );
}

function costText({ unit }: Curve, [count, cost]: readonly [number, number]): string {
  return `${count.toLocaleString("en").replaceAll(",", " ")}: ${withUnit(cost, unit)}`;
}

/** `1.23 µs`, `4.5 MiB`. */
export function withUnit(value: number, unit: string): string {
  const steps: readonly (readonly [string, number])[] = unit === "bytes"
    ? [["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10], ["B", 1]]
    : unit === "seconds"
    ? [["s", 1], ["ms", 1e-3], ["µs", 1e-6]]
    : [["ms", 1e6], ["µs", 1e3], ["ns", 1]];
  const [name, size] = steps.find(([, step]) => value >= step) ?? steps.at(-1)!;
  return `${Number((value / size).toPrecision(3))} ${name}`;
}

/** The ratios that matter, in README's words. */
const README_ROWS: readonly (readonly [string, string, string])[] = [
  ["core/push-pull/tcp/64/sync/node/throughput", "rate", "64 B messages over tcp"],
  [
    "many/router/tcp/64/await/node/echo/100-clients",
    "rate",
    "a ROUTER that answers 100 clients, each message awaited",
  ],
  ["many/pub/tcp/64/sync/node/fan-out/100-subscribers", "rate", "a PUB of 64 B to 100 subscribers"],
  ["core/push-pull/tcp/1048576/sync/node/throughput", "rate", "1 MiB messages over tcp"],
  ["core/pair/tcp/64/await/node/round-trip", "p50", "64 B round trip over tcp, p50 (less is better)"],
];

/** README's table: where hawser loses comes first, and is named. */
export function readmeTable(lines: readonly Line[]): string {
  const rows = inOrder(lines.flatMap(rowsOf));
  const chosen = rows.flatMap((row) => {
    const found = README_ROWS.find(([name, of]) =>
      name === row.name && of === row.of && row.against === "libzmq"
    );
    return found === undefined ? [] : [{ row, text: found[2] }];
  });
  // In README only losing counts: what misses a floor and still wins is not lost.
  const sorted = [...chosen.filter(({ row }) => row.lost), ...chosen.filter(({ row }) => !row.lost)];
  const cells = sorted.map(({ row, text }) => [
    row.lost ? `${text}, where hawser loses` : text,
    row.hawser,
    row.lost ? `**${row.value.toFixed(2)}**` : row.value.toFixed(2),
  ]);
  const others = rows.filter((row) =>
    row.lost && row.against === "libzmq" && !sorted.some((one) => one.row === row)
  );
  const names = [...new Set(others.map(({ name }) => `\`${name}\``))];
  const lost = names.length === 0 ? "" : `\n\n${filled(`Also behind libzmq: ${names.join(", ")}.`)}`;
  return table(["", "hawser", "× libzmq in C"], cells) + lost;
}

/** In lines of at most 110 columns, broken between words. */
function filled(text: string): string {
  const lines = [""];
  for (const word of text.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`.trimStart();
    if (longer.length <= 110) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines.join("\n");
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), `|${head.map(() => "---").join("|")}|`, ...rows.map(line)].join("\n");
}
