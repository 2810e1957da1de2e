/**
 * A simulated disk for the ordered log: folders of files in memory that behave as badly as a real system may.
 *
 * - Every operation takes a while and ends later, in any order between files. Time is the caller's: `schedule`.
 * - {@link SimulatedDisk.kill}: the process dies. Every completed operation has happened; those in flight have, in part, or have not.
 * - {@link SimulatedDisk.powerLoss}: the machine dies. What was synced is there: bytes by a file's sync, names by the folder's.
 *   Of every other write any sectors may be there or not, files may be longer or shorter, created files missing, removed ones back.
 * - {@link SimulatedDisk.spaceBytes}: what does not fit fails as `full`, with a part written.
 * - {@link SimulatedDisk.fail}, {@link SimulatedDisk.failNext}: any operation fails. A write leaves a part; after a sync that
 *   failed no later one saves what it covered, as systems do that mark such pages clean.
 * - {@link SimulatedDisk.put}, {@link SimulatedDisk.flipBit}: damage.
 *
 * Whoever uses it must keep the rules of the `Disk` port, or an error is thrown: memory of a write is not changed before its
 * `done`, a file has one write in flight at most, nothing is done with a closed file.
 *
 * ```ts
 * const loop = new EventLoop(random, options);
 * const disk = new SimulatedDisk({ random, schedule: (ms, run) => loop.io(ms, "disk", run) });
 * const stores = new DiskStores({ folders: disk.folders, host });   // a life of the process
 * disk.powerLoss();                                                 // nothing of that life is called any more
 * const again = new DiskStores({ folders: disk.folders, host });    // the next one
 * ```
 *
 * @module
 */

import type { DiskFolders } from "../../src/log/store/disk_stores.ts";
import type { Disk, DiskFailure } from "../../src/log/store/store.ts";
import { SimulatedFile } from "./log_disk_file.ts";
import { type Life, SimulatedFolder } from "./log_disk_folder.ts";
import type { Random } from "./random.ts";

export type OperationKind =
  | "list"
  | "open"
  | "write"
  | "read"
  | "truncate"
  | "sync"
  | "close"
  | "remove"
  | "syncFolder";

/** One operation, as {@link SimulatedDisk.fail} sees it when it begins. `name` is empty for those on the folder. */
export interface DiskOperation {
  readonly kind: OperationKind;
  readonly folder: string;
  readonly name: string;
}

export interface SimulatedDiskInit {
  readonly random: Random;
  /** Runs `run` after so many virtual milliseconds. */
  schedule(delayMs: number, run: () => void): unknown;
  /** An operation takes up to this. Default 2. */
  readonly latencyMsMax?: number;
  /** What survives a power loss as a whole. Default 512. */
  readonly sectorBytes?: number;
}

/** One folder's names: as they are, and as they would be after a power loss. */
export interface FolderState {
  readonly entries: Map<string, SimulatedFile>;
  readonly platter: Map<string, SimulatedFile>;
  /** What the folder's next sync covers, from the oldest. */
  changes: FolderChange[];
}

export interface FolderChange {
  readonly name: string;
  /** `undefined`: removed. */
  readonly file: SimulatedFile | undefined;
}

/** See the module. */
export class SimulatedDisk {
  readonly random: Random;
  readonly sectorBytes: number;
  readonly latencyMsMax: number;
  /** All files together may have so many bytes. */
  spaceBytes: number = Infinity;
  /** Asked at the beginning of every operation: a failure makes it fail. */
  fail: ((operation: DiskOperation) => DiskFailure | undefined) | undefined = undefined;
  /** Operations that were begun. */
  readonly counts: Record<OperationKind, number> = {
    list: 0,
    open: 0,
    write: 0,
    read: 0,
    truncate: 0,
    sync: 0,
    close: 0,
    remove: 0,
    syncFolder: 0,
  };
  readonly #schedule: SimulatedDiskInit["schedule"];
  readonly #folders: Map<string, FolderState> = new Map();
  readonly #failNext: Map<OperationKind, DiskFailure[]> = new Map();
  #life: Life;

  constructor(init: SimulatedDiskInit) {
    this.random = init.random;
    this.sectorBytes = init.sectorBytes ?? 512;
    this.latencyMsMax = init.latencyMsMax ?? 2;
    this.#schedule = (delayMs, run) => init.schedule(delayMs, run);
    this.#life = this.#newLife();
  }

