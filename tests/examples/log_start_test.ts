// runtimes: node
import { after, before, test } from "node:test";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { type Program, start } from "./program.ts";

// What `npm start [folder]` runs, as it stands, with its processes; above all its second half, the log.

const temporary = mkdtempSync(join(tmpdir(), "hawser-start-"));
/** Where the programs put what is temporary. */
const scratch = join(temporary, "scratch");
/** A folder whose work takes so long that something can happen in the middle. Its content takes no room. */
const large = join(temporary, "large");
const small = join(temporary, "small");
const LINES = 5_000;

before(() => {
  for (const folder of [scratch, large, small]) mkdirSync(folder);
  for (const name of ["endless", "endless too"]) {
    writeFileSync(join(large, name), "");
    truncateSync(join(large, name), 64 * 1024 ** 3);
  }
  const lines = Array.from({ length: LINES }, (_, number) => `line ${number} 世界\n`);
  writeFileSync(join(small, "lines"), lines.join(""));
  writeFileSync(join(small, "one line"), "without an end");
  writeFileSync(join(small, "nothing"), "");
});

after(() => rmSync(temporary, { recursive: true, force: true }));

function run(name: string, args: readonly string[]): Program {
  const main = join(process.cwd(), ".build", "examples", name, "main.js");
  return start([process.execPath, main, ...args], {
    cwd: temporary,
    env: { TMPDIR: scratch },
    deadlineMs: 60_000,
  });
}

const PROCESSES = ["broker on Node", "publisher on Deno", "publisher on Bun"] as const;

/** The processes, once all are at work. */
async function processesOf(program: Program): Promise<number[]> {
  await program.see(/delivered [1-9]\d* lines/);
  return await Promise.all(
    PROCESSES.map(async (name) =>
      Number((await program.see(new RegExp(`^${name} \\S+, process (\\d+)`, "m")))[1])
    ),
  );
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** No process is left, and no file. What was killed together with its parent may take a moment to be gone. */
async function assertNothingLeft(pids: readonly number[]): Promise<void> {
  for (const deadlineMs = performance.now() + 60_000; performance.now() < deadlineMs;) {
    if (!pids.some(isAlive) && readdirSync(scratch).length === 0) break;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assertEquals(pids.filter(isAlive), []);
  assertEquals(readdirSync(scratch), []);
}

test("npm start digests the files of a folder, streams their lines, digests again over tls and ws, and says what came of it", async () => {
  const { code, stdout, stderr } = await run("start", [small]).ending;
  assertEquals({ code, stderr }, { code: 0, stderr: "" }, stdout);
  assertEquals(stdout.match(/All 3 digests match/g)?.length, 2, stdout);
  for (const worker of ["Deno \\S+ over tls", "Bun \\S+ over ws"]) {
    assertMatch(stdout, new RegExp(`^${worker} +\\d`, "m"));
  }
  const lines = LINES + 1;
  assertMatch(
    stdout,
    new RegExp(`^100 %  acknowledged ${lines}, ordered ${lines}, delivered ${lines} lines`, "m"),
  );
  assertMatch(stdout, new RegExp(`^total +${lines} +\\d`, "m"));
  assertMatch(
    stdout,
    new RegExp(`^No hole, no duplicate; .* ${lines} positions in \\S+ s: \\d+ positions/s, \\S+ MB/s$`, "m"),
  );
  for (const name of PROCESSES) assertMatch(stdout, new RegExp(`^${name} \\d\\S+, process \\d+`, "m"));
  await assertNothingLeft([]);
});

test("the log's half by itself takes an empty folder for no mistake", async () => {
  const empty = join(temporary, "empty");
  mkdirSync(empty);
  const { code, stdout, stderr } = await run("log", [empty]).ending;
  assertEquals({ code, stderr }, { code: 0, stderr: "" }, stdout);
  assertMatch(stdout, /No hole, no duplicate; .* 0 positions in /);
  await assertNothingLeft([]);
});

test("a folder that cannot be read is named, and nothing is started", async () => {
  for (const name of ["start", "log"]) {
    const path = join(temporary, "missing");
    const { code, stdout, stderr } = await run(name, [path]).ending;
    assertEquals(code, 1);
    assertEquals(stderr, `Cannot read ${path}: there is no such file or folder (ENOENT).\n`);
    assertEquals(stdout, "");
  }
});

/** Root may read everything. */
const CANNOT_FORBID = process.getuid?.() === 0 ? "root can read everything" : false;

test("a file that a publisher cannot read is named", { skip: CANNOT_FORBID }, async () => {
  const folder = join(temporary, "secret");
  mkdirSync(folder);
  writeFileSync(join(folder, "file"), "secret");
  chmodSync(join(folder, "file"), 0);
  const { code, stderr } = await run("log", [folder]).ending;
  assertEquals(
    stderr,
    `The publisher on Deno cannot go on. Cannot read ${join(folder, "file")}: permission denied (EACCES).\n`,
  );
  assertEquals(code, 1);
  await assertNothingLeft([]);
});

test("a process that is killed in the middle is named, the others are ended, and the log's files are gone", async () => {
  // What is noticed of one publisher is noticed of the other.
  for (const [index, name] of PROCESSES.slice(0, 2).entries()) {
    const program = run("log", [large]);
    const pids = await processesOf(program);
    process.kill(pids[index]!, "SIGKILL");
    const { code, stdout, stderr } = await program.ending;
    assertEquals(
      stderr,
      `The ${name} (process ${pids[index]}) was ended by SIGKILL before the work was done.\n`,
    );
    assertEquals(code, 1);
    assert(!stdout.includes("100 %") && !stdout.includes("No hole"), stdout);
    await assertNothingLeft(pids);
  }
});

test("Ctrl-C ends everything", async () => {
  const program = run("log", [large]);
  const pids = await processesOf(program);
  program.process.kill("SIGINT");
  const { code, stderr } = await program.ending;
  assertEquals({ code, stderr }, { code: 130, stderr: "Interrupted: the workers are ended.\n" });
  await assertNothingLeft(pids);
});

test("nothing outlives a program that was killed, not even the log's files", async () => {
  const program = run("log", [large]);
  const pids = await processesOf(program);
  program.process.kill("SIGKILL");
  // The processes hold the error output, so this waits for them as well.
  const { signal } = await program.ending;
  assertEquals(signal, "SIGKILL");
  await assertNothingLeft(pids);
});

test("both say how they are used", async () => {
  for (
    const [name, usage] of [["start", /^npm start \[folder\]/], [
      "log",
      /examples\/log\/main \[folder\]/,
    ]] as const
  ) {
    const { code, stdout, stderr } = await run(name, ["--help"]).ending;
    assertEquals({ code, stderr }, { code: 0, stderr: "" });
    assertMatch(stdout, usage);
  }
  assertEquals((await run("start", ["a", "b"]).ending).code, 2);
});
