/** Shows how far the work is: a bar on a terminal, a line now and then anywhere else. */

import process from "node:process";
import type { Subscriber } from "../../mod.ts";
import { formatBytes } from "./format.ts";
import { type Progress, PROGRESS_TOPIC, textOf } from "./messages.ts";

/** Percent between two lines where there is no terminal. */
const LINE_PERCENT = 5;
const BAR_CELLS = 30;

/** Where the display writes. `process.stdout` is one. */
export interface Screen {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  /** Characters in a line of a terminal. */
  readonly columns?: number;
}

/** Whole percent; 100 only when everything is done. */
export function percentOf({ files, filesTotal, bytes, bytesTotal }: Progress): number {
  if (files === filesTotal) return 100;
  const part = bytesTotal === 0 ? files / filesTotal : bytes / bytesTotal;
  return Math.min(99, Math.floor(part * 100));
}

/** Shows what `progress` publishes, until the work is done or the socket is closed. */
export async function showProgress(progress: Subscriber, screen: Screen = process.stdout): Promise<void> {
  progress.subscribe(PROGRESS_TOPIC);
  const display = new ProgressDisplay(screen);
  for await (const [_topic, json] of progress) {
    const now: Progress = JSON.parse(textOf(json));
    const percent = percentOf(now);
    display.show(percent, textFor(now));
    if (percent === 100) break;
  }
  display.end();
}

/** A percentage that rises, and what it means. */
export class ProgressDisplay {
  readonly #screen: Screen;
  #shownPercent = -LINE_PERCENT;

  constructor(screen: Screen = process.stdout) {
    this.#screen = screen;
  }

  /** `percent`: 0 to 100, whole. */
  show(percent: number, text: string): void {
    const screen = this.#screen;
    const line = `${`${percent} %`.padStart(5)}  ${text}`;
    if (screen.isTTY === true) {
      // Back to the start of the line, and away with what is left of the last one.
      // A line that is too long would wrap, and could not be written over.
      screen.write(`\r${`${bar(percent)} ${line}`.slice(0, (screen.columns ?? 80) - 1)}\x1b[K`);
    } else if (percent === 100 || percent >= this.#shownPercent + LINE_PERCENT) {
      screen.write(`${line}\n`);
      this.#shownPercent = percent - percent % LINE_PERCENT;
    }
  }

  /** What is written next begins a line of its own. */
  end(): void {
    if (this.#screen.isTTY === true) this.#screen.write("\n");
  }
}

function bar(percent: number): string {
  const full = Math.floor(BAR_CELLS * percent / 100);
  return `[${"#".repeat(full)}${".".repeat(BAR_CELLS - full)}]`;
}

function textFor({ files, filesTotal, bytes, bytesTotal }: Progress): string {
  return `${files} of ${filesTotal} files, ${formatBytes(bytes)} of ${formatBytes(bytesTotal)}`;
}
