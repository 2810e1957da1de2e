// runtimes: node
import { after, test } from "node:test";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { type Program, start } from "../examples/program.ts";
import { parseCommand } from "./command.ts";
import { UsageError } from "./faulty.ts";

// `npm run stress`, as it stands, with little to do.

const temporary = mkdtempSync(join(tmpdir(), "hawser-stress-test-"));
/** Where the programs put what is temporary. */
const scratch = join(temporary, "scratch");
mkdirSync(scratch);
after(() => rmSync(temporary, { recursive: true, force: true }));

function stress(...args: readonly string[]): Program {
  const main = join(process.cwd(), ".build", "tests", "stress", "main.js");
  return start([process.execPath, main, ...args], {
    cwd: temporary,
    env: { TMPDIR: scratch },
    deadlineMs: 100_000,
  });
}

test("commands are understood, or refused with what is allowed", () => {
  assertEquals(parseCommand(["kill"]), { run: "kill", times: 50, seed: undefined });
  assertEquals(parseCommand(["kill", "--times", "7", "--seed", "x"]), { run: "kill", times: 7, seed: "x" });
  assertEquals(parseCommand(["volume"]), { run: "volume", bytes: 1_000_000_000, store: "file" });
  assertEquals(parseCommand(["volume", "--bytes=2GiB", "--store=memory"]), {
    run: "volume",
    bytes: 2_147_483_648,
    store: "memory",
  });
  assertEquals(parseCommand(["kill", "--help"]), { run: "help" });
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [[], /kill or volume/],
    [["flood"], /no run flood: there are kill and volume/],
    [["kill", "it"], /too much: it/],
    [["kill", "--times", "0"], /--times is 0: a whole number from 1/],
    [["kill", "--times", "many"], /--times is many/],
    [["kill", "--store", "file"], /kill has no option --store/],
    [["volume", "--bytes", "lots"], /--bytes is lots: a size from 1B .* such as 1GB/],
    [["volume", "--store", "tape"], /--store is tape: memory and file/],
    [["volume", "--seed", "1"], /volume has no option --seed/],
    [["volume", "--faster"], /--faster/],
  ];
  for (const [args, message] of wrong) {
    assertMatch(assertThrows(() => parseCommand(args), UsageError).message, message);
  }
});

test("it says how it is used", async () => {
  // What --help prints comes with it.
  const wrong = await stress("flood").ending;
  assertEquals({ code: wrong.code, stdout: wrong.stdout }, { code: 2, stdout: "" });
  assertMatch(wrong.stderr, /^There is no run flood.*\n\nnpm run stress/);
});

test("a volume of 4 MB through files: everything acknowledged and delivered, nothing dropped, no file left", async () => {
  const { code, stdout, stderr } = await stress("volume", "--bytes", "4MB").ending;
  assertEquals({ code, stderr }, { code: 0, stderr: "" }, stdout);
  assertMatch(stdout, /^acknowledged +3907, 100 %; /m);
  assertMatch(stdout, /^delivered and right +3907, 100 %; /m);
  assertMatch(stdout, /^ring full +0$/m);
  assertMatch(stdout, /^batches +\d+, 0 dropped, 0 lost$/m);
  assertMatch(stdout, /^broker's memory +\S+ MB at its highest, 1500 MB allowed$/m);
  assertEquals(readdirSync(scratch), []);
});

test("Ctrl-C leaves no process and no file", async () => {
  const program = stress("kill", "--times", "1000000");
  await program.see(/^kill \d+: /m);
  program.process.kill("SIGINT");
  const { code, stderr } = await program.ending;
  assertEquals(code, 130);
  assertEquals(stderr, "Interrupted: the processes are ended, and their files are gone.\n");
  assertEquals(readdirSync(scratch), []);
});

test("the broker's files do not outlive a program that was killed", async () => {
  const program = stress("volume", "--bytes", "1000GB");
  await program.see(/^acknowledged [1-9]/m);
  program.process.kill("SIGKILL");
  assertEquals((await program.ending).signal, "SIGKILL");
  // The runner ends a test that waits too long.
  while (readdirSync(scratch).length > 0) await new Promise((resolve) => setTimeout(resolve, 10));
});

test("publishers and consumers end with the program that they work for, also while they wait for a broker", async () => {
  const jobs = [
    { kind: "publishers", seed: "1", publishers: [] },
    { kind: "volume publisher", records: 1 },
    { kind: "volume consumer", records: 1, consumer: "verifier" },
  ];
  const codes = jobs.map((job) => {
    const program = join(process.cwd(), ".build", "tests", "stress", "child.js");
    const child = spawn(process.execPath, [program], { stdio: ["pipe", "ignore", "inherit"] });
    // Nobody listens there.
    child.stdin.end(`${JSON.stringify({ ...job, topic: "volume", endpoint: "tcp://127.0.0.1:1" })}\n`);
    return new Promise((resolve) => child.on("exit", resolve));
  });
  assertEquals(await Promise.all(codes), [1, 1, 1]);
});
