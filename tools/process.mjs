// Child processes for the tools: output collected, a time limit, and no orphans.
import { spawn } from "node:child_process";
import process from "node:process";

const OUTPUT_BYTES_MAX = 4 * 1024 * 1024;
const PIPE_GRACE_MS = 2_000;
const running = new Set();

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => {
    for (const child of running) killGroup(child);
    process.exit(signal === "SIGINT" ? 130 : 143);
  });
}

/**
 * Runs a program to its end. Never rejects: `{ code, output, timedOut, ms }`, where `code` is -1 if it could not
 * be started or was killed. The child leads its own process group, so that what it leaves behind can be ended too.
 */
export function run(command, args, { cwd, env, timeoutMs = 0 } = {}) {
  const started = Date.now();
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: process.platform !== "win32",
  });
  running.add(child);
  const output = collect(child);
  return new Promise((resolve) => {
    let timedOut = false;
    let done = false;
    const timer = timeoutMs > 0
      ? setTimeout(() => {
        timedOut = true;
        killGroup(child);
      }, timeoutMs)
      : undefined;
    const finish = (code, note = "") => {
      if (done) return;
      done = true;
      clearTimeout(timer);
      running.delete(child);
      resolve({ code: code ?? -1, output: output() + note, timedOut, ms: Date.now() - started });
    };
    child.on("error", (error) => finish(-1, `${error.message}\n`));
    child.on("close", (code) => finish(code));
    child.on("exit", (code) => {
      // A grandchild may outlive its parent and hold the pipes open.
      killGroup(child);
      setTimeout(() => finish(code), PIPE_GRACE_MS).unref();
    });
  });
}

/** Runs a program on our own terminal and answers its exit code. */
export function runInherited(command, args, { cwd, env } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: "inherit" });
    child.on("error", (error) => {
      console.error(`Cannot start ${command}: ${error.message}`);
      resolve(127);
    });
    // The terminal sends its interrupt to the child as well; it decides what to do with it.
    const ignore = () => {};
    process.removeAllListeners("SIGINT");
    process.on("SIGINT", ignore);
    process.removeAllListeners("SIGTERM");
    process.on("SIGTERM", () => child.kill("SIGTERM"));
    child.on("exit", (code, signal) => resolve(code ?? (signal === "SIGINT" ? 130 : 1)));
  });
}

function collect(child) {
  const chunks = [];
  let bytes = 0;
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8");
    stream?.on("data", (text) => {
      if (bytes > OUTPUT_BYTES_MAX) return;
      bytes += text.length;
      chunks.push(bytes > OUTPUT_BYTES_MAX ? "\n… the rest of the output was cut\n" : text);
    });
  }
  return () => chunks.join("");
}

function killGroup(child) {
  if (child.pid === undefined) return;
  try {
    if (process.platform === "win32") child.kill("SIGKILL");
    else process.kill(-child.pid, "SIGKILL");
  } catch {
    // It is gone already.
  }
}
