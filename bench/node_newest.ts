/**
 * The newest Node that npm has, beside the one that runs the harness. It is no dependency: a program `node` in
 * `node_modules/.bin` would stand before the user's own.
 *
 * @module
 */

import { execFile } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";

const run = promisify(execFile);
const INSTALL_TIMEOUT_MS = 300_000;
/** Offline, npm would go on trying for a minute. */
const QUICK_TO_GIVE_UP = ["--fetch-retries=1", "--fetch-retry-mintimeout=1000"];

export type NewestNode =
  | { readonly program: string; readonly version: string }
  | { readonly missing: string };

/** Installs it where it is missing or no longer the newest. Offline, what is there already does. */
export async function ensureNewestNode(root: string): Promise<NewestNode> {
  const name = `node-${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;
  const folder = join(root, "node_modules", ".cache", "hawser-bench", "node-newest");
  const program = join(
    folder,
    "node_modules",
    name,
    "bin",
    process.platform === "win32" ? "node.exe" : "node",
  );
  mkdirSync(folder, { recursive: true });
  // Without a manifest of its own npm would install into the project around it.
  writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
  let reason = "the package holds no program";
  try {
    const npm = process.platform === "win32" ? "npm.cmd" : "npm";
    const flags = ["--no-audit", "--no-fund", "--no-save", "--ignore-scripts", ...QUICK_TO_GIVE_UP];
    await run(npm, ["install", ...flags, `${name}@latest`], { cwd: folder, timeout: INSTALL_TIMEOUT_MS });
  } catch (cause) {
    const { stderr } = cause as { stderr?: string };
    reason = stderr?.split("\n").find((line) => line.trim() !== "") ?? String(cause);
  }
  if (!existsSync(program)) return { missing: `npm package ${name} cannot be had: ${reason}` };
  try {
    const { stdout } = await run(program, ["--version"]);
    return { program, version: stdout.trim().replace(/^v/, "") };
  } catch (cause) {
    return { missing: `npm package ${name} does not run: ${String(cause).split("\n")[0]}` };
  }
}
