/**
 * Disk stores by topic, each in a folder of its own.
 *
 * @module
 */

import { assert } from "../../assert.ts";
import { DiskStore, type DiskStoreInit, stoppedBy } from "./disk_store.ts";
import { isFailure, OpenFiles } from "./open_files.ts";
import { rewriteFrom } from "./rewrite.ts";
import { foundFiles, type SegmentFile, SegmentFiles } from "./segment_files.ts";
import { SegmentPool } from "./segment_pool.ts";
import type {
  Disk,
  DiskFailure,
  Durability,
  StoreEvents,
  StoreFactory,
  StoreFailure,
  StoreOptions,
  TopicStore,
} from "./store.ts";
import type { StoreHost } from "./writer.ts";

/** Folders of topics: `node:fs` in adapters/store/, simulated in tests. As with a `Disk`, `done` is never called at once. */
export interface DiskFolders {
  /** Names of the topics that have one. */
  list(done: (topics: readonly string[] | DiskFailure) => void): void;
  /** The folder of `topic`; it is created if it is not there, and survives the machine before `done`. */
  open(topic: string, done: (disk: Disk | DiskFailure) => void): void;
  /** Lets go of what is shared, such as a lock. */
  close(done: () => void): void;
}

/** What {@link DiskStores} are made of. */
export interface DiskStoresInit {
  readonly folders: DiskFolders;
  readonly host: StoreHost;
  /** `process`: nothing is ever synced. Default `machine`. */
  readonly durability?: "process" | "machine" | undefined;
  /** Bytes of one topic that may be appended and not written. Default 32 MiB. */
  readonly writeBehindBytesMax?: number | undefined;
  /** Bytes of one write at most. Default 8 MiB. */
  readonly writeBytesMax?: number | undefined;
  /** Default: a new one of 256 MiB. */
  readonly pool?: SegmentPool | undefined;
}

/** How a disk store is opened: everything but what is found in its folder. */
export interface OpenDiskStoreInit extends Omit<DiskStoreInit, "files" | "open"> {
  /**
   * After a sync that failed: from here on the system may hold bytes in memory for written that never reached the disk.
   * They are read and written again first, so that the next sync means something.
   */
  readonly suspectFrom?: number | undefined;
}

/** Opens the store whose files are on `disk`. `done` is not called from inside. */
export function openDiskStore(
  init: OpenDiskStoreInit,
  done: (store: DiskStore | StoreFailure) => void,
): void {
  const { disk } = init;
  disk.list((listed) => {
    if ("kind" in listed) return done(stoppedBy(listed, "Cannot list the folder"));
    removeEmpty(disk, foundFiles(listed), (found) => {
      if ("kind" in found) return done(found);
      const files = new SegmentFiles(found);
      const open = new OpenFiles(disk);
      const { suspectFrom = files.last.end } = init;
      rewriteFrom(files, open, suspectFrom, (failure) => {
        if (failure === undefined) return done(new DiskStore({ ...init, files, open }));
        open.closeAll(() => done(failure));
      });
    });
  });
}

/** A last file without bytes was created shortly before a crash. There may be a hole in front of it, so it goes. */
function removeEmpty(
  disk: Disk,
  found: SegmentFile[],
  done: (found: SegmentFile[] | StoreFailure) => void,
): void {
  const last = found.at(-1);
  if (last === undefined || last.bytes > 0 || found.length === 1) return done(found);
  disk.remove(last.name, (failure) => {
    if (failure !== undefined && failure.kind !== "missing") {
      return done(stoppedBy(failure, `Cannot remove ${last.name}`));
    }
    disk.sync((unsynced) => {
      if (unsynced !== undefined) return done(stoppedBy(unsynced, "Cannot sync the folder"));
      removeEmpty(disk, found.slice(0, -1), done);
    });
  });
}

/** See the module. */
export class DiskStores implements StoreFactory {
  readonly durability: Durability;
  readonly #init: DiskStoresInit;
  readonly #pool: SegmentPool;
  readonly #open: Set<string> = new Set();
  /** Topics whose last sync failed: what was known to be synced then. */
  readonly #suspect: Map<string, number> = new Map();

  constructor(init: DiskStoresInit) {
    this.#init = init;
    this.durability = init.durability ?? "machine";
    const { host } = init;
    this.#pool = init.pool ?? new SegmentPool({ memory: host.memory && ((bytes) => host.memory!(bytes)) });
  }

  list(done: (topics: readonly string[] | StoreFailure) => void): void {
    this.#init.folders.list((topics) => {
      done("kind" in topics ? stoppedBy(topics, "Cannot list the topics") : topics);
    });
  }

  /** A topic is opened once at a time: again when its store was closed. */
  open(
    topic: string,
    options: StoreOptions,
    events: StoreEvents,
    done: (store: TopicStore | StoreFailure) => void,
  ): void {
    assert(!this.#open.has(topic), "a topic is opened once at a time");
    this.#open.add(topic);
    this.#init.folders.open(topic, (disk) => {
      if (isFailure(disk)) {
        this.#open.delete(topic);
        return done(stoppedBy(disk, `Cannot open the folder of ${topic}`));
      }
      this.#openStore(topic, disk, { options, events }, done);
    });
  }

  /** After every store was closed. */
  close(done: () => void): void {
    assert(this.#open.size === 0, "topic stores are closed first");
    this.#pool.clear();
    this.#init.folders.close(done);
  }

  #openStore(
    topic: string,
    disk: Disk,
    given: { readonly options: StoreOptions; readonly events: StoreEvents },
    done: (store: TopicStore | StoreFailure) => void,
  ): void {
    const { host, durability = "machine", writeBehindBytesMax, writeBytesMax } = this.#init;
    const suspectFrom = this.#suspect.get(topic);
    const closed = (store: DiskStore, failure?: StoreFailure): void => {
      this.#open.delete(topic);
      this.#noteSuspect(topic, store.suspectFrom, failure === undefined);
    };
    const own = { disk, host, pool: this.#pool, durability, writeBehindBytesMax, writeBytesMax };
    openDiskStore({ ...given, ...own, suspectFrom, closed }, (store) => {
      if (!(store instanceof DiskStore)) this.#open.delete(topic);
      done(store);
    });
  }

  /** Suspicion ends when all was synced: at the latest when a store was closed without a failure. */
  #noteSuspect(topic: string, from: number | undefined, clean: boolean): void {
    if (clean) this.#suspect.delete(topic);
    else if (from !== undefined) this.#suspect.set(topic, Math.min(from, this.#suspect.get(topic) ?? from));
  }
}
