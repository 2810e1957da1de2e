/**
 * Who listens at which name: in this thread, and, through {@link Finder}s, in others.
 *
 * @module
 */

import { MisuseError } from "../../src/errors.ts";
import { host } from "../shared_host.ts";
import type { Port } from "./types.ts";

/** Takes the port of a stream that another end opened. */
export type TakePort = (port: Port) => void;

/** What a finder asks of the directory. */
export interface LocalNames {
  /** The names that are bound in this thread. */
  readonly names: Iterable<string>;
  /** Hands a port to whoever listens at a name in this thread. `false`: nobody does. */
  take(name: string, port: Port): boolean;
}

/** A way to threads that are reached in the same manner. */
export interface Finder {
  /** Somebody in this thread begins to need it; the returned function ends that. */
  hold(): () => void;
  /** Resolves as soon as it is known whether a name is bound elsewhere. */
  knows(name: string): Promise<boolean>;
  /** Hands a port to whoever listens at a name. `false`: nobody does. */
  give(name: string, port: Port): Promise<boolean>;
  /** Makes known that a name is bound in this thread, or no longer. */
  announce(name: string, bound: boolean): void;
}

/** The names of one thread. */
export class Directory implements LocalNames {
  readonly #local: Map<string, TakePort> = new Map();
  readonly #finders: readonly Finder[];
  #fresh = 0;

  constructor(makeFinders: (local: LocalNames) => readonly Finder[]) {
    this.#finders = makeFinders(this);
  }

  get names(): Iterable<string> {
    return this.#local.keys();
  }

  take(name: string, port: Port): boolean {
    const take = this.#local.get(name);
    take?.(port);
    return take !== undefined;
  }

  /** Binds a name. The returned function frees it again. */
  async bind(wanted: string, take: TakePort): Promise<{ readonly name: string; readonly free: () => void }> {
    const name = wanted === "*" ? this.#freshName() : wanted;
    if (this.#local.has(name)) throw inUse(name);
    // Taken at once, so that two binds in one thread cannot both wait.
    this.#local.set(name, take);
    const releases = this.#finders.map((finder) => finder.hold());
    const free = (): void => {
      if (this.#local.get(name) !== take) return;
      this.#local.delete(name);
      for (const finder of this.#finders) finder.announce(name, false);
      for (const release of releases) release();
    };
    const known = await Promise.all(this.#finders.map((finder) => finder.knows(name)));
    if (known.includes(true)) {
      free();
      throw inUse(name);
    }
    for (const finder of this.#finders) finder.announce(name, true);
    return { name, free };
  }

  /** Hands a port to whoever listens at a name. `false`: nobody does. */
  async give(name: string, port: Port): Promise<boolean> {
    // Always later, as between threads.
    await new Promise<void>((resolve) => host.microtask(resolve));
    if (this.take(name, port)) return true;
    const releases = this.#finders.map((finder) => finder.hold());
    try {
      for (const finder of this.#finders) {
        if (await finder.knows(name) && await finder.give(name, port)) return true;
      }
      return false;
    } finally {
      for (const release of releases) release();
    }
  }

  /** Names that are chosen here must differ from those of other threads. */
  #freshName(): string {
    const bytes = new Uint8Array(8);
    host.random(bytes);
    this.#fresh += 1;
    return `${this.#fresh}-${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
  }
}

function inUse(name: string): MisuseError {
  return new MisuseError("ERR_ADDRESS_IN_USE", `Cannot bind worker://${name}: the address is in use`);
}
