import { test } from "node:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Context, Publisher, Pull, Push, Subscriber } from "../../mod.ts";
import { fileDigest, sha256, toHex } from "../../examples/ventilator/digest.ts";
import {
  changedSince,
  listFiles,
  type Piece,
  PIECE_BYTES,
  readPieces,
} from "../../examples/ventilator/files.ts";
import { formatBytes, formatTable } from "../../examples/ventilator/format.ts";
import { JobError } from "../../examples/ventilator/job_error.ts";
import { Ledger } from "../../examples/ventilator/ledger.ts";
import { type Progress, PROGRESS_TOPIC } from "../../examples/ventilator/messages.ts";
import { percentOf, ProgressDisplay, type Screen, showProgress } from "../../examples/ventilator/progress.ts";
import { collect } from "../../examples/ventilator/sink.ts";

// The parts of the folder digest that a run with honest workers never shows.

const CONTENT = new TextEncoder().encode("content");
const WHOLE: Piece = { content: CONTENT, last: true };

function ledgerOf(...paths: readonly string[]): Ledger {
  return new Ledger(paths.map((path) => ({ path, bytes: CONTENT.length })), ["Node 1", "Bun 1"]);
}

test("a wrong digest is a mistake of the worker that gave it", () => {
  const ledger = ledgerOf("a", "b");
  const wrong = ledger.add("a", WHOLE);
  const right = ledger.add("b", WHOLE);
  ledger.settle({ label: "Bun 1", task: wrong, digest: sha256(CONTENT, CONTENT) });
  ledger.settle({ label: "Node 1", task: right, digest: sha256(CONTENT) });
  assertEquals(ledger.mistakes, ["Bun 1 gave a wrong digest of a."]);
  assert(ledger.done);
});

test("a digest that is cut short is a mistake", () => {
  const ledger = ledgerOf("a");
  ledger.settle({ label: "Bun 1", task: ledger.add("a", WHOLE), digest: sha256(CONTENT).subarray(0, 31) });
  assertEquals(ledger.mistakes.length, 1);
});

test("an answer that nobody waits for is a mistake and counts for nothing", () => {
  const ledger = ledgerOf("a", "b");
  const task = ledger.add("a", WHOLE);
  const digest = sha256(CONTENT);
  ledger.settle({ label: "Node 1", task, digest });
  ledger.settle({ label: "Node 1", task, digest });
  ledger.settle({ label: "Node 1", task: task + 1, digest });
  ledger.settle({ label: "Deno 1", task: ledger.add("b", WHOLE), digest });
  assertEquals(ledger.mistakes, [
    `Node 1 answered task ${task}, which was not its to answer.`,
    `Node 1 answered task ${task + 1}, which was not its to answer.`,
    `Deno 1 answered task ${task + 1}, which was not its to answer.`,
  ]);
  assertEquals(ledger.shares.get("Node 1"), { files: 1, bytes: CONTENT.length });
  assertEquals(ledger.done, false);
});

test("a file in pieces is done when its last piece was read and every piece is answered, in any order", () => {
  const ledger = ledgerOf("a");
  const parts = ["x", "y", "z"].map((text) => new TextEncoder().encode(text));
  const tasks = parts.map((content, index) => ledger.add("a", { content, last: index === 2 }));
  assertEquals(ledger.waiting, 3);
  for (const index of [2, 0, 1]) {
    assertEquals(ledger.done, false);
    ledger.settle({ label: "Bun 1", task: tasks[index]!, digest: sha256(parts[index]!) });
  }
  assert(ledger.done);
  assertEquals(ledger.mistakes, []);
  assertEquals(ledger.digested, [{ path: "a", digest: toHex(sha256(...parts.map((part) => sha256(part)))) }]);
  assertEquals(ledger.shares.get("Bun 1"), { files: 1, bytes: 3 });
});

test("a file whose first pieces are all answered is not done before its last was read", () => {
  const ledger = ledgerOf("a");
  const first = ledger.add("a", { content: CONTENT, last: false });
  ledger.settle({ label: "Bun 1", task: first, digest: sha256(CONTENT) });
  assertEquals(ledger.done, false);
});

