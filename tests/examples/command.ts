/**
 * How an example is run on the runtime that runs the tests.
 *
 * @module
 */

import { join } from "node:path";
import process from "node:process";
import { detectRuntime } from "../../adapters/detect.ts";

/** @param name below `examples/`, without its ending */
export function commandOf(name: string): [string, ...string[]] {
  const source = join(process.cwd(), "examples", `${name}.ts`);
  switch (detectRuntime()) {
    case "deno":
      return [process.execPath, "run", "-A", "--no-check", source];
    case "bun":
      return [process.execPath, source];
    default:
      return [
        process.execPath,
        "--enable-source-maps",
        join(process.cwd(), ".build", "examples", `${name}.js`),
      ];
  }
}
