/**
 * The main program, as its processes see it.
 *
 * @module
 */

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

/** The lines that the main program sends. */
export class Orders {
  readonly #lines: string[] = [];
  #rest = "";
  #ended = false;
  #wake: () => void = () => {};
  /** Called when the main program wants nothing any more, or is gone. */
  onEnd: () => void = () => {};

  constructor() {
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
      this.onEnd();
    });
  }

  /** The next one; `undefined`: the main program wants nothing any more, or is gone. */
  async next<Order>(): Promise<Order | undefined> {
    for (;;) {
      const line = this.#lines.shift();
      if (line !== undefined) return JSON.parse(line) as Order;
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }
}
