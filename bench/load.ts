/** Compiles the load generator, where there is a compiler and the system has epoll. */

import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";

const run = promisify(execFile);

export type CompiledLoad = { readonly program: string } | { readonly missing: string };

export async function compileLoad(root: string, into: string): Promise<CompiledLoad> {
  if (process.platform !== "linux") return { missing: "the load generator needs epoll, which Linux has" };
  const folder = join(root, "bench", "load");
  const sources = readdirSync(folder).filter((name) => name.endsWith(".c")).map((name) => join(folder, name));
  const program = join(into, "load");
  try {
    await run("cc", ["-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror", ...sources, "-o", program]);
  } catch (cause) {
    const { code, stderr } = cause as { code?: unknown; stderr?: string };
    if (code === "ENOENT") return { missing: "there is no C compiler (cc)" };
    return { missing: `cc failed: ${stderr?.split("\n")[0] ?? String(cause)}` };
  }
  return { program };
}
