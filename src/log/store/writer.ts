/**
 * Writes what was appended, in order, with one write in flight: everything that is appended meanwhile goes into the next
 * one, from the segment's memory itself. Where the disk has no space nothing moves, and the same bytes are written again later.
 *
 * @module
 */

import { assert } from "../../assert.ts";
import { next, type Table } from "../../state_table.ts";
import type { FolderEntries } from "./folder_entries.ts";
import { isFailure, type OpenFiles } from "./open_files.ts";
import type { SegmentFile, SegmentFiles } from "./segment_files.ts";
import type { DiskFailure, DiskFile, StoreFailure } from "./store.ts";

/**
 * - `idle`: everything that was appended is written.
 * - `deferred`: more was appended; it is written at the end of the current callback, so that one write takes all of a round.
 * - `opening`: the file is being opened, or created and its name synced.
 * - `writing`: a write is in flight. What is appended waits for its end.
 * - `waiting`: the disk is full; the same is tried again when some time has passed or space was freed.
 * - `stopped`: a write or a sync failed for good. Nothing moves any more.
 */
export type WriterState = "idle" | "deferred" | "opening" | "writing" | "waiting" | "stopped";

/** `opens`, `writes`: begun, because there is something to write. `drained`: there is not. */
export type WriterInput = "appended" | "opens" | "writes" | "drained" | "full" | "failed";

export const WRITER_TRANSITIONS: Table<WriterState, WriterInput> = {
  idle: { appended: "deferred", failed: "stopped" },
  deferred: { appended: "deferred", opens: "opening", writes: "writing", failed: "stopped" },
  opening: { appended: "opening", writes: "writing", full: "waiting", failed: "stopped" },
  writing: {
    appended: "writing",
    opens: "opening",
    writes: "writing",
    drained: "idle",
    full: "waiting",
    failed: "stopped",
  },
  waiting: { appended: "waiting", opens: "opening", writes: "writing", failed: "stopped" },
  stopped: { appended: "stopped", failed: "stopped" },
};

/** Time, as far as stores need it. A `Host` is one. */
export interface StoreHost {
  /** Runs `run` once after `delayMs`; the answer cancels. `referenced`: whether the wait keeps the process alive. */
  schedule(delayMs: number, run: () => void, referenced: boolean): () => void;
  /** Runs at the end of the current callback. */
  microtask(run: () => void): void;
  /** Memory with any content, where that is faster than zeroed memory. */
  memory?(bytes: number): Uint8Array;
}

/** What a writer tells its store. Never from inside `appended`. */
export interface WriterEvents {
  /** `written` has moved. */
  moved(): void;
  /** All of a sealed file is written. */
  completed(file: SegmentFile): void;
  full(failure: StoreFailure): void;
  resumed(): void;
  /** For good. `stop` follows. */
  failed(failure: StoreFailure): void;
}

/** What a writer is made of. */
export interface WriterInit {
  readonly files: SegmentFiles;
  readonly open: OpenFiles;
  readonly entries: FolderEntries;
  readonly host: StoreHost;
  readonly events: WriterEvents;
  /** Bytes of one write at most, so that `written` moves in steps. */
  readonly writeBytesMax: number;
  /** Offset behind what was found. */
  readonly written: number;
}

/** A full disk is tried again after this, then after twice as long each time, up to the second one. */
export const RETRY_MS_MIN = 50;
export const RETRY_MS_MAX = 2_000;

/** See the module. */
export class Writer {
  readonly #init: WriterInit;
  #state: WriterState = "idle";
  #written: number;
  /** The open file that holds the offset `written`. */
  #file: { readonly segment: SegmentFile; readonly file: DiskFile } | undefined;
  /** The memory of a write is lent. Also in the state `stopped`, until it has ended. */
  #inFlight = false;
  #retryMs = RETRY_MS_MIN;
  #cancelRetry: (() => void) | undefined;
  /** Told that there is no space, and not yet that there is again. */
  #full: StoreFailure | undefined;
  /** Waits until all is written, or cannot be. */
  #drained: ((failure?: StoreFailure) => void) | undefined;

  constructor(init: WriterInit) {
    this.#init = init;
    this.#written = init.written;
  }

  get state(): WriterState {
    return this.#state;
  }

  get written(): number {
    return this.#written;
  }

  /** Recovery: what lies behind was forgotten. */
  cut(written: number): void {
    assert(this.#state === "idle" && this.#file === undefined, "nothing was appended yet");
    this.#written = written;
  }

  /** More was appended. */
  appended(): void {
    const before = this.#state;
    this.#move("appended");
    if (before !== "idle") return;
    this.#init.host.microtask(() => {
      if (this.#state === "deferred") this.#pump();
    });
  }

