#!/usr/bin/env node
/**
 * The program `hawser`. `hawser help` tells what it can do.
 *
 * @module
 */

import process from "node:process";
import type { Writable } from "node:stream";
import { run } from "./run.ts";
import type { Terminal } from "./terminal.ts";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

const terminal: Terminal = {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  environment: process.env,
  onSignal(listener) {
    for (const signal of SIGNALS) process.on(signal, listener);
    return () => {
      for (const signal of SIGNALS) process.off(signal, listener);
    };
  },
  exit: (code) => process.exit(code),
};

// Whoever reads the output may leave early. The next write finds the stream closed and ends the command.
for (const output of [process.stdout, process.stderr]) {
  output.on("error", () => output.destroy());
}

/** Resolves when everything was handed to the system, or when nobody takes it any more. */
function written(output: Writable): Promise<void> {
  return new Promise((resolve) => {
    if (output.destroyed) return resolve();
    output.once("close", resolve);
    output.write("", () => resolve());
  });
}

const code = await run(process.argv.slice(2), terminal);
process.exitCode = code;
// The input was left before its end. On Deno a read of it that is under way keeps the process, and nothing ends that read.
if (process.stdin.destroyed && !process.stdin.readableEnded) {
  await Promise.all([written(process.stdout), written(process.stderr)]);
  process.exit(code);
}
