/**
 * One timer for a deadline that moves often: it is set again only when the deadline comes nearer, and looks again when
 * it fires too early.
 *
 * @module
 */

import type { Host } from "../../ports.ts";

/** See the module. */
export class DeadlineTimer {
  readonly #host: Host;
  readonly #due: (nowMs: number) => void;
  #atMs = Infinity;
  #cancel: (() => void) | undefined;

  /** `due` is called at the deadline or somewhat before; it sets the next one. */
  constructor(host: Host, due: (nowMs: number) => void) {
    this.#host = host;
    this.#due = due;
  }

  /** Wakes at `atMs` at the latest, on the host's clock. `Infinity`: nothing is waited for. */
  set(atMs: number, nowMs?: number): void {
    if (atMs >= this.#atMs) return;
    this.#cancel?.();
    this.#atMs = atMs;
    const delayMs = Math.max(0, atMs - (nowMs ?? this.#host.nowMs()));
    this.#cancel = this.#host.schedule(delayMs, () => {
      this.#atMs = Infinity;
      this.#cancel = undefined;
      this.#due(this.#host.nowMs());
    }, false);
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#atMs = Infinity;
  }
}
