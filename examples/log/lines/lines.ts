/** The lines of files, as records. Publishers cut them, and so does whoever checks what came of it. */

import { join } from "node:path";
import { type FoundFile, readPieces } from "../../ventilator/files.ts";

/** Bytes of the longest record. What is no text may have no line ends at all, so a longer line goes as several. */
export const LINE_BYTES_MAX: number = 64 * 1024;
const LINE_END = 10;
const NOTHING = new Uint8Array(0);

/** Cuts bytes into lines, each with its line end. How the bytes arrive makes no difference. */
export class LineCutter {
  readonly #bytesMax: number;
  #rest: Uint8Array = NOTHING;

  constructor(bytesMax: number = LINE_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  /** The lines that are complete now. They may share memory with `bytes`. */
  cut(bytes: Uint8Array): Uint8Array[] {
    const lines: Uint8Array[] = [];
    let at = 0;
    while (at < bytes.length) {
      const room = this.#bytesMax - this.#rest.length;
      const found = bytes.indexOf(LINE_END, at);
      const end = Math.min(found === -1 ? bytes.length : found + 1, at + room);
      const part = bytes.subarray(at, end);
      const line = this.#rest.length === 0 ? part : concat(this.#rest, part);
      at = end;
      if (end === found + 1 || line.length === this.#bytesMax) {
        lines.push(line);
        this.#rest = NOTHING;
      } else {
        this.#rest = line;
      }
    }
    return lines;
  }

  /** The last line, if it has no end. */
  end(): Uint8Array[] {
    const rest = this.#rest;
    this.#rest = NOTHING;
    return rest.length === 0 ? [] : [rest];
  }
}

function concat(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

/** Lines that follow each other in one file. */
export interface FileLines {
  readonly path: string;
  readonly lines: readonly Uint8Array[];
}

/** All lines of `files`, file after file. Of a file that has grown since it was found, only what it was then. */
export async function* readLines(folder: string, files: readonly FoundFile[]): AsyncGenerator<FileLines> {
  for (const { path, bytes } of files) {
    const cutter = new LineCutter();
    let leftBytes = bytes;
    for await (const { content } of readPieces(join(folder, path))) {
      yield { path, lines: cutter.cut(content.subarray(0, leftBytes)) };
      leftBytes -= content.length;
      if (leftBytes <= 0) break;
    }
    yield { path, lines: cutter.end() };
  }
}
