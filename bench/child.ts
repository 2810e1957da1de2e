/**
 * A measured process: started, spoken to in lines, and always reaped.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";

/** How to start a child. `arguments` are `name=value` pairs after the program's own. */
export interface ChildCommand {
  readonly label: string;
  readonly program: string;
  readonly arguments: readonly string[];
}

/** The words with which a child begins its lines. */
export type Word = "READY" | "WINDOW" | "RESULT" | "STOPPED";

/** A child that failed, ended or went silent. */
export class ChildError extends Error {
  override readonly name: string = "ChildError";
}

const KILL_AFTER_MS = 2000;
const CLOCK_TICKS_PER_SECOND = 100;
const STDERR_BYTES_KEPT = 4000;
const STDERR_LINES_SHOWN = 3;

const alive = new Set<ChildProcess>();

/** Whatever way the harness ends, no child outlives it. */
export function reapAtExit(): void {
  process.on("exit", () => {
    for (const child of alive) child.kill("SIGKILL");
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => process.exit(130));
  }
}

/** The lines of an error output that say what went wrong; all that has not the look of a stack, if none does. */
function gist(stderr: string): string[] {
  const lines = stderr.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  const telling = lines.filter((line) => /error|cannot|failed/i.test(line) && !line.startsWith("at "));
  return (telling.length > 0 ? telling : lines).slice(0, STDERR_LINES_SHOWN);
}

export class Child {
  readonly label: string;
  /** The process's own word for its number, from READY; 0 before. */
  pid = 0;
  readonly #process: ChildProcess;
  readonly #lines: string[] = [];
  readonly #ended: Promise<void>;
  #wake: () => void = () => {};
  #failure: string | undefined;
  #stopping = false;
  #partner: Child | undefined;
  #stderr = "";

  constructor(command: ChildCommand) {
    this.label = command.label;
    this.#process = spawn(command.program, [...command.arguments], {
      stdio: ["pipe", "pipe", "pipe"],
      env: {
        ...process.env,
        NODE_ENV: "production",
        NODE_OPTIONS: "",
        NO_COLOR: "1",
        DENO_NO_UPDATE_CHECK: "1",
      },
    });
    alive.add(this.#process);
    this.#ended = new Promise((resolve) => {
      const end = (reason: string): void => {
        alive.delete(this.#process);
        this.#fail(reason);
        resolve();
      };
      this.#process.on("error", (error) => end(`cannot start: ${error.message}`));
      this.#process.on("close", (code, signal) => end(`ended with ${signal ?? `code ${code}`}`));
    });
    this.#listen();
  }

  #listen(): void {
    let rest = "";
    this.#process.stdout?.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (line.startsWith("FAILED ")) this.#fail(line.slice("FAILED ".length));
        else this.#lines.push(line);
      }
      this.#wake();
    });
    this.#process.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr = (this.#stderr + text).slice(0, STDERR_BYTES_KEPT);
    });
    // A child that died leaves a broken pipe; its end is reported by "close".
    this.#process.stdin?.on("error", () => {});
  }

  #fail(reason: string): void {
    if (!this.#stopping && this.#failure === undefined) {
      this.#failure = reason;
      if (this.#partner !== undefined) this.#partner.#fail(this.#error(reason).message);
    }
    this.#wake();
  }

  /** When this child fails, whoever waits for `partner` hears of it too, instead of waiting in vain. */
  failWith(partner: Child): void {
    this.#partner = partner;
  }

  tell(line: string): void {
    this.#process.stdin?.write(line + "\n");
  }

  /** The rest of the next line, which must begin with `word`. */
  async expect(word: Word, timeoutMs: number): Promise<string> {
    const deadlineMs = performance.now() + timeoutMs;
    while (this.#lines.length === 0) {
      if (this.#failure !== undefined) throw this.#error(this.#failure);
      const restMs = deadlineMs - performance.now();
      if (restMs <= 0) throw this.#error(`no ${word} within ${timeoutMs} ms`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, restMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    const line = this.#lines.shift() ?? "";
    if (line !== word && !line.startsWith(word + " ")) throw this.#error(`said "${line}" instead of ${word}`);
    const rest = line.slice(word.length + 1);
    if (word !== "READY") return rest;
    const space = rest.indexOf(" ");
    this.pid = Number(rest.slice(0, space)) || this.#process.pid || 0;
    return rest.slice(space + 1);
  }

  #error(reason: string): ChildError {
    return new ChildError([`${this.label}: ${reason}`, ...gist(this.#stderr)].join(" | "));
  }

  /** Ends the process: the end of its stdin first, SIGKILL when that is not heard. Resolves when it is gone. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#process.stdin?.end();
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), KILL_AFTER_MS);
    await this.#ended;
    clearTimeout(timer);
  }

  /** User and system time of all its threads so far, or undefined where /proc does not tell. */
  cpuSeconds(): number | undefined {
    try {
      const stat = readFileSync(`/proc/${this.pid}/stat`, "latin1");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND;
    } catch {
      return undefined;
    }
  }

  /** Resident memory, or undefined where /proc does not tell. */
  residentBytes(): number | undefined {
    try {
      const status = readFileSync(`/proc/${this.pid}/status`, "latin1");
      const kib = /^VmRSS:\s+(\d+) kB/m.exec(status)?.[1];
      return kib === undefined ? undefined : Number(kib) * 1024;
    } catch {
      return undefined;
    }
  }
}