  /** `segment` was sealed. */
  sealed(segment: SegmentFile): void {
    if (segment.end <= this.#written) this.#complete(segment);
  }

  /** Space was freed: a full disk is tried at once. */
  retry(): void {
    if (this.#state !== "waiting") return;
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    this.#pump();
  }

  /** `done` when everything that was appended is written, or when it turns out that it cannot be. A full disk is tried once more. */
  drain(done: (failure?: StoreFailure) => void): void {
    assert(this.#drained === undefined, "a writer is drained once");
    if (this.#state === "idle") return done();
    this.#drained = done;
    this.retry();
    if (this.#state === "stopped") this.#endDrain({ kind: "stopped", message: "The store has stopped" });
  }

  /** Nothing is begun any more, because of `failure`. What is in flight ends, and changes nothing. */
  stop(failure: StoreFailure): void {
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    this.#move("failed");
    if (this.#file !== undefined) this.letGo(this.#file.segment);
    this.#endDrain(failure);
  }

  /** Closes a file that the writer holds, unless a write is in flight: then its end does so. */
  letGo(segment: SegmentFile): void {
    const current = this.#file?.segment === segment;
    if (!segment.held || (current && this.#inFlight)) return;
    segment.held = false;
    if (current) this.#file = undefined;
    this.#init.open.release(segment.name);
  }

  #move(input: WriterInput): void {
    this.#state = next(WRITER_TRANSITIONS, this.#state, input);
  }

  #pump(): void {
    const { files } = this.#init;
    if (this.#written === files.last.end) return this.#ended();
    if (this.#file !== undefined) return this.#write(this.#file.segment, this.#file.file);
    const segment = files.at(this.#written);
    assert(segment !== undefined && segment.end > this.#written, "what is not written lies in a segment");
    this.#open(segment);
  }

  #ended(): void {
    this.#move("drained");
    this.#endDrain();
  }

  #open(segment: SegmentFile): void {
    this.#move("opens");
    // Before a file is created, for those that were found; afterwards for itself.
    this.#init.entries.sync((unsynced) => {
      if (this.#stoppedBy(unsynced)) return;
      this.#acquire(segment);
    });
  }

  #acquire(segment: SegmentFile): void {
    this.#init.open.acquire(segment.name, !segment.created, (answer) => {
      if (isFailure(answer)) return this.#failed(answer, `Cannot open ${segment.name}`);
      segment.created = true;
      segment.held = true;
      if (this.#state === "stopped") return this.letGo(segment);
      this.#file = { segment, file: answer };
      this.#init.entries.sync((unsynced) => {
        if (this.#stoppedBy(unsynced)) return;
        this.#write(segment, answer);
      });
    });
  }

  /** Whether nothing may be begun any more: because of `failure`, or already. */
  #stoppedBy(failure: StoreFailure | undefined): boolean {
    if (failure !== undefined && this.#state !== "stopped") this.#init.events.failed(failure);
    return failure !== undefined || this.#state === "stopped";
  }

  #write(segment: SegmentFile, file: DiskFile): void {
    this.#move("writes");
    const { memory } = segment;
    assert(memory !== undefined, "what is not written is in memory");
    const bytes = Math.min(segment.end - this.#written, this.#init.writeBytesMax);
    this.#inFlight = true;
    file.write(this.#written - segment.base, [memory.view(this.#written, bytes)], (failure) => {
      this.#inFlight = false;
      if (this.#state === "stopped") return this.letGo(segment);
      if (failure !== undefined) return this.#failed(failure, `Cannot write ${segment.name}`);
      this.#wrote(segment, bytes);
    });
  }

  #wrote(segment: SegmentFile, bytes: number): void {
    const { events } = this.#init;
    this.#written += bytes;
    this.#retryMs = RETRY_MS_MIN;
    const wasFull = this.#full !== undefined;
    this.#full = undefined;
    if (wasFull) events.resumed();
    // What is told may append, roll and sync, and finds a writer that is writing; or stop it.
    events.moved();
    if (segment.sealed) this.sealed(segment);
    if (this.#state === "writing") this.#pump();
  }

  #complete(segment: SegmentFile): void {
    if (segment.complete) return;
    segment.complete = true;
    if (this.#file?.segment === segment) this.#file = undefined;
    this.#init.events.completed(segment);
  }

  #failed({ kind, message, cause }: DiskFailure, what: string): void {
    if (this.#state === "stopped") return;
    const failure = { message: `${what}: ${message}`, offset: this.#written, cause };
    if (kind === "full") this.#wait({ kind: "full", ...failure });
    else this.#init.events.failed({ kind: "stopped", ...failure });
  }

  #wait(failure: StoreFailure): void {
    this.#move("full");
    if (this.#drained !== undefined) return this.#endDrain(failure);
    this.#cancelRetry = this.#init.host.schedule(this.#retryMs, () => this.retry(), true);
    this.#retryMs = Math.min(2 * this.#retryMs, RETRY_MS_MAX);
    const known = this.#full !== undefined;
    this.#full = failure;
    if (!known) this.#init.events.full(failure);
  }

  #endDrain(failure?: StoreFailure): void {
    const drained = this.#drained;
    this.#drained = undefined;
    drained?.(failure);
  }
}
