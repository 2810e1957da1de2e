// runtimes: node
import { after, test } from "node:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  assert,
  assertEquals,
  assertLess,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { fittedExponent, logSpaced } from "../../bench/growth/fit.ts";
import { writeReport } from "../../bench/report/main.ts";
import { replaceParts } from "../../bench/report/markers.ts";

// `npm run bench -- report` on lines as `--json` prints them.

const SVG_BYTES_MAX = 40_000;
const folders: string[] = [];
after(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

interface Case {
  readonly name: string;
  readonly ratio: number;
  readonly metric?: string;
  readonly target?: { readonly floor: number; readonly goal: number };
}

/** A line of an outcome, against libzmq alone. */
function outcome({ name, ratio, metric = "rate", target }: Case): object {
  const [group, pattern, transport, bytes, api, runtime, measure] = name.split("/");
  const sample = (factor: number): object => ({
    messagesPerSecond: 1e6 * factor,
    p50Us: 50 * factor,
    p99Us: 90 * factor,
    p999Us: null,
    cpuSecondsPerMillion: 0.5,
  });
  return {
    kind: "outcome",
    name,
    group,
    pattern,
    transport,
    bytes: Number(bytes),
    api,
    runtime,
    measure,
    messagesPerSecond: 1e6 * ratio,
    ratios: { libzmq: ratio },
    contenders: { hawser: { median: sample(ratio) }, libzmq: { median: sample(1) } },
    comparisons: [{ rival: "libzmq", metric, median: ratio, lowest: ratio * 0.9, highest: ratio * 1.1 }],
    targets: target === undefined ? [] : [{ rival: "libzmq", metric, ...target }],
    machine: { model: "a machine", cores: 2 },
    versions: { node: "20.20.2" },
    command: "npm run bench -- sockets --json",
  };
}

const SMALL = "core/push-pull/tcp/64/sync/node/throughput";
const LARGE = "core/push-pull/tcp/1048576/sync/node/throughput";
const ROUND_TRIP = "core/pair/tcp/64/await/node/round-trip";
const CONNECT = "many/router/tcp/0/await/node/connect/16-at-a-time";
const LATENCY = "many/router/tcp/64/await/node/open-loop/20000-per-second";

const LINES: readonly object[] = [
  outcome({ name: SMALL, ratio: 2.5, target: { floor: 2, goal: 3 } }),
  outcome({ name: LARGE, ratio: 0.8, target: { floor: 0.7, goal: 1 } }),
  outcome({ name: ROUND_TRIP, ratio: 1.2, metric: "p50", target: { floor: 1, goal: 0.7 } }),
  outcome({ name: CONNECT, ratio: 0.2, target: { floor: 0.5, goal: 0.8 } }),
  outcome({ name: LATENCY, ratio: 0.9, metric: "p50" }),
  outcome({ name: "matrix/pub-sub/tcp/64/sync/node/throughput", ratio: 0.95 }),
  {
    kind: "figure",
    name: "memory/idle/node",
    of: "KiB above a bare socket",
    hawser: "9.1 KiB",
    against: "bare socket",
    rival: "3.1 KiB",
    value: 6,
    lessIsBetter: true,
    target: { floor: 6, goal: 3 },
  },
  ...["hawser", "libzmq"].map((contender, at) => ({
    kind: "growth",
    growth: "topics",
    of: "topics",
    measure: "publish",
    unit: "ns",
    contender,
    points: [[1000, 200 + at], [10_000, 400 + at], [100_000, 800 + at]],
    exponent: 0.3 + at,
  })),
];

const DOCUMENT = `# Benchmarks

Written by hand.

<!-- begin table -->
old figures
<!-- end table -->

Between.

<!-- begin matrix -->
<!-- end matrix -->
<!-- begin growth -->
<!-- end growth -->
The end.
`;
const README = `# hawser
<!-- begin ratios -->
<!-- end ratios -->
`;

/** What `report` makes of lines, by path. */
async function report(lines: readonly object[], document: string = DOCUMENT): Promise<Map<string, string>> {
  const root = mkdtempSync(join(tmpdir(), "hawser-report-"));
  folders.push(root);
  mkdirSync(join(root, "docs"));
  writeFileSync(join(root, "docs", "BENCHMARKS.md"), document);
  writeFileSync(join(root, "README.md"), README);
  const input = join(root, "lines.json");
  writeFileSync(input, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  const paths = await writeReport(root, [input], { readme: true });
  const plots = readdirSync(join(root, "docs", "benchmarks")).map((name) => `docs/benchmarks/${name}`);
  assertEquals(paths.filter((path) => path.endsWith(".svg")).sort(), plots.sort());
  return new Map(paths.map((path) => [path, readFileSync(join(root, path), "utf8")]));
}

/** The first cells of a document's table rows that name a case. */
function namesIn(document: string): string[] {
  return [...document.matchAll(/^\| ((?:core|many|memory)\S+) \|/gm)].map(([, name]) => name!);
}

test("the table says first what misses its floor, then where libzmq is better, then the rest", async () => {
  const document = (await report(LINES)).get("docs/BENCHMARKS.md")!;
  assertEquals(namesIn(document), [CONNECT, ROUND_TRIP, LARGE, SMALL, LATENCY, "memory/idle/node"]);
  const [missed, , behind] = document.split("\n").filter((line) => /^\| (?:core|many)/.test(line));
  assertStringIncludes(missed!, "| 0.20 (0.18–0.22) | ≥ 0.5 | ≥ 0.8 | **missed** |");
  assertStringIncludes(behind!, "| floor met, behind |");
});

test("what is written by hand stays, and what stood between the markers goes", async () => {
  const document = (await report(LINES)).get("docs/BENCHMARKS.md")!;
  const outside = document.split("\n");
  for (
    const line of ["Written by hand.", "Between.", "The end.", "<!-- begin table -->", "<!-- end growth -->"]
  ) {
    assert(outside.includes(line), line);
  }
  assertEquals(document.includes("old figures"), false);
  assertStringIncludes(document, "| pub-sub | **0.95** (950.0 k/s) |");
  assertStringIncludes(document, "| topics | publish | hawser | 1 000: 200 ns | 100 000: 800 ns | 0.3 |");
});

test("what was not measured this time keeps its figures", async () => {
  const written = await report(LINES.filter((line) => "growth" in line || "value" in line));
  assertStringIncludes(written.get("docs/BENCHMARKS.md")!, "old figures");
});

test("README's table names the cases that are lost, and they come first", async () => {
  const rows = (await report(LINES)).get("README.md")!.split("\n").filter((line) => line.startsWith("| "));
  assertEquals(rows.slice(1), [
    "| 64 B round trip over tcp, p50 (less is better), where hawser loses | 60.0 µs | **1.20** |",
    "| 1 MiB messages over tcp, where hawser loses | 800.0 k/s | **0.80** |",
    "| 64 B messages over tcp | 2.50 M/s | 2.50 |",
  ]);
});

test("the same lines give the same files, and the plots are small and take the page's colours", async () => {
  const [first, second] = [await report(LINES), await report(LINES)];
  assertEquals([...first], [...second]);
  const plots = [...first].filter(([path]) => path.endsWith(".svg"));
  assertEquals(plots.map(([path]) => path), [
    "docs/benchmarks/ratios.svg",
    "docs/benchmarks/topics_publish.svg",
  ]);
  for (const [path, svg] of plots) {
    assertLess(svg.length, SVG_BYTES_MAX, path);
    assertStringIncludes(svg, "currentColor");
    assertStringIncludes(svg, "prefers-color-scheme:dark");
    assert(!/#010203|NaN|undefined/.test(svg), path);
  }
  const order = [CONNECT, ROUND_TRIP, LARGE, SMALL].map((name) => plots[0]![1].indexOf(name));
  assertEquals(order, [...order].sort((a, b) => a - b));
});

test("a document without markers, a part without its end, and lines of an old kind are refused", async () => {
  await assertRejects(() => report(LINES, "# Benchmarks\n"), Error, "no part to write");
  assertThrows(() => replaceParts("<!-- begin table -->\n", {}), Error, 'The part "table" has no end');
  await assertRejects(() => report([{ pattern: "push-pull" }]), Error, "names no case");
});

test("an exponent is the slope between logarithms, of points that have one", () => {
  const square = [1, 10, 100].map((count) => [count, 3 * count ** 2] as const);
  assertEquals(fittedExponent(square)?.toFixed(6), "2.000000");
  assertEquals(fittedExponent([...square, [1000, 0]])?.toFixed(6), "2.000000");
  assertEquals(fittedExponent([[10, 5], [100, 5]]), 0);
  assertEquals(fittedExponent([[10, 5], [10, 7]]), undefined);
  assertEquals(fittedExponent([]), undefined);
  assertEquals(logSpaced(1, 100), [1, 3, 10, 30, 100]);
  assertEquals(logSpaced(1000, 10_000), [1000, 3000, 10_000]);
});
