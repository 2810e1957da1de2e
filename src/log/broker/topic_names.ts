/**
 * Names of the topics that are in a broker's stores: asked for once, kept up to date by whoever makes topics.
 *
 * @module
 */

import type { LogError } from "../errors.ts";
import type { StoreFactory } from "../store/store.ts";
import { listError } from "./topic_errors.ts";

export type KnownNames = (names: ReadonlySet<string> | LogError) => void;

/** See the module. */
export class TopicNames {
  readonly #stores: Pick<StoreFactory, "list">;
  #names: Set<string> | undefined;
  /** Who waits for them. */
  readonly #waiting: KnownNames[] = [];
  #closed = false;

  constructor(stores: Pick<StoreFactory, "list">) {
    this.#stores = stores;
  }

  /** Answers are in the order of asking. A list that cannot be had is asked for again by who comes next. */
  known(done: KnownNames): void {
    if (this.#names !== undefined) return done(this.#names);
    this.#waiting.push(done);
    if (this.#waiting.length > 1) return;
    this.#stores.list((names) => {
      if (this.#closed) return;
      const known = "kind" in names ? listError(names) : this.#names = new Set(names);
      for (const tell of this.#waiting.splice(0)) tell(known);
    });
  }

  add(name: string): void {
    this.#names?.add(name);
  }

  delete(name: string): void {
    this.#names?.delete(name);
  }

  /** Nobody who waits is answered. */
  close(): void {
    this.#closed = true;
  }
}
