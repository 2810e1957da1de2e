/** The line without which a figure says nothing: machine, cores, versions, command. */

import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";

const run = promisify(execFile);

async function versionOf(program: string): Promise<string> {
  try {
    return /\d+\.\d+\.\d+/.exec((await run(program, ["--version"])).stdout)?.[0] ?? "unknown";
  } catch {
    return "missing";
  }
}

function packageVersion(root: string, name: string): string {
  try {
    return JSON.parse(readFileSync(join(root, "node_modules", name, "package.json"), "utf8")).version;
  } catch {
    return "missing";
  }
}

export async function describeMachine(root: string, libzmqVersion: string): Promise<string> {
  const bin = join(root, "node_modules", ".bin");
  const [deno, bun] = await Promise.all([versionOf(join(bin, "deno")), versionOf(join(bin, "bun"))]);
  const model = cpus()[0]?.model ?? "unknown processor";
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  return [
    `${model}, ${availableParallelism()} cores, ${gigabytes} GiB, ${process.platform} ${release()} ${process.arch}`,
    `node ${process.versions.node}, deno ${deno}, bun ${bun}, libzmq ${libzmqVersion}, ` +
    `zeromq (npm) ${packageVersion(root, "zeromq")}`,
    `npm run bench -- ${process.argv.slice(2).join(" ")}`,
  ].join("; ");
}
