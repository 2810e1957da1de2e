/** Keeps the books: what was handed out, what came back from whom, and whether it is right. */

import { fileDigest, sha256, toHex } from "./digest.ts";
import type { FoundFile, Piece } from "./files.ts";
import type { Progress } from "./messages.ts";

/** What one worker did. */
export interface Share {
  /** Files whose first piece it had. */
  readonly files: number;
  readonly bytes: number;
}

/** A worker's answer. */
export interface Answer {
  /** Who, `Deno 2.9.6`. */
  readonly label: string;
  /** The task's number. */
  readonly task: number;
  readonly digest: Uint8Array;
}

/** A file whose digest is known. */
export interface DigestedFile {
  readonly path: string;
  /** In hex. */
  readonly digest: string;
}

interface FileRecord {
  readonly path: string;
  /** Digests of its pieces, as the workers gave them. */
  readonly pieces: Uint8Array[];
  /** Pieces without an answer. */
  waiting: number;
  /** Whether its last piece was handed out. */
  complete: boolean;
}

interface Task {
  readonly file: FileRecord;
  readonly piece: number;
  readonly bytes: number;
  /** Our own digest of the piece. */
  readonly digest: Uint8Array;
}

/** The books of one run. */
export class Ledger {
  /** By worker. */
  readonly shares: Map<string, Share>;
  readonly digested: DigestedFile[] = [];
  /** One sentence for everything that is not as it should be. */
  readonly mistakes: string[] = [];
  readonly #filesTotal: number;
  readonly #bytesTotal: number;
  readonly #tasks: Map<number, Task> = new Map();
  #tasksAdded = 0;
  #reading: FileRecord | undefined;
  #bytes = 0;

  /** `labels`: who may answer. */
  constructor(files: readonly FoundFile[], labels: readonly string[]) {
    this.shares = new Map(labels.map((label) => [label, { files: 0, bytes: 0 }]));
    this.#filesTotal = files.length;
    this.#bytesTotal = files.reduce((total, { bytes }) => total + bytes, 0);
  }

  /** Whether every file was handed out, and every answer is there. */
  get done(): boolean {
    return this.digested.length === this.#filesTotal;
  }

  /** Tasks that have no answer yet. */
  get waiting(): number {
    return this.#tasks.size;
  }

  get progress(): Progress {
    // A file may have changed since it was counted; in the end, what was read is the truth.
    const bytesTotal = this.done ? this.#bytes : this.#bytesTotal;
    return {
      files: this.digested.length,
      filesTotal: this.#filesTotal,
      bytes: Math.min(this.#bytes, bytesTotal),
      bytesTotal,
    };
  }

  /** The next piece of the file at `path` is about to be handed out. Answers the number of its task. */
  add(path: string, { content, last }: Piece): number {
    if (this.#reading?.path !== path) this.#reading = { path, pieces: [], waiting: 0, complete: false };
    const file = this.#reading;
    const digest = sha256(content);
    const task = ++this.#tasksAdded;
    this.#tasks.set(task, { file, piece: file.pieces.push(digest) - 1, bytes: content.length, digest });
    file.waiting++;
    file.complete = last;
    return task;
  }

  /** A worker answered a task. */
  settle({ label, task: number, digest }: Answer): void {
    const task = this.#tasks.get(number);
    const share = this.shares.get(label);
    if (task === undefined || share === undefined) {
      this.mistakes.push(`${label} answered task ${number}, which was not its to answer.`);
      return;
    }
    this.#tasks.delete(number);
    const { file, piece, bytes } = task;
    if (toHex(digest) !== toHex(task.digest)) {
      this.mistakes.push(
        `${label} gave a wrong digest of ${file.path}${piece === 0 ? "" : `, piece ${piece + 1}`}.`,
      );
    }
    this.shares.set(label, { files: share.files + (piece === 0 ? 1 : 0), bytes: share.bytes + bytes });
    this.#bytes += bytes;
    file.pieces[piece] = digest;
    file.waiting--;
    if (file.complete && file.waiting === 0) {
      this.digested.push({ path: file.path, digest: toHex(fileDigest(file.pieces)) });
    }
  }
}
