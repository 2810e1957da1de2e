// Where things are, for the tools. Everything is relative to the project's own folder.
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));
export const BUILD = join(ROOT, ".build");

/** The compiler's entry, to be run by Node itself so that no shell script is in between. */
export const TSC = join(ROOT, "node_modules", "typescript", "bin", "tsc");

const WINDOWS_PROGRAMS = { deno: "deno/deno.exe", bun: "bun/bin/bun.exe" };

/** An installed program: `deno` or `bun`. */
export function binary(name) {
  // The links in .bin are shell scripts on Windows, which cannot be started directly.
  const path = process.platform === "win32" ? WINDOWS_PROGRAMS[name] : `.bin/${name}`;
  return join(ROOT, "node_modules", path);
}

/** How to start npm: `[program, first arguments]`. Under `npm run`, npm tells where it is. */
export function npmCommand() {
  const path = process.env.npm_execpath;
  return path !== undefined && path.endsWith(".js") ? [process.execPath, [path]] : ["npm", []];
}
