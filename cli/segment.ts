/**
 * `hawser segment dump` and `hawser segment verify`: looks into the files of a log, without a broker.
 *
 * @module
 */

import { decodeUtf8 } from "../src/bytes/utf8.ts";
import { LogError } from "../src/log/errors.ts";
import type { EntryHeader } from "../src/log/order/entries.ts";
import { RecordBatch } from "../src/log/wire/record.ts";
import { type Command, type CommandInput, expectOperands } from "./command.ts";
import { detailsOf, entryJson, entryLine } from "./segment_dump.ts";
import { findSegments, type SegmentFolder, SegmentReader } from "./segment_files.ts";
import { type Verification, verifySegments } from "./segment_verify.ts";
import { countOf, EXIT_FAILED, type Output, UsageError, write } from "./terminal.ts";

/** Characters of a record's value that are shown. */
const VALUE_CHARACTERS_MAX = 100;
/** In front of what belongs to the entry above. */
const INDENT = " ".repeat(14);

/** See the module. */
export const segmentCommand: Command = {
  name: "segment",
  operands: "dump|verify <file or folder…>",
  summary: "print or check the files of a log",
  about: `dump prints each entry of the segment files on a line: offset, type, size and contents.

verify checks every checksum, that no position is missing, that every batch in the order has its payload, and that each
file begins where the one before it ends. Damage to data that was synced is reported as corrupt, with exit code 1. The
unsynced end that a crash leaves is not corrupt (exit code 0): the log removes it when it opens.

Neither changes anything. A folder is that of one topic, or a broker's --dir with all its topics.`,
  options: {
    json: { about: "print JSON, one object per line" },
    records: { about: "dump: also print the records of each batch, as text" },
  },
  configuration: [],
  async run({ terminal: { stdout }, operands, values }: CommandInput): Promise<number> {
    expectOperands(segmentCommand, operands, 2, Infinity);
    const [action, ...paths] = operands;
    const json = values["json"] === true;
    if (action !== "dump" && action !== "verify") {
      throw new UsageError(
        `Unknown action ${JSON.stringify(action)}; use dump or verify. See: hawser help segment`,
      );
    }
    const folders = paths.flatMap(findSegments);
    if (action === "verify") return await verify(folders, json, stdout);
    for (const folder of folders) await dump(folder, { json, records: values["records"] === true }, stdout);
    return 0;
  },
};

interface DumpOptions {
  readonly json: boolean;
  readonly records: boolean;
}

async function dump({ files }: SegmentFolder, options: DumpOptions, stdout: Output): Promise<void> {
  for (const file of files) {
    if (!options.json) await write(stdout, `${file.path}\n`);
    const reader = new SegmentReader(file);
    try {
      let at = file.base;
      while (at < reader.end) at = await dumpSome(reader, at, options, stdout);
    } finally {
      reader.close();
    }
  }
}

/** Entries between two waits for whoever reads. */
const ENTRIES_AT_ONCE = 256;

/** Answers where to go on. */
async function dumpSome(
  reader: SegmentReader,
  from: number,
  { json, records }: DumpOptions,
  stdout: Output,
): Promise<number> {
  const lines: string[] = [];
  let count = 0;
  const { offset, fault } = reader.scan(from, true, (header, at, body = new Uint8Array(0)) => {
    const details = detailsOf(header, at, body);
    lines.push(json ? entryJson(header, at, details) : entryLine(header, at, details));
    if (records && header.type === "payload") lines.push(...recordLines(header, body, json));
    return ++count === ENTRIES_AT_ONCE ? "stop" : undefined;
  });
  if (fault !== undefined) {
    const bytes = reader.end - offset;
    lines.push(
      json
        ? JSON.stringify({ offset, fault, bytes })
        : `${String(offset).padStart(12)}  damaged (${fault}): ${bytes} bytes are not shown`,
    );
  }
  if (lines.length > 0) await write(stdout, `${lines.join("\n")}\n`);
  return fault === undefined ? offset : reader.end;
}

function recordLines({ count }: EntryHeader, body: Uint8Array, json: boolean): string[] {
  const batch = RecordBatch.open(body, { position: 0n, timestampMs: 0, count });
  if (batch instanceof LogError) {
    return [json ? JSON.stringify({ fault: batch.message }) : `${INDENT}${batch.message}`];
  }
  return batch.records().map((record, index) => {
    const key = record.key === undefined ? undefined : decodeUtf8(record.key);
    const value = decodeUtf8(record.value);
    if (json) return JSON.stringify({ record: index, key, value });
    const shown = value.length > VALUE_CHARACTERS_MAX ? `${value.slice(0, VALUE_CHARACTERS_MAX)}…` : value;
    return `${INDENT}${key === undefined ? "" : `${JSON.stringify(key)}: `}${JSON.stringify(shown)}`;
  });
}

async function verify(folders: readonly SegmentFolder[], json: boolean, stdout: Output): Promise<number> {
  let corrupt = false;
  for (const folder of folders) {
    const result = verifySegments(folder);
    corrupt ||= result.findings.some(({ kind }) => kind === "corrupt");
    await write(stdout, json ? verificationJson(result) : verificationText(result));
  }
  return corrupt ? EXIT_FAILED : 0;
}

function verificationJson(result: Verification): string {
  const text = JSON.stringify(
    result,
    (_name, value: unknown) => typeof value === "bigint" ? String(value) : value,
  );
  return `${text}\n`;
}

function verificationText(result: Verification): string {
  const { folder, topic, files, bytes, entries, records, first, next, syncedThrough, findings } = result;
  const positions = first === undefined || next === undefined || first === next
    ? "no records"
    : `${countOf(records, "record")}, positions ${first} to ${next - 1n}`;
  const head =
    `${folder}: topic ${topic ?? "unknown"}, ${countOf(files, "file")}, ${bytes} bytes, ${entries} ${
      entries === 1 ? "entry" : "entries"
    }, ${positions}, ` +
    `synced through ${syncedThrough}\n`;
  const lines = findings.map(({ path, offset, kind, text }) =>
    `${path}: offset ${offset}: ${kind === "corrupt" ? "CORRUPT" : "unsynced tail"}: ${text}\n`
  );
  return `${head}${lines.join("")}${findings.some(({ kind }) => kind === "corrupt") ? "" : "ok\n"}`;
}
