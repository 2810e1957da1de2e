#!/usr/bin/env node
/**
 * The program `hawser`. `hawser help` tells what it can do.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import process from "node:process";
import { run } from "./run.ts";
import { type EndingSignal, type Terminal, write } from "./terminal.ts";

const SIGNALS: readonly EndingSignal[] = ["SIGINT", "SIGTERM", ...ignoresHangup() ? [] : ["SIGHUP" as const]];

/** Whether it was started by `nohup`, to outlive its terminal. On Node nothing tells: it forgets what was ignored. */
function ignoresHangup(): boolean {
  try {
    const ignored = /^SigIgn:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
    return ignored !== undefined && (BigInt(`0x${ignored}`) & 1n) === 1n;
  } catch {
    // Another system, or not permitted.
    return false;
  }
}

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

const code = await run(process.argv.slice(2), terminal);
process.exitCode = code;
// The input was left before its end. On Deno a read of it that is under way keeps the process, and nothing ends that read.
if (process.stdin.destroyed && !process.stdin.readableEnded) {
  // An empty text is taken when everything before it was.
  await Promise.allSettled([process.stdout, process.stderr].map((output) => write(output, "")));
  process.exit(code);
}
