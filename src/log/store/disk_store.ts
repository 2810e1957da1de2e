/**
 * A topic's bytes in files of one folder. What is appended goes into memory; a writer and a syncer carry it to the disk behind the
 * back of the appender. Readers are answered from memory while it is there.
 *
 * ```text
 * append → memory of the last segment → Writer → file → Syncer
 *             ├ kept after the write, oldest segments go first (memoryBytesMax)
 *             └ read ← otherwise from the file
 * ```
 *
 * @module
 */

import { assert } from "../../assert.ts";
import { countBytes, NO_BYTES } from "../../bytes/bytes.ts";
import { BugError } from "../../errors.ts";
import { readMixed } from "./file_reader.ts";
import { FolderEntries } from "./folder_entries.ts";
import { isFailure, type OpenFiles } from "./open_files.ts";
import { Remover } from "./remover.ts";
import { Segment } from "./segment.ts";
import type { SegmentFile, SegmentFiles } from "./segment_files.ts";
import type { SegmentPool } from "./segment_pool.ts";
import type {
  Disk,
  DiskFailure,
  Durability,
  SegmentInfo,
  StoreEvents,
  StoreFailure,
  StoreOptions,
  StoreRead,
  TopicStore,
} from "./store.ts";
import { Syncer } from "./syncer.ts";
import { type StoreHost, Writer } from "./writer.ts";

/** What a {@link DiskStore} is made of. */
export interface DiskStoreInit {
  readonly disk: Disk;
  readonly host: StoreHost;
  readonly pool: SegmentPool;
  readonly options: StoreOptions;
  readonly events: StoreEvents;
  /** `process`: nothing is ever synced but the removal of files. */
  readonly durability: "process" | "machine";
  /** What was found in the folder. */
  readonly files: SegmentFiles;
  readonly open: OpenFiles;
  /** Bytes that may be appended and not written. Default 32 MiB. */
  readonly writeBehindBytesMax?: number | undefined;
  /** Bytes of one write at most. Default 8 MiB. */
  readonly writeBytesMax?: number | undefined;
  /** Called by {@link DiskStore.close}, before its `done`, with what that is called with. */
  readonly closed?: ((store: DiskStore, failure?: StoreFailure) => void) | undefined;
}

const WRITE_BEHIND_BYTES_MAX = 33_554_432;
const WRITE_BYTES_MAX = 8_388_608;

/**
 * See the module. Open one with {@link openDiskStore}. `synced` begins at the oldest byte, because nobody can know what of the
 * files that were found had reached the disk: the first `sync` syncs all of them.
 *
 * After `failed` with `stopped` nothing is written any more; reads are still answered. Close it and open the topic again.
 */
export class DiskStore implements TopicStore {
  readonly durability: Durability;
  readonly #init: DiskStoreInit;
  readonly #files: SegmentFiles;
  readonly #open: OpenFiles;
  readonly #writer: Writer;
  readonly #syncer: Syncer;
  readonly #remover: Remover;
  readonly #writeBehindBytesMax: number;
  /** Written files whose memory is kept for readers, from the oldest. */
  #cached: SegmentFile[] = [];
  #stopped: StoreFailure | undefined;
  #closed = false;
  #truncating = false;
  /** Closes when the truncation has ended. */
  #closing: (() => void) | undefined;

