/**
 * Hands messages to peers in turn, skipping those at their high-water mark. PUSH, DEALER and REQ use it.
 *
 * @module
 */

import type { Outgoing } from "../pipe/outbound_queue.ts";
import type { Pipe } from "../pipe/pipe.ts";

/** Holds the pipes that can be written to. */
export class LoadBalancer {
  /** Where the last message went. */
  lastPipe: Pipe | undefined;
  readonly #active: Pipe[] = [];
  #current = 0;

  /** Whether any peer can take a message. */
  get canWrite(): boolean {
    for (const pipe of this.#active) if (pipe.canWrite) return true;
    return false;
  }

  /** A pipe can be written to. It goes to the end of the list. Adding it twice does nothing. */
  add(pipe: Pipe): void {
    if (pipe.balanceIndex >= 0) return;
    pipe.balanceIndex = this.#active.push(pipe) - 1;
  }

  remove(pipe: Pipe): void {
    const index = pipe.balanceIndex;
    if (index < 0) return;
    pipe.balanceIndex = -1;
    this.#active.splice(index, 1);
    for (let i = index; i < this.#active.length; i++) this.#active[i]!.balanceIndex = i;
    if (index < this.#current) this.#current--;
    if (this.#current >= this.#active.length) this.#current = 0;
  }

  /** Gives `message` to the next peer that can take it. Returns `false` when none can. */
  write(message: Outgoing): boolean {
    const active = this.#active;
    while (active.length > 0) {
      const pipe = active[this.#current]!;
      if (pipe.write(message)) {
        this.lastPipe = pipe;
        if (active.length > 1 && pipe.balanceIndex === this.#current) {
          this.#current = this.#current + 1 === active.length ? 0 : this.#current + 1;
        }
        return true;
      }
      // A full pipe comes back through the pattern's `writable`.
      this.remove(pipe);
    }
    return false;
  }
}
