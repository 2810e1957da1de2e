/**
 * Reads the entries of a topic's store one after the other, and checks them.
 *
 * @module
 */

import type { Crc32 } from "../../bytes/crc32.ts";
import type { StoreFailure, StoreRead, TopicStore } from "../store/store.ts";
import {
  decodeEntryHeader,
  ENTRY_HEADER_BYTES,
  entryBytes,
  type EntryFault,
  type EntryHeader,
} from "./entries.ts";

/** Bytes that are read at a time. */
const PIECE_BYTES = 1_048_576;

/** What is called for each entry. `body` is there unless it is a payload's and bodies are not checked. Only valid during the call. */
export type EntryVisitor = (
  header: EntryHeader,
  offset: number,
  body: Uint8Array | undefined,
) => "stop" | undefined;

/** Where a scan ended, and why: without `fault` at the end of what there is, or because the visitor said so. */
export interface ScanEnd {
  readonly offset: number;
  readonly fault?: EntryFault | "body" | undefined;
  /** With a fault: offset behind the bytes that are wrong together. If all below it was synced, they were damaged later. */
  readonly faultEnd?: number | undefined;
  readonly failure?: StoreFailure | undefined;
}

/** What a scan needs. */
export interface ScanInit {
  readonly store: Pick<TopicStore, "read">;
  readonly crc32: Crc32;
  /** From an entry's offset to the end of its segment. */
  readonly from: number;
  readonly to: number;
  /** Whether payloads are read and checked. */
  readonly payloads: boolean;
  readonly visit: EntryVisitor;
}

/** Visits every entry of `[from, to)`, which lies in one segment. `done` may be called at once. */
export function scanEntries(init: ScanInit, done: (end: ScanEnd) => void): void {
  new Scan(init, done).run();
}

class Scan {
  readonly #init: ScanInit;
  readonly #done: (end: ScanEnd) => void;
  #at: number;
  #piece: Uint8Array = new Uint8Array(0);
  #pieceOffset = 0;
  #release: (() => void) | undefined;
  /** Reads may answer at once: a loop takes the place of recursion. */
  #running = false;
  #waiting = false;
  #ended = false;

  constructor(init: ScanInit, done: (end: ScanEnd) => void) {
    this.#init = init;
    this.#done = done;
    this.#at = init.from;
  }

  run(): void {
    if (this.#running) return;
    this.#running = true;
    while (!this.#waiting && !this.#ended) this.#step();
    this.#running = false;
  }

  #step(): void {
    const { crc32, to, payloads, visit } = this.#init;
    const offset = this.#at;
    if (offset >= to) return this.#end({ offset });
    if (!this.#has(ENTRY_HEADER_BYTES)) return this.#read(ENTRY_HEADER_BYTES);
    const header = decodeEntryHeader(this.#piece, offset - this.#pieceOffset, offset, crc32);
    if (typeof header === "string") {
      return this.#end({ offset, fault: header, faultEnd: offset + ENTRY_HEADER_BYTES });
    }
    const bytes = entryBytes(header.bodyBytes);
    if (offset + bytes > to) return this.#short();
    let body: Uint8Array | undefined;
    if (payloads || header.type !== "payload") {
      if (!this.#has(bytes)) return this.#read(bytes);
      const start = offset - this.#pieceOffset + ENTRY_HEADER_BYTES;
      body = this.#piece.subarray(start, start + header.bodyBytes);
      if (body.length > 0 && crc32(body, 0) !== header.bodyCrc) {
        return this.#end({ offset, fault: "body", faultEnd: offset + bytes });
      }
    }
    this.#at += bytes;
    if (visit(header, offset, body) === "stop") this.#end({ offset: this.#at });
  }

  #has(bytes: number): boolean {
    return this.#at >= this.#pieceOffset && this.#at + bytes <= this.#pieceOffset + this.#piece.length;
  }

  #read(bytesMin: number): void {
    const { store, to } = this.#init;
    const offset = this.#at;
    const left = to - offset;
    if (left < bytesMin) return this.#short();
    this.#release?.();
    this.#release = undefined;
    this.#waiting = true;
    store.read(offset, Math.min(left, Math.max(bytesMin, PIECE_BYTES)), (result) => {
      this.#waiting = false;
      this.#took(result, offset);
      this.run();
    });
  }

  #took(result: StoreRead | StoreFailure, offset: number): void {
    if ("kind" in result) return this.#end({ offset, failure: result });
    this.#piece = result.bytes;
    this.#pieceOffset = offset;
    this.#release = () => result.release(true);
  }

  /** The segment ends in an entry: what is missing begins where it ends. */
  #short(): void {
    this.#end({ offset: this.#at, fault: "short", faultEnd: this.#init.to + 1 });
  }

  #end(end: ScanEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#release?.();
    this.#done(end);
  }
}
