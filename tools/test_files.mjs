// Finds the test files and runs one of them on one runtime, in a process of its own.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join, relative, sep } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { parseJunit, skipReasonFromSource } from "./junit.mjs";
import { binary } from "./paths.mjs";
import { run } from "./process.mjs";

export const RUNTIMES = ["node", "deno", "bun"];

/**
 * Files that run on Node once more, after `tests/support/read_events.ts`: its sockets then read as on other
 * runtimes.
 */
const READ_TWICE =
  /^tests\/(stability\/(?!web_|frozen_)|interop\/(?!websocket_)|hostile|adapters\/node_(tcp|ipc))/;

/** The ways in which a file is run on a runtime: as it is, and perhaps after another file. */
export function waysToRun(path, runtime) {
  return runtime === "node" && READ_TWICE.test(path) ? [undefined, "read_events"] : [undefined];
}

/**
 * Every `*_test.ts` below `root/tests`, with the runtimes it is for. A first line `// runtimes: node, deno` limits
 * a file; one that names an unknown runtime is an error, because its tests would never run.
 */
export function findTestFiles(root) {
  const paths = walk(join(root, "tests")).filter((path) => path.endsWith("_test.ts")).sort();
  return paths.map((path) => {
    const source = readFileSync(path, "utf8");
    return { path: relative(root, path).split(sep).join("/"), source, runtimes: runtimesOf(path, source) };
  });
}

function walk(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.name === "node_modules" || entry.name.startsWith(".")) return [];
    const path = join(folder, entry.name);
    return entry.isDirectory() ? walk(path) : [path];
  });
}

function runtimesOf(path, source) {
  const named = /^\/\/ runtimes:(.*)/.exec(source)?.[1];
  if (named === undefined) return RUNTIMES;
  const runtimes = named.split(/[\s,]+/).filter((name) => name !== "");
  const unknown = runtimes.filter((name) => !RUNTIMES.includes(name));
  if (runtimes.length === 0 || unknown.length > 0) {
    throw new Error(
      `${path}: "// runtimes:" names ${unknown.join(", ") || "nothing"}; known are ${RUNTIMES.join(", ")}`,
    );
  }
  return runtimes;
}

/** The command that runs one file and writes a JUnit report. */
function commandFor({ runtime, file, after, report, root }) {
  if (runtime === "deno") {
    return [binary("deno"), ["test", "-A", "--no-check", `--junit-path=${report}`, file.path]];
  }
  if (runtime === "bun") {
    const reporter = ["--reporter=junit", `--reporter-outfile=${report}`];
    return [binary("bun"), ["test", "--timeout", "60000", ...reporter, `./${file.path}`]];
  }
  const compiled = join(root, ".build", file.path.replace(/\.ts$/, ".js"));
  const before = after === undefined
    ? []
    : ["--import", pathToFileURL(join(root, ".build", "tests", "support", `${after}.js`)).href];
  const reporters = ["spec:stdout", `junit:${report}`].flatMap((pair) => {
    const [name = "", ...target] = pair.split(":");
    return [`--test-reporter=${name}`, `--test-reporter-destination=${target.join(":")}`];
  });
  // Without --test, which would start one more process and read the same results from it.
  return [process.execPath, ["--enable-source-maps", ...before, ...reporters, compiled]];
}

/**
 * Runs one file on one runtime, `after` another if that is given. Answers `{ runtime, path, passed, failed,
 * skipped: [{ name, reason }], output, ms }`. A process that fails without a failed test (it did not load, it
 * was ended, it threw afterwards) counts as one failure.
 */
export async function runTestFile({ runtime, file, after, root, timeoutMs }) {
  const folder = join(root, ".build", "junit", runtime);
  mkdirSync(folder, { recursive: true });
  const path = after === undefined ? file.path : `${file.path} after ${after}`;
  const report = join(folder, `${path.replaceAll("/", "__").replaceAll(" ", "_")}.xml`);
  rmSync(report, { force: true });
  const [command, args] = commandFor({ runtime, file, after, report, root });
  const env = { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", FORCE_COLOR: undefined, NODE_OPTIONS: undefined };
  const { code, output, timedOut, ms } = await run(command, args, { cwd: root, env, timeoutMs });
  const cases = existsSync(report) ? parseJunit(readFileSync(report, "utf8")) : [];
  const count = (outcome) => cases.filter((one) => one.outcome === outcome).length;
  const failed = count("failed");
  const note = problem({ code, timedOut, timeoutMs, cases, failed });
  return {
    runtime,
    path,
    passed: count("passed"),
    failed: note === undefined ? failed : failed + 1,
    skipped: cases.filter((one) => one.outcome === "skipped").map((one) => ({
      name: one.name,
      reason: one.reason === undefined || /^todo$/i.test(one.reason)
        ? skipReasonFromSource(file.source, one)
        : one.reason,
    })),
    output: note === undefined ? output : `${output}\n${note}`,
    ms,
  };
}

function problem({ code, timedOut, timeoutMs, cases, failed }) {
  if (timedOut) return `The file did not end within ${timeoutMs} ms and was ended.`;
  if (cases.length === 0) return `The file ran no test (exit code ${code}).`;
  if (code !== 0 && failed === 0) return `No test failed, but the process ended with exit code ${code}.`;
  if (code === 0 && failed > 0) return "Tests failed, but the process ended with exit code 0.";
  return undefined;
}
