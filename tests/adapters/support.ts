/**
 * What the tests of several adapters share.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { detectRuntime, loadAdapter } from "../../adapters/detect.ts";
import type { Adapter, StreamOptions, TransportFactory } from "../../src/ports.ts";
import { Bench } from "../../testing/bench.ts";

/** The transport of `adapter` for `scheme`. */
export function factoryOf(adapter: Adapter, scheme: string): TransportFactory {
  const factory = adapter.transports.get(scheme);
  if (factory === undefined) throw new Error(`The ${adapter.name} adapter has no ${scheme}`);
  return factory;
}

/** A transport with the label that its tests carry. */
export interface Candidate {
  readonly label: string;
  readonly factory: TransportFactory;
}

/** The transports to test here: that of this runtime, and that over `node:net`, which all three can load. */
export async function candidates(scheme: string): Promise<readonly Candidate[]> {
  const { nodeAdapter } = await import("../../adapters/node/mod.ts");
  const adapters = detectRuntime() === "node" ? [nodeAdapter] : [await loadAdapter(), nodeAdapter];
  return adapters.map((adapter) => ({
    label: `${adapter.name} ${scheme}`,
    factory: factoryOf(adapter, scheme),
  }));
}

/** A `Bench` over a transport, for cases that are not in the suite. It must be cleared. */
export function benchOf({ factory }: Candidate, options: StreamOptions = {}): Bench {
  return new Bench({ factory, options, address: () => "" });
}

/** The error that `run` throws or rejects with. */
export async function errorOf(run: () => unknown): Promise<Error> {
  try {
    await run();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error("nothing was thrown");
}

let paths = 0;

/** A path for a socket that nobody has used. The listener removes the file. */
export function freshPath(): string {
  paths += 1;
  return `${tmpdir()}/hawser-test-${process.pid}-${paths}`;
}

/** A program that runs beside the tests, on the same runtime. */
export interface Program {
  readonly process: ChildProcess;
  /** Resolves with the first line that it prints. */
  readonly firstLine: Promise<string>;
  /** Resolves with all that it printed, once it has ended with code 0. */
  readonly output: Promise<string>;
}

/** Starts `name`, a module beside this one, on the runtime that runs the tests. */
export function startProgram(name: string, ...args: readonly string[]): Program {
  // On Node the tests are compiled, and so is the program.
  const ending = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const file = fileURLToPath(new URL(`./${name}.${ending}`, import.meta.url));
  const run = detectRuntime() === "deno" ? ["run", "-A", "--no-check"] : [];
  const process = spawn(globalThis.process.execPath, [...run, file, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  const firstLine = new Promise<string>((resolve, reject) => {
    process.stdout?.on("data", (chunk) => {
      text += String(chunk);
      if (text.includes("\n")) resolve(text.slice(0, text.indexOf("\n")));
    });
    process.on("exit", () => reject(new Error(`${name} ended without a line`)));
    process.on("error", reject);
  });
  firstLine.catch(() => {});
  const output = new Promise<string>((resolve, reject) => {
    process.on(
      "close",
      (code) => code === 0 ? resolve(text) : reject(new Error(`${name} ended with ${code}`)),
    );
  });
  output.catch(() => {});
  return { process, firstLine, output };
}

/** Runs `use` with the first line of a program, which is killed afterwards, whatever happened. */
export async function withProgram(
  [name, ...args]: readonly [string, ...string[]],
  use: (program: Program, firstLine: string) => Promise<void>,
): Promise<void> {
  const program = startProgram(name, ...args);
  try {
    await use(program, await program.firstLine);
  } finally {
    await killProgram(program);
  }
}

function killProgram({ process }: Program): Promise<void> {
  return new Promise((resolve) => {
    if (process.exitCode !== null || process.signalCode !== null) return resolve();
    process.on("exit", () => resolve());
    process.kill("SIGKILL");
  });
}
