/** The line without which a figure says nothing: machine, cores, versions, command. */

import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Where, with what and how figures were measured. */
export interface Surroundings {
  readonly machine: {
    readonly processor: string;
    readonly cores: number;
    readonly memoryGiB: number;
    readonly platform: string;
    readonly release: string;
    readonly architecture: string;
  };
  /** By name: `node`, `node-newest` (where it is measured), `deno`, `bun`, `libzmq`, `zeromq` (npm). */
  readonly versions: Readonly<Record<string, string>>;
  readonly command: string;
}

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

export async function lookAround(
  root: string,
  libzmqVersion: string,
  newestNodeVersion?: string,
): Promise<Surroundings> {
  const bin = join(root, "node_modules", ".bin");
  const [deno, bun] = await Promise.all([versionOf(join(bin, "deno")), versionOf(join(bin, "bun"))]);
  return {
    machine: {
      processor: cpus()[0]?.model ?? "unknown processor",
      cores: availableParallelism(),
      memoryGiB: Math.round(totalmem() / 2 ** 30),
      platform: process.platform,
      release: release(),
      architecture: process.arch,
    },
    versions: {
      node: process.versions.node,
      ...(newestNodeVersion === undefined ? {} : { "node-newest": newestNodeVersion }),
      deno,
      bun,
      libzmq: libzmqVersion,
      zeromq: packageVersion(root, "zeromq"),
    },
    command: `npm run bench -- ${process.argv.slice(2).join(" ")}`,
  };
}

/** In a line for people. */
export function surroundingsLine({ machine, versions, command }: Surroundings): string {
  const { processor, cores, memoryGiB, platform, architecture } = machine;
  const { zeromq, ...others } = versions;
  const named = Object.entries(others).map(([name, version]) => `${name} ${version}`);
  return [
    `${processor}, ${cores} cores, ${memoryGiB} GiB, ${platform} ${machine.release} ${architecture}`,
    [...named, `zeromq (npm) ${zeromq}`].join(", "),
    command,
  ].join("; ");
}
