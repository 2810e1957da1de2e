/**
 * A program beside a test, and what it prints.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { within } from "../interop/support/deadline.ts";
import { type Command, moduleCommand, OWN_RUNTIME } from "../interop/support/runtimes.ts";

/** See the module. */
export class Program {
  /** What it ended with; -1: it could not be started. */
  readonly ended: Promise<number | null>;
  readonly #what: string;
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  #wake: () => void = () => {};
  #over = false;

  /** Starts a module of the project, named without its ending, on the runtime of the test. */
  constructor(module: string, ...args: readonly string[]);
  constructor(command: Command);
  constructor(first: string | Command, ...args: readonly string[]) {
    const command = typeof first === "string" ? [...moduleCommand(OWN_RUNTIME, first), ...args] : first;
    const [program = "", ...rest] = command;
    this.#what = rest.map((text) => text.split("\n")[0]).join(" ");
    const env = { ...process.env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" };
    this.#child = spawn(program, rest, { stdio: ["ignore", "pipe", "inherit"], env });
    createInterface({ input: this.#child.stdout! }).on("line", (line) => {
      this.#lines.push(line);
      this.#wake();
    });
    this.ended = new Promise((resolve) => {
      this.#child.on("error", () => resolve(-1));
      // Not "exit": its last lines may come behind that.
      this.#child.on("close", (code) => resolve(code));
    });
    void this.ended.then(() => {
      this.#over = true;
      this.#wake();
    });
  }

  /** Whether it has not ended. */
  get alive(): boolean {
    return !this.#over;
  }

  /** The next line that it prints. */
  async line(): Promise<string> {
    while (this.#lines.length === 0) {
      if (this.#over) throw new Error(`${this.#what} has ended without another line`);
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      await within(woken, `a line of ${this.#what}`);
    }
    return this.#lines.shift()!;
  }

  /** Ends it. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /** Its exit code, once it has ended by itself. */
  async code(): Promise<number | null> {
    try {
      return await within(this.ended, `${this.#what} to end by itself`);
    } catch (error) {
      this.kill();
      throw error;
    }
  }
}
