#!/usr/bin/env node
/**
 * The program `hawser`. `hawser help` tells what it can do.
 *
 * @module
 */

import process from "node:process";
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

process.exitCode = await run(process.argv.slice(2), terminal);
