/** Compiles the C program that measures libzmq, where its header and a compiler are there. */

import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export type Compiled =
  | { readonly program: string; readonly version: string }
  | { readonly missing: string; readonly version: string };

export async function compileLibzmq(root: string, into: string): Promise<Compiled> {
  let flags: string[];
  let version: string;
  try {
    flags = (await run("pkg-config", ["--cflags", "--libs", "libzmq"])).stdout.trim().split(/\s+/);
    version = (await run("pkg-config", ["--modversion", "libzmq"])).stdout.trim();
  } catch {
    return {
      missing: "pkg-config does not know libzmq (Debian: apt-get install libzmq3-dev pkg-config)",
      version: "none",
    };
  }
  const folder = join(root, "bench", "libzmq");
  const sources = readdirSync(folder).filter((name) => name.endsWith(".c")).map((name) => join(folder, name));
  const program = join(into, "libzmq_bench");
  try {
    await run("cc", ["-O2", "-std=gnu11", ...sources, "-o", program, ...flags, "-lpthread"]);
  } catch (cause) {
    const reason = (cause as { stderr?: string }).stderr?.split("\n")[0] ?? String(cause);
    return { missing: `cc failed: ${reason}`, version };
  }
  return { program, version };
}
