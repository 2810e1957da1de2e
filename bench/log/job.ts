/**
 * Runs one job of the log's benchmark: starts its processes, lets the measured one do its work, and reaps all.
 *
 * @module
 */

import { mkdtempSync, rmSync } from "node:fs";
import { createConnection, createServer } from "node:net";
import { join } from "node:path";
import { spawn } from "node:child_process";
import process from "node:process";
import { Child } from "../child.ts";
import { scriptChild, type ScriptOptions, type Setting } from "../contenders.ts";
import type { Runtime } from "../cases.ts";

const READY_MS = 20_000;
/** Several times what a memory store keeps by default: its memory was used before, and the code is hot. */
const WARMUP_BYTES = 1e9;
const STOP_GRACE_MS = 20_000;

/** One measured run. */
export interface Sample {
  readonly records: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly p50Us: number | null;
  readonly p99Us: number | null;
  readonly cpuSeconds: number | null;
  /** The most memory that the broker had; null: not looked at. */
  readonly brokerRssBytes: number | null;
}

/** What is measured. */
export interface Job {
  readonly setting: Setting;
  readonly runtime: Runtime;
  readonly total: number;
  readonly recordBytes: number;
  readonly timeoutMs: number;
}

interface Running {
  readonly children: Child[];
  readonly folders: string[];
  readonly servers: (() => Promise<void>)[];
}

/** Runs `body` with a list of what must be ended, and ends it. */
async function withProcesses<T>(body: (running: Running) => Promise<T>): Promise<T> {
  const running: Running = { children: [], folders: [], servers: [] };
  try {
    return await body(running);
  } finally {
    await Promise.all(running.children.reverse().map((child) => child.stop()));
    for (const stop of running.servers) await stop();
    for (const folder of running.folders) rmSync(folder, { recursive: true, force: true });
  }
}

async function start(
  running: Running,
  job: Job,
  script: string,
  values: Record<string, unknown>,
): Promise<[Child, string]> {
  const options: ScriptOptions = {
    runtime: job.runtime,
    script,
    label: script,
    values: {
      total: job.total,
      bytes: job.recordBytes,
      warmup: Math.min(job.total, WARMUP_BYTES),
      ...values,
    },
  };
  const child = new Child(scriptChild(job.setting, options));
  for (const other of running.children) {
    child.failWith(other);
    other.failWith(child);
  }
  running.children.push(child);
  return [child, await child.expect("READY", READY_MS)];
}

async function measure(children: readonly Child[], meter: Child, job: Job, broker?: Child): Promise<Sample> {
  const before = children.map((child) => child.cpuSeconds() ?? 0);
  let rss = 0;
  const look = (): void => {
    rss = Math.max(rss, broker?.residentBytes() ?? 0);
  };
  const timer = setInterval(look, 100);
  for (const child of children) if (child !== broker) child.tell("START 0 0");
  const result = JSON.parse(await meter.expect("RESULT", job.timeoutMs + STOP_GRACE_MS));
  clearInterval(timer);
  look();
  const after = children.map((child) => child.cpuSeconds() ?? 0);
  return {
    records: result.messages,
    bytes: result.bytes,
    seconds: result.seconds,
    p50Us: result.p50Us ?? null,
    p99Us: result.p99Us ?? null,
    cpuSeconds: after.reduce((sum, seconds, index) => sum + seconds - before[index]!, 0),
    brokerRssBytes: broker === undefined ? null : rss,
  };
}

/** What a log job is like. */
export interface LogJob {
  readonly store: "memory" | "file";
  readonly order: number;
  /** Who says when it is done: the publisher when all is acknowledged, or a reader that has all. */
  readonly until: "acknowledged" | "read";
  readonly role?: "publish" | "append" | "rate";
  /** Records per second of an open loop. */
  readonly rate?: number;
}

