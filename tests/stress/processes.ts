/**
 * The processes of a stress run: starts them, hears them, and notices when one is gone that nobody has killed.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { Faulty } from "./faulty.ts";
import type { Job, Report } from "./messages.ts";

/** Characters of a process's error output that are kept. */
const ERRORS_MAX = 4_000;
/** This file is compiled next to the program of the processes. */
const PROGRAM = join(fileURLToPath(import.meta.url), "..", "child.js");

type Done = Extract<Report, { type: "done" }>;
type Status = Extract<Report, { type: "status" }>;

/** All of them. */
export class Processes {
  /** Rejects as soon as one is gone that nobody has killed, or says that it cannot go on. */
  readonly failed: Promise<never>;
  #fail: (error: Error) => void = () => {};
  readonly #processes: Set<StressProcess> = new Set();

  constructor() {
    this.failed = new Promise((_resolve, reject) => this.#fail = reject);
    // Nobody may be waiting when it happens.
    this.failed.catch(() => {});
  }

  /** `name`: how sentences call it. */
  start(name: string, job: Job): StressProcess {
    const started = new StressProcess(name, job, this.#fail);
    this.#processes.add(started);
    void started.gone.then(() => this.#processes.delete(started));
    return started;
  }

  /** Ends those that are still there, at once. Resolves when all are gone. */
  async kill(): Promise<void> {
    await Promise.all([...this.#processes].map((one) => one.kill()));
  }
}

/** One of them. */
export class StressProcess {
  /** Resolves with its endpoint, if it has one, when it can begin. */
  readonly ready: Promise<string>;
  /** Resolves when it has done its work. */
  readonly done: Promise<Done>;
  /** Resolves when it is gone. */
  readonly gone: Promise<void>;
  /** Records that are acknowledged or read, as far as it has said. */
  records = 0;
  /** The same of each of its publishers. */
  each: readonly number[] = [];
  /** What it had to say for people. */
  readonly notices: string[] = [];
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #fail: (error: Error) => void;
  #onReady: (endpoint: string) => void = () => {};
  #onDone: (report: Done) => void = () => {};
  /** Whoever has asked for a status, in that order. */
  readonly #asked: ((report: Status) => void)[] = [];
  #onProgress: () => void = () => {};
  #mayEnd = false;
  #errors = "";

  constructor(name: string, job: Job, fail: (error: Error) => void) {
    this.#name = name;
    this.#fail = fail;
    this.ready = new Promise((resolve) => this.#onReady = resolve);
    this.done = new Promise((resolve) => this.#onDone = resolve);
    this.#child = spawn(process.execPath, ["--enable-source-maps", PROGRAM], {
      stdio: ["pipe", "pipe", "pipe"],
      // A group of its own: Ctrl-C is for the main program, which ends its processes itself.
      detached: process.platform !== "win32",
    });
    // That it is gone is heard from its end.
    this.#child.stdin!.on("error", () => {});
    this.#child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.#errors = (this.#errors + text).slice(-ERRORS_MAX);
    });
    this.#listen();
    this.gone = this.#watch();
    this.tell(job);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Sends a line. */
  tell(order: unknown): void {
    this.#child.stdin!.write(`${JSON.stringify(order)}\n`);
  }

  /** Resolves when it tells anew how far it is. */
  progress(): Promise<void> {
    return new Promise((resolve) => this.#onProgress = resolve);
  }

  /** Asks a broker how it is. */
  report(): Promise<Status> {
    this.tell("report");
    return new Promise((resolve) => this.#asked.push(resolve));
  }

  /** Tells it to end. Resolves when it has. */
  async end(): Promise<void> {
    this.#child.stdin!.end();
    await this.gone;
  }

  /** Kills it. Resolves when it is gone. */
  async kill(): Promise<void> {
    this.#mayEnd = true;
    this.#child.kill("SIGKILL");
    await this.gone;
  }

  async #watch(): Promise<void> {
    const how = await new Promise<string>((resolve) => {
      this.#child.on("error", (error) => resolve(`could not be started: ${error.message}`));
      // Its output is closed as well: everything that it said was heard.
      this.#child.on("close", (code, signal) => {
        if (signal !== null) resolve(`was ended by ${signal}`);
        else if (code !== 0) resolve(`ended with exit code ${code}`);
        else resolve(this.#child.stdin!.writableEnded ? "" : "ended too early");
      });
    });
    if (this.#mayEnd || how === "") return;
    this.#fail(new Faulty(`${this.#name} ${how}. ${this.#errors}`.trim()));
  }

  #listen(): void {
    let rest = "";
    this.#child.stdout!.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#hear(JSON.parse(line) as Report);
    });
  }

  #hear(report: Report): void {
    switch (report.type) {
      case "ready":
        return this.#onReady(report.endpoint ?? "");
      case "status":
        return this.#asked.shift()?.(report);
      case "notice":
        this.notices.push(report.text);
        return;
      case "failed":
        return this.#fail(new Faulty(`${this.#name} cannot go on. ${report.text}`));
      case "done":
        this.records = report.records;
        // Its work is over, and so is it.
        this.#mayEnd = true;
        this.#onProgress();
        return this.#onDone(report);
      case "progress":
        this.records = report.records;
        this.each = report.each ?? [];
        this.#onProgress();
    }
  }
}
