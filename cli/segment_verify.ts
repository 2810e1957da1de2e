/**
 * Checks the segments of a topic: every checksum, that positions have no holes, that each batch in the order has its payload, and that
 * files join. Reads only.
 *
 * @module
 */

import { decodeRound, type EntryHeader, type OrderRow } from "../src/log/order/entries.ts";
import { decodeOpening } from "../src/log/order/segment_opening.ts";
import { type SegmentFolder, type SegmentPath, SegmentReader } from "./segment_files.ts";

/** Something that is not as it should be. */
export interface Finding {
  readonly path: string;
  readonly offset: number;
  /** `tail`: bytes that nothing says were synced; the log cuts them off when it is opened. */
  readonly kind: "corrupt" | "tail";
  readonly text: string;
}

/** What was found. */
export interface Verification {
  readonly folder: string;
  readonly topic: string | undefined;
  readonly files: number;
  readonly bytes: number;
  readonly entries: number;
  readonly records: number;
  /** Of the first record, and of the one that would come next. */
  readonly first: bigint | undefined;
  readonly next: bigint | undefined;
  readonly syncedThrough: number;
  readonly findings: readonly Finding[];
}

type Payload = Pick<EntryHeader, "id" | "epoch" | "count" | "number" | "bodyBytes" | "bodyCrc">;

/** Verifies one folder. */
export function verifySegments(folder: SegmentFolder): Verification {
  const verifier = new Verifier(folder);
  return verifier.run();
}

class Verifier {
  readonly #folder: SegmentFolder;
  readonly #payloads: Map<number, Payload> = new Map();
  readonly #findings: (Omit<Finding, "kind"> & { readonly kind?: "corrupt" })[] = [];
  #topic: string | undefined;
  #bytes = 0;
  #entries = 0;
  #records = 0;
  #first: bigint | undefined;
  #next: bigint | undefined;
  #syncedThrough = 0;
  #path = "";

  constructor(folder: SegmentFolder) {
    this.#folder = folder;
  }

  run(): Verification {
    const { folder, files } = this.#folder;
    let end: number | undefined;
    for (const file of files) {
      this.#path = file.path;
      if (end !== undefined && end !== file.base) {
        this.#find(
          file.base,
          `begins at offset ${file.base}, but the file before it ends at ${end}`,
          "corrupt",
        );
      }
      end = this.#verifyFile(file, file === files[0]);
    }
    // Only now it is known how far everything was synced.
    const findings = this.#findings.map(({ kind, ...finding }): Finding => ({
      ...finding,
      kind: kind ?? (finding.offset < this.#syncedThrough ? "corrupt" : "tail"),
    }));
    return {
      folder,
      topic: this.#topic,
      files: files.length,
      bytes: this.#bytes,
      entries: this.#entries,
      records: this.#records,
      first: this.#first,
      next: this.#next,
      syncedThrough: this.#syncedThrough,
      findings,
    };
  }

  /** Answers the offset behind the file. */
  #verifyFile(file: SegmentPath, first: boolean): number {
    const reader = new SegmentReader(file);
    try {
      const { end } = reader;
      this.#bytes += end - file.base;
      const { offset, fault } = reader.scan(
        file.base,
        true,
        (header, at, body) => this.#visit(header, at, body!),
      );
      if (first && offset === file.base && end > file.base && fault !== "version") {
        this.#find(file.base, "the first file has no beginning", "corrupt");
      }
      if (fault !== undefined) this.#damaged(reader, offset, fault);
      return end;
    } finally {
      reader.close();
    }
  }

  #damaged(reader: SegmentReader, offset: number, fault: string): void {
    if (fault === "version") return this.#find(offset, "of a newer format, which is not read", "corrupt");
    let whole = 0;
    reader.search(offset + 1, (header, _at, body) => {
      whole++;
      if (body !== undefined) this.#noteSynced(header, _at, body);
      return undefined;
    });
    const bytes = reader.end - offset;
    this.#find(
      offset,
      `${FAULTS[fault] ?? fault}; ${bytes} bytes from there on, with ${whole} whole entries among them`,
    );
  }

  #visit(header: EntryHeader, offset: number, body: Uint8Array): undefined {
    this.#entries++;
    this.#noteSynced(header, offset, body);
    if (header.type === "payload") this.#payloads.set(offset, header);
    else if (header.type === "generation") this.#next = header.number;
    else if (header.type === "order") this.#checkRound(header, offset, body);
    else if (header.type === "segment") this.#checkOpening(header, offset, body);
    return undefined;
  }

  /** How far this entry says that everything is synced. */
  #noteSynced(header: EntryHeader, offset: number, body: Uint8Array): void {
    let through = 0;
    if (header.type === "order") through = decodeRound(body, header.count)?.syncedThrough ?? 0;
    else if (header.type === "segment") through = decodeOpening(header, offset, body)?.syncedThrough ?? 0;
    else if (header.type === "cleanStop") through = offset;
    this.#syncedThrough = Math.max(this.#syncedThrough, through);
  }

  #checkOpening(header: EntryHeader, offset: number, body: Uint8Array): void {
    const opening = decodeOpening(header, offset, body);
    if (opening === undefined) {
      return this.#find(offset, "the beginning of the segment cannot be read", "corrupt");
    }
    this.#topic ??= opening.topic;
    if (opening.topic !== this.#topic) {
      this.#find(offset, `a segment of the topic "${opening.topic}", not "${this.#topic}"`, "corrupt");
    }
    if (this.#next !== undefined && this.#next !== opening.firstPosition) {
      this.#find(offset, `begins with position ${opening.firstPosition}, expected ${this.#next}`, "corrupt");
    }
    this.#next = opening.firstPosition;
    this.#first ??= opening.firstPosition;
  }

  #checkRound({ count, number }: EntryHeader, offset: number, body: Uint8Array): void {
    const round = decodeRound(body, count);
    if (round === undefined) return this.#find(offset, "an order entry that cannot be read", "corrupt");
    this.#next ??= number;
    this.#first ??= number;
    for (const row of round.rows) {
      if (row.position !== this.#next) {
        this.#find(offset, `position ${row.position}, expected ${this.#next}`, "corrupt");
      }
      this.#next = row.position + BigInt(row.count);
      this.#records += row.count;
      this.#checkRow(row, offset);
    }
  }

  #checkRow(row: OrderRow, offset: number): void {
    // What earlier segments held may be trimmed, or was not asked for.
    if (row.offset < this.#folder.files[0]!.base) return;
    const payload = this.#payloads.get(row.offset);
    const same = payload !== undefined && payload.id === row.session && payload.epoch === row.epoch &&
      payload.number === BigInt(row.batch) && payload.count === row.count &&
      payload.bodyBytes === row.bodyBytes && payload.bodyCrc === row.bodyCrc;
    if (!same) {
      this.#find(offset, `position ${row.position} has no payload at offset ${row.offset}`, "corrupt");
    }
    this.#payloads.delete(row.offset);
  }

  #find(offset: number, text: string, kind?: "corrupt"): void {
    this.#findings.push({ path: this.#path, offset, text, ...(kind === undefined ? {} : { kind }) });
  }
}

const FAULTS: Readonly<Record<string, string>> = {
  short: "an entry is cut off",
  mark: "no entry begins here",
  checksum: "the checksum of an entry's header is wrong",
  offset: "an entry that belongs elsewhere",
  type: "an entry of an unknown type",
  body: "the checksum of an entry's body is wrong",
};
