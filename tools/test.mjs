// `npm test`: the one test runner. Checks first, then every test file on every runtime it is for.
//   --runtime node|deno|bun   only this runtime (may be repeated)
//   --only <text>             only test files whose path contains it; leaves the checks out
//   --jobs <count>            test processes at a time (default: one more than the machine's cores, at most four: some only wait)
//   --file-timeout-ms <ms>    how long one file may take
//   --root <folder>           tests of another folder, already compiled, without checks and build (tests the runner)
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { build } from "./build.mjs";
import { runChecks } from "./checks.mjs";
import { ROOT } from "./paths.mjs";
import { ensureInstalled, reportAndExit, SetupError } from "./setup.mjs";
import { findTestFiles, runTestFile, RUNTIMES, waysToRun } from "./test_files.mjs";

const FILE_TIMEOUT_MS = 120_000;
const OUTPUT_LINES_MAX = 250;
const started = Date.now();
const print = (text) => console.log(text);
const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;

function readOptions() {
  const { values } = parseArgs({
    options: {
      runtime: { type: "string", multiple: true },
      only: { type: "string" },
      jobs: { type: "string" },
      "file-timeout-ms": { type: "string" },
      root: { type: "string" },
    },
  });
  const runtimes = values.runtime ?? RUNTIMES;
  const unknown = runtimes.filter((name) => !RUNTIMES.includes(name));
  if (unknown.length > 0) throw new Error(`--runtime ${unknown[0]} is unknown; use ${RUNTIMES.join(", ")}.`);
  return {
    runtimes,
    only: values.only,
    jobs: Number(values.jobs ?? Math.min(4, availableParallelism() + 1)) || 1,
    fileTimeoutMs: Number(values["file-timeout-ms"] ?? FILE_TIMEOUT_MS),
    root: values.root === undefined ? undefined : resolve(values.root),
  };
}

/** Files that took long last time go first, so that no slow one is left alone at the end. */
function planJobs(files, runtimes, times) {
  const jobs = files.flatMap((file) =>
    file.runtimes.filter((runtime) => runtimes.includes(runtime)).flatMap((runtime) =>
      waysToRun(file.path, runtime).map((after) => ({ runtime, file, after }))
    )
  );
  const expected = ({ runtime, file, after }) =>
    times[`${runtime} ${file.path}${after === undefined ? "" : ` after ${after}`}`] ?? Infinity;
  return jobs.sort((a, b) => expected(b) === expected(a) ? 0 : expected(b) - expected(a));
}

