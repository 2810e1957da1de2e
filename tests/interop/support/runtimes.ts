/**
 * Programs beside the tests, on any of the three runtimes.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { detectRuntime } from "../../../adapters/detect.ts";

/** A runtime that tests run on. */
export type RuntimeName = "node" | "deno" | "bun";

export const RUNTIME_NAMES: readonly RuntimeName[] = ["node", "deno", "bun"];

/** The runtime that runs this. */
export const OWN_RUNTIME: RuntimeName = detectRuntime() as RuntimeName;

// The tests that Node runs are compiled into a tree of their own inside the project.
const BUILD_FOLDER = ".build";
const tree = fileURLToPath(new URL("../../../", import.meta.url)).replace(/[\\/]$/, "");
const root = basename(tree) === BUILD_FOLDER ? dirname(tree) : tree;

/** A program and its arguments. */
export type Command = readonly [program: string, ...args: string[]];

/** The Node that runs this or, on other runtimes, the one that started everything. */
export function nodeProgram(): string {
  return OWN_RUNTIME === "node" ? process.execPath : process.env["npm_node_execpath"] ?? "node";
}

/** A file of the project's own tree: `tests/interop/libzmq_peer.mjs`. */
export function sourcePath(path: string): string {
  return join(root, path);
}

/** How to run a module of the project, named without its ending, on `runtime`. */
export function moduleCommand(runtime: RuntimeName, module: string): Command {
  switch (runtime) {
    case "node":
      return [nodeProgram(), "--enable-source-maps", join(root, BUILD_FOLDER, `${module}.js`)];
    case "deno":
      return [programOf("deno"), "run", "-A", "--no-check", join(root, `${module}.ts`)];
    case "bun":
      return [programOf("bun"), join(root, `${module}.ts`)];
  }
}

/** Why a module cannot run on `runtime` here; false: it can. */
export function whyNot(runtime: RuntimeName, module: string): string | false {
  const [program, ...args] = moduleCommand(runtime, module);
  const file = args[args.length - 1] ?? "";
  if (!existsSync(file)) return `the build has not made ${basename(file)}`;
  if (program.includes("node_modules") && !existsSync(program)) {
    return `there is no ${runtime} beside the project`;
  }
  return false;
}

function programOf(runtime: "deno" | "bun"): string {
  if (runtime === OWN_RUNTIME) return process.execPath;
  const windows = { deno: "deno/deno.exe", bun: "bun/bin/bun.exe" } as const;
  return join(root, "node_modules", process.platform === "win32" ? windows[runtime] : `.bin/${runtime}`);
}
