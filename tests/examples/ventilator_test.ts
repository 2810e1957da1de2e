// runtimes: node
import { after, before, test } from "node:test";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type Program, start } from "./program.ts";

// The first half of what `npm start [folder]` runs, as it stands, with its three workers in three processes.

const MAIN = join(process.cwd(), ".build", "examples", "ventilator", "main.js");
const PIECE_BYTES = 1024 * 1024;
const RUNTIMES = ["Node", "Deno", "Bun"] as const;
const temporary = mkdtempSync(join(tmpdir(), "hawser-ventilator-"));
/** A folder whose work takes so long that something can happen in the middle. Its content takes no room. */
const large = join(temporary, "large");

before(() => {
  mkdirSync(large);
  writeFileSync(join(large, "endless"), "");
  truncateSync(join(large, "endless"), 64 * 1024 ** 3);
});

after(() => rmSync(temporary, { recursive: true, force: true }));

function ventilate(
  args: readonly string[],
  options: { readonly uid?: number; readonly gid?: number } = {},
): Program {
  return start([process.execPath, MAIN, ...args], { ...options, cwd: temporary, deadlineMs: 60_000 });
}

/** The number of a worker's process, once all workers are at work. */
async function workerOf(program: Program, runtime: string): Promise<number> {
  await program.see(/^ +\d+ %/m);
  return Number((await program.see(new RegExp(`^${runtime} \\S+, process (\\d+)$`, "m")))[1]);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** Some bytes of every value, without a pattern that a mistake could hide in. */
function noise(bytes: number, seed: number): Uint8Array {
  let state = seed;
  return Uint8Array.from(
    { length: bytes },
    () => (state = Math.imul(state, 1_664_525) + 1_013_904_223 | 0) >>> 24,
  );
}

/** Files with every property that could matter, and the digests that are expected of them. */
function makeFolder(folder: string): Map<string, string> {
  const contents: Readonly<Record<string, Uint8Array>> = {
    "empty": new Uint8Array(0),
    "one byte": noise(1, 1),
    "grüße 世界 🚀.txt": new TextEncoder().encode("grüße"),
    "all.bin": noise(70_000, 2),
    "deep/er/and/deeper/leaf.txt": new TextEncoder().encode("leaf"),
    "exactly_one_piece": noise(PIECE_BYTES, 3),
    "large.bin": noise(3 * PIECE_BYTES + 12_345, 4),
    "deep/x": noise(100, 5),
    "deep/y": noise(100, 5),
  };
  const digests = new Map<string, string>();
  for (const [path, content] of Object.entries(contents)) {
    mkdirSync(join(folder, path, ".."), { recursive: true });
    writeFileSync(join(folder, path), content);
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < content.length; at += PIECE_BYTES) {
      pieces.push(sha256(content.subarray(at, at + PIECE_BYTES)));
    }
    const digest = content.length > PIECE_BYTES ? sha256(...pieces) : sha256(content);
    digests.set(path, Buffer.from(digest).toString("hex"));
  }
  mkdirSync(join(folder, "no files in here"));
  symlinkSync("large.bin", join(folder, "link_to_file"));
  symlinkSync("..", join(folder, "link_to_folder"));
  return digests;
}

interface Row {
  readonly files: number;
  readonly share: number;
}

/** The table, by the first word of each line. */
function readTable(output: string): Map<string, Row> {
  const lines = output.slice(output.indexOf("\nruntime ")).trim().split("\n");
  assertMatch(lines[0]!, /^runtime +files +bytes +share +rate$/);
  return new Map(
    lines.slice(1, 5).map((line) => {
      const match = /^(\w+) +(?:\d\S+)? +(\d+) +\d\S* k?M?G?B +(\d\S*) % +\d\S* k?M?G?B\/s$/.exec(line);
      assert(match !== null, `not a line of the table: ${line}`);
      return [match[1]!, { files: Number(match[2]), share: Number(match[3]) }];
    }),
  );
}

test("every file of a folder is digested, on three runtimes, and shown in a table", async () => {
  const folder = join(temporary, "small");
  const expected = makeFolder(folder);
  const { code, stdout, stderr } = await ventilate([folder, "--digests"]).ending;
  assertEquals({ code, stderr }, { code: 0, stderr: "" }, stdout);

  const digests = [...stdout.matchAll(/^([0-9a-f]{64}) {2}(.*)$/gm)].map(([, digest, path]) =>
    [path!, digest!] as const
  );
  assertEquals(new Map(digests), expected);

  const table = readTable(stdout);
  assertEquals([...table.keys()], [...RUNTIMES, "total"]);
  assertEquals(table.get("total"), { files: expected.size, share: 100 });
  const rows = RUNTIMES.map((runtime) => table.get(runtime)!);
  assertEquals(rows.reduce((sum, { files }) => sum + files, 0), expected.size);
  assert(Math.abs(rows.reduce((sum, { share }) => sum + share, 0) - 100) < 0.2, stdout);
  // Contents go out in turn, and there are more than three.
  for (const { files } of rows) assert(files > 0, stdout);

  assertMatch(stdout, new RegExp(`^100 %  ${expected.size} of ${expected.size} files`, "m"));
  assertStringIncludes(stdout, `All ${expected.size} digests match`);
});

