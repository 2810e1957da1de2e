/**
 * Many records of 1 KiB from one publisher through a topic of order 5 and ack 1, to a consumer that checks each of them and
 * holds retention: all must be acknowledged, none dropped, and the broker's memory stay small.
 *
 * @module
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BrokerOptions, BrokerStatus } from "../../log.ts";
import { Faulty } from "./faulty.ts";
import { Processes, type StressProcess } from "./processes.ts";
import { RECORD_BYTES } from "./volume_records.ts";
import { Watchdog } from "./watchdog.ts";

export interface VolumeOptions {
  /** Of all records together. */
  readonly bytes: number;
  readonly store: "memory" | "file";
  readonly say: (line: string) => void;
}

export interface VolumeOutcome {
  readonly records: number;
  readonly acknowledged: number;
  readonly delivered: number;
  /** Until everything was acknowledged, and until everything was read. */
  readonly publishSeconds: number;
  readonly readSeconds: number;
  readonly status: BrokerStatus;
  /** Of the broker, at its highest. */
  readonly rssBytesMax: number;
  /** Of the topic's segments, at their highest, as far as was looked. */
  readonly storeBytesMax: number;
}

/** Bytes of memory that the broker may use with a file store, whatever goes through it. */
export const RSS_BYTES_MAX = 1_500_000_000;
const TOPIC = "volume";
const CONSUMER = "verifier";
/** Bytes that retention keeps of what the consumer has committed. */
const KEEP_BYTES = 1_024 ** 3;
const LOOK_MS = 500;
/** Refusals that lose nothing: a batch that was sent again, and one that is sent again when there is room. */
const HARMLESS: readonly string[] = ["duplicate", "storeFull"];

/** See the module. Rejects with what is wrong. No process and no file is left, whatever happens. */
export async function runVolume(options: VolumeOptions): Promise<VolumeOutcome> {
  const dir = options.store === "file" ? await mkdtemp(join(tmpdir(), "hawser-stress-")) : undefined;
  const processes = new Processes();
  const run = new VolumeRun(options, processes, dir);
  const watchdog = new Watchdog(() => run.progress);
  try {
    const outcome = await Promise.race([run.run(), processes.failed, watchdog.failed]);
    judge(outcome, options);
    return outcome;
  } finally {
    watchdog.stop();
    run.stop();
    await processes.kill();
    if (dir !== undefined) await rm(dir, { recursive: true, force: true });
  }
}

class VolumeRun {
  readonly #options: VolumeOptions;
  readonly #processes: Processes;
  readonly #dir: string | undefined;
  readonly #records: number;
  #broker: StressProcess | undefined;
  #publisher: StressProcess | undefined;
  #consumer: StressProcess | undefined;
  #stopped = false;
  #storeBytesMax = 0;

  constructor(options: VolumeOptions, processes: Processes, dir: string | undefined) {
    this.#options = options;
    this.#processes = processes;
    this.#dir = dir;
    this.#records = Math.ceil(options.bytes / RECORD_BYTES);
  }

  /** How far it is, in words. */
  get progress(): string {
    const { records: acknowledged = 0 } = this.#publisher ?? {};
    const { records: read = 0 } = this.#consumer ?? {};
    return `acknowledged ${acknowledged} of ${this.#records}, read ${read}`;
  }

  async run(): Promise<VolumeOutcome> {
    const broker = this.#processes.start("The broker", { kind: "broker", options: this.#brokerOptions });
    this.#broker = broker;
    const common = { endpoint: await broker.ready, topic: TOPIC, records: this.#records };
    const consumer = this.#processes.start("The consumer", {
      kind: "volume consumer",
      consumer: CONSUMER,
      ...common,
    });
    const publisher = this.#processes.start("The publisher", { kind: "volume publisher", ...common });
    this.#consumer = consumer;
    this.#publisher = publisher;
    await Promise.all([consumer.ready, publisher.ready]);
    const startMs = performance.now();
    const seconds = (): number => (performance.now() - startMs) / 1_000;
    publisher.tell("go");
    void this.#watch();
    const published = publisher.done.then(({ records }) => ({ records, seconds: seconds() }));
    const read = consumer.done.then(({ records }) => ({ records, seconds: seconds() }));
    const [acknowledged, delivered] = await Promise.all([published, read]);
    this.stop();
    const { status, rssBytesMax } = await this.#look();
    await broker.end();
    return {
      records: this.#records,
      acknowledged: acknowledged.records,
      delivered: delivered.records,
      publishSeconds: acknowledged.seconds,
      readSeconds: delivered.seconds,
      status,
      rssBytesMax,
      storeBytesMax: this.#storeBytesMax,
    };
  }

  /** Looks no more. */
  stop(): void {
    this.#stopped = true;
  }

  get #brokerOptions(): BrokerOptions {
    const inFiles = this.#dir !== undefined;
    // Memory is bounded as it is: what does not fit waits for the consumer.
    const retention = { keepFor: [CONSUMER], ...(inFiles ? { bytesMax: KEEP_BYTES } : {}) };
    return {
      listen: ["tcp://127.0.0.1:0"],
      topics: { [TOPIC]: { order: 5, ack: 1, retention } },
      ...(inFiles ? { dir: this.#dir } : {}),
    };
  }

  async #watch(): Promise<void> {
    while (!this.#stopped) {
      await this.#look();
      this.#options.say(this.progress);
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  async #look(): Promise<{ readonly status: BrokerStatus; readonly rssBytesMax: number }> {
    const report = await this.#broker!.report();
    const bytes = report.status.topics[0]?.store.bytes ?? 0;
    this.#storeBytesMax = Math.max(this.#storeBytesMax, bytes);
    return report;
  }
}

/** @throws {Faulty} when something was dropped or is missing, or the broker has used too much memory. */
function judge(outcome: VolumeOutcome, { store }: VolumeOptions): void {
  const { records, acknowledged, delivered, status, rssBytesMax } = outcome;
  const { ingest, topics: [topic] } = status;
  const faults: string[] = [];
  const expect = (is: unknown, must: unknown, what: string): void => {
    if (is !== must) faults.push(`${what}: ${is} instead of ${must}`);
  };
  expect(acknowledged, records, "acknowledged records");
  expect(delivered, records, "delivered records");
  expect(topic?.tail, String(records), "the topic's tail");
  expect(topic?.ring.full, 0, "times that the ring was full");
  expect(ingest.drops, 0, "dropped batches");
  expect(ingest.lost, 0, "batches lost with their connections");
  for (const [reason, batches] of Object.entries(ingest.refusals)) {
    if (!HARMLESS.includes(reason)) expect(batches, 0, `batches refused as ${reason}`);
  }
  if (store === "file" && rssBytesMax > RSS_BYTES_MAX) {
    faults.push(`the broker has used ${rssBytesMax} bytes of memory, more than ${RSS_BYTES_MAX}`);
  }
  if (faults.length > 0) throw new Faulty(faults.join("\n"));
}
