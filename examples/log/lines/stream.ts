/** The stream itself: sets the publishers going, and reads, checks, commits and shows until everything is there. */

import type { Consumer, Log } from "../../../log.ts";
import type { FoundFolder } from "../../ventilator/command.ts";
import { changedSince } from "../../ventilator/files.ts";
import { formatBytes } from "../../ventilator/format.ts";
import { JobError } from "../../ventilator/job_error.ts";
import { ProgressDisplay } from "../../ventilator/progress.ts";
import { CONSUMER, TOPIC } from "./messages.ts";
import type { Process } from "./processes.ts";
import { type Assignment, Verifier } from "./verifier.ts";

/** Milliseconds between two looks at how far it is. */
const LOOK_MS = 50;
/** Milliseconds that nothing may move. */
const STILL_MS = 60_000;
/** Bytes between two commits. */
const COMMIT_BYTES = 8 * 1024 * 1024;

/** Who takes part. */
export interface Cast {
  readonly found: FoundFolder;
  readonly log: Log;
  readonly publishers: readonly Process[];
  /** What each of them publishes. */
  readonly assignments: readonly Assignment[];
}

/** How it went. */
export interface Outcome {
  readonly verifier: Verifier;
  readonly seconds: number;
  /** If there are mistakes: files that somebody has changed in the meantime, which would explain them. */
  readonly changed: readonly string[];
}

/** @throws {JobError} when nothing moves any more, or a file cannot be read. */
export async function stream({ found, log, publishers, assignments }: Cast): Promise<Outcome> {
  await log.openTopic(TOPIC);
  const consumer = log.consumer(TOPIC, CONSUMER);
  const verifier = new Verifier(found.folder, assignments);
  const progress = new Progress(found.bytes, verifier, publishers);
  const startMs = performance.now();
  const startedMs = Date.now();
  for (const publisher of publishers) publisher.tell("go");
  let complete = false;
  try {
    complete = await Promise.race([read({ consumer, verifier, publishers }), progress.watch(log)]);
  } finally {
    progress.end(complete);
  }
  const seconds = (performance.now() - startMs) / 1000;
  const { tail } = await log.openTopic(TOPIC);
  if (verifier.mistakes.length === 0) await verifier.finish(tail);
  const changed = verifier.mistakes.length === 0
    ? []
    : await changedSince(found.folder, found.files, startedMs);
  return { verifier, seconds, changed };
}

interface Reading {
  readonly consumer: Consumer;
  readonly verifier: Verifier;
  readonly publishers: readonly Process[];
}

/** Reads until everything that was acknowledged is there: true. False: something is wrong. */
async function read({ consumer, verifier, publishers }: Reading): Promise<boolean> {
  let published: number | undefined;
  const complete = (): boolean => verifier.lines === published;
  void Promise.all(publishers.map(({ done }) => done)).then(async () => {
    published = publishers.reduce((sum, { acknowledged }) => sum + acknowledged, 0);
    // The last record may have been read before.
    if (complete()) await consumer.close();
  });
  let committedBytes = 0;
  for await (const records of consumer.batches()) {
    await verifier.check(records);
    if (complete() || verifier.mistakes.length > 0) break;
    if (verifier.bytes - committedBytes < COMMIT_BYTES) continue;
    committedBytes = verifier.bytes;
    await consumer.commit();
  }
  return complete() && verifier.mistakes.length === 0;
}

/** Shows how far it is, and notices when it comes no further. */
class Progress {
  readonly #bytesTotal: number;
  readonly #verifier: Verifier;
  readonly #publishers: readonly Process[];
  readonly #display: ProgressDisplay = new ProgressDisplay();
  #ordered = 0;
  #over = false;

  constructor(bytesTotal: number, verifier: Verifier, publishers: readonly Process[]) {
    this.#bytesTotal = bytesTotal;
    this.#verifier = verifier;
    this.#publishers = publishers;
  }

  /** Rejects when nothing moves any more. */
  async watch(log: Log): Promise<never> {
    let movedMs = performance.now();
    let last = "";
    for (;;) {
      this.#show();
      await new Promise<void>((resolve) => setTimeout(resolve, LOOK_MS));
      if (this.#over) return await new Promise<never>(() => {});
      this.#ordered = Number((await log.openTopic(TOPIC)).tail);
      if (this.#text !== last) movedMs = performance.now();
      last = this.#text;
      if (performance.now() - movedMs < STILL_MS) continue;
      throw new JobError(`Nothing has moved for ${STILL_MS / 1000} s: ${last}.`);
    }
  }

  /** Shows it for the last time. */
  end(complete: boolean): void {
    this.#over = true;
    this.#show(complete);
    this.#display.end();
  }

  #show(complete = false): void {
    const percent = Math.floor(100 * this.#verifier.bytes / Math.max(1, this.#bytesTotal));
    this.#display.show(complete ? 100 : Math.min(99, percent), this.#text);
  }

  get #text(): string {
    const { lines, bytes } = this.#verifier;
    const acknowledged = this.#publishers.reduce((sum, publisher) => sum + publisher.acknowledged, 0);
    // The three are from different moments: what is acknowledged or delivered is ordered.
    const ordered = Math.max(this.#ordered, acknowledged, lines);
    const counts = `acknowledged ${acknowledged}, ordered ${ordered}, delivered ${lines} lines`;
    return `${counts}, ${formatBytes(bytes)} of ${formatBytes(this.#bytesTotal)}`;
  }
}