test("the digest of all digests is the same in every run", async () => {
  const folder = join(temporary, "again");
  makeFolder(folder);
  const endings = await Promise.all([ventilate([folder]).ending, ventilate(["again"]).ending]);
  const [first, second] = endings.map(({ stdout }) =>
    /The digest of them all: ([0-9a-f]{64})$/m.exec(stdout)?.[1]
  );
  assert(first !== undefined, endings[0]!.stdout);
  assertEquals(first, second);
});

test("an empty folder is no mistake", async () => {
  const folder = join(temporary, "empty");
  mkdirSync(folder);
  const { code, stdout, stderr } = await ventilate([folder]).ending;
  assertEquals({ code, stderr }, { code: 0, stderr: "" }, stdout);
  assertEquals(readTable(stdout).get("total"), { files: 0, share: 0 });
});

test("a folder that is not there, or is no folder, is named, and nothing is started", async () => {
  writeFileSync(join(temporary, "file"), "");
  for (
    const [name, why] of [["missing", "there is no such file or folder"], [
      "file",
      "it is not a folder",
    ]] as const
  ) {
    const path = join(temporary, name);
    const { code, stdout, stderr } = await ventilate([path]).ending;
    assertEquals(code, 1);
    assertStringIncludes(stderr, `Cannot read ${path}: ${why}`);
    assertEquals(stdout, "");
  }
});

/** Root may read everything, so it lends these tests a user that may not. */
const STRANGER = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
const CANNOT_FORBID = spawnSync(process.execPath, [MAIN, "--help"], STRANGER).status === 0
  ? false
  : "only root can read the project's folder, and root can read everything";

test("a folder that may not be read is named", { skip: CANNOT_FORBID }, async () => {
  const folder = join(temporary, "forbidden");
  mkdirSync(join(folder, "inner"), { recursive: true });
  chmodSync(temporary, 0o755);
  chmodSync(join(folder, "inner"), 0o000);
  const { code, stderr } = await ventilate([folder], STRANGER).ending;
  chmodSync(join(folder, "inner"), 0o755);
  assertEquals(stderr, `Cannot read ${join(folder, "inner")}: permission denied (EACCES).\n`);
  assertEquals(code, 1);
});

test("a file that may not be read is named", { skip: CANNOT_FORBID }, async () => {
  const folder = join(temporary, "secret");
  mkdirSync(folder);
  chmodSync(temporary, 0o755);
  writeFileSync(join(folder, "file"), "secret", { mode: 0o000 });
  const { code, stderr } = await ventilate([folder], STRANGER).ending;
  assertEquals(stderr, `Cannot read ${join(folder, "file")}: permission denied (EACCES).\n`);
  assertEquals(code, 1);
});

test("a worker that is killed in the middle is named, and the others are ended", async () => {
  for (const runtime of RUNTIMES) {
    const program = ventilate([large]);
    const pids = await Promise.all(RUNTIMES.map((name) => workerOf(program, name)));
    const pid = pids[RUNTIMES.indexOf(runtime)]!;
    process.kill(pid, "SIGKILL");
    const { code, stdout, stderr } = await program.ending;
    assertEquals(
      stderr,
      `The worker on ${runtime} (process ${pid}) was ended by SIGKILL before the work was done.\n`,
    );
    assertEquals(code, 1);
    assert(!stdout.includes("match"), stdout);
    assertEquals(pids.filter(isAlive), []);
  }
});

test("a worker that hangs is named after a while", async () => {
  const program = ventilate([large]);
  const pids = await Promise.all(RUNTIMES.map((name) => workerOf(program, name)));
  process.kill(pids[1]!, "SIGSTOP");
  const { code, stderr } = await program.ending;
  assertMatch(stderr, /^The worker on Deno \S+ is lost: /);
  assertEquals(code, 1);
  assertEquals(pids.filter(isAlive), []);
});

test("Ctrl-C ends the workers too", async () => {
  const program = ventilate([large]);
  const pids = await Promise.all(RUNTIMES.map((name) => workerOf(program, name)));
  program.process.kill("SIGINT");
  const { code, stderr } = await program.ending;
  assertEquals({ code, stderr }, { code: 130, stderr: "Interrupted: the workers are ended.\n" });
  assertEquals(pids.filter(isAlive), []);
});

test("workers do not outlive a program that was killed", async () => {
  const program = ventilate([large]);
  await workerOf(program, "Bun");
  program.process.kill("SIGKILL");
  // The workers hold the error output, so this waits for them as well.
  const { signal, stderr } = await program.ending;
  assertEquals({ signal, stderr }, { signal: "SIGKILL", stderr: "" });
});

test("it says how it is used", async () => {
  const help = await ventilate(["--help"]).ending;
  assertEquals({ code: help.code, stderr: help.stderr }, { code: 0, stderr: "" });
  assertMatch(help.stdout, /^node tools\/run.mjs examples\/ventilator\/main \[folder\]/);
  const wrong = await ventilate(["--colour"]).ending;
  assertEquals({ code: wrong.code, stdout: wrong.stdout }, { code: 2, stdout: "" });
  assertStringIncludes(wrong.stderr, "--colour");
  assertStringIncludes(wrong.stderr, "examples/ventilator/main [folder]");
  assertEquals((await ventilate(["a", "b"]).ending).code, 2);
});