async function runJobs(jobs, { jobs: width, fileTimeoutMs, root }) {
  const results = [];
  let next = 0;
  const worker = async () => {
    while (next < jobs.length) {
      const job = jobs[next++];
      const result = await runTestFile({ ...job, root, timeoutMs: fileTimeoutMs });
      results.push(result);
      printResult(result);
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  return results;
}

function printResult({ runtime, path, passed, failed, skipped, output, ms }) {
  const counts = [`${passed} passed`];
  if (failed > 0) counts.push(`${failed} failed`);
  if (skipped.length > 0) counts.push(`${skipped.length} skipped`);
  print(
    `${failed > 0 ? "FAIL" : "ok  "}  ${runtime.padEnd(4)}  ${path}  ${counts.join(", ")}  (${seconds(ms)})`,
  );
  for (const { name, reason } of skipped) print(`        skipped: ${name} (${reason})`);
  if (failed === 0) return;
  const lines = output.trim().split("\n");
  const shown = lines.length <= OUTPUT_LINES_MAX ? lines : [
    ...lines.slice(0, OUTPUT_LINES_MAX / 2),
    `… ${lines.length - OUTPUT_LINES_MAX} lines left out …`,
    ...lines.slice(-OUTPUT_LINES_MAX / 2),
  ];
  for (const line of shown) print(`      | ${line}`);
}

function summarize(runtimes, results, versions) {
  return runtimes.map((runtime) => {
    const own = results.filter((result) => result.runtime === runtime);
    const sum = (pick) => own.reduce((total, result) => total + pick(result), 0);
    return {
      runtime,
      version: versions[runtime] ?? "",
      files: own.length,
      passed: sum((result) => result.passed),
      failed: sum((result) => result.failed),
      skipped: sum((result) => result.skipped.length),
      ms: sum((result) => result.ms),
    };
  });
}

function printTable(rows) {
  const columns = ["runtime", "version", "files", "passed", "failed", "skipped", "time"];
  const cells = rows.map((row) =>
    columns.map((name) => name === "time" ? seconds(row.ms) : String(row[name]))
  );
  const widths = columns.map((name, index) =>
    Math.max(name.length, ...cells.map((row) => row[index].length))
  );
  for (const row of [columns, ...cells]) {
    print(
      row.map((cell, index) => index < 2 ? cell.padEnd(widths[index]) : cell.padStart(widths[index])).join(
        "  ",
      )
        .trimEnd(),
    );
  }
}

async function prepare() {
  print("== Setup ==");
  const setupStarted = Date.now();
  const versions = await ensureInstalled();
  print(
    `Node ${versions.node}, Deno ${versions.deno}, Bun ${versions.bun} (${
      seconds(Date.now() - setupStarted)
    })`,
  );
  const buildStarted = Date.now();
  const built = await build();
  print(`== build: ${built.ok ? "passed" : "FAILED"} (${seconds(Date.now() - buildStarted)}) ==`);
  if (!built.ok) print(built.output);
  return { versions, buildFailed: built.ok ? 0 : 1 };
}

async function main() {
  const options = readOptions();
  const root = options.root ?? ROOT;
  const house = options.root === undefined;
  const files = findTestFiles(root).filter((file) =>
    options.only === undefined || file.path.includes(options.only)
  );
  if (files.length === 0 && options.only !== undefined) {
    throw new SetupError(`No test file's path contains "${options.only}".`);
  }
  const { versions, buildFailed } = house ? await prepare() : { versions: {}, buildFailed: 0 };
  const checks = house && options.only === undefined ? await runChecks(print) : { failed: 0 };

  const timesPath = join(root, ".build", "test_times.json");
  const times = existsSync(timesPath) ? JSON.parse(readFileSync(timesPath, "utf8")) : {};
  const jobs = planJobs(files, options.runtimes, times);
  print(`== tests: ${files.length} files, ${jobs.length} runs on ${options.runtimes.join(", ")} ==`);
  const testsStarted = Date.now();
  const results = await runJobs(jobs, { ...options, root });
  print(`== tests took ${seconds(Date.now() - testsStarted)} ==`);
  for (const { runtime, path, ms } of results) times[`${runtime} ${path}`] = ms;
  mkdirSync(join(root, ".build"), { recursive: true });
  writeFileSync(timesPath, JSON.stringify(times));

  const rows = summarize(options.runtimes, results, versions);
  // With --only, the runtimes that the chosen files are not for have nothing to run.
  const expected = rows.filter((row) => options.only === undefined || row.files > 0 || jobs.length === 0);
  const idle = expected.filter((row) => row.passed + row.failed === 0).map((row) => row.runtime);
  printSummary({ rows, stepsFailed: checks.failed + buildFailed, idle, results });
}

/** A failed step, and a runtime on which nothing ran, count as one failure each: the last line is the whole truth. */
function printSummary({ rows, stepsFailed, idle, results }) {
  const failures = results.filter((result) => result.failed > 0);
  if (failures.length > 0) print("\n== Failed files ==");
  for (const { runtime, path } of failures) print(`${runtime.padEnd(4)}  ${path}`);
  print("\n== Summary ==");
  printTable(rows);
  for (const runtime of idle) print(`No test ran on ${runtime}: counted as a failure.`);
  if (stepsFailed > 0) print(`${stepsFailed} of the steps before the tests failed: counted as failures.`);
  print(`whole run: ${seconds(Date.now() - started)}\n`);
  const total = (name) => rows.reduce((sum, row) => sum + row[name], 0);
  const failed = total("failed") + stepsFailed + idle.length;
  print(`${total("passed")} passed, ${failed} failed, ${total("skipped")} skipped`);
  process.exitCode = failed === 0 ? 0 : 1;
}

try {
  await main();
} catch (error) {
  reportAndExit(error);
}
