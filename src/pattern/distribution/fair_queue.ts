/**
 * Takes one whole message from each peer in turn, so that no peer is starved. Every receiving socket type but
 * XPUB uses it.
 *
 * @module
 */

import type { Message, Pipe } from "../pipe/pipe.ts";

/** Holds the pipes that have something to read. */
export class FairQueue {
  /** Where the last message came from. */
  lastPipe: Pipe | undefined;
  readonly #active: Pipe[] = [];
  #current = 0;

  /** Whether any pipe has a message. */
  get hasMessages(): boolean {
    for (const pipe of this.#active) if (pipe.readableMessages > 0) return true;
    return false;
  }

  /** A pipe has something to read. Adding it twice does nothing. */
  add(pipe: Pipe): void {
    if (pipe.fairIndex >= 0) return;
    pipe.fairIndex = this.#active.push(pipe) - 1;
  }

  /** Forgets a pipe and what is in it. */
  remove(pipe: Pipe): void {
    const index = pipe.fairIndex;
    if (index < 0) return;
    pipe.fairIndex = -1;
    this.#active.splice(index, 1);
    for (let i = index; i < this.#active.length; i++) this.#active[i]!.fairIndex = i;
    if (index < this.#current) this.#current--;
    if (this.#current >= this.#active.length) this.#current = 0;
  }

  /** Drops every message: the socket is closed. */
  clear(): void {
    for (const pipe of [...this.#active]) {
      pipe.drop();
      this.remove(pipe);
    }
  }

  /** Returns the next message, or `undefined` when there is none. {@link lastPipe} is where it came from. */
  read(): Message | undefined {
    const active = this.#active;
    while (active.length > 0) {
      const pipe = active[this.#current]!;
      const message = pipe.read();
      if (message !== undefined) {
        this.lastPipe = pipe;
        if (active.length > 1 && pipe.fairIndex === this.#current) {
          this.#current = this.#current + 1 === active.length ? 0 : this.#current + 1;
        }
        return message;
      }
      this.remove(pipe);
    }
    return undefined;
  }
}