test("the digest of a file in one piece is its SHA-256", () => {
  const hex = "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73";
  assertEquals(toHex(fileDigest([sha256(CONTENT)])), hex);
});

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "hawser-parts-"));
  try {
    await run(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test("files are listed with everything below, in order, without links and what is left out", () =>
  inFolder(async (folder) => {
    for (const path of ["b/c/d", "b/a", "a", "b.x", "skip/a", "b/skip/a", "skip.not"]) {
      mkdirSync(join(folder, path, ".."), { recursive: true });
      writeFileSync(join(folder, path), path);
    }
    symlinkSync("a", join(folder, "link"));
    symlinkSync("b", join(folder, "linked"));
    const files = await listFiles(folder, ["skip"]);
    assertEquals(files.map(({ path }) => path), ["a", "b.x", "b/a", "b/c/d", "skip.not"]);
    assertEquals(files.map(({ bytes }) => bytes), [1, 3, 3, 5, 8]);
    assertEquals((await listFiles(folder)).length, 7);
  }));

test("a file is read in full pieces and a rest", () =>
  inFolder(async (folder) => {
    for (
      const bytes of [
        0,
        1,
        PIECE_BYTES - 1,
        PIECE_BYTES,
        PIECE_BYTES + 1,
        2 * PIECE_BYTES,
        2 * PIECE_BYTES + 7,
      ]
    ) {
      const content = Uint8Array.from({ length: bytes }, (_, index) => index * 7 >> 3);
      writeFileSync(join(folder, "file"), content);
      const pieces: Piece[] = [];
      for await (const piece of readPieces(join(folder, "file"))) pieces.push(piece);
      assertEquals(pieces.length, Math.max(1, Math.ceil(bytes / PIECE_BYTES)));
      assertEquals(pieces.map(({ last }) => last), pieces.map((_, index) => index === pieces.length - 1));
      assertEquals(sha256(...pieces.map((piece) => piece.content)), sha256(content));
      assert(pieces.slice(0, -1).every((piece) => piece.content.length === PIECE_BYTES));
    }
  }));

test("a file that went away is named", () =>
  inFolder(async (folder) => {
    const path = join(folder, "gone");
    const error = await assertRejects(() => readPieces(path).next(), JobError);
    assertEquals(error.message, `Cannot read ${path}: there is no such file or folder (ENOENT).`);
  }));

test("files that were written or are gone since a time are named", () =>
  inFolder(async (folder) => {
    const files = ["old", "new", "gone"].map((path) => ({ path, bytes: 0 }));
    for (const [path, seconds] of [["old", 999], ["new", 1_000]] as const) {
      writeFileSync(join(folder, path), "");
      utimesSync(join(folder, path), seconds, seconds);
    }
    assertEquals(await changedSince(folder, files, 1_000_000), ["new", "gone"]);
  }));

test("bytes are written for people", () => {
  const cases: readonly (readonly [number, string])[] = [
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.0 kB"],
    [999_949, "999.9 kB"],
    [999_950, "1.0 MB"],
    [1_073_741_824, "1.1 GB"],
    [5e15, "5000.0 TB"],
  ];
  for (const [bytes, text] of cases) assertEquals(formatBytes(bytes), text);
});

test("the table adds up, even when nothing was done in no time", () => {
  const shares = new Map([["Node 1", { files: 12, bytes: 3_000_000 }], ["Bun 1", {
    files: 1,
    bytes: 1_000_000,
  }]]);
  assertEquals(formatTable(shares, 2).split("\n"), [
    "runtime   files    bytes     share         rate",
    "Node 1       12   3.0 MB    75.0 %     1.5 MB/s",
    "Bun 1         1   1.0 MB    25.0 %   500.0 kB/s",
    "total        13   4.0 MB   100.0 %     2.0 MB/s",
  ]);
  assertEquals(formatTable(new Map([["Node 1", { files: 0, bytes: 0 }]]), 0).split("\n"), [
    "runtime   files   bytes   share    rate",
    "Node 1        0     0 B   0.0 %   0 B/s",
    "total         0     0 B   0.0 %   0 B/s",
  ]);
});

test("100 percent means that everything is done", () => {
  const percent = (files: number, bytes: number): number =>
    percentOf({ files, filesTotal: 3, bytes, bytesTotal: 1000 });
  assertEquals([percent(0, 0), percent(1, 509), percent(2, 1000), percent(3, 1000)], [0, 50, 99, 100]);
  assertEquals(percentOf({ files: 1, filesTotal: 2, bytes: 0, bytesTotal: 0 }), 50);
  assertEquals(percentOf({ files: 0, filesTotal: 0, bytes: 0, bytesTotal: 0 }), 100);
});

/** What the display writes about a job of 100 files of a byte each. */
async function display(screen: Omit<Screen, "write">): Promise<string> {
  const context = new Context();
  const publisher = new Publisher({ context });
  const subscriber = new Subscriber({ context });
  await publisher.bind("inproc://progress");
  subscriber.connect("inproc://progress");
  let text = "";
  const shown = showProgress(subscriber, { ...screen, write: (more) => text += more }, () => 0);
  await publisher.subscribed(PROGRESS_TOPIC);
  for (let files = 0; files <= 100; files++) {
    const progress: Progress = { files, filesTotal: 100, bytes: files, bytesTotal: 100 };
    await publisher.send([PROGRESS_TOPIC, JSON.stringify(progress)]);
  }
  await shown;
  context.close();
  return text;
}

test("progress is a line every five percent where there is no terminal", async () => {
  const lines = (await display({})).split("\n");
  assertEquals(lines.length, 22);
  assertEquals(lines[0], "  0 %  0 of 100 files, 0 B of 100 B");
  assertEquals(lines[20], "100 %  100 of 100 files, 100 B of 100 B");
});

test("progress that takes long is a line every half second where there is no terminal, if there is something new", () => {
  let text = "";
  let nowMs = 0;
  const display = new ProgressDisplay({ write: (more) => text += more }, () => nowMs);
  for (
    const [ms, percent, what] of [
      [0, 0, "a"],
      [499, 0, "b"],
      [500, 0, "c"],
      [9_000, 0, "c"],
      [9_001, 5, "d"],
      [9_002, 6, "e"],
      [9_501, 6, "f"],
      [10_002, 100, "g"],
      [10_003, 100, "g"],
    ] as const
  ) {
    nowMs = ms;
    display.show(percent, what);
  }
  assertEquals(text.trimEnd().split("\n").map((line) => line.at(-1)).join(""), "acdfg");
});

test("progress is one line that fills up on a terminal, and never wraps", async () => {
  const text = await display({ isTTY: true, columns: 60 });
  assert(text.endsWith("\n"));
  const lines = text.trimEnd().split("\r").slice(1);
  assertEquals(lines.length, 101);
  assertEquals(lines[50], "[#########..........]  50 %  50 of 100 files, 50 B of 100 B\x1b[K");
  for (const line of lines) assert(line.replace("\x1b[K", "").length < 60);
  const narrow = (await display({ isTTY: true, columns: 30 })).split("\r");
  assertEquals(narrow[51], " 50 %  50 of 100 files, 50 B \x1b[K");
  const wide = (await display({ isTTY: true, columns: 0 })).split("\r");
  assertEquals(wide[51], `[${"#".repeat(15)}${".".repeat(15)}]  50 %  50 of 100 files, 50 B of 100 B\x1b[K`);
});

test("the sink gives up when due digests stay out", async () => {
  const context = new Context();
  const control = new Publisher({ context });
  const results = new Pull({ context, receiveTimeout: 1 });
  const ledger = ledgerOf("a");
  ledger.add("a", WHOLE);
  const error = await assertRejects(() => collect({ results, control, ledger }), JobError);
  assertEquals(error.message, "No digest came for 0.001 s, though 1 are due.");
  context.close();
});

test("the sink waits on while nothing is due", async () => {
  const context = new Context();
  const control = new Publisher({ context });
  const results = new Pull({ context, receiveTimeout: 1 });
  await results.bind("inproc://results");
  const worker = new Push({ context });
  worker.connect("inproc://results");
  const ledger = ledgerOf("a");
  const collected = collect({ results, control, ledger });
  // Longer than the sink waits at a time: a slow disk.
  await assertRejects(() => new Pull({ context, receiveTimeout: 50 }).receive());
  await worker.send(["Node 1", ledger.add("a", WHOLE), sha256(CONTENT)]);
  await collected;
  assertEquals(ledger.digested.map(({ path }) => path), ["a"]);
  context.close();
});
