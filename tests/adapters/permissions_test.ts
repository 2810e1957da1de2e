// runtimes: node, deno
import { test } from "node:test";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { detectRuntime } from "../../adapters/detect.ts";
import { Context, MisuseError, Pull } from "../../mod.ts";

const onDeno = detectRuntime() === "deno";
const ROOT = process.cwd();
/** Nobody listens there: a program that tries to connect, and may, tries for ever. */
const NOBODY = "tcp://127.0.0.1:5";

/** What `permission_program` prints with these flags alone; a failure if it does not end in order. */
async function run(flags: readonly string[], ...args: readonly string[]): Promise<Record<string, unknown>> {
  const ending = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const file = fileURLToPath(new URL(`./permission_program.${ending}`, import.meta.url));
  // Deno gives a child of its own kind all permissions when its command line says nothing about any.
  const before = onDeno ? ["run", "--no-prompt", "--no-check", "--deny-ffi", ...flags] : flags;
  const child = spawn(process.execPath, [...before, file, ...args], { cwd: ROOT, timeout: 60_000 });
  let [output, errors] = ["", ""];
  child.stdout.on("data", (chunk) => output += String(chunk));
  child.stderr.on("data", (chunk) => errors += String(chunk));
  const code = await new Promise((resolve) => void child.on("close", resolve));
  assertEquals(code, 0, errors);
  return JSON.parse(output) as Record<string, unknown>;
}

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(`${realpathSync(tmpdir())}/hawser-permissions-`);
  try {
    await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** On Deno all permissions have their own flag; Node restricts everything but what is listed. */
const DENO_FILES = ["--allow-read", "--allow-write"];

if (onDeno) {
  test("ipc://* needs the three permissions that are documented and no other", async () => {
    const bound = await run([...DENO_FILES, "--allow-net"], "bind", "ipc://*");
    assertEquals(bound["code"], "none", String(bound["message"]));
    assertMatch(String(bound["value"]), /^ipc:\/\/\/tmp\/hawser-/);
  });

  test("ipc://* goes where TMPDIR says when that may be read", async () => {
    await withFolder(async (folder) => {
      process.env["TMPDIR"] = folder;
      try {
        const bound = await run([...DENO_FILES, "--allow-net", "--allow-env"], "bind", "ipc://*");
        assertStringIncludes(String(bound["value"]), folder);
      } finally {
        delete process.env["TMPDIR"];
      }
    });
  });

  const cases: readonly (readonly [string, readonly string[], string])[] = [
    [NOBODY, [], "--allow-net"],
    [NOBODY, ["--allow-net=127.0.0.1:6"], "--allow-net"],
    ["tcp://a-host-by-name:5", [], "--allow-net"],
    ["tcp://127.0.0.1:0;127.0.0.1:5", [], "--allow-net"],
    ["ipc:///tmp/hawser-nobody", [], "--allow-read"],
    ["ipc:///tmp/hawser-nobody", ["--allow-read"], "--allow-write"],
    ["ipc:///tmp/hawser-nobody", DENO_FILES, "--allow-net"],
  ];
  for (const [endpoint, flags, missing] of cases) {
    test(`connect to ${endpoint} with ${flags.join(" ") || "no permission"} fails for good and names ${missing}`, async () => {
      const { code, message, events } = await run(flags, "connect", endpoint);
      assertEquals(code, "ERR_PERMISSION", String(message));
      assertStringIncludes(String(message), endpoint);
      assertStringIncludes(String(message), missing);
      assertEquals(events, ["connect:delay", "ERR_PERMISSION", "close"]);
    });
  }

  for (
    const [endpoint, flags, missing] of [
      ["tcp://127.0.0.1:*", [], "--allow-net"],
      ["tcp://lo:*", ["--allow-net"], "--allow-sys"],
      ["ipc:///tmp/hawser-never-bound", ["--allow-net"], "--allow-read"],
      ["ipc://*", ["--allow-net", "--allow-read"], "--allow-write"],
    ] as const
  ) {
    test(`bind to ${endpoint} with ${flags.join(" ") || "no permission"} rejects and names ${missing}`, async () => {
      const { code, message } = await run(flags, "bind", endpoint);
      assertEquals(code, "ERR_PERMISSION", String(message));
      assertStringIncludes(String(message), missing);
    });
  }

  test("connectLog without --allow-net rejects at once and names it", async () => {
    const { code, message, cause } = await run([], "client", NOBODY);
    assertEquals([code, cause], ["ERR_LOG_DISCONNECTED", "ERR_PERMISSION"], String(message));
    assertStringIncludes(String(message), "--allow-net");
  });

  test("a log in files needs the three permissions that are documented and no other", async () => {
    await withFolder(async (folder) => {
      for (const durability of ["machine", "process"]) {
        const { code, value, message } = await run(
          [...DENO_FILES, "--allow-net"],
          "log",
          `${folder}/${durability}`,
          durability,
        );
        assertEquals([code, value], ["none", "0 one pair of socks"], String(message));
      }
    });
  });
  test("a log in files with one permission less is refused, and told which", async () => {
    await withFolder(async (folder) => {
      const all = [...DENO_FILES, "--allow-net"];
      for (const missing of all) {
        const { code, message } = await run(all.filter((one) => one !== missing), "log", folder, "process");
        assertEquals(code, "ERR_LOG_STORE_FAILED", String(message));
        assertStringIncludes(String(message), missing);
      }
    });
  });
} else {
  const stable = process.allowedNodeEnvironmentFlags.has("--permission");
  const restricts = process.allowedNodeEnvironmentFlags.has("--allow-net");
  const on = [stable ? "--permission" : "--experimental-permission", `--allow-fs-read=${ROOT}/*`];
  const net = restricts ? ["--allow-net"] : [];

  /** Reading and writing below a folder. */
  const files = (folder: string) => [`--allow-fs-read=${folder}/*`, `--allow-fs-write=${folder}/*`];

  test("a log in files under --permission works with durability process, twice", async () => {
    await withFolder(async (folder) => {
      const dir = `${folder}/log`;
      for (let round = 0; round < 2; round++) {
        const outcome = await run([...on, ...net, ...files(folder)], "log", dir, "process");
        assertEquals(outcome["code"], "none", String(outcome["message"]));
        assertStringIncludes(String(outcome["value"]), `${round} one pair of socks`);
      }
    });
  });

  test("a log in files under --permission with durability machine is refused, and told what to do", async () => {
    await withFolder(async (folder) => {
      for (const dir of [`${folder}/fresh`, `${folder}/there`]) {
        if (dir.endsWith("there")) mkdirSync(dir);
        const { code, message } = await run([...on, ...net, ...files(folder)], "log", dir, "machine");
        assertEquals(code, "ERR_LOG_STORE_FAILED", String(message));
        assertStringIncludes(String(message), 'openFileStores({ dir, durability: "process" })');
      }
    });
  });

  test("a log in files under --permission without write access is refused with the flag that is missing", async () => {
    const { code, message } = await run([...on, ...net], "log", `${tmpdir()}/hawser-never-made`, "process");
    assertEquals(code, "ERR_LOG_STORE_FAILED", String(message));
    assertStringIncludes(String(message), "--allow-fs-write");
  });

  test("ipc://* under --permission without write access rejects with the flag that is missing", async () => {
    const { code, message } = await run([...on, ...net], "bind", "ipc://*");
    assertEquals(code, "ERR_PERMISSION", String(message));
    assertStringIncludes(String(message), "--allow-fs-write");
  });

  test("bind asks beforehand where Node knows --allow-net and does not have it", async () => {
    const process_ = process as unknown as Record<string, unknown>;
    const names = ["permission", "allowedNodeEnvironmentFlags"];
    const before = names.map((name) => Object.getOwnPropertyDescriptor(process, name));
    const context = new Context();
    const pull = new Pull({ context });
    try {
      const permission = { has: (scope: string) => scope !== "net" };
      Object.defineProperty(process_, "permission", { value: permission, configurable: true });
      const flags = new Set(["--permission", "--allow-net"]);
      Object.defineProperty(process_, "allowedNodeEnvironmentFlags", { value: flags, configurable: true });
      const denied = await assertRejects(() => pull.bind("tcp://127.0.0.1:*"), MisuseError, "--allow-net");
      assertEquals(denied.code, "ERR_PERMISSION");
      // Versions without that flag have no such permission, and say that nobody has it.
      flags.delete("--allow-net");
      await pull.bind("tcp://127.0.0.1:*");
    } finally {
      context.close();
      for (const [i, name] of names.entries()) {
        if (before[i] === undefined) delete process_[name];
        else Object.defineProperty(process_, name, before[i]);
      }
    }
  });

  // Versions before 25 restrict no sockets.
  if (restricts) {
    test("bind without --allow-net rejects, and the process lives on", async () => {
      for (const endpoint of ["tcp://127.0.0.1:*", "tcp://*:*", "ipc://@hawser-denied"]) {
        const { code, message } = await run(on, "bind", endpoint);
        assertEquals(code, "ERR_PERMISSION", String(message));
        assertStringIncludes(String(message), "--allow-net");
      }
    });

    test("connect without --allow-net fails for good and names it", async () => {
      for (const endpoint of [NOBODY, "tcp://localhost:5", "ipc:///tmp/hawser-nobody"]) {
        const { code, message, events } = await run(on, "connect", endpoint);
        assertEquals(code, "ERR_PERMISSION", String(message));
        assertStringIncludes(String(message), "--allow-net");
        assertEquals(events, ["connect:delay", "ERR_PERMISSION", "close"]);
      }
    });
  }
}
