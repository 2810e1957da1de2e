/**
 * Removes the oldest files of a store, one after the other, each survived by the folder before the next one goes: so what a
 * crash brings back begins later, but never has a hole.
 *
 * @module
 */

import type { OpenFiles } from "./open_files.ts";
import type { SegmentFile, SegmentFiles } from "./segment_files.ts";
import type { Disk, DiskFailure } from "./store.ts";

/** What a remover tells its store. */
export interface RemoverEvents {
  /** A file is gone, and its space is free. */
  removed(): void;
  /** The folder cannot be synced. */
  failed(failure: DiskFailure): void;
}

/** What a remover is made of. */
export interface RemoverInit {
  readonly files: SegmentFiles;
  readonly open: OpenFiles;
  readonly disk: Pick<Disk, "remove" | "sync">;
  readonly events: RemoverEvents;
  /** Offset behind what is durable. A file stays until that lies behind its end. */
  safe(): number;
}

/** See the module. */
export class Remover {
  readonly #init: RemoverInit;
  #before = 0;
  /** In the list no more, and still on the disk: from the oldest. */
  readonly #waiting: SegmentFile[] = [];
  #running = false;
  #stopped = false;
  #idle: (() => void) | undefined;

  constructor(init: RemoverInit) {
    this.#init = init;
  }

  /** Files that end at or below `before` are to go. */
  trim(before: number): void {
    this.#before = Math.max(this.#before, before);
    this.pump();
  }

  /** More is durable: files go that were asked for and kept until now. */
  pump(): void {
    const { files, safe } = this.#init;
    for (
      let { first } = files;
      first.end <= this.#before && first.end < safe() && !first.held;
      { first } = files
    ) {
      files.removeFirst();
      first.dropMemory();
      this.#waiting.push(first);
    }
    this.#next();
  }

  /**
   * `done` when everything that was asked for is removed, or cannot be; with `now`, when nothing is in flight. Files that are
   * left are found when the store is opened again.
   */
  end(now: boolean, done: () => void): void {
    this.#stopped = now;
    this.#idle = done;
    this.#next();
  }

  #next(): void {
    if (this.#running) return;
    const file = this.#waiting[0];
    if (file === undefined || this.#stopped) return this.#rest();
    this.#running = true;
    this.#init.open.close(file.name, () => {
      if (this.#stopped) this.#rest();
      else this.#remove(file);
    });
  }

  #remove(file: SegmentFile): void {
    const { disk, events } = this.#init;
    disk.remove(file.name, (failure) => {
      // It stays in front: if a later file went before it there would be a hole. The next trim tries again.
      if (failure !== undefined && failure.kind !== "missing") return this.#rest();
      disk.sync((unsynced) => {
        this.#waiting.shift();
        if (unsynced !== undefined) {
          events.failed(unsynced);
          return this.#rest();
        }
        this.#running = false;
        events.removed();
        this.#next();
      });
    });
  }

  #rest(): void {
    this.#running = false;
    const idle = this.#idle;
    this.#idle = undefined;
    idle?.();
  }
}
