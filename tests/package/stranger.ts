/**
 * A stranger's folder: what npm would publish is packed and installed into it, without a registry.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { assert, assertExists } from "@std/assert";

/** The project, from which tests are run. */
export const PROJECT: string = process.cwd();

/** What programs that are started see. */
export const ENVIRONMENT: Record<string, string | undefined> = {
  ...process.env,
  NO_COLOR: "1",
  DENO_NO_UPDATE_CHECK: "1",
};

/** A program of one of the project's packages, by its path. */
export function binary(name: string): string {
  return join(PROJECT, "node_modules", ".bin", name);
}

/** A folder that has hawser as a package. */
export class Stranger {
  readonly folder: string;
  /** Where hawser is installed. */
  readonly installed: string;
  /** The file names in the packed archive, relative to the package. */
  packed: readonly string[] = [];

  constructor(name: string) {
    this.folder = mkdtempSync(join(tmpdir(), `hawser-${name}-`));
    this.installed = join(this.folder, "node_modules", "hawser");
  }

  /** Packs and installs. The dependencies are packed from where they are installed, so that no registry is needed. */
  install(): void {
    this.write("package.json", '{ "name": "stranger", "private": true, "type": "module" }\n');
    const { dependencies } = JSON.parse(readFileSync(join(PROJECT, "package.json"), "utf8")) as {
      dependencies: object;
    };
    const folders = Object.keys(dependencies).map((name) => join(PROJECT, "node_modules", name));
    const archives = JSON.parse(this.#npm("pack", PROJECT, ...folders, "--json")) as {
      name: string;
      filename: string;
      files: { path: string }[];
    }[];
    const own = archives.find(({ name }) => name === "hawser");
    assertExists(own);
    this.packed = own.files.map(({ path }) => path);
    this.#npm("install", ...archives.map(({ filename }) => `./${filename}`));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Writes a file, and returns its path. */
  write(name: string, text: string): string {
    const path = join(this.folder, name);
    writeFileSync(path, text);
    return path;
  }

  /** The names under which the installed package offers something. */
  entryNames(): string[] {
    const text = readFileSync(join(this.installed, "package.json"), "utf8");
    const { exports } = JSON.parse(text) as { exports: object };
    return Object.keys(exports).map((name) => name.replace(/^\./, "hawser"));
  }

  /** Runs a program in the folder and returns what it printed; throws with its output if it fails. */
  execute(command: readonly string[], input: string = ""): string {
    const [program, ...args] = command;
    assertExists(program);
    const options = { cwd: this.folder, encoding: "utf8", timeout: 90_000, env: ENVIRONMENT, input } as const;
    const child = spawnSync(program, args, options);
    assert(
      child.status === 0,
      `${command.join(" ")} ended with ${child.status ?? child.signal}:\n${child.stdout}${child.stderr}`,
    );
    return child.stdout;
  }

  /** npm without its network: everything it needs is on this machine. */
  #npm(...args: string[]): string {
    const path = process.env["npm_execpath"];
    const command = path?.endsWith(".js") ? [process.execPath, path] : ["npm"];
    return this.execute([...command, ...args, "--offline", "--ignore-scripts", "--no-audit", "--no-fund"]);
  }
}