  /** For `DiskStores`. Belongs to the process that runs now: after a kill or a power loss take it anew. */
  get folders(): DiskFolders {
    const life = this.#life;
    return {
      list: (done) => life.begin("topics", () => done([...this.#folders.keys()].sort())),
      open: (topic, done) =>
        life.begin(`folder ${topic}`, () => done(new SimulatedFolder(this, life, topic))),
      close: (done) => life.begin("folders", done),
    };
  }

  /** For a `DiskStore`. Belongs to the process that runs now, as {@link SimulatedDisk.folders} does. */
  folder(name: string): Disk {
    return new SimulatedFolder(this, this.#life, name);
  }

  /** Open files of the process that runs now. */
  get openFiles(): number {
    return this.#life.openFiles;
  }

  /** Bytes of all files together. */
  get usedBytes(): number {
    let bytes = 0;
    for (const { entries } of this.#folders.values()) {
      for (const file of entries.values()) bytes += file.bytes;
    }
    return bytes;
  }

  /** The next operation of this kind fails; called twice, the next two. Default: as anything but a full disk does. */
  failNext(
    kind: OperationKind,
    failure: DiskFailure = { kind: "failed", message: `no ${kind} today` },
  ): void {
    const failures = this.#failNext.get(kind);
    if (failures === undefined) this.#failNext.set(kind, [failure]);
    else failures.push(failure);
  }

  /** Counts an operation that begins, and answers how it is to fail. For the folders. */
  begun(operation: DiskOperation): DiskFailure | undefined {
    this.counts[operation.kind]++;
    return this.#failNext.get(operation.kind)?.shift() ?? this.fail?.(operation);
  }

  /** The names and files of a folder. For the folders, and for tests that want to see everything. */
  state(folder: string): FolderState {
    let state = this.#folders.get(folder);
    if (state === undefined) {
      state = { entries: new Map(), platter: new Map(), changes: [] };
      this.#folders.set(folder, state);
    }
    return state;
  }

  /** Names of the files in `folder`, sorted. */
  names(folder: string): string[] {
    return [...this.state(folder).entries.keys()].sort();
  }

  /** A copy of what is in a file now. */
  content(folder: string, name: string): Uint8Array | undefined {
    return this.#folders.get(folder)?.entries.get(name)?.content.slice();
  }

  /** Puts a file there, or other content into it: on the platter. */
  put(folder: string, name: string, bytes: Uint8Array): void {
    const { entries, platter } = this.state(folder);
    const file = entries.get(name) ?? new SimulatedFile(this.sectorBytes);
    file.put(bytes);
    entries.set(name, file);
    platter.set(name, file);
  }

  /** Damages one bit, on the platter. */
  flipBit(folder: string, name: string, at: number, bit: number = 0): void {
    const bytes = this.content(folder, name);
    if (bytes === undefined || at >= bytes.length) throw new RangeError(`There is no byte ${at} in ${name}`);
    bytes[at]! ^= 1 << bit;
    this.put(folder, name, bytes);
  }

  /** The process dies: nothing that it asked for is answered any more. */
  kill(): void {
    this.#life.end(this.random);
    this.#life = this.#newLife();
  }

  /** The machine dies. */
  powerLoss(): void {
    this.kill();
    const { random } = this;
    const survives = random.pick([0, 1, 0.5, random.unit()]);
    const loss = { random, survives, stretched: random.pick([0, 0.5]) };
    for (const state of this.#folders.values()) {
      for (const { name, file } of state.changes) {
        if (!random.chance(survives)) continue;
        if (file === undefined) state.platter.delete(name);
        else state.platter.set(name, file);
      }
      state.changes = [];
      state.entries.clear();
      for (const [name, file] of state.platter) {
        file.losePower(loss);
        state.entries.set(name, file);
      }
    }
  }

  #newLife(): Life {
    const inFlight = new Map<object, (random: Random) => void>();
    const life: Life = {
      openFiles: 0,
      ended: false,
      begin: (_what, finish, interrupted = nothing) => {
        if (life.ended) return;
        const operation = {};
        inFlight.set(operation, interrupted);
        this.#schedule(this.random.upTo(this.latencyMsMax), () => {
          if (inFlight.delete(operation)) finish();
        });
      },
      end: (random) => {
        life.ended = true;
        for (const interrupted of inFlight.values()) interrupted(random);
        inFlight.clear();
      },
    };
    return life;
  }
}

function nothing(): void {}
