/**
 * Runs a program of the project beside the tests, watches its lines, and reaps it.
 *
 * @module
 */

import { type ChildProcess, spawn, type SpawnOptions } from "node:child_process";
import process from "node:process";

/** How a program ended, and all that it said. */
export interface Ending {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running program. */
export interface Program {
  readonly process: ChildProcess;
  /** Resolves with the first match in its output. Rejects with the output when it ends without one. */
  see(pattern: RegExp): Promise<RegExpExecArray>;
  /** Resolves when it has ended and nobody holds its output any more: its own children are gone as well. */
  readonly ending: Promise<Ending>;
}

const running = new Set<ChildProcess>();

// A test that fails in between leaves nothing behind.
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Starts `program`. After `deadlineMs` it is ended, and whoever waits for it learns of that. */
export function start(
  [program, ...args]: readonly [string, ...string[]],
  { deadlineMs, ...options }: SpawnOptions & { readonly deadlineMs: number },
): Program {
  const env = { ...process.env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", ...options.env };
  const child = spawn(program, args, { ...options, env, stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  let stdout = "";
  let stderr = "";
  const looks = new Set<() => void>();
  child.stdout!.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    for (const look of looks) look();
  });
  child.stderr!.setEncoding("utf8").on("data", (text: string) => stderr += text);
  const deadline = setTimeout(() => {
    stderr += `\n(did not end within ${deadlineMs} ms)\n`;
    child.kill("SIGKILL");
  }, deadlineMs);
  const ending = new Promise<Ending>((resolve) => {
    const end = (code: number | null, signal: string | null): void => {
      clearTimeout(deadline);
      running.delete(child);
      resolve({ code, signal, stdout, stderr });
    };
    child.on("error", (error) => {
      stderr += error.message;
      end(null, null);
    });
    child.on("close", end);
  });
  const see = (pattern: RegExp): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const match = pattern.exec(stdout);
        if (match !== null) resolve(match);
      };
      looks.add(look);
      look();
      ending.then(() => reject(new Error(`${pattern} was not seen in:\n${stdout}${stderr}`)));
    });
  return { process: child, see, ending };
}
