/** Shows how far the work is: a bar on a terminal, a line now and then anywhere else. */

import process from "node:process";
import type { Subscriber } from "../../mod.ts";
import { formatBytes } from "./format.ts";
import { type Progress, PROGRESS_TOPIC, textOf } from "./messages.ts";

/** Percent between two lines where there is no terminal. */
const LINE_PERCENT = 5;
/** Milliseconds after which a line comes all the same, if it has something new. */
const LINE_MS = 500;
/** Of the bar, as far as there is room for it. */
const BAR_CELLS_MAX = 30;
const BAR_CELLS_MIN = 5;

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
export async function showProgress(
  progress: Subscriber,
  screen: Screen = process.stdout,
  now?: () => number,
): Promise<void> {
  progress.subscribe(PROGRESS_TOPIC);
  const display = new ProgressDisplay(screen, now);
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
  readonly #now: () => number;
  #shownPercent = -LINE_PERCENT;
  #shownMs = -Infinity;
  #shown = "";

  /** `now`: milliseconds of a clock. */
  constructor(screen: Screen = process.stdout, now: () => number = () => performance.now()) {
    this.#screen = screen;
    this.#now = now;
  }

  /** `percent`: 0 to 100, whole. */
  show(percent: number, text: string): void {
    const screen = this.#screen;
    const line = `${`${percent} %`.padStart(5)}  ${text}`;
    if (screen.isTTY === true) {
      // Back to the start of the line, and away with what is left of the last one.
      // A line that is too long would wrap, and could not be written over.
      // A terminal that does not tell its width says 0.
      const room = (screen.columns || 80) - 1;
      screen.write(`\r${`${bar(percent, room - line.length - 3)}${line}`.slice(0, room)}\x1b[K`);
    } else if (this.#isDue(percent, line)) {
      screen.write(`${line}\n`);
      this.#shownPercent = percent - percent % LINE_PERCENT;
      this.#shownMs = this.#now();
      this.#shown = line;
    }
  }

  /** Is it time for another line? */
  #isDue(percent: number, line: string): boolean {
    if (line === this.#shown) return false;
    if (percent === 100 || percent >= this.#shownPercent + LINE_PERCENT) return true;
    // A percent of much work takes long: whoever watches sees that it moves.
    return this.#now() >= this.#shownMs + LINE_MS;
  }

  /** What is written next begins a line of its own. */
  end(): void {
    if (this.#screen.isTTY === true) this.#screen.write("\n");
  }
}

/** A bar of at most `cells`, with a space behind it; nothing where that is too short. */
function bar(percent: number, cells: number): string {
  if (cells < BAR_CELLS_MIN) return "";
  const all = Math.min(BAR_CELLS_MAX, cells);
  const full = Math.floor(all * percent / 100);
  return `[${"#".repeat(full)}${".".repeat(all - full)}] `;
}

function textFor({ files, filesTotal, bytes, bytesTotal }: Progress): string {
  return `${files} of ${filesTotal} files, ${formatBytes(bytes)} of ${formatBytes(bytesTotal)}`;
}
