/**
 * Runs the command line as a child process, on the runtime that runs the tests.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { moduleCommand, OWN_RUNTIME } from "../interop/support/runtimes.ts";
import { Said } from "./said.ts";

/** A command that hangs is ended, and whoever waits for it learns of that. */
const DEADLINE_MS = 60_000;

/** How a command ended, and all that it said. */
export interface Ending {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a command is started with. */
export interface StartOptions {
  /** All of its standard input; `open`: it stays open, to be written to; missing: there is none. */
  readonly stdin?: string | "open" | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly cwd?: string | undefined;
}

/** A running command. */
export interface Running {
  readonly process: ChildProcess;
  /** Resolves with the first match in what it printed or complained of. Rejects with all that it said when it ends without one. */
  see(pattern: RegExp): Promise<RegExpExecArray>;
  readonly ending: Promise<Ending>;
  /** Not the child's own `kill`, which Deno obeys once. */
  signal(name: NodeJS.Signals): void;
}

const running = new Set<ChildProcess>();

// A test that fails in between leaves nothing behind.
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** The environment of the tests without what would be read as configuration. */
function environment(own: Readonly<Record<string, string>> = {}): Record<string, string | undefined> {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("HAWSER_"));
  return { ...Object.fromEntries(inherited), NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", ...own };
}

/** Starts `hawser` with these arguments. */
export function start(args: readonly string[], { stdin, env, cwd }: StartOptions = {}): Running {
  const [program, ...first] = moduleCommand(OWN_RUNTIME, "cli/main");
  const child = spawn(program, [...first, ...args], {
    env: environment(env),
    stdio: [stdin === undefined ? "ignore" : "pipe", "pipe", "pipe"],
    ...(cwd === undefined ? {} : { cwd }),
  });
  running.add(child);
  const said = new Said();
  said.listen(child.stdout!, "stdout");
  said.listen(child.stderr!, "stderr");
  if (stdin !== undefined && stdin !== "open") child.stdin!.end(stdin);
  // A command that ends early does not read it all.
  child.stdin?.on("error", () => {});
  const deadline = setTimeout(() => {
    said.add("stderr", `\n(did not end within ${DEADLINE_MS} ms)\n`);
    child.kill("SIGKILL");
  }, DEADLINE_MS);
  const ending = new Promise<Ending>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      clearTimeout(deadline);
      running.delete(child);
      resolve({ code, signal, stdout: said.stdout, stderr: said.stderr });
    });
  });
  const see = (pattern: RegExp): Promise<RegExpExecArray> => said.see(pattern, ending);
  return { process: child, see, ending, signal: (name) => process.kill(child.pid!, name) };
}
