/**
 * Makes what was written survive the machine: the files' names in the folder first, then the files in order, one sync at
 * a time. Whoever asks while one runs shares the next one. A sync that failed is never tried again: the system
 * may have dropped what it could not write, and would call the next one a success.
 *
 * @module
 */

import { next, type Table } from "../../state_table.ts";
import type { FolderEntries } from "./folder_entries.ts";
import { isFailure, type OpenFiles } from "./open_files.ts";
import type { SegmentFile, SegmentFiles } from "./segment_files.ts";
import type { DiskFailure, StoreFailure } from "./store.ts";

/**
 * - `idle`: nobody asked for more than is synced.
 * - `waiting`: somebody did, and it is not written yet.
 * - `running`: a sync is in flight.
 * - `stopped`: a write or a sync failed for good.
 */
export type SyncerState = "idle" | "waiting" | "running" | "stopped";

/** `satisfied`, `unsatisfied`: a sync ended, and everything that was asked for is synced now, or not. */
export type SyncerInput = "asked" | "begun" | "satisfied" | "unsatisfied" | "failed";

export const SYNCER_TRANSITIONS: Table<SyncerState, SyncerInput> = {
  idle: { asked: "waiting", failed: "stopped" },
  waiting: { asked: "waiting", begun: "running", failed: "stopped" },
  running: { asked: "running", satisfied: "idle", unsatisfied: "waiting", failed: "stopped" },
  stopped: { asked: "stopped", failed: "stopped" },
};

/** What a syncer tells its store. Never from inside `request`. */
export interface SyncerEvents {
  /** `synced` has moved. */
  moved(): void;
  /** For good. `stop` follows. */
  failed(failure: StoreFailure): void;
}

/** What a syncer is made of. */
export interface SyncerInit {
  readonly files: SegmentFiles;
  readonly open: OpenFiles;
  readonly entries: FolderEntries;
  readonly events: SyncerEvents;
  /** Offset behind everything that is written. */
  written(): number;
  /** What is known to be synced at the beginning. */
  readonly synced: number;
}

/** See the module. */
export class Syncer {
  readonly #init: SyncerInit;
  #state: SyncerState = "idle";
  #synced: number;
  /** The next sync begins when so much is written: the tail when it was first asked for, so that it begins some day. */
  #target = 0;
  /** What the last one who asked wants to see synced. */
  #wanted = 0;
  #suspectFrom: number | undefined;
  #idle: ((failure?: StoreFailure) => void) | undefined;

  constructor(init: SyncerInit) {
    this.#init = init;
    this.#synced = init.synced;
  }

  get state(): SyncerState {
    return this.#state;
  }

  get synced(): number {
    return this.#synced;
  }

  /** A file's sync failed, and this was synced before. */
  get suspectFrom(): number | undefined {
    return this.#suspectFrom;
  }

  /** Recovery: what lies behind was forgotten. */
  cut(synced: number): void {
    this.#synced = Math.min(this.#synced, synced);
  }

  /** Everything below `tail` is to be synced. */
  request(tail: number): void {
    if (tail <= this.#synced) return;
    this.#wanted = Math.max(this.#wanted, tail);
    if (this.#state === "idle") this.#target = tail;
    this.#move("asked");
    this.pump();
  }

  /** More is written: what waits for it may begin. */
  pump(): void {
    const covers = this.#init.written();
    if (this.#state !== "waiting" || covers < this.#target) return;
    this.#move("begun");
    this.#syncFolder(covers);
  }

  /** Nothing is begun any more. A sync that is in flight changes nothing. */
  stop(failure: StoreFailure): void {
    this.#move("failed");
    this.#endIdle(failure);
  }

  /** `done` when everything that was asked for is synced, or cannot be. */
  whenIdle(done: (failure?: StoreFailure) => void): void {
    if (this.#state === "idle") return done();
    this.#idle = done;
    if (this.#state === "stopped") this.#endIdle({ kind: "stopped", message: "The store has stopped" });
  }

  #move(input: SyncerInput): void {
    this.#state = next(SYNCER_TRANSITIONS, this.#state, input);
  }

  #syncFolder(covers: number): void {
    const { files, entries } = this.#init;
    const concerned = files.list.filter((file) => file.base < covers && file.end > this.#synced);
    entries.sync((failure) => {
      if (this.#state === "stopped") return;
      if (failure !== undefined) return this.#init.events.failed(failure);
      this.#syncFiles(concerned, 0, covers);
    });
  }

  #syncFiles(concerned: readonly SegmentFile[], index: number, covers: number): void {
    const file = concerned[index];
    if (file === undefined) {
      this.#moved(covers);
      return this.#ended();
    }
    const then = (): void => {
      this.#moved(Math.min(file.end, covers));
      if (this.#state === "running") this.#syncFiles(concerned, index + 1, covers);
    };
    // It was trimmed meanwhile, or holds nothing.
    if (!this.#init.files.has(file) || file.bytes === 0) return then();
    this.#syncFile(file, then);
  }

  #syncFile(segment: SegmentFile, then: () => void): void {
    const { open } = this.#init;
    open.acquire(segment.name, false, (file) => {
      if (isFailure(file)) return this.#failed(file, `Cannot open ${segment.name}`);
      if (this.#state === "stopped") return open.release(segment.name);
      file.sync((failure) => {
        open.release(segment.name);
        if (failure !== undefined) {
          this.#suspectFrom = this.#synced;
          return this.#failed(failure, `Cannot sync ${segment.name}`);
        }
        if (this.#state === "running") then();
      });
    });
  }

  #moved(synced: number): void {
    if (synced <= this.#synced) return;
    this.#synced = synced;
    this.#init.events.moved();
  }

  #ended(): void {
    if (this.#state !== "running") return;
    this.#target = this.#wanted;
    if (this.#synced < this.#wanted) {
      this.#move("unsatisfied");
      return this.pump();
    }
    this.#move("satisfied");
    this.#endIdle();
  }

  #failed({ message, cause }: DiskFailure, what: string): void {
    if (this.#state === "stopped") return;
    const failure = { message: `${what}: ${message}`, offset: this.#synced, cause };
    this.#init.events.failed({ kind: "stopped", ...failure });
  }

  #endIdle(failure?: StoreFailure): void {
    const idle = this.#idle;
    this.#idle = undefined;
    idle?.(failure);
  }
}
