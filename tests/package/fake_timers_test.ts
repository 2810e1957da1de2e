// runtimes: node
// Runners whose tests run in a process, and for jest in a global object, of their own: each is started with a small project.
import { test } from "node:test";
import { spawn } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { assertEquals, assertMatch } from "@std/assert";

const ROOT = process.cwd();
/** Below the build, so that the runners and hawser's own dependencies are found. */
const PROJECTS = `${ROOT}/.build/fake_timers`;
const HAWSER = fileURLToPath(new URL("../../mod.js", import.meta.url));

const STATIC = `import { Pull, Push } from ${JSON.stringify(HAWSER)};`;

/** The test file of a runner whose `fake` and `real` switch its timers. */
function testFile(imports: string, fake: string, real: string, load = STATIC): string {
  return `
${imports}
${load}

async function exchange() {
  const pull = new Pull({ receiveTimeout: 20_000 });
  const push = new Push({ reconnectInterval: 1 });
  await pull.bind("tcp://127.0.0.1:*");
  const endpoint = pull.lastEndpoint;
  // Timers are needed for this: nobody is there at first.
  await pull.unbind(endpoint);
  const retried = new Promise((resolve) => push.events.on("connect:retry", resolve));
  push.connect(endpoint);
  await retried;
  await pull.bind(endpoint);
  const sent = (async () => {
    for (let i = 0; i < 5_000; i++) await push.send(String(i));
  })();
  for (let i = 0; i < 5_000; i++) await pull.receive();
  await sent;
  await Promise.all([push[Symbol.asyncDispose](), pull[Symbol.asyncDispose]()]);
}

test("under fake timers, with the first socket of the default context", async () => {
  ${fake};
  const before = Date.now();
  try {
    await exchange();
    if (Date.now() !== before) throw new Error("the timers were not fake");
  } finally {
    ${real};
  }
}, 30_000);

test("later, under real timers", exchange, 30_000);
`;
}

/** Runs a project's tests; answers what the runner printed. */
async function runProject(
  name: string,
  files: Readonly<Record<string, string>>,
  command: readonly string[],
): Promise<string> {
  const folder = `${PROJECTS}/${name}`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [path, text] of Object.entries(files)) writeFileSync(`${folder}/${path}`, text);
  const child = spawn(process.execPath, command, { cwd: folder, timeout: 100_000 });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => output += String(chunk));
  const code = await new Promise((resolve) => void child.on("close", resolve));
  assertEquals(code, 0, output);
  return output;
}

test("vitest: a default context that is made under fake timers works, then and later", async () => {
  const output = await runProject("vitest", {
    "package.json": '{ "type": "module" }',
    "fake.test.mjs": testFile(
      'import { test, vi } from "vitest";',
      "vi.useFakeTimers()",
      "vi.useRealTimers()",
    ),
  }, [`${ROOT}/node_modules/vitest/vitest.mjs`, "run", "--root", ".", "--no-color"]);
  assertMatch(output, /Tests +2 passed/);
});

test("jest with ES modules: a default context that is made under fake timers works, then and later", async () => {
  const config = { testEnvironment: "node", transform: {}, testMatch: ["**/*.test.mjs"] };
  const output = await runProject("jest", {
    "package.json": JSON.stringify({ type: "module", jest: config }),
    "fake.test.mjs": testFile(
      'import { jest, test } from "@jest/globals";',
      "jest.useFakeTimers()",
      "jest.useRealTimers()",
    ),
  }, [
    "--experimental-vm-modules",
    `${ROOT}/node_modules/jest/bin/jest.js`,
    "--rootDir",
    ".",
    "--no-color",
    "--ci",
  ]);
  assertMatch(output, /Tests: +2 passed/);
});

test("jest with fake timers for all: hawser works where it is loaded under them, then and later", async () => {
  const fakeTimers = { enableGlobally: true };
  const config = { testEnvironment: "node", transform: {}, testMatch: ["**/*.test.cjs"], fakeTimers };
  const output = await runProject("jest_global", {
    "package.json": JSON.stringify({ type: "commonjs", jest: config }),
    "fake.test.cjs": testFile(
      "",
      "jest.useFakeTimers()",
      "jest.useRealTimers()",
      `let Pull, Push;
test("loads", async () => void ({ Pull, Push } = await import(${JSON.stringify(HAWSER)})));`,
    ),
  }, [
    "--experimental-vm-modules",
    `${ROOT}/node_modules/jest/bin/jest.js`,
    "--rootDir",
    ".",
    "--no-color",
    "--ci",
  ]);
  assertMatch(output, /Tests: +3 passed/);
});
