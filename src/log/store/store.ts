/**
 * The ports below the log: a topic's store, an append-only run of bytes with absolute offsets, and the disk that a
 * durable one stands on. Small, so that an existing engine can carry a topic. Nothing here answers with promises.
 *
 * @module
 */

/** What survives: nothing, the death of the process, or that of the machine. */
export type Durability = "none" | "process" | "machine";

/**
 * `full`: there is no room; nothing moved, the same offset is written again later, `resumed` follows. `stopped`: a sync or
 * a write failed for good; nothing is written any more. `corrupt`: what was read is not what was written.
 */
export type StoreFailureKind = "full" | "stopped" | "corrupt";

/** Why a store cannot go on, now or at all. */
export interface StoreFailure {
  readonly kind: StoreFailureKind;
  readonly message: string;
  readonly offset?: number;
  readonly cause?: unknown;
}

/** What a store tells. Never called from inside `append`, `sync` or `roll`, except by stores whose `durability` is `none`. */
export interface StoreEvents {
  /** Bytes below survive the process (of a memory store: can be read). Rises only. */
  written(frontier: number): void;
  /** Bytes below survive the machine. Rises only, never above `written`. */
  synced(frontier: number): void;
  failed(failure: StoreFailure): void;
  /** A full store has room again. */
  resumed(): void;
}

/**
 * A run of bytes that a store keeps as a unit: a file, or a piece of memory. Each begins where the one before it ends, except among
 * those that were found when the store was opened: after a crash of the machine there may be holes, which recovery cuts off.
 */
export interface SegmentInfo {
  /** Offset of its first byte. */
  readonly base: number;
  /** Bytes appended to it. */
  readonly bytes: number;
}

/** Bytes that were read. */
export interface StoreRead {
  readonly bytes: Uint8Array;
  /** Memory of the store that will be used again: call {@link StoreRead.release} when the bytes were consumed. */
  readonly pinned: boolean;
  /** Once. `recycle` false: somebody may still hold the bytes, so their memory is left to the garbage collector. */
  release(recycle: boolean): void;
}

/** One topic's bytes. Offsets are absolute: they start at 0, only rise, and are never used twice. */
export interface TopicStore {
  readonly durability: Durability;
  /** Offset behind everything that was appended. */
  readonly tail: number;
  readonly written: number;
  readonly synced: number;
  /** From the oldest; the last one is appended to. */
  readonly segments: readonly SegmentInfo[];
  /**
   * Whether an append of so many bytes would be taken without growing past the store's bound. Ask before accepting a batch. False of a
   * store with a durability: it is behind with writing, and `written` follows; that it is full is told by `failed`. Of
   * one without: it is full, and room comes by `trim`.
   */
  hasRoom(bytes: number): boolean;
  /**
   * Appends at `expected`, which must be {@link TopicStore.tail}, to the last segment. Copies; the chunks are the caller's again.
   * Throws `BugError` where `expected` is not the tail.
   */
  append(expected: number, chunks: readonly Uint8Array[]): void;
  /** Starts a new segment at the tail: what is appended next is its beginning. */
  roll(): void;
  /** Asks for everything that is appended now to become synced; `synced` tells. Calls while one runs are merged. No-op without a machine's durability. */
  sync(): void;
  /**
   * Reads `bytes` from one segment. `done` may be called at once. A range that was trimmed or never appended is a
   * failure of the kind `corrupt`.
   */
  read(offset: number, bytes: number, done: (result: StoreRead | StoreFailure) => void): void;
  /** Removes segments that end at or below `before`; never the last one. */
  trim(before: number): void;
  /** Recovery only, before the first append: forgets everything at and behind `tail`. `done` when that is so. */
  truncate(tail: number, done: (failure?: StoreFailure) => void): void;
  /** Writes what is appended, syncs, and lets go. Nothing is called afterwards but `done`. */
  close(done: (failure?: StoreFailure) => void): void;
}

/** Opens topics' stores by name. */
export interface StoreFactory {
  readonly durability: Durability;
  /** Names of the topics that are there. */
  list(done: (topics: readonly string[] | StoreFailure) => void): void;
  /** Opens or creates one. Its segments' bytes are as found: recovery is the log's. */
  open(
    topic: string,
    options: StoreOptions,
    events: StoreEvents,
    done: (store: TopicStore | StoreFailure) => void,
  ): void;
  /** Lets go of what is shared (a folder's lock). After every topic store was closed. */
  close(done: () => void): void;
}

/** What a topic store is opened with. */
export interface StoreOptions {
  readonly segmentBytes: number;
  /** Memory store: all segments together. Disk store: memory for segments that were written already, kept for readers. */
  readonly memoryBytesMax: number;
}

/** What the system said about a file. */
export interface DiskFailure {
  /** `full`: no space left. `missing`: no such file. `failed`: anything else. */
  readonly kind: "full" | "missing" | "failed";
  readonly message: string;
  readonly cause?: unknown;
}

/**
 * A folder of files, as a disk store needs it: `node:fs` in adapters/store/, simulated in tests. No `done` is called before the
 * method that it was given to has returned.
 */
export interface Disk {
  /** Names of the files in this folder with their sizes. */
  list(
    done: (files: readonly { readonly name: string; readonly bytes: number }[] | DiskFailure) => void,
  ): void;
  /** Opens a file for reading and writing; creates it if it is not there and `create` is set. */
  open(name: string, create: boolean, done: (file: DiskFile | DiskFailure) => void): void;
  remove(name: string, done: (failure?: DiskFailure) => void): void;
  /** Makes creations and removals survive the machine. */
  sync(done: (failure?: DiskFailure) => void): void;
}

/** An open file. */
export interface DiskFile {
  /** Writes all chunks at `at`, one after the other. Their memory is lent until `done`. After a failure any part may have been written. */
  write(at: number, chunks: readonly Uint8Array[], done: (failure?: DiskFailure) => void): void;
  /** Fills `into` from `at`; fewer bytes only at the file's end. */
  read(at: number, into: Uint8Array, done: (bytes: number | DiskFailure) => void): void;
  truncate(bytes: number, done: (failure?: DiskFailure) => void): void;
  /** Makes the data of completed writes survive the machine (fdatasync). */
  sync(done: (failure?: DiskFailure) => void): void;
  close(done: () => void): void;
}
