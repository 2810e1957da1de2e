/**
 * Shows how far something is: a bar on a terminal, a line now and then anywhere else.
 *
 * @module
 */

import { type Output, show } from "./terminal.ts";

const BAR_CELLS = 30;
/** Milliseconds between two updates, on a terminal and elsewhere. */
const BAR_INTERVAL_MS = 100;
const LINE_INTERVAL_MS = 5_000;

/** What is shown. */
export interface Amounts {
  readonly done: number;
  /** `undefined`: nobody knows yet. */
  readonly total: number | undefined;
  /** In words, behind the bar. */
  readonly text: string;
}

/** See the module. Nothing is shown of what is over before its first update is due. */
export class Progress {
  readonly #output: Output;
  readonly #read: () => Amounts;
  readonly #timer: ReturnType<typeof setInterval>;
  #width = 0;

  /** Shows what `read` answers, every `intervalMs`. */
  constructor(
    output: Output,
    read: () => Amounts,
    intervalMs: number = output.isTTY === true ? BAR_INTERVAL_MS : LINE_INTERVAL_MS,
  ) {
    this.#output = output;
    this.#read = read;
    this.#timer = setInterval(() => this.#show(), intervalMs);
  }

  /** Removes the bar; the last line stays where it is. */
  stop(): void {
    clearInterval(this.#timer);
    if (this.#width > 0) show(this.#output, "\r\x1b[K");
    this.#width = 0;
  }

  #show(): void {
    const amounts = this.#read();
    if (this.#output.isTTY !== true) {
      show(this.#output, `${amounts.text}\n`);
      return;
    }
    // A line that is too long would wrap, and could not be written over.
    const text = `${bar(amounts)}${amounts.text}`.slice(0, (this.#output.columns ?? 80) - 1);
    show(this.#output, `\r${text}\x1b[K`);
    this.#width = text.length;
  }
}

/** `[#####.....]  50 %  `; "" where the total is not known. */
export function bar({ done, total }: Amounts): string {
  if (total === undefined) return "";
  const part = total === 0 ? 1 : Math.min(1, done / total);
  const full = Math.floor(BAR_CELLS * part);
  const percent = String(Math.floor(100 * part)).padStart(3);
  return `[${"#".repeat(full)}${".".repeat(BAR_CELLS - full)}] ${percent} %  `;
}
