/**
 * The work: contents out to three workers, digests back.
 *
 *                    contents                     digests
 *     ventilator ───┬─────────▶ worker on Node ──┬────────▶ sink
 *        PUSH       ├─────────▶ worker on Deno ──┤          PULL
 *                   └─────────▶ worker on Bun  ──┘
 *                            PULL          PUSH            (or other workers, over tls and ws)
 *     control PUB ──┬─────────▶ SUB of each worker: "end"
 *                   └─────────▶ SUB of the display: "progress"
 */

import process from "node:process";
import { type Peer, Publisher, Pull, Push, Subscriber } from "../../mod.ts";
import { makeTestCertificates, type TestCertificates } from "../../cli/test_certificates.ts";
import type { FoundFile } from "./files.ts";
import { JobError } from "./job_error.ts";
import { Ledger } from "./ledger.ts";
import { endTopic, PROGRESS_TOPIC, RUNTIME_PROPERTY, textOf } from "./messages.ts";
import { showProgress } from "./progress.ts";
import type { WorkerPlan } from "./runtime.ts";
import { collect } from "./sink.ts";
import { ventilate } from "./ventilator.ts";
import { Workers } from "./workers.ts";

/** Milliseconds that the workers may take to report for work. */
const START_MS = 30_000;

/** The sockets of the main program. */
interface Sockets {
  readonly tasks: Push;
  readonly results: Pull;
  readonly control: Publisher;
  readonly display: Subscriber;
  /** What the workers over a scheme connect to: of tasks, results and control. */
  readonly endpoints: ReadonlyMap<string, readonly string[]>;
}

/** How the work went. */
export interface Report {
  readonly ledger: Ledger;
  readonly seconds: number;
}

/** What is to be done, and by whom. */
export interface Job {
  readonly folder: string;
  readonly files: readonly FoundFile[];
  readonly plan: readonly WorkerPlan[];
}

/** Digests files. @throws {JobError} when a worker is lost or a file cannot be read; no worker is left then. */
export async function digestFiles(job: Job): Promise<Report> {
  const { plan } = job;
  const encrypted = plan.some(({ scheme }) => scheme === "tls");
  const certificates = encrypted ? await makeTestCertificates({ hosts: ["127.0.0.1"] }) : undefined;
  const sockets = await openSockets(plan, certificates);
  const { tasks, results, control, endpoints } = sockets;
  const workers = new Workers(plan, endpoints, certificates?.authority.certificate);
  try {
    return await Promise.race([work({ ...job, sockets, workers }), workers.failed, interrupted()]);
  } finally {
    const killed = workers.kill();
    // Ends the display too, so that what is said next begins a line of its own.
    for (const socket of [tasks, results, control, sockets.display]) socket.close();
    await killed;
  }
}

/** Binds on this machine only, to whatever ports are free. */
async function openSockets(
  plan: readonly WorkerPlan[],
  certificates: TestCertificates | undefined,
): Promise<Sockets> {
  // When these sockets close, either all is done, or nobody wants the rest any more.
  const linger = 0;
  const tls = certificates === undefined
    ? null
    : { certificate: certificates.server.certificate, key: certificates.server.key };
  // What waits for one worker cannot go to a faster one, so little may wait: that is what makes the shares fair.
  const tasks = new Push({ linger, tls, sendHighWaterMark: 8, sendHighWaterMarkBytes: 4 * 1024 * 1024 });
  // A worker that answers neither digests nor PINGs hangs, though its process is there.
  const results = new Pull({
    linger,
    tls,
    heartbeatInterval: 1_000,
    heartbeatTimeout: 10_000,
    receiveTimeout: 60_000,
  });
  const control = new Publisher({ linger, tls });
  const display = new Subscriber({ linger });
  await control.bind("inproc://control");
  display.connect("inproc://control");
  const endpoints = new Map<string, string[]>();
  for (const scheme of new Set(plan.map(({ scheme }) => scheme))) {
    const bound: string[] = [];
    for (const socket of [tasks, results, control]) bound.push(await socket.bind(`${scheme}://127.0.0.1:0`));
    endpoints.set(scheme, bound);
  }
  return { tasks, results, control, display, endpoints };
}

interface Work extends Job {
  readonly sockets: Sockets;
  readonly workers: Workers;
}

async function work({ folder, files, plan, sockets, workers }: Work): Promise<Report> {
  const { tasks, results, control, display } = sockets;
  const shown = showProgress(display);
  const labels = await meetWorkers(plan, sockets);
  for (const label of labels) console.log(`${label}, process ${workers.processOf(label)}`);
  results.events.on(
    "disconnect",
    ({ peer, error }) => workers.lose(labelOf(peer), error?.message ?? "it left"),
  );

  const ledger = new Ledger(files, labels);
  const startMs = performance.now();
  await Promise.all([ventilate({ folder, files, tasks, ledger }), collect({ results, control, ledger })]);
  const seconds = (performance.now() - startMs) / 1000;
  await shown;

  workers.mayEnd();
  for (const { runtime } of plan) await control.send(endTopic(runtime));
  await workers.ended();
  return { ledger, seconds };
}

/** Waits until every worker takes tasks, gives results and hears its end. Answers their labels, `Deno 2.9.6`. */
async function meetWorkers(
  plan: readonly WorkerPlan[],
  { tasks, results, control }: Sockets,
): Promise<string[]> {
  const signal = AbortSignal.timeout(START_MS);
  const runtimes = plan.map(({ runtime }) => runtime);
  const peers = runtimes.length;
  const labels = (): string[] => tasks.peers.map(labelOf);
  try {
    await Promise.all([
      tasks.ready({ peers, signal }),
      results.ready({ peers, signal }),
      control.subscribed(PROGRESS_TOPIC, { signal }),
      ...runtimes.map((runtime) => control.subscribed(endTopic(runtime), { signal })),
    ]);
  } catch (error) {
    if (!signal.aborted) throw error;
    const missing = runtimes.filter((runtime) => !labels().some((label) => label.startsWith(runtime)));
    const who = missing.length === 0 ? "a worker" : `the worker on ${missing.join(" and ")}`;
    throw new JobError(`Nothing was heard of ${who} within ${START_MS / 1000} s.`);
  }
  return runtimes.flatMap((runtime) => labels().filter((label) => label.startsWith(runtime)));
}

function labelOf(peer: Peer | undefined): string {
  return textOf(peer?.metadata.get(RUNTIME_PROPERTY.toLowerCase()));
}

/** Rejects on Ctrl-C and on a polite request to end. */
export function interrupted(): Promise<never> {
  return new Promise((_resolve, reject) => {
    for (const [signal, number] of [["SIGINT", 2], ["SIGTERM", 15], ["SIGHUP", 1]] as const) {
      process.once(signal, () => reject(new JobError("Interrupted: the workers are ended.", 128 + number)));
    }
  });
}
