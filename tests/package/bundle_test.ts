// runtimes: node
import { after, before, test } from "node:test";
import { execFile } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { nodeResolve } from "@rollup/plugin-node-resolve";
import { assertEquals } from "@std/assert";
import * as esbuild from "esbuild";
import { rollup } from "rollup";
import * as vite from "vite";
import webpack from "webpack";
import { binary, ENVIRONMENT, PROJECT, Stranger } from "./stranger.ts";

// Two programs are bundled by everything that people bundle with, from the package as npm would publish it, and run where there
// is no package. They print objects too, as bundlers change the names of classes. "sideEffects": false allows bundlers to
// drop a module of which nothing is used, whatever it does when it is loaded.

const SOCKETS = `
import { Pull, Push } from "hawser";
const pull = new Pull();
console.log(pull);
await pull.bind("tcp://127.0.0.1:0");
await exchange(pull.lastEndpoint, "over tcp");
await pull.bind("inproc://bundled");
await exchange("inproc://bundled", "over inproc");
pull.close();
async function exchange(endpoint, text) {
  const push = new Push();
  push.connect(endpoint);
  await push.send(text);
  const [frame] = await pull.receive();
  console.log(new TextDecoder().decode(frame));
  push.close();
}
`;

const LOG = `
import { openLog } from "hawser/log";
const log = await openLog();
const { position } = await log.publisher("orders").publish("socks");
for await (const record of log.subscribe("orders", { from: "earliest" })) {
  console.log(position + " " + new TextDecoder().decode(record.value));
  console.log(record);
  break;
}
await log.close();
`;

const PROGRAMS = {
  sockets: { source: SOCKETS, prints: "Pull { peers: 0 }\nover tcp\nover inproc\n" },
  log: { source: LOG, prints: "0 socks\nLogRecord { position: 0n, value: Uint8Array(5) }\n" },
} as const;

const stranger = new Stranger("bundled");
const bundles = mkdtempSync(join(tmpdir(), "hawser-bundles-"));

