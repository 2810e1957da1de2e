/** The main program, as its processes see it. */

import { writeSync } from "node:fs";
import process from "node:process";
import type { Report } from "./messages.ts";

/** Says something to the main program, at once. If it is gone, that is heard from the end of the input. */
export function say(report: Report): void {
  try {
    writeSync(1, `${JSON.stringify(report)}\n`);
  } catch (error) {
    if ((error as { code?: string }).code !== "EPIPE") throw error;
  }
}

/** Runs the work of a process; what goes wrong is the main program's to tell. */
export async function runWork(work: () => Promise<void>): Promise<never> {
  try {
    await work();
  } catch (error) {
    say({ type: "failed", message: error instanceof Error ? error.message : String(error) });
  }
  // Nothing is left to do, but the input would keep this process alive.
  process.exit(0);
}

/** The lines that the main program sends. */
export class Orders {
  readonly #lines: string[] = [];
  #rest = "";
  #ended = false;
  #wake: () => void = () => {};
  readonly #onEnd: () => void;

  /** `onEnd`: the main program wants nothing any more, or is gone. */
  constructor(onEnd: () => void = () => {}) {
    this.#onEnd = onEnd;
    process.stdin.setEncoding("utf8");
    process.stdin.on("data", (text: string) => {
      const lines = (this.#rest + text).split("\n");
      this.#rest = lines.pop() ?? "";
      this.#lines.push(...lines);
      this.#wake();
    });
    process.stdin.on("end", () => {
      this.#ended = true;
      this.#wake();
      this.#onEnd();
    });
  }

  /** The next one. @throws when there is none. */
  async next<Order>(): Promise<Order> {
    for (;;) {
      const line = this.#lines.shift();
      if (line !== undefined) return JSON.parse(line);
      if (this.#ended) throw new Error("the main program is gone");
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  /** Resolves when the main program wants nothing any more. */
  async ended(): Promise<void> {
    while (!this.#ended) await new Promise<void>((resolve) => this.#wake = resolve);
  }
}
