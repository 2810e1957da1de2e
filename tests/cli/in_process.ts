/**
 * Runs the command line inside of the test's own process: cheap, and the same on the three runtimes. What only a process has (signals
 * of the system, its end, pipes) is in `command_line.ts`.
 *
 * @module
 */

import { after } from "node:test";
import { Buffer } from "node:buffer";
import { PassThrough } from "node:stream";
import { run } from "../../cli/run.ts";
import type { EndingSignal } from "../../cli/terminal.ts";
import { Said } from "./said.ts";

/** How a command ended, and all that it said. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** All of the standard output. */
  readonly bytes: Uint8Array;
}

/** What a command is started with. */
export interface RunOptions {
  /** All of its standard input; `open`: it stays open, to be written to; missing: it is empty. */
  readonly stdin?: string | Uint8Array | "open" | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** What the outputs are: terminals of so many columns. */
  readonly columns?: number | undefined;
  /** The standard output is a file nevertheless. */
  readonly redirected?: boolean | undefined;
}

/** A command that runs. */
export interface Run {
  readonly stdin: PassThrough;
  readonly stdout: PassThrough;
  /** Resolves with the first match in what it printed or complained of. Rejects with all that it said when it ends without one. */
  see(pattern: RegExp): Promise<RegExpExecArray>;
  readonly ending: Promise<Outcome>;
  signal(name: EndingSignal): void;
}

const running = new Set<Run>();

// A test that failed in between leaves nothing behind that would keep the process.
after(() => {
  for (const { signal, stdin } of running) {
    signal("SIGTERM");
    stdin.end();
  }
});

/** Starts `hawser` with these arguments. */
export function begin(
  args: readonly string[],
  { stdin, env = {}, columns, redirected = false }: RunOptions = {},
): Run {
  const said = new Said();
  const streams = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() };
  for (const name of ["stdout", "stderr"] as const) {
    said.listen(streams[name], name);
    if (columns !== undefined && !(redirected && name === "stdout")) {
      Object.assign(streams[name], { isTTY: true, columns });
    }
  }
  const chunks: Uint8Array[] = [];
  streams.stdout.on("data", (chunk: Uint8Array) => chunks.push(chunk));
  if (stdin === undefined) streams.stdin.end();
  else if (stdin !== "open") streams.stdin.end(stdin);
  const listeners = new Set<(signal: EndingSignal) => void>();
  const code = run(args, {
    ...streams,
    environment: env,
    onSignal(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    exit() {
      throw new Error("the command asked to be ended at once");
    },
  });
  const ending = code.then(async (code) => {
    // What was written is read a turn later.
    for (const output of [streams.stdout, streams.stderr]) {
      if (output.destroyed) continue;
      output.end();
      await new Promise((resolve) => output.once("close", resolve));
    }
    return { code, stdout: said.stdout, stderr: said.stderr, bytes: Buffer.concat(chunks) };
  });
  const begun: Run = {
    ...streams,
    see: (pattern) => said.see(pattern, ending),
    ending,
    signal: (name) => [...listeners].forEach((listener) => listener(name)),
  };
  running.add(begun);
  ending.finally(() => running.delete(begun)).catch(() => {});
  return begun;
}

/** Runs it to its end. */
export function hawser(args: readonly string[], options?: RunOptions): Promise<Outcome> {
  return begin(args, options).ending;
}