/** Publisher, broker and perhaps a reader, in processes of their own. */
export function runLog(job: Job, { store, order, until, role = "publish", rate }: LogJob): Promise<Sample> {
  return withProcesses(async (running) => {
    const values: Record<string, unknown> = { order };
    if (store === "file") {
      const dir = mkdtempSync(join(job.setting.scratch, "log-"));
      running.folders.push(dir);
      values["dir"] = dir;
    }
    const [broker, endpoint] = await start(running, job, "log_broker", values);
    let reader: Child | undefined;
    if (until === "read") [reader] = await start(running, job, "log_reader", { endpoint });
    const [publisher] = await start(running, job, "log_publisher", {
      endpoint,
      role,
      ...(rate === undefined ? {} : { rate }),
    });
    const children = [broker, ...(reader === undefined ? [] : [reader]), publisher];
    return await measure(children, reader ?? publisher, job, broker);
  });
}

/** A round trip of one record's bytes through the same kinds of sockets, without a log. */
export function runRoundTrip(job: Job): Promise<Sample> {
  return withProcesses(async (running) => {
    const values = { pattern: "dealer-router", endpoint: "tcp://127.0.0.1:0", api: "sync", hwm: 1_000 };
    const [, endpoint] = await start(running, job, "hawser", { ...values, role: "echo" });
    const [pinger] = await start(running, job, "hawser", { ...values, role: "ping", endpoint });
    pinger.tell("START 500 1000");
    await pinger.expect("WINDOW", READY_MS);
    const result = JSON.parse(await pinger.expect("RESULT", READY_MS));
    return {
      records: result.messages,
      bytes: result.bytes,
      seconds: result.seconds,
      p50Us: result.p50Us,
      p99Us: result.p99Us,
      cpuSeconds: null,
      brokerRssBytes: null,
    };
  });
}

/** Everything in one process. */
export function runEmbedded(job: Job): Promise<Sample> {
  return withProcesses(async (running) => {
    const [child] = await start(running, job, "log_publisher", {});
    return await measure([child], child, job);
  });
}

/** A plain stream of the same bytes. */
export function runRaw(job: Job): Promise<Sample> {
  return withProcesses(async (running) => {
    const [receiver, endpoint] = await start(running, job, "log_raw", { role: "receive" });
    const [sender] = await start(running, job, "log_raw", { role: "send", endpoint });
    return await measure([receiver, sender], sender, job);
  });
}

/** A server from the system's packages, on a port of its own. */
async function startServer(
  running: Running,
  program: string,
  argumentsFor: (port: number, folder: string) => readonly string[],
  job: Job,
): Promise<number> {
  const port = await freePort();
  const folder = mkdtempSync(join(job.setting.scratch, "rival-"));
  running.folders.push(folder);
  const server = spawn(program, [...argumentsFor(port, folder)], { stdio: "ignore", cwd: folder });
  const ended = new Promise<void>((resolve) => {
    server.on("close", () => resolve());
    server.on("error", () => resolve());
  });
  const kill = (): void => void server.kill("SIGKILL");
  process.on("exit", kill);
  running.servers.push(async () => {
    kill();
    await ended;
    process.off("exit", kill);
  });
  await untilListening(port, performance.now() + READY_MS);
  return port;
}

/** Tries until somebody accepts. */
async function untilListening(port: number, deadlineMs: number): Promise<void> {
  while (performance.now() < deadlineMs) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = createConnection({ host: "127.0.0.1", port });
      socket.on("connect", () => socket.end(() => resolve(true)));
      socket.on("error", () => resolve(false));
    });
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`Nothing listens on port ${port}`);
}

export function runJetStream(job: Job): Promise<Sample> {
  return withProcesses(async (running) => {
    const port = await startServer(
      running,
      "nats-server",
      (port, folder) => ["-a", "127.0.0.1", "-p", String(port), "-js", "-sd", folder],
      job,
    );
    const endpoint = `nats://127.0.0.1:${port}`;
    const [child] = await start(running, job, "log_jetstream", { endpoint });
    return await measure([child], child, job);
  });
}

export function runRedis(job: Job): Promise<Sample> {
  return withProcesses(async (running) => {
    const port = await startServer(
      running,
      "redis-server",
      (
        port,
        folder,
      ) => [
        "--bind",
        "127.0.0.1",
        "--port",
        String(port),
        "--save",
        "",
        "--appendonly",
        "no",
        "--dir",
        folder,
      ],
      job,
    );
    const [child] = await start(running, job, "log_redis", { endpoint: `redis://127.0.0.1:${port}` });
    return await measure([child], child, job);
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
