/**
 * The work: the lines of files through an ordered topic, from two publishers to one subscriber, which checks them.
 *
 *     publisher on Deno ──┐ lines of one half
 *                         ├───▶ broker on Node ──▶ subscriber on Node (this process)
 *     publisher on Bun  ──┘       │      ▲            │
 *            of the other half    ▼      └─ commits ──┘
 *                           the topic's files
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { connectLog, type Log } from "../../../log.ts";
import type { FoundFolder } from "../../ventilator/command.ts";
import type { FoundFile } from "../../ventilator/files.ts";
import { formatBytes } from "../../ventilator/format.ts";
import { interrupted } from "../../ventilator/job.ts";
import { labelOfRuntime } from "../../ventilator/runtime.ts";
import type { BrokerJob, PublisherJob } from "./messages.ts";
import { type Process, Processes } from "./processes.ts";
import { type Outcome, stream } from "./stream.ts";
import type { Assignment } from "./verifier.ts";

/** The runtimes that publish; also the publishers' names. */
const PUBLISHERS = ["Deno", "Bun"] as const;

/**
 * Streams the lines of the files, and checks what comes out.
 *
 * @throws {JobError} when a process is lost, nothing moves any more, or a file cannot be read. Whatever happens, no
 * process and no file is left.
 */
export async function streamLines(found: FoundFolder): Promise<Outcome> {
  const dir = await mkdtemp(join(tmpdir(), "hawser-log-"));
  const processes = new Processes();
  let log: Log | undefined;
  const work = async (): Promise<Outcome> => {
    const { broker, endpoint } = await startBroker(processes, dir);
    log = await connectLog(endpoint);
    const assignments = assign(found.files);
    const publishers = await startPublishers(processes, { endpoint, folder: found.folder, assignments });
    console.log(`subscriber on ${labelOfRuntime()}, process ${process.pid}`);
    const outcome = await stream({ found, log, publishers, assignments });
    for (const publisher of publishers) await publisher.end();
    await log.close();
    await broker.end();
    return outcome;
  };
  const working = work();
  try {
    return await Promise.race([working, processes.failed, interrupted()]);
  } finally {
    await processes.kill();
    await log?.close();
    // Nothing is left that it could wait for. What it had to say is not the first cause.
    await working.catch(() => {});
    await rm(dir, { recursive: true, force: true });
  }
}

async function startBroker(
  processes: Processes,
  dir: string,
): Promise<{ readonly broker: Process; readonly endpoint: string }> {
  const job: BrokerJob = { dir };
  const broker = processes.start("the broker on Node", "Node", "log/lines/broker", job);
  const { label, endpoint = "" } = await broker.ready();
  console.log(`broker on ${label}, process ${broker.pid}, at ${endpoint}, files in ${dir}`);
  return { broker, endpoint };
}

interface Casting {
  readonly endpoint: string;
  readonly folder: string;
  readonly assignments: readonly Assignment[];
}

async function startPublishers(
  processes: Processes,
  { endpoint, folder, assignments }: Casting,
): Promise<Process[]> {
  const publishers = PUBLISHERS.map((runtime, index) => {
    const job: PublisherJob = { endpoint, folder, ...assignments[index]! };
    return processes.start(`the publisher on ${runtime}`, runtime, "log/lines/publisher", job);
  });
  const reports = await Promise.all(publishers.map((publisher) => publisher.ready()));
  for (const [index, { label }] of reports.entries()) {
    const { files } = assignments[index]!;
    const part = `${files.length} files, ${formatBytes(bytesOf(files))}`;
    console.log(`publisher on ${label}, process ${publishers[index]!.pid}: ${part}`);
  }
  return publishers;
}

/** Deals the files out, so that all publishers have about as many bytes. */
function assign(files: readonly FoundFile[]): Assignment[] {
  const parts = PUBLISHERS.map((name) => ({ name, files: [] as FoundFile[], bytes: 0 }));
  for (const file of files) {
    const least = parts.reduce((least, part) => part.bytes < least.bytes ? part : least);
    least.files.push(file);
    least.bytes += file.bytes;
  }
  return parts.map(({ name, files }) => ({ name, files }));
}

function bytesOf(files: readonly FoundFile[]): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}