  constructor(init: DiskStoreInit) {
    const { files, open, disk, host } = init;
    this.#init = init;
    this.durability = init.durability;
    this.#files = files;
    this.#open = open;
    this.#writeBehindBytesMax = init.writeBehindBytesMax ?? WRITE_BEHIND_BYTES_MAX;
    const entries = new FolderEntries(files, disk, init.durability === "machine");
    const failed = (failure: StoreFailure): void => this.#stop(failure);
    this.#writer = new Writer({
      files,
      open,
      entries,
      host,
      writeBytesMax: init.writeBytesMax ?? WRITE_BYTES_MAX,
      written: files.last.end,
      events: {
        moved: () => this.#writtenMoved(),
        completed: (file) => this.#completed(file),
        full: (failure) => this.#tell((events) => events.failed(failure)),
        resumed: () => this.#tell((events) => events.resumed()),
        failed,
      },
    });
    const written = (): number => this.#writer.written;
    const moved = (): void => this.#syncedMoved();
    const synced = files.first.base;
    this.#syncer = new Syncer({ files, open, entries, written, synced, events: { moved, failed } });
    this.#remover = new Remover({
      files,
      open,
      disk,
      safe: () => this.durability === "machine" ? this.synced : this.written,
      events: {
        removed: () => this.#writer.retry(),
        failed: (failure) => this.#stop(stoppedBy(failure, "Cannot sync the folder")),
      },
    });
  }

  get tail(): number {
    return this.#files.last.end;
  }

  get written(): number {
    return this.#writer.written;
  }

  get synced(): number {
    return this.#syncer.synced;
  }

  get segments(): readonly SegmentInfo[] {
    return this.#files.list;
  }

  /** Why nothing is written any more. */
  get stopped(): StoreFailure | undefined {
    return this.#stopped;
  }

  /** Behind this offset a sync has failed: the system may have dropped what it calls written. */
  get suspectFrom(): number | undefined {
    return this.#syncer.suspectFrom;
  }

  /** Anything is taken while nothing waits to be written, so that no batch is too large for ever. */
  hasRoom(bytes: number): boolean {
    if (this.#closed || this.#stopped !== undefined) return false;
    const unwritten = this.tail - this.written;
    return unwritten === 0 || unwritten + bytes <= this.#writeBehindBytesMax;
  }

  append(expected: number, chunks: readonly Uint8Array[]): void {
    assert(!this.#closed, "a closed store takes nothing");
    if (expected !== this.tail) throw new BugError(`append at ${expected}, but the tail is ${this.tail}`);
    const bytes = countBytes(chunks);
    if (bytes === 0) return;
    const { last } = this.#files;
    const { segmentBytes } = this.#init.options;
    const room = segmentBytes - last.bytes;
    // A segment that was found has its first bytes in the file alone.
    last.memory ??= new Segment(last.end, segmentBytes, this.#init.pool);
    if (bytes > room || !last.append(chunks)) {
      throw new BugError(`append of ${bytes} bytes, but the segment has room for ${room}`);
    }
    this.#writer.appended();
  }

  roll(): void {
    assert(!this.#closed, "a closed store takes nothing");
    const { last } = this.#files;
    if (last.bytes === 0) return;
    this.#files.roll();
    this.#writer.sealed(last);
    // A file is closed when it is synced, so every segment is, sooner or later.
    this.sync();
  }

  sync(): void {
    if (this.durability === "machine" && !this.#closed) this.#syncer.request(this.tail);
  }

  read(offset: number, bytes: number, done: (result: StoreRead | StoreFailure) => void): void {
    assert(!this.#closed, "a closed store answers nothing");
    const file = this.#files.at(offset);
    if (file === undefined || offset + bytes > file.end) {
      return done({
        kind: "corrupt",
        message: `No segment holds the ${bytes} bytes at offset ${offset}`,
        offset,
      });
    }
    if (bytes === 0) return done({ bytes: NO_BYTES, pinned: false, release: () => {} });
    if (file.memory?.has(offset, bytes) === true) return done(file.memory.read(offset, bytes));
    const into = this.#init.host.memory?.(bytes) ?? new Uint8Array(bytes);
    readMixed(this.#open, file, { offset, bytes }, into, (result) => {
      if (!this.#closed) done(result);
    });
  }

  /**
   * A segment goes when something of the next one is durable, so `segments` may show it for a while: whatever happens, there is a
   * beginning to go on from.
   */
  trim(before: number): void {
    assert(!this.#closed, "a closed store is not trimmed");
    if (this.#stopped !== undefined) return;
    this.#remover.trim(before);
    if (this.#files.first.end <= before) this.sync();
  }

  /** `tail` lies in a segment that was found, or at its end. */
  truncate(tail: number, done: (failure?: StoreFailure) => void): void {
    const kept = this.#files.at(tail);
    const untouched = this.#files.last.memory === undefined && this.#syncer.state === "idle";
    assert(untouched, "what was found is forgotten before the first append, and not while it is synced");
    assert(kept !== undefined && tail <= kept.end, "the new tail lies in a segment");
    this.#truncating = true;
    this.#removeBehind(kept, (failure) => {
      if (failure !== undefined || tail === kept.end) return this.#truncated(tail, failure, done);
      this.#cut(kept, tail, (uncut) => this.#truncated(tail, uncut, done));
    });
  }

  close(done: (failure?: StoreFailure) => void): void {
    assert(!this.#closed, "a store is closed once");
    this.#closed = true;
    const close = (): void => this.#drain(done);
    if (this.#truncating) this.#closing = close;
    else close();
  }

  #drain(done: (failure?: StoreFailure) => void): void {
    this.#writer.drain((undrained) => {
      const failure = this.#stopped ?? undrained;
      if (failure !== undefined || this.durability !== "machine") return this.#letGo(failure, done);
      this.#syncer.request(this.tail);
      this.#syncer.whenIdle((unsynced) => this.#letGo(unsynced, done));
    });
  }

  #letGo(failure: StoreFailure | undefined, done: (failure?: StoreFailure) => void): void {
    if (this.#stopped === undefined) this.#stopMachines(failure ?? CLOSED);
    this.#remover.end(failure !== undefined, () => {
      for (const file of this.#files.list) this.#writer.letGo(file);
      this.#open.closeAll(() => {
        for (const file of this.#files.list) file.dropMemory();
        this.#init.closed?.(this, this.#stopped ?? failure);
        done(this.#stopped ?? failure);
      });
    });
  }

  #tell(tell: (events: StoreEvents) => void): void {
    if (!this.#closed) tell(this.#init.events);
  }

  #writtenMoved(): void {
    this.#tell((events) => events.written(this.written));
    this.#syncer.pump();
    this.#remove();
  }

  #remove(): void {
    if (!this.#closed && this.#stopped === undefined) this.#remover.pump();
  }

  #syncedMoved(): void {
    if (this.#stopped !== undefined) return;
    this.#tell((events) => events.synced(this.synced));
    for (const file of this.#files.list) {
      if (file.base >= this.synced) break;
      this.#release(file);
    }
    this.#remove();
  }

  /** All of a sealed file is written. */
  #completed(file: SegmentFile): void {
    if (file.memory !== undefined) this.#cached.push(file);
    this.#evict();
    this.#release(file);
  }

  /** A file stays open until nothing has to be done in it, so that the sync of it sees every error. */
  #release(file: SegmentFile): void {
    if (file.complete && (this.durability !== "machine" || file.end <= this.synced)) this.#writer.letGo(file);
  }

  #evict(): void {
    let bytes = 0;
    this.#cached = this.#cached.filter(({ memory }) => memory !== undefined);
    for (const { memory } of this.#cached) bytes += memory?.memoryBytes ?? 0;
    while (bytes > this.#init.options.memoryBytesMax) {
      const file = this.#cached.shift()!;
      bytes -= file.memory?.memoryBytes ?? 0;
      file.dropMemory();
    }
  }

  #stop(failure: StoreFailure): void {
    if (this.#stopped !== undefined) return;
    this.#stopped = failure;
    this.#stopMachines(failure);
    this.#tell((events) => events.failed(failure));
  }

  #stopMachines(failure: StoreFailure): void {
    this.#writer.stop(failure);
    this.#syncer.stop(failure);
  }

  #truncated(tail: number, failure: StoreFailure | undefined, done: (failure?: StoreFailure) => void): void {
    this.#truncating = false;
    if (failure === undefined) {
      this.#writer.cut(tail);
      this.#syncer.cut(tail);
    } else {
      this.#stopped = failure;
      this.#stopMachines(failure);
    }
    if (this.#closing !== undefined) this.#closing();
    else done(failure);
  }

  /** From the last one, so that no crash leaves a hole; then makes the removals survive. */
  #removeBehind(kept: SegmentFile, done: (failure?: StoreFailure) => void): void {
    const { disk } = this.#init;
    const { last } = this.#files;
    if (last === kept) return done();
    this.#open.close(last.name, () =>
      disk.remove(last.name, (failure) => {
        if (failure !== undefined && failure.kind !== "missing") {
          return done(stoppedBy(failure, `Cannot remove ${last.name}`));
        }
        disk.sync((unsynced) => {
          if (unsynced !== undefined) return done(stoppedBy(unsynced, "Cannot sync the folder"));
          this.#files.removeLast();
          this.#removeBehind(kept, done);
        });
      }));
  }

  #cut(kept: SegmentFile, tail: number, done: (failure?: StoreFailure) => void): void {
    const { name, base } = kept;
    this.#open.acquire(name, false, (file) => {
      if (isFailure(file)) return done(stoppedBy(file, `Cannot open ${name}`));
      const cut = (failure?: DiskFailure): void => {
        this.#open.release(name);
        if (failure !== undefined) return done(stoppedBy(failure, `Cannot cut ${name}`));
        kept.cut(tail);
        done();
      };
      file.truncate(tail - base, (failure) => failure === undefined ? file.sync(cut) : cut(failure));
    });
  }
}

const CLOSED: StoreFailure = { kind: "stopped", message: "The store was closed" };

/** What a disk said, in the store's words. */
export function stoppedBy({ message, cause }: DiskFailure, what: string): StoreFailure {
  return { kind: "stopped", message: `${what}: ${message}`, cause };
}
