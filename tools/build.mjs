// The build: `dist/` is what npm gets; `.build/` is the whole tree as JavaScript, because Node 20 runs no TypeScript.
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { BUILD, ROOT, TSC } from "./paths.mjs";
import { run } from "./process.mjs";

const DATA_FOLDERS = ["tests", "examples", "bench"];
const CODE = /\.(ts|mts)$/;

/** Builds both trees. Answers `{ ok, output }`; JavaScript is written even where types are wrong. */
export async function build() {
  mkdirSync(BUILD, { recursive: true });
  const [tree, dist] = await Promise.all([buildTree(), buildDist()]);
  // The same complaint comes from both.
  const lines = new Set(`${tree.output}${dist.output}`.split("\n"));
  return { ok: tree.code === 0 && dist.code === 0, output: [...lines].join("\n").trim() };
}

/** Compiles everything to `.build/` and copies the data files next to it. */
export async function buildTree() {
  const result = await run(process.execPath, [TSC, "-p", "tsconfig.build.json", "--pretty", "false"], {
    cwd: ROOT,
  });
  for (const folder of DATA_FOLDERS) copyData(join(ROOT, folder));
  writeManifest();
  return result;
}

/**
 * Compiles and bundles the published part, then swaps it in, so that a removed source leaves nothing behind
 * in `dist/`.
 */
export async function buildDist() {
  const next = join(BUILD, `dist_${process.pid}`);
  rmSync(next, { recursive: true, force: true });
  const args = [TSC, "-p", "tsconfig.dist.json", "--outDir", next, "--pretty", "false"];
  const result = await run(process.execPath, args, { cwd: ROOT });
  if (existsSync(next)) {
    nameLibraries(next);
    try {
      // Its packages are not there when this module is loaded for the first time, to install them.
      const { bundle } = await import("./bundle.mjs");
      await bundle(next, readManifest());
    } catch (error) {
      result.code ||= 1;
      result.output += `The bundle could not be made: ${error.message}\n`;
    }
    const old = join(BUILD, `dist_old_${process.pid}`);
    const target = join(ROOT, "dist");
    if (existsSync(target)) renameSync(target, old);
    renameSync(next, target);
    rmSync(old, { recursive: true, force: true });
  }
  return result;
}

/**
 * In the tree, the package's internal names mean files of the tree. The project's own manifest means those
 * of `dist/`.
 */
function writeManifest() {
  const { type, imports } = readManifest();
  const own = Object.entries(imports).map(([name, target]) => [name, target.default.replace("/dist/", "/")]);
  const text = JSON.stringify({ type, imports: Object.fromEntries(own) });
  writeFileSync(join(BUILD, "package.json"), `${text}\n`);
}

function readManifest() {
  return JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
}

const DISPOSABLES = /\b(?:Async)?Disposable\b|\bSymbol\.(?:asyncDispose|dispose)\b/;

/**
 * Declarations bring the one part of the language's library that is younger than a usual `lib`, so that users
 * need not set any. The sources cannot name it: JSR takes no such lines.
 */
function nameLibraries(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) nameLibraries(path);
    else if (entry.name.endsWith(".d.ts")) {
      const text = readFileSync(path, "utf8");
      if (DISPOSABLES.test(text)) writeFileSync(path, `/// <reference lib="esnext.disposable" />\n${text}`);
    }
  }
}

function copyData(folder) {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (entry.name !== "node_modules") copyData(path);
    } else if (entry.isFile() && !CODE.test(entry.name)) {
      copyIfNewer(path, join(BUILD, relative(ROOT, path)));
    }
  }
}

function copyIfNewer(from, to) {
  const source = statSync(from);
  const target = existsSync(to) ? statSync(to) : undefined;
  if (target !== undefined && target.size === source.size && target.mtimeMs >= source.mtimeMs) return;
  mkdirSync(dirname(to), { recursive: true });
  cpSync(from, to);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { ok, output } = await build();
  if (output !== "") console.error(output);
  process.exitCode = ok ? 0 : 1;
}
