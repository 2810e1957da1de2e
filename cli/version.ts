/**
 * `hawser version`: of the program and of the runtime.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import process from "node:process";
import { detectRuntime } from "../adapters/detect.ts";
import { type Command, type CommandInput, expectOperands } from "./command.ts";
import { write } from "./terminal.ts";

/** See the module. */
export const versionCommand: Command = {
  name: "version",
  operands: "",
  summary: "print the version",
  about: "Prints the version of hawser and of the runtime it runs on.",
  options: {},
  configuration: [],
  async run({ terminal, operands }: CommandInput): Promise<number> {
    expectOperands(versionCommand, operands, 0, 0);
    const runtime = detectRuntime();
    const { versions } = process as unknown as { readonly versions: Readonly<Record<string, string>> };
    await write(terminal.stdout, `hawser ${readVersion()} (${runtime} ${versions[runtime] ?? "?"})\n`);
    return 0;
  },
};

/** From the package's manifest, which is above the sources, the built tree, or the bundle in it. */
export function readVersion(): string {
  for (const path of ["../package.json", "../../package.json", "../../../package.json"]) {
    try {
      const text = readFileSync(new URL(path, import.meta.url), "utf8");
      const { name, version } = JSON.parse(text) as { readonly name?: string; readonly version?: string };
      if (name === "hawser" && version !== undefined) return version;
    } catch {
      // The other place, then.
    }
  }
  return "of unknown version";
}
