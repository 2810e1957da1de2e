// runtimes: node
import { test } from "node:test";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";

// A runner that reports success for tests that failed or never ran would make every other test worthless.

const IMPORT = 'import { test } from "node:test";\n';

interface Outcome {
  readonly code: number | null;
  readonly output: string;
  readonly lastLine: string;
}

/** Runs the project's runner over test files with these contents (JavaScript that is TypeScript as well). */
function runRunner(files: Readonly<Record<string, string>>, ...options: string[]): Outcome {
  const root = mkdtempSync(join(tmpdir(), "hawser-runner-"));
  try {
    writeFileSync(join(root, "package.json"), '{ "type": "module" }');
    for (const [name, text] of Object.entries(files)) {
      for (const path of [join(root, "tests", `${name}.ts`), join(root, ".build", "tests", `${name}.js`)]) {
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, text);
      }
    }
    const runner = join(process.cwd(), "tools", "test.mjs");
    const child = spawnSync(process.execPath, [runner, "--root", root, ...options], { encoding: "utf8" });
    const output = `${child.stdout}${child.stderr}`;
    return { code: child.status, output, lastLine: output.trimEnd().split("\n").at(-1) ?? "" };
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

test("the runner sums up what passed on three runtimes", () => {
  const two = `${IMPORT}test("a", () => {});\ntest("b > & \\"c\\"", () => {});\n`;
  const { code, lastLine, output } = runRunner({ "x_test": two, "deep/y_test": two, "support": "fail" });
  assertEquals(lastLine, "12 passed, 0 failed, 0 skipped");
  assertEquals(code, 0);
  for (const runtime of ["node", "deno", "bun"]) {
    assertMatch(output, new RegExp(`^ok +${runtime} +tests/x_test.ts`, "m"));
  }
});

test("the runner fails when a test fails on one runtime", () => {
  const only = (expression: string): string =>
    `${IMPORT}test("a", () => { if (${expression}) throw new Error("seen"); });\n`;
  const expressions = {
    node: '!("Deno" in globalThis) && !("Bun" in globalThis)',
    deno: '"Deno" in globalThis',
    bun: '"Bun" in globalThis',
  };
  for (const [runtime, expression] of Object.entries(expressions)) {
    const { code, lastLine, output } = runRunner({ "x_test": only(expression) });
    assertEquals(lastLine, "2 passed, 1 failed, 0 skipped", runtime);
    assertEquals(code, 1);
    assertMatch(output, new RegExp(`^FAIL +${runtime} +tests/x_test.ts`, "m"));
    assertStringIncludes(output, "seen");
  }
});

test("the runner shows why a test was skipped", () => {
  const text = `${IMPORT}const WHY = process.argv.length > 0 ? "no such library here" : false;\n` +
    `test("a", { skip: WHY }, () => {});\ntest("b", { skip: "another reason" }, () => {});\ntest("c", () => {});\n`;
  const { code, lastLine, output } = runRunner({ "x_test": text });
  assertEquals(lastLine, "3 passed, 0 failed, 6 skipped");
  assertEquals(code, 0);
  assertEquals(output.match(/skipped: a \(no such library here\)/g)?.length, 3, output);
  assertEquals(output.match(/skipped: b \(another reason\)/g)?.length, 3, output);
});

test("the runner runs a file only where its first line says", () => {
  const { code, lastLine, output } = runRunner({
    "x_test": `// runtimes: deno bun\n${IMPORT}test("a", () => {});\n`,
    "y_test": `// runtimes: node\n${IMPORT}test("a", () => {});\n`,
  });
  assertEquals(lastLine, "3 passed, 0 failed, 0 skipped");
  assertEquals(code, 0);
  assert(!/node +tests\/x_test/.test(output), output);
  const unknown = runRunner({ "x_test": `// runtimes: nodejs\n${IMPORT}test("a", () => {});\n` });
  assertEquals(unknown.code, 1);
  assertStringIncludes(unknown.output, "nodejs");
});

test("the runner fails when a runtime ran no test", () => {
  const { code, lastLine, output } = runRunner({
    "x_test": `// runtimes: node, bun\n${IMPORT}test("a", () => {});\n`,
  });
  assertEquals(lastLine, "2 passed, 1 failed, 0 skipped");
  assertEquals(code, 1);
  assertStringIncludes(output, "No test ran on deno");
});

test("a file that loads no test, breaks or never ends counts as failed", () => {
  const files = {
    "empty_test": "export {};\n",
    "broken_test": `${IMPORT}throw new Error("on load");\n`,
    "late_test":
      `${IMPORT}test("a", () => { setTimeout(() => process.exit(3), 1); return new Promise(() => {}); });\n`,
    "endless_test": `${IMPORT}test("a", () => new Promise(() => setInterval(() => {}, 1000)));\n`,
  };
  for (const runtime of ["node", "deno", "bun"]) {
    const { code, output, lastLine } = runRunner(files, "--runtime", runtime, "--file-timeout-ms", "3000");
    assertEquals(lastLine, "0 passed, 4 failed, 0 skipped", output);
    assertEquals(code, 1);
    assertStringIncludes(output, "did not end within 3000 ms");
    assertStringIncludes(output, "on load");
  }
});

test("--only and --runtime choose", () => {
  const files = { "x_test": `${IMPORT}test("a", () => {});\n`, "y_test": `${IMPORT}test("a", () => {});\n` };
  assertEquals(runRunner(files, "--only", "y_test").lastLine, "3 passed, 0 failed, 0 skipped");
  assertEquals(runRunner(files, "--runtime", "bun").lastLine, "2 passed, 0 failed, 0 skipped");
  assertEquals(runRunner(files, "--runtime", "perl").code, 1);
  assertEquals(runRunner(files, "--only", "zzz").code, 1);
});
