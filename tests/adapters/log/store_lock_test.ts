import { test } from "node:test";
import { type ChildProcess, spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { platform, tmpdir } from "node:os";
import process from "node:process";
import { assert, assertEquals, assertInstanceOf, assertMatch } from "@std/assert";
import { lockByFile, lockFolder } from "../../../adapters/store/folder_lock.ts";
import { isAlive, ownHolder, parseHolder } from "../../../adapters/store/lock_holder.ts";
import { LogError } from "../../../src/log/errors.ts";
import {
  moduleCommand,
  OWN_RUNTIME,
  RUNTIME_NAMES,
  type RuntimeName,
  whyNot,
} from "../../interop/support/runtimes.ts";
import { errorOf } from "../support.ts";

const HOLDER = "tests/adapters/hold_folder";

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(`${tmpdir()}/hawser-lock-`);
  try {
    await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A process that locks a folder, or cannot. */
class OtherProcess {
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  /** `locked`, or the code of the error and its message. */
  readonly said: Promise<string>;

  constructor(runtime: RuntimeName, folder: string) {
    const [program, ...args] = moduleCommand(runtime, HOLDER);
    this.#child = spawn(program, [...args, folder], { stdio: ["pipe", "pipe", "inherit"] });
    this.#exited = new Promise((resolve) => this.#child.once("exit", () => resolve()));
    this.said = new Promise((resolve, reject) => {
      let text = "";
      this.#child.stdout!.on("data", (chunk) => {
        text += String(chunk);
        if (text.includes("\n")) resolve(text.slice(0, text.indexOf("\n")));
      });
      this.#child.once("error", reject);
      this.#child.once("close", () => reject(new Error(`the process on ${runtime} said nothing`)));
    });
    this.said.catch(() => {});
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Lets it release the lock and end. */
  async leave(): Promise<void> {
    this.#child.stdin!.write("\n");
    await this.#exited;
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#exited;
  }
}

async function refusalOf(folder: string): Promise<LogError> {
  const error = await errorOf(() => lockFolder(folder));
  assertInstanceOf(error, LogError);
  assertEquals(error.code, "ERR_LOG_LOCKED");
  return error;
}

test("a folder is locked once, by whatever path, and again when it was released", () =>
  withFolder(async (folder) => {
    const real = `${folder}/real`;
    mkdirSync(real);
    symlinkSync(real, `${folder}/link`);
    const lock = await lockFolder(real);
    assertMatch(
      (await refusalOf(real)).message,
      /^The folder .*real is in use by this process \(\w+ [\d.]+, since 20/,
    );
    await refusalOf(`${folder}/link`);
    await refusalOf(`${folder}/../${folder.slice(folder.lastIndexOf("/") + 1)}/real`);
    assertEquals(parseHolder(readFileSync(`${real}/lock`, "utf8"))?.pid, process.pid);
    await lock.release();
    assertEquals(readdirSync(real), []);
    await (await lockFolder(`${folder}/link`)).release();
  }));

test("two folders are two locks", () =>
  withFolder(async (folder) => {
    mkdirSync(`${folder}/a`);
    mkdirSync(`${folder}/b`);
    const locks = [
      await lockFolder(`${folder}/a`),
      await lockFolder(`${folder}/b`),
      await lockFolder(folder),
    ];
    for (const lock of locks) await lock.release();
  }));

for (const runtime of RUNTIME_NAMES) {
  const skip = platform() === "linux"
    ? whyNot(runtime, HOLDER)
    : "names that the kernel releases are Linux's";

  test(`a process on ${runtime} has the folder: ${OWN_RUNTIME} is told who it is, and comes after it`, {
    skip,
  }, () =>
    withFolder(async (folder) => {
      const holder = new OtherProcess(runtime, folder);
      try {
        assertEquals(await holder.said, "locked");
        const { message } = await refusalOf(folder);
        assertMatch(message, new RegExp(`by process ${holder.pid} \\(${runtime} [\\d.]+, since 20`));
      } finally {
        await holder.leave();
      }
      assert(!existsSync(`${folder}/lock`));
      await (await lockFolder(folder)).release();
    }));

  test(
    `${OWN_RUNTIME} has the folder: a process on ${runtime} is refused`,
    { skip },
    () =>
      withFolder(async (folder) => {
        const lock = await lockFolder(folder);
        const other = new OtherProcess(runtime, folder);
        assertMatch(await other.said, new RegExp(`^ERR_LOG_LOCKED .* by process ${process.pid} `));
        await other.kill();
        assertEquals(parseHolder(readFileSync(`${folder}/lock`, "utf8"))?.pid, process.pid);
        await lock.release();
      }),
  );

  test(
    `a process on ${runtime} is killed: its lock goes with it, and its file is no hindrance`,
    { skip },
    () =>
      withFolder(async (folder) => {
        const holder = new OtherProcess(runtime, folder);
        assertEquals(await holder.said, "locked");
        await holder.kill();
        assert(existsSync(`${folder}/lock`));
        const lock = await lockFolder(folder);
        assertEquals(parseHolder(readFileSync(`${folder}/lock`, "utf8"))?.pid, process.pid);
        await lock.release();
      }),
  );
}

test("processes that begin together: never two of them have the folder", {
  skip: RUNTIME_NAMES.map((runtime) => whyNot(runtime, HOLDER)).find((reason) => reason !== false) ??
    (platform() === "linux" ? false : "names that the kernel releases are Linux's"),
}, () =>
  withFolder(async (folder) => {
    const others = [...RUNTIME_NAMES, ...RUNTIME_NAMES].map((runtime) => new OtherProcess(runtime, folder));
    const said = await Promise.all(others.map((other) => other.said));
    for (const other of others) await other.kill();
    const winners = said.filter((text) => text === "locked");
    assert(winners.length <= 1, said.join("\n"));
    assertEquals(said.filter((text) => text.startsWith("ERR_LOG_LOCKED ")).length, 6 - winners.length);
  }));

test("a lock does not keep its process alive", {
  skip: whyNot(OWN_RUNTIME, HOLDER),
}, () =>
  withFolder(async (folder) => {
    const [program, ...args] = moduleCommand(OWN_RUNTIME, HOLDER);
    const child = spawn(program, [...args, folder], { stdio: ["ignore", "pipe", "inherit"] });
    const code = await new Promise((resolve) => child.once("exit", resolve));
    assertEquals(code, 0);
  }));

test("the file alone: it is refused while its process lives, and taken over afterwards", () =>
  withFolder(async (folder) => {
    const lock = lockByFile(folder);
    const error = await errorOf(() => lockByFile(folder));
    assertInstanceOf(error, LogError);
    assertMatch(error.message, /in use by this process/);
    await lock.release();
    // Ids are used again: this one began at another time.
    for (const dead of [{ ...ownHolder(), ticks: "1" }, { ...ownHolder(), boot: undefined, startedMs: 1 }]) {
      writeFileSync(`${folder}/lock`, JSON.stringify(dead));
      assertEquals(isAlive(dead), false);
      await lockByFile(folder).release();
      assertEquals(readdirSync(folder), []);
    }
  }));

test("a file that names nobody is refused where it is the lock, and means nothing where it is not", () =>
  withFolder(async (folder) => {
    for (const text of ["", "{}", "[1]", '{"pid":-1,"startedMs":0,"runtime":"x"}', "null"]) {
      writeFileSync(`${folder}/lock`, text);
      assertEquals(parseHolder(text), undefined);
      assertMatch((await errorOf(() => lockByFile(folder))).message, /in use by another process/);
      if (platform() === "linux") await (await lockFolder(folder)).release();
    }
  }));

test("another network has names of its own: there the file tells", {
  skip: platform() === "linux" ? false : "elsewhere the file always tells",
}, () =>
  withFolder(async (folder) => {
    // The process that started this one lives, and holds no name.
    const stat = readFileSync(`/proc/${process.ppid}/stat`, "utf8");
    const ticks = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
    writeFileSync(`${folder}/lock`, JSON.stringify({ ...ownHolder(), pid: process.ppid, ticks }));
    assertMatch((await refusalOf(folder)).message, new RegExp(`by process ${process.ppid} `));
    // The refusal has let go of the name.
    rmSync(`${folder}/lock`);
    await (await lockFolder(folder)).release();
  }));

test("a folder that is not there cannot be locked", async () => {
  assertMatch(String(await errorOf(() => lockFolder(`${tmpdir()}/hawser-nowhere-${process.pid}`))), /ENOENT/);
});
