/**
 * The names of a store's files in their folder. A file is created only when the names of all before it survive the machine,
 * and written only when its own does: so a power loss never takes a file out of the middle.
 *
 * @module
 */

import type { SegmentFiles } from "./segment_files.ts";
import type { Disk, StoreFailure } from "./store.ts";

/** See the module. */
export class FolderEntries {
  readonly #files: SegmentFiles;
  readonly #disk: Pick<Disk, "sync">;
  readonly #durable: boolean;

  /** Without `durable` nothing is synced. */
  constructor(files: SegmentFiles, disk: Pick<Disk, "sync">, durable: boolean) {
    this.#files = files;
    this.#disk = disk;
    this.#durable = durable;
  }

  /** Syncs the folder, unless the names of all files that were created survive already. Then `done` is called at once. */
  sync(done: (failure?: StoreFailure) => void): void {
    const fresh = this.#files.list.filter((file) => file.created && !file.entrySynced);
    if (!this.#durable || fresh.length === 0) return done();
    this.#disk.sync((failure) => {
      if (failure !== undefined) {
        const { message, cause } = failure;
        return done({ kind: "stopped", message: `Cannot sync the folder: ${message}`, cause });
      }
      for (const file of fresh) file.entrySynced = true;
      done();
    });
  }
}
