/**
 * Whether the process must stay alive, for all sockets of a context together: a listener, a pending
 * operation, undelivered messages or a running linger hold it; an idle connected socket or a bare reconnect
 * timer does not.
 *
 * @module
 */

import type { Host } from "../ports.ts";

/**
 * How long the last hold outlasts its release: a request loop must not switch the host back and forth with
 * each message.
 */
const LAG_MS = 10;

/** Counts what holds the process. */
export class KeepAlive {
  readonly #host: Host;
  #holds = 0;
  #on = false;
  /** Set while the last hold outlasts its release. */
  #cancelLag: (() => void) | undefined;

  constructor(host: Host) {
    this.#host = host;
  }

  hold(): void {
    this.#holds++;
    if (this.#on) return;
    this.#on = true;
    this.#host.keepAlive(true);
  }

  release(): void {
    this.#holds--;
    if (this.#holds > 0 || this.#cancelLag !== undefined) return;
    this.#cancelLag = this.#host.schedule(LAG_MS, () => this.settle(), false);
  }

  /**
   * Something was closed and will not hold again. If nothing else holds, releases the host without the lag.
   */
  settle(): void {
    this.#cancelLag?.();
    this.#cancelLag = undefined;
    if (this.#holds > 0 || !this.#on) return;
    this.#on = false;
    this.#host.keepAlive(false);
  }
}
