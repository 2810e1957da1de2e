import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { type Case, caseName, mainMetric, selectCases } from "../../bench/cases.ts";
import type { Contender } from "../../bench/contenders.ts";
import type { Surroundings } from "../../bench/machine.ts";
import { type Outcome, type Sample, summarise } from "../../bench/measure.ts";
import { type OutcomeLine, targetTable, toJson, toLines } from "../../bench/outcome_lines.ts";

// Which benchmarks are run, and what is said of them.

const ALL = { quick: false, filter: [] } as const;
const TIMING = { rounds: 3, warmupMs: 1, warmupAgainMs: 1, windowMs: 1, fresh: true };
const SURROUNDINGS: Surroundings = {
  machine: { processor: "p", cores: 2, memoryGiB: 1, platform: "linux", release: "r", architecture: "x64" },
  versions: { node: "20.20.2", libzmq: "4.3.4" },
  command: "npm run bench -- sockets",
};
const EMPTY: Sample = {
  messagesPerSecond: 0,
  megabytesPerSecond: 0,
  p50Us: null,
  p99Us: null,
  p999Us: null,
  cpuSecondsPerMillion: null,
  deliveredShare: null,
  offeredPerSecond: null,
  fullPerSecond: null,
};

function named(name: string): Case {
  const found = selectCases(ALL).find((c) => caseName(c) === name);
  assert(found !== undefined, name);
  return found;
}

/** An outcome of alternations between hawser and libzmq; undefined where hawser failed. */
function outcomeOf(
  c: Case,
  rounds: readonly (readonly [Partial<Sample> | undefined, Partial<Sample>])[],
): Outcome {
  const maps = rounds.map(([hawser, libzmq]) => {
    const samples = new Map<Contender, Sample>();
    if (hawser !== undefined) samples.set("hawser", { ...EMPTY, ...hawser });
    samples.set("libzmq", { ...EMPTY, ...libzmq });
    return samples;
  });
  const summary = summarise(maps, ["hawser", "libzmq"], c);
  return { case: c, rounds: maps, ...summary, skipped: new Map(), failures: new Map() };
}

function lineOf(outcome: Outcome): OutcomeLine {
  return JSON.parse(toJson(outcome, TIMING, SURROUNDINGS));
}

test("every case has a name of its own, on every runtime", () => {
  for (const runtime of [undefined, "node", "node-newest", "deno", "bun"] as const) {
    const names = selectCases({ ...ALL, ...(runtime === undefined ? {} : { runtime }) }).map(caseName);
    assertEquals(new Set(names).size, names.length, runtime);
  }
});

test("the newest Node is held to what Node is held to, other runtimes to what is said of them", () => {
  const targetsOn = (runtime: "node" | "node-newest" | "deno") =>
    selectCases({ ...ALL, runtime }).map((c) => [c.pattern, c.bytes, c.measure, c.load, c.targets]);
  assertEquals(targetsOn("node-newest"), targetsOn("node"));
  const held = selectCases({ ...ALL, runtime: "deno" }).filter((c) => c.targets.length > 0).map(caseName);
  assertEquals(held, [
    "core/push-pull/tcp/64/sync/deno/throughput",
    "core/push-pull/tcp/64/await/deno/throughput",
  ]);
});

test("the quick selection has one row of each kind of server", () => {
  const many = selectCases({ ...ALL, quick: true }).filter((c) => c.group === "many").map(caseName);
  assertEquals(many, [
    "many/router/tcp/64/await/node/echo/100-clients",
    "many/pub/tcp/64/sync/node/fan-out/10-subscribers",
  ]);
});

test("a ratio of rates is the median of those within each alternation, and one that failed has none", () => {
  const outcome = outcomeOf(named("many/router/tcp/64/await/node/echo/10-clients"), [
    [{ messagesPerSecond: 60 }, { messagesPerSecond: 100 }],
    [{ messagesPerSecond: 10 }, { messagesPerSecond: 10 }],
    [undefined, { messagesPerSecond: 1 }],
    [{ messagesPerSecond: 40 }, { messagesPerSecond: 80 }],
  ]);
  const line = lineOf(outcome);
  assertEquals(line.ratios, { raw: null, libzmq: 0.6, zeromqjs: null, tcp: null, "ws-package": null });
  assertEquals(line.comparisons, [
    { rival: "libzmq", metric: "rate", median: 0.6, lowest: 0.5, highest: 1, each: [0.6, 1, 0.5] },
  ]);
  assertEquals(line.contenders["hawser"]?.rounds.map((sample) => sample?.messagesPerSecond), [
    60,
    10,
    undefined,
    40,
  ]);
  assertEquals(line.targets, [{
    rival: "libzmq",
    metric: "rate",
    floor: 0.5,
    goal: 1,
    lessIsBetter: false,
    ratio: 0.6,
    verdict: "floor met",
  }]);
});

test("of times less is better, and the p99 has a target of its own", () => {
  const c = named("core/pair/tcp/64/await/node/round-trip");
  assertEquals(mainMetric(c), "p50");
  const times = { p50Us: 60, p99Us: 120, p999Us: 130 };
  const line = lineOf(outcomeOf(c, [[times, { p50Us: 100, p99Us: 100, p999Us: 100 }]]));
  assertEquals(line.ratios.libzmq, 0.6);
  assertEquals(line.targets.map(({ metric, ratio, verdict }) => [metric, ratio, verdict]), [
    ["p50", 0.6, "goal met"],
    ["p99", 1.2, "MISSED"],
  ]);
});

test("lines for people name what a bare socket reads, and whose processor time is told", () => {
  const c = named("many/pub/tcp/64/sync/node/fan-out/10-subscribers");
  const sample = {
    messagesPerSecond: 2e6,
    megabytesPerSecond: 128,
    cpuSecondsPerMillion: 0.5,
    deliveredShare: 1,
  };
  const outcome = outcomeOf(c, [[sample, { ...sample, messagesPerSecond: 1e6 }]]);
  assertEquals(toLines(outcome), [
    "many/pub/tcp/64/sync/node/fan-out/10-subscribers",
    "  hawser              2.00 M/s     128.0 MB/s  100.0 % arrived  server 0.50 cpu-s/M",
    "  libzmq              1.00 M/s     128.0 MB/s  100.0 % arrived  server 0.50 cpu-s/M  " +
    "hawser is 2.00 x (2.00 to 2.00)",
  ]);
  const raw = { ...outcome, case: named("core/push-pull/tcp/64/sync/node/throughput") };
  const skipped: Outcome = { ...raw, skipped: new Map([["raw", "no sockets"]]) };
  assertEquals(toLines(skipped)[2], "  raw 64 KiB reads  skipped: no sockets");
});

test("the table says of which metric a target is, and that nothing was measured where it was not", () => {
  const rows = targetTable([outcomeOf(named("core/pair/tcp/64/await/node/round-trip"), [])]);
  assertEquals(rows.slice(1).map((row) => row.trim().split(/\s{2,}/).slice(1)), [
    ["p50", "-", "libzmq", "-", "-", "<= 1", "<= 0.7", "not measured"],
    ["p99", "-", "libzmq", "-", "-", "<= 1", "<= 0.3", "not measured"],
  ]);
});
