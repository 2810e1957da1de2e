// The checks that need no test runner: types twice, format, lint, and whether JSR would take the package.
import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { binary, ROOT, TSC } from "./paths.mjs";
import { run } from "./process.mjs";
import { ensureInstalled, reportAndExit } from "./setup.mjs";

const CHECK_TIMEOUT_MS = 180_000;
const OUTPUT_LINES_MAX = 200;

/** In the order in which they are worth reading. */
export function listChecks() {
  const deno = binary("deno");
  const checks = [
    { name: "types of everything", command: process.execPath, args: [TSC, "-p", "tsconfig.json"] },
    { name: "purity gate: src/ alone", command: process.execPath, args: [TSC, "-p", "tsconfig.core.json"] },
    { name: "format (deno fmt)", command: deno, args: ["fmt", "--check"] },
    { name: "lint (deno lint)", command: deno, args: ["lint"] },
    {
      name: "JSR package (deno publish, dry run)",
      command: deno,
      args: ["publish", "--dry-run", "--allow-dirty"],
      // An empty answer to "what would you publish" is no success.
      proof: /Dry run complete/,
    },
  ];
  return checks.map((check) => ({ cwd: ROOT, ...check }));
}

/** Runs one check: `{ name, ok, output, ms }`. */
export async function runCheck({ name, command, args, cwd, proof }) {
  const { code, output, ms, timedOut } = await run(command, args, {
    cwd,
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
    timeoutMs: CHECK_TIMEOUT_MS,
  });
  const ok = code === 0 && (proof === undefined || proof.test(output));
  return { name, ok, output: timedOut ? `${output}\n(ended after ${CHECK_TIMEOUT_MS} ms)` : output, ms };
}

/** Runs all of them, two at a time, and prints each under its heading. Answers how many failed. */
export async function runChecks(print) {
  const waiting = listChecks();
  const results = waiting.map(() => undefined);
  let next = 0;
  let failed = 0;
  const worker = async () => {
    while (next < waiting.length) {
      const index = next++;
      const result = await runCheck(waiting[index]);
      results[index] = result;
      if (!result.ok) failed++;
      print(`== ${result.name}: ${result.ok ? "passed" : "FAILED"} (${(result.ms / 1000).toFixed(1)} s) ==`);
      if (!result.ok) print(clip(result.output.trim()));
    }
  };
  await Promise.all([worker(), worker()]);
  return { failed, passed: results.length - failed };
}

function clip(text) {
  const lines = text.split("\n");
  if (lines.length <= OUTPUT_LINES_MAX) return text;
  return [...lines.slice(0, OUTPUT_LINES_MAX), `… ${lines.length - OUTPUT_LINES_MAX} more lines`].join("\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    if (!existsSync(join(ROOT, "node_modules")) || process.argv.includes("--install")) {
      await ensureInstalled();
    }
    const { failed } = await runChecks((text) => console.log(text));
    process.exitCode = failed === 0 ? 0 : 1;
  } catch (error) {
    reportAndExit(error);
  }
}
