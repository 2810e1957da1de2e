// runtimes: node
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { assertEquals, assertMatch } from "@std/assert";

// What the build server's command does before `npm test`, with stand-ins for every program that it calls.

interface Machine {
  readonly pythonHasZmq: boolean;
  readonly hasChromium: boolean;
  readonly userId: number;
  /** Exit codes of apt-get by its command; none: there is no apt-get. */
  readonly apt?: Readonly<Record<string, number>>;
  readonly npmCode?: number;
}

const skip = process.platform === "win32" ? "the build server's command is a bash script" : false;

/** Runs the command on such a machine: what it called, how it ended, and what it said. */
function runBuildServer({ pythonHasZmq, hasChromium, userId, apt, npmCode = 0 }: Machine) {
  const folder = mkdtempSync(join(tmpdir(), "hawser-build-server-"));
  const calls = join(folder, "calls");
  const program = (name: string, script: string): void => {
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, name), 0o755);
  };
  try {
    for (const name of ["bash", "sh", "dirname"]) {
      symlinkSync(spawnSync("sh", ["-c", `command -v ${name}`]).stdout.toString().trim(), join(folder, name));
    }
    program("id", `echo ${userId}`);
    program("python3", `exit ${pythonHasZmq ? 0 : 1}`);
    if (hasChromium) program("chromium", "exit 0");
    program("npm", `echo "npm $*" >> "${calls}"; exit ${npmCode}`);
    if (apt !== undefined) {
      const cases = Object.entries(apt).map(([command, code]) => `*" ${command}"*) exit ${code};;`).join(" ");
      program("apt-get", `echo "apt-get $*" >> "${calls}"\ncase " $*" in ${cases} esac`);
    }
    const { status, stderr } = spawnSync(join(folder, "bash"), [".ci/run"], { env: { PATH: folder } });
    const lines = existsSync(calls) ? readFileSync(calls, "utf8").trim().split("\n") : [];
    const short = lines.map((line) => line.replaceAll(/ (?:-\S+|\S+=\S+)(?= |$)/g, ""));
    return { calls: short, status, said: stderr.toString() };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("the build server installs what is missing and may be installed", { skip }, () => {
  const bare = runBuildServer({ pythonHasZmq: false, hasChromium: false, userId: 0, apt: {} });
  const [zmq, chromium] = ["apt-get install python3-zmq", "apt-get install chromium"];
  assertEquals(bare, { calls: ["apt-get update", zmq, chromium, "npm test"], status: 0, said: "" });
  const some = runBuildServer({ pythonHasZmq: true, hasChromium: false, userId: 0, apt: {} });
  assertEquals(some.calls, ["apt-get update", chromium, "npm test"]);
});

test(
  "the build server installs nothing where all is there, without root and without apt-get",
  { skip },
  () => {
    for (
      const machine of [
        { pythonHasZmq: true, hasChromium: true, userId: 0, apt: {} },
        { pythonHasZmq: false, hasChromium: false, userId: 1000, apt: {} },
        { pythonHasZmq: false, hasChromium: true, userId: 0 },
      ]
    ) {
      const { calls, status, said } = runBuildServer(machine);
      assertEquals({ calls, status, said }, { calls: ["npm test"], status: 0, said: "" });
    }
  },
);

test("the build server tests all the same when something cannot be installed", { skip }, () => {
  for (const apt of [{ update: 100 }, { install: 100 }]) {
    const { calls, status, said } = runBuildServer({
      pythonHasZmq: false,
      hasChromium: false,
      userId: 0,
      apt,
    });
    assertEquals(calls.at(-1), "npm test");
    assertEquals(status, 0);
    for (const name of ["python3-zmq", "chromium"]) {
      assertMatch(said, new RegExp(`${name} could not be installed`));
    }
  }
  assertEquals(runBuildServer({ pythonHasZmq: true, hasChromium: true, userId: 0, npmCode: 1 }).status, 1);
});
