/**
 * What a command says while it runs.
 *
 * @module
 */

import type { Readable } from "node:stream";

/** Collects text, and tells when something was said. */
export class Said {
  stdout = "";
  stderr = "";
  readonly #looks: Set<() => void> = new Set();

  /** Takes what comes from `stream`. */
  listen(stream: Readable, name: "stdout" | "stderr"): void {
    const decoder = new TextDecoder();
    stream.on("data", (chunk: Uint8Array) => this.add(name, decoder.decode(chunk, { stream: true })));
  }

  /** Takes this. */
  add(name: "stdout" | "stderr", text: string): void {
    this[name] += text;
    for (const look of this.#looks) look();
  }

  /** Resolves with the first match in one of both. Rejects with all that was said when `ending` comes without one. */
  see(pattern: RegExp, ending: Promise<unknown>): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const match = pattern.exec(this.stdout) ?? pattern.exec(this.stderr);
        if (match === null) return;
        this.#looks.delete(look);
        resolve(match);
      };
      this.#looks.add(look);
      look();
      ending.then(
        () => reject(new Error(`${pattern} was not seen in:\n${this.stdout}${this.stderr}`)),
        reject,
      );
    });
  }
}
