/** The processes of the job, each on a runtime of its own: starts them, hears them, and notices when one is gone. */

import { type ChildProcessByStdio, spawn } from "node:child_process";
import process from "node:process";
import type { Readable, Writable } from "node:stream";
import { JobError } from "../../ventilator/job_error.ts";
import type { RuntimeName } from "../../ventilator/runtime.ts";
import { commandOf } from "../../ventilator/workers.ts";
import type { Report } from "./messages.ts";

/** Milliseconds that a process may take to report for work. */
const START_MS = 30_000;
/** Milliseconds that it may take to end when it was told to. */
const END_MS = 10_000;

/** All of them. */
export class Processes {
  /** Rejects as soon as one is gone too early, or says that it failed. */
  readonly failed: Promise<never>;
  readonly #processes: Process[] = [];
  #fail: (error: Error) => void = () => {};

  constructor() {
    this.failed = new Promise((_resolve, reject) => this.#fail = reject);
    // Whoever waits for something races it against this; nobody may be waiting when it happens.
    this.failed.catch(() => {});
  }

  /**
   * Starts `program` of `examples/` on `runtime`, and tells it `job`.
   *
   * @param what `the broker on Node`
   */
  start(what: string, runtime: RuntimeName, program: string, job: unknown): Process {
    const started = new Process(what, commandOf(runtime, program), this.#fail);
    this.#processes.push(started);
    started.tell(job);
    return started;
  }

  /** Ends those that are still there, at once. Resolves when all are gone. */
  async kill(): Promise<void> {
    await Promise.all(this.#processes.map((one) => one.kill()));
  }
}

/** One of them. */
export class Process {
  /** Resolves when it has said that it is done. */
  readonly done: Promise<void>;
  /** Records that were acknowledged to it, as far as it has said. */
  acknowledged = 0;
  readonly #what: string;
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  /** Resolves when the process is gone, with how it ended: `""` if in order. */
  readonly #ended: Promise<string>;
  readonly #ready: Promise<Extract<Report, { type: "ready" }>>;
  #heardReady: (report: Extract<Report, { type: "ready" }>) => void = () => {};
  #heardDone: () => void = () => {};
  readonly #fail: (error: Error) => void;
  #ending = false;

  constructor(what: string, [file, ...args]: readonly [string, ...string[]], fail: (error: Error) => void) {
    this.#what = what;
    this.#fail = fail;
    this.done = new Promise((resolve) => this.#heardDone = resolve);
    this.#ready = new Promise((resolve) => this.#heardReady = resolve);
    this.#child = spawn(file, args, {
      stdio: ["pipe", "pipe", "inherit"],
      env: { ...process.env, DENO_NO_UPDATE_CHECK: "1" },
      // A group of its own: Ctrl-C is for the main program, which ends its processes itself.
      detached: process.platform !== "win32",
    });
    // That it is gone is heard from its end.
    this.#child.stdin.on("error", () => {});
    this.#ended = this.#watch();
    this.#listen();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Sends a line. */
  tell(order: unknown): void {
    this.#child.stdin.write(`${JSON.stringify(order)}\n`);
  }

  /** Waits until it can begin. @throws {JobError} when it is not heard of in time. */
  async ready(): Promise<Extract<Report, { type: "ready" }>> {
    const report = await Promise.race([this.#ready, this.#ended, delay(START_MS)]);
    if (typeof report === "string") throw new JobError(`${this.#name} ${report === "" ? "ended" : report}.`);
    if (report === undefined) {
      throw new JobError(`Nothing was heard of ${this.#what} within ${START_MS / 1000} s.`);
    }
    return report;
  }

  /** Tells it to end, and waits until it has. @throws {JobError} when it does not end in order. */
  async end(): Promise<void> {
    this.#ending = true;
    this.#child.stdin.end();
    const how = await Promise.race([this.#ended, delay(END_MS)]);
    if (how === undefined) throw new JobError(`${this.#name} did not end within ${END_MS / 1000} s.`);
    if (how !== "") throw new JobError(`${this.#name} ${how}.`);
  }

  /** Ends it at once, if it is still there. Resolves when it is gone. */
  async kill(): Promise<void> {
    this.#ending = true;
    this.#child.kill("SIGKILL");
    await this.#ended;
  }

  /** `The broker on Node` */
  get #name(): string {
    return this.#what.slice(0, 1).toUpperCase() + this.#what.slice(1);
  }

  async #watch(): Promise<string> {
    const how = await new Promise<string>((resolve) => {
      this.#child.on("error", (error) => resolve(`could not be started: ${error.message}`));
      // When its output is closed as well, everything that it said was heard.
      this.#child.on("close", (code, signal) => {
        if (signal !== null) resolve(`was ended by ${signal}`);
        else resolve(code === 0 ? "" : `ended with exit code ${code}`);
      });
    });
    if (!this.#ending) {
      const { pid } = this;
      const where = pid === undefined ? this.#name : `${this.#name} (process ${pid})`;
      const when = pid === undefined ? "" : " before the work was done";
      this.#fail(new JobError(`${where} ${how === "" ? "ended" : how}${when}.`));
    }
    return how;
  }

  #listen(): void {
    let rest = "";
    this.#child.stdout.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#hear(JSON.parse(line));
    });
  }

  #hear(report: Report): void {
    switch (report.type) {
      case "ready":
        return this.#heardReady(report);
      case "failed":
        return this.#fail(new JobError(`${this.#name} cannot go on. ${report.message}`));
      case "done":
        this.acknowledged = report.acknowledged;
        this.#ending = true;
        return this.#heardDone();
      case "progress":
        this.acknowledged = report.acknowledged;
    }
  }
}

function delay(milliseconds: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), milliseconds).unref());
}
