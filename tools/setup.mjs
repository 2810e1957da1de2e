// Makes a checkout ready to run, from nothing but Node 20 and npm: packages, the two other runtimes, the build.
// Says nothing when there is nothing to do.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { build } from "./build.mjs";
import { binary, npmCommand, ROOT } from "./paths.mjs";
import { run } from "./process.mjs";

const NODE_MIN = [20, 20];
const INSTALL_TIMEOUT_MS = 600_000;

/** Thrown where a person has to do something; its message is all they need to read. */
export class SetupError extends Error {}

/** Packages and runtimes. Answers the versions found. */
export async function ensureInstalled() {
  checkNode();
  if (!packagesAreCurrent()) await installPackages();
  const versions = { node: process.versions.node };
  for (const name of ["deno", "bun"]) versions[name] = await ensureRuntime(name);
  return versions;
}

/** Everything that `npm start`, `npm test` and `npm run bench` need before they begin. */
export async function setup() {
  const versions = await ensureInstalled();
  return { versions, build: await build() };
}

/** Prints a SetupError as plain text; any other error keeps its stack. */
export function reportAndExit(error) {
  console.error(error instanceof SetupError ? error.message : error);
  process.exit(1);
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1])) return;
  throw new SetupError(
    `hawser needs Node ${
      NODE_MIN.join(".")
    } or newer; this is ${process.versions.node} (${process.execPath}).`,
  );
}

/** Whether every installed package is the one in the lock file. Compares contents: checkouts make file times lie. */
function packagesAreCurrent() {
  const installed = readJson(join(ROOT, "node_modules", ".package-lock.json"))?.packages;
  const wanted = readJson(join(ROOT, "package-lock.json"))?.packages;
  if (installed === undefined || wanted === undefined) return false;
  return Object.entries(wanted).every(([path, entry]) => {
    if (!path.startsWith("node_modules/")) return true;
    const found = installed[path];
    if (found === undefined) return entry.optional === true;
    const same = found.version === entry.version && found.integrity === entry.integrity;
    return same && existsSync(join(ROOT, path));
  });
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}

async function installPackages() {
  for (const args of [["ci"], ["install"]]) {
    console.error(`Installing packages: npm ${args.join(" ")} …`);
    const result = await npm(args);
    if (result.code === 0) return;
    console.error(result.timedOut ? "npm did not finish in ten minutes." : result.output.trim());
  }
  throw new SetupError(
    "The packages could not be installed: see npm's own message above. hawser needs the npm registry once, for its\n" +
      "development tools (TypeScript, Deno, Bun, the native zeromq to test against).",
  );
}

function npm(args) {
  const [program, first] = npmCommand();
  return run(program, [...first, ...args, "--no-audit", "--no-fund"], {
    cwd: ROOT,
    timeoutMs: INSTALL_TIMEOUT_MS,
  });
}

/** Makes sure that `name` really runs. Its package brings a stub that an install script replaces by the program. */
async function ensureRuntime(name) {
  let probe = await version(name);
  if (probe.version !== undefined) return probe.version;
  console.error(`${name} was installed but does not run; repeating its install script …`);
  await npm(["rebuild", name]);
  probe = await version(name);
  if (probe.version !== undefined) return probe.version;
  // npm may be configured to ignore install scripts; the script itself is a plain Node program.
  const script = join("node_modules", name, name === "deno" ? "install.cjs" : "install.js");
  if (existsSync(join(ROOT, script))) {
    await run(process.execPath, [join(ROOT, script)], {
      cwd: join(ROOT, "node_modules", name),
      timeoutMs: INSTALL_TIMEOUT_MS,
    });
  }
  probe = await version(name);
  if (probe.version !== undefined) return probe.version;
  throw new SetupError(
    `${name} does not run on this machine (${process.platform} ${process.arch}). It said:\n\n${probe.output}\n\n` +
      `Its npm package fetches a program for the platform with an install script, which seems not to have run.\n` +
      `Try: npm config get ignore-scripts (should be false), then rm -rf node_modules and npm ci.`,
  );
}

async function version(name) {
  const result = await run(binary(name), ["--version"], { cwd: ROOT, timeoutMs: 60_000 });
  const found = /\d+\.\d+\.\d+\S*/.exec(result.output);
  return { version: result.code === 0 ? found?.[0] : undefined, output: result.output.trim() };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    const { versions, build: built } = await setup();
    if (!built.ok) throw new SetupError(`${built.output}\n\nThe build found errors.`);
    console.error(`Ready: Node ${versions.node}, Deno ${versions.deno}, Bun ${versions.bun}.`);
  } catch (error) {
    reportAndExit(error);
  }
}