/** Runs a program elsewhere and returns what it printed; rejects with its output if it fails. */
function execute(cwd: string, command: readonly string[]): Promise<string> {
  const [program = "", ...args] = command;
  return new Promise((resolve, reject) => {
    execFile(program, args, { cwd, env: ENVIRONMENT, timeout: 60_000 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${command.join(" ")}: ${error.message}\n${stdout}${stderr}`));
    });
  });
}

/** Bundles `entry` into `folder`, and returns the name of the file to run. */
type Bundler = (entry: string, folder: string) => Promise<string>;

function webpackIn(mode: "production" | "development"): Bundler {
  return async (entry, folder) => {
    const output = { path: folder, filename: "main.cjs", chunkFilename: "[name].cjs" };
    // What is dropped is decided before; minifying takes most of the time, and esbuild's is tried as well.
    const optimization = { minimize: false };
    const compiler = webpack({ mode, entry, target: "node", context: stranger.folder, output, optimization });
    const stats = await new Promise<webpack.Stats | undefined>((resolve, reject) =>
      compiler!.run((error, result) => error === null ? resolve(result) : reject(error))
    );
    if (stats?.hasErrors() !== false) throw new Error(stats?.toString({ all: false, errors: true }));
    return "main.cjs";
  };
}

const BUNDLERS: Readonly<Record<string, Bundler>> = {
  "rollup": async (input, dir) => {
    const bundle = await rollup({ input, plugins: [nodeResolve()], external: /^node:/ });
    await bundle.write({ dir, format: "es", entryFileNames: "main.mjs", chunkFileNames: "[name].mjs" });
    await bundle.close();
    return "main.mjs";
  },
  "webpack, production": webpackIn("production"),
  "webpack, development": webpackIn("development"),
  "vite ssr": async (entry, outDir) => {
    const rollupOptions = { output: { entryFileNames: "main.mjs" } };
    await vite.build({
      root: stranger.folder,
      logLevel: "error",
      configFile: false,
      ssr: { noExternal: true },
      build: { ssr: entry, outDir, emptyOutDir: false, rollupOptions },
    });
    return "main.mjs";
  },
  "esbuild": esbuildWith({}),
  "esbuild, minified": esbuildWith({ minify: true }),
  "bun build": bunBuild("node"),
  "bun build for Bun": bunBuild("bun"),
  "deno bundle": async (entry, folder) => {
    const options = ["--node-modules-dir=manual", "--output", join(folder, "main.mjs")];
    await execute(stranger.folder, [binary("deno"), "bundle", ...options, entry]);
    return "main.mjs";
  },
};

function esbuildWith(options: esbuild.BuildOptions): Bundler {
  return async (entry, folder) => {
    const place = { entryPoints: [entry], outfile: join(folder, "main.mjs") };
    await esbuild.build({ ...place, bundle: true, platform: "node", format: "esm", ...options });
    return "main.mjs";
  };
}

function bunBuild(target: "node" | "bun"): Bundler {
  return async (entry, folder) => {
    const options = [`--target=${target}`, `--outfile=${join(folder, "main.mjs")}`];
    await execute(stranger.folder, [binary("bun"), "build", ...options, entry]);
    return "main.mjs";
  };
}

/** Which runtimes run a bundle: Node all but those for another, and two runtimes what their own bundlers make. */
function runtimesOf(bundler: string): readonly (readonly [string, readonly string[]])[] {
  const node = ["Node", [process.execPath]] as const;
  switch (bundler) {
    case "deno bundle":
      return [node, ["Deno", [binary("deno"), "run", "--allow-net", "--no-check"]]];
    case "bun build for Bun":
      return [["Bun", [binary("bun"), "run"]]];
    default:
      return [node];
  }
}

/**
 * `deno bundle` runs an esbuild of a version of its own, which it would fetch; here it is put where Deno would keep it.
 * Where Deno wants another one, it says so by fetching it.
 */
function provideEsbuild(): void {
  const platform = `${process.platform}-${process.arch}`;
  const program = join(
    PROJECT,
    "node_modules/esbuild_of_deno/node_modules/@esbuild",
    platform,
    "bin/esbuild",
  );
  const target = join(bundles, `deno/dl/esbuild-0.25.5-1/esbuild-${platform}`);
  mkdirSync(dirname(target), { recursive: true });
  if (existsSync(program)) cpSync(program, target);
  ENVIRONMENT["DENO_DIR"] = join(bundles, "deno");
}

let number = 0;

/** Bundles a program and runs it; what each runtime printed. */
async function bundleAndRun(bundler: string, program: string): Promise<Record<string, string>> {
  const folder = join(bundles, String(++number));
  mkdirSync(folder);
  const file = await BUNDLERS[bundler]!(join(stranger.folder, `${program}.mjs`), folder);
  const printed: Record<string, string> = {};
  for (const [runtime, command] of runtimesOf(bundler)) {
    printed[runtime] = await execute(folder, [...command, file]);
  }
  return printed;
}

/** Two at a time, in the order of the tests. */
const waiting: (() => Promise<void>)[] = [];
const jobs = Object.keys(BUNDLERS).flatMap((bundler) =>
  Object.keys(PROGRAMS).map((program) => {
    const outcome = new Promise<Record<string, string>>((resolve) => {
      waiting.push(() => {
        const running = bundleAndRun(bundler, program);
        resolve(running);
        return running.then(() => {}, () => {});
      });
    });
    outcome.catch(() => {});
    return { bundler, program: program as keyof typeof PROGRAMS, outcome };
  })
);

async function work(): Promise<void> {
  for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) await job();
}

before(() => {
  stranger.install();
  for (const [name, { source }] of Object.entries(PROGRAMS)) stranger.write(`${name}.mjs`, source);
  writeFileSync(join(bundles, "package.json"), '{ "private": true, "type": "module" }\n');
  provideEsbuild();
  void work();
  void work();
});

after(() => {
  stranger.remove();
  rmSync(bundles, { recursive: true, force: true });
});

for (const { bundler, program, outcome } of jobs) {
  test(`a program of ${program} that was bundled by ${bundler} runs without the package`, async () => {
    const { prints } = PROGRAMS[program];
    const expected = runtimesOf(bundler).map(([runtime]) => [runtime, prints]);
    assertEquals(await outcome, Object.fromEntries(expected));
  });
}
