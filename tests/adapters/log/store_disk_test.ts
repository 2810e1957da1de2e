import { test } from "node:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { platform, tmpdir } from "node:os";
import { assert, assertEquals } from "@std/assert";
import { builtin } from "../../../adapters/builtin.ts";
import { diskFailure, nodeDisk } from "../../../adapters/store/node_disk.ts";
import type { NodeFsFiles } from "../../../adapters/store/types.ts";
import type { Disk, DiskFailure, DiskFile } from "../../../src/log/store/store.ts";

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(`${tmpdir()}/hawser-disk-`);
  try {
    await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The answer of a call, which must not come from inside. */
function answer<Answer>(call: (done: (answer: Answer) => void) => void): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let inside = true;
    call((value) => inside ? reject(new Error("answered from inside the call")) : resolve(value));
    inside = false;
  });
}

const failureOf = (call: (done: (failure?: DiskFailure) => void) => void): Promise<DiskFailure | undefined> =>
  answer<DiskFailure | undefined>(call);

async function open(disk: Disk, name: string, create: boolean): Promise<DiskFile> {
  const file = await answer<DiskFile | DiskFailure>((done) => disk.open(name, create, done));
  assert(!("kind" in file), JSON.stringify(file));
  return file;
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytes = (words: string): Uint8Array => new TextEncoder().encode(words);

test("a file is created, written, read, cut, synced and closed", () =>
  withFolder(async (folder) => {
    const disk = nodeDisk(folder);
    const file = await open(disk, "a", true);
    assertEquals(await failureOf((done) => file.write(0, [bytes("hello ")], done)), undefined);
    assertEquals(
      await failureOf((done) => file.write(6, [bytes("wide"), bytes(""), bytes(" world")], done)),
      undefined,
    );
    assertEquals(await failureOf((done) => file.write(6, [bytes("W")], done)), undefined);
    assertEquals(await failureOf((done) => file.sync(done)), undefined);
    assertEquals(await failureOf((done) => disk.sync(done)), undefined);
    const into = new Uint8Array(100);
    assertEquals(await answer<number | DiskFailure>((done) => file.read(6, into, done)), 10);
    assertEquals(text(into.subarray(0, 10)), "Wide world");
    const part = new Uint8Array(4);
    assertEquals(await answer<number | DiskFailure>((done) => file.read(6, part, done)), 4);
    assertEquals(text(part), "Wide");
    assertEquals(await answer<number | DiskFailure>((done) => file.read(50, part, done)), 0);
    assertEquals(await failureOf((done) => file.truncate(5, done)), undefined);
    await answer<void>((done) => file.close(() => done()));
    assertEquals(readFileSync(`${folder}/a`, "utf8"), "hello");
  }));

test("a write of nothing is answered, and not at once", () =>
  withFolder(async (folder) => {
    const file = await open(nodeDisk(folder), "a", true);
    assertEquals(await failureOf((done) => file.write(3, [], done)), undefined);
    assertEquals(await failureOf((done) => file.write(3, [bytes(""), bytes("")], done)), undefined);
    await answer<void>((done) => file.close(() => done()));
    assertEquals(readFileSync(`${folder}/a`).length, 0);
  }));

test("a file that is there is opened as it is, whether it may be created or not", () =>
  withFolder(async (folder) => {
    writeFileSync(`${folder}/a`, "kept");
    for (const create of [true, false]) {
      const file = await open(nodeDisk(folder), "a", create);
      await failureOf((done) => file.write(4, [bytes("!")], done));
      await answer<void>((done) => file.close(() => done()));
    }
    assertEquals(readFileSync(`${folder}/a`, "utf8"), "kept!");
  }));

test("what is missing is said to be missing", () =>
  withFolder(async (folder) => {
    const disk = nodeDisk(folder);
    const unopened = await answer<DiskFile | DiskFailure>((done) => disk.open("a", false, done));
    const nowhere = nodeDisk(`${folder}/nowhere`);
    const failures = [
      unopened as DiskFailure,
      await failureOf((done) => disk.remove("a", done)),
      await failureOf((done) => nowhere.sync(done)),
      await answer<object>((done) => nowhere.list(done)) as DiskFailure,
    ];
    assertEquals(failures.map((failure) => failure?.kind), ["missing", "missing", "missing", "missing"]);
    assert(!existsSync(`${folder}/a`));
  }));

test("a folder lists its files with their sizes, and nothing else", () =>
  withFolder(async (folder) => {
    const disk = nodeDisk(folder);
    assertEquals(await answer<object>((done) => disk.list(done)), []);
    writeFileSync(`${folder}/one`, "1");
    writeFileSync(`${folder}/three`, "333");
    mkdirSync(`${folder}/folder`);
    const files = await answer<unknown>((done) => disk.list(done)) as { name: string; bytes: number }[];
    assertEquals(files.sort((a, b) => a.bytes - b.bytes), [{ name: "one", bytes: 1 }, {
      name: "three",
      bytes: 3,
    }]);
    assertEquals(await failureOf((done) => disk.remove("one", done)), undefined);
    assertEquals((await answer<unknown>((done) => disk.list(done)) as unknown[]).length, 1);
  }));

test("4 MiB are written and read as they are, at offsets beyond 4 GiB too", () =>
  withFolder(async (folder) => {
    const file = await open(nodeDisk(folder), "a", true);
    const chunk = Uint8Array.from({ length: 4_194_304 }, (_, at) => at * 31 + (at >> 8));
    const at = 2 ** 32 + 4_096;
    assertEquals(await failureOf((done) => file.write(at, [chunk], done)), undefined);
    const into = new Uint8Array(chunk.length);
    assertEquals(await answer<number | DiskFailure>((done) => file.read(at, into, done)), chunk.length);
    assert(into.every((byte, index) => byte === chunk[index]));
    await failureOf((done) => file.truncate(0, done));
    await answer<void>((done) => file.close(() => done()));
  }));

/** `node:fs` that takes and gives at most so many bytes at a time. */
function stingy(bytesMax: number): NodeFsFiles {
  const fs = builtin("node:fs");
  return {
    ...fs,
    write:
      ((fd, chunk, offset, length, position, done) =>
        fs.write(fd, chunk, offset, Math.min(length, bytesMax), position, done)) as NodeFsFiles["write"],
    writev: ((fd, chunks, position, done) => {
      const first = chunks.find(({ length }) => length > 0)!;
      fs.write(fd, first, 0, Math.min(first.length, bytesMax), position, done);
    }) as NodeFsFiles["writev"],
    read:
      ((fd, into, offset, length, position, done) =>
        fs.read(fd, into, offset, Math.min(length, bytesMax), position, done)) as NodeFsFiles["read"],
  };
}

test("writes and reads that the system does in part are gone on with", () =>
  withFolder(async (folder) => {
    for (const bytesMax of [1, 2, 3, 5, 100]) {
      const file = await open(nodeDisk(folder, stingy(bytesMax)), `${bytesMax}`, true);
      const chunks = ["", "ab", "c", "", "defgh", ""].map(bytes);
      assertEquals(await failureOf((done) => file.write(2, chunks, done)), undefined);
      assertEquals(await failureOf((done) => file.write(10, [bytes("ijk")], done)), undefined);
      const into = new Uint8Array(20);
      assertEquals(await answer<number | DiskFailure>((done) => file.read(2, into, done)), 11);
      assertEquals(text(into.subarray(0, 11)), "abcdefghijk");
      await answer<void>((done) => file.close(() => done()));
    }
  }));

test("a system that writes nothing and names no error is a failure, not a loop", () =>
  withFolder(async (folder) => {
    const file = await open(nodeDisk(folder, stingy(0)), "a", true);
    assertEquals((await failureOf((done) => file.write(0, [bytes("x")], done)))?.kind, "failed");
    await answer<void>((done) => file.close(() => done()));
  }));

test("what the system says, in the store's words", () => {
  const kindOf = (code: string): string => diskFailure(Object.assign(new Error("no"), { code })).kind;
  assertEquals(["ENOSPC", "EDQUOT", "ENOENT", "EIO", "EACCES"].map(kindOf), [
    "full",
    "full",
    "missing",
    "failed",
    "failed",
  ]);
  assertEquals(diskFailure("no").kind, "failed");
});

test(
  "a real device without space is full",
  { skip: platform() === "linux" ? false : "Linux only" },
  async () => {
    const file = await open(nodeDisk("/dev"), "full", false);
    assertEquals((await failureOf((done) => file.write(0, [bytes("x")], done)))?.kind, "full");
    assertEquals((await failureOf((done) => file.write(0, [bytes("x"), bytes("y")], done)))?.kind, "full");
    await answer<void>((done) => file.close(() => done()));
  },
);
