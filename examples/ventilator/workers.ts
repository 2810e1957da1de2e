/** Starts the workers, each in a process and on a runtime of its own, and notices when one is gone. */

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { JobError } from "./job_error.ts";
import type { RuntimeName, WorkerPlan } from "./runtime.ts";

/** Milliseconds that a worker may take to end when it was told to. */
const END_MS = 10_000;
/** Milliseconds between a lost connection and the news that the process behind it has ended, at most. */
const EXPLANATION_MS = 1_000;

/** The project's folder: this file, or its compiled form, is somewhere below. */
export const PROJECT: string = findProject(dirname(fileURLToPath(import.meta.url)));

function findProject(folder: string): string {
  return existsSync(join(folder, "deno.json")) ? folder : findProject(dirname(folder));
}

/**
 * How to start a program of `examples/` on a runtime. Deno and Bun take TypeScript as it is; Node 20 needs it compiled.
 *
 * @param name `ventilator/worker`
 */
export function commandOf(runtime: RuntimeName, name: string): readonly [program: string, ...args: string[]] {
  const source = join(PROJECT, "examples", `${name}.ts`);
  const packages = join(PROJECT, "node_modules");
  const windows = process.platform === "win32";
  switch (runtime) {
    case "Node": {
      const compiled = join(PROJECT, ".build", "examples", `${name}.js`);
      return [process.execPath, "--enable-source-maps", compiled];
    }
    case "Deno":
      return [join(packages, windows ? "deno/deno.exe" : ".bin/deno"), "run", "-A", "--no-check", source];
    case "Bun":
      return [join(packages, windows ? "bun/bin/bun.exe" : ".bin/bun"), source];
  }
}

interface Worker {
  readonly runtime: RuntimeName;
  readonly process: ChildProcess;
  /** Resolves when the process is gone, with how it ended: `""` if in order. */
  readonly ended: Promise<string>;
}

export class Workers {
  /** Rejects as soon as a worker is gone that has not been told to end. */
  readonly failed: Promise<never>;
  readonly #workers: readonly Worker[];
  #fail: (error: JobError) => void = () => {};
  #ending = false;

  /** Starts them. Each gets the endpoints of its scheme, and over tls whom to trust there. */
  constructor(
    plan: readonly WorkerPlan[],
    endpoints: ReadonlyMap<string, readonly string[]>,
    authority: string | undefined,
  ) {
    this.failed = new Promise((_resolve, reject) => this.#fail = reject);
    // Whoever waits for something races it against this; nobody may be waiting when it happens.
    this.failed.catch(() => {});
    this.#workers = plan.map(({ runtime, scheme }) => {
      const trusted = scheme === "tls" && authority !== undefined ? [authority] : [];
      return this.#start(runtime, [...endpoints.get(scheme)!, ...trusted]);
    });
  }

  /** The process of the worker with this label, `Deno 2.9.6`. */
  processOf(label: string): number | undefined {
    return this.#workers.find(({ runtime }) => label.startsWith(runtime))?.process.pid;
  }

  /** Something else than the end of its process shows that a worker is lost. */
  lose(label: string, why: string): void {
    if (this.#ending) return;
    // If its process has ended too, that is the better explanation, and on its way.
    const fail = (): void => this.#fail(new JobError(`The worker on ${label} is lost: ${why}.`));
    setTimeout(fail, EXPLANATION_MS);
  }

  /** From now on, workers may end. */
  mayEnd(): void {
    this.#ending = true;
  }

  /** Waits until all have ended in order. */
  async ended(): Promise<void> {
    for (const { runtime, ended } of this.#workers) {
      const how = await Promise.race([ended, delay(END_MS, `did not end within ${END_MS / 1000} s`)]);
      if (how !== "") throw new JobError(`The worker on ${runtime} ${how}.`);
    }
  }

  /** Ends whoever is still there, at once. Resolves when all are gone. */
  async kill(): Promise<void> {
    this.#ending = true;
    for (const worker of this.#workers) worker.process.kill("SIGKILL");
    await Promise.all(this.#workers.map(({ ended }) => ended));
  }

  #start(runtime: RuntimeName, args: readonly string[]): Worker {
    const [program, ...own] = commandOf(runtime, "ventilator/worker");
    const env = { ...process.env, DENO_NO_UPDATE_CHECK: "1" };
    const child = spawn(program, [...own, ...args], {
      stdio: ["ignore", "ignore", "inherit"],
      env,
      // A group of its own: Ctrl-C is for the main program, which ends its workers itself.
      detached: process.platform !== "win32",
    });
    const ended = new Promise<string>((resolve) => {
      child.on("error", (error) => resolve(`could not be started: ${error.message}`));
      child.on("exit", (code, signal) => {
        if (signal !== null) resolve(`was ended by ${signal}`);
        else resolve(code === 0 ? "" : `ended with exit code ${code}`);
      });
    });
    ended.then((how) => {
      if (this.#ending) return;
      const where = child.pid === undefined ? runtime : `${runtime} (process ${child.pid})`;
      const when = child.pid === undefined ? "" : " before the work was done";
      this.#fail(new JobError(`The worker on ${where} ${how === "" ? "ended" : how}${when}.`));
    });
    return { runtime, process: child, ended };
  }
}

function delay(milliseconds: number, answer: string): Promise<string> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds, answer).unref());
}
