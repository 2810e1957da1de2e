/**
 * The open files of one store. Each is opened once, however many use it; a few that nobody uses are kept open for the
 * next reader.
 *
 * @module
 */

import { assert } from "../../assert.ts";
import type { Disk, DiskFailure, DiskFile } from "./store.ts";

/** Files that stay open without anybody using them. */
const IDLE_FILES_MAX = 4;

interface Entry {
  readonly name: string;
  users: number;
  file: DiskFile | undefined;
  /** Who waits for it to be opened. */
  waiting: ((file: DiskFile | DiskFailure) => void)[];
  /** Who waits for it to be closed. */
  closing: (() => void)[];
}

/** Whether a disk answered with a failure. */
export function isFailure(answer: object): answer is DiskFailure {
  return "kind" in answer;
}

/** See the module. */
export class OpenFiles {
  readonly #disk: Disk;
  /** In the order of their last use. */
  readonly #entries: Map<string, Entry> = new Map();
  /** Files whose close has begun and not ended. */
  #closing = 0;
  #allClosed: (() => void) | undefined;

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  /**
   * Opens `name`, or finds it open; then `done` is called at once. After anything but a failure one `release` must follow.
   */
  acquire(name: string, create: boolean, done: (file: DiskFile | DiskFailure) => void): void {
    assert(this.#allClosed === undefined, "nothing is opened after all files were closed");
    let entry = this.#entries.get(name);
    if (entry === undefined) {
      entry = { name, users: 0, file: undefined, waiting: [], closing: [] };
      this.#entries.set(name, entry);
    }
    assert(entry.closing.length === 0, "a file that is to be closed is not used again");
    entry.users++;
    if (entry.file !== undefined) return done(entry.file);
    entry.waiting.push(done);
    if (entry.waiting.length === 1) this.#open(entry, create);
  }

  /** One user of `name` fewer. */
  release(name: string): void {
    const entry = this.#entries.get(name);
    assert(entry !== undefined && entry.users > 0, "only what was acquired is released");
    entry.users--;
    if (entry.users > 0) return;
    if (entry.closing.length > 0 || this.#allClosed !== undefined) return this.#close(entry);
    this.#entries.delete(name);
    this.#entries.set(name, entry);
    this.#closeIdle();
  }

  /** Calls `done` when nobody uses `name` any more and it is closed; at once when it is not open. */
  close(name: string, done: () => void): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) return done();
    entry.closing.push(done);
    if (entry.users === 0) this.#close(entry);
  }

  /** Calls `done` when everything that is in use was released and all files are closed. Nothing is opened afterwards. */
  closeAll(done: () => void): void {
    this.#allClosed = done;
    for (const entry of [...this.#entries.values()]) {
      if (entry.users === 0) this.#close(entry);
    }
    this.#tellAllClosed();
  }

  #open(entry: Entry, create: boolean): void {
    this.#disk.open(entry.name, create, (answer) => {
      const waiting = entry.waiting;
      entry.waiting = [];
      if (!isFailure(answer)) {
        entry.file = answer;
        for (const tell of waiting) tell(answer);
        return;
      }
      entry.users = 0;
      this.#forget(entry);
      for (const tell of waiting) tell(answer);
      this.#tellAllClosed();
    });
  }

  #closeIdle(): void {
    const idle = [...this.#entries.values()].filter(({ users }) => users === 0);
    for (const entry of idle.slice(0, Math.max(0, idle.length - IDLE_FILES_MAX))) this.#close(entry);
  }

  #close(entry: Entry): void {
    assert(entry.file !== undefined, "a file without users is open");
    this.#closing++;
    const { file } = entry;
    entry.file = undefined;
    this.#entries.delete(entry.name);
    file.close(() => {
      this.#closing--;
      for (const tell of entry.closing) tell();
      this.#tellAllClosed();
    });
  }

  #forget(entry: Entry): void {
    this.#entries.delete(entry.name);
    const closing = entry.closing;
    entry.closing = [];
    for (const tell of closing) tell();
  }

  #tellAllClosed(): void {
    const done = this.#allClosed;
    if (done === undefined || this.#entries.size > 0 || this.#closing > 0) return;
    this.#allClosed = nothing;
    done();
  }
}

function nothing(): void {}
