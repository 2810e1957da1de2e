/**
 * The broker is killed again and again under load, and restarted on the same folder and at the same endpoint. Publishers and
 * readers go on without help. In the end everything that was acknowledged must be there: once, in each publisher's order, at
 * the position that was promised.
 *
 *     process: publishers 0, 1, 2 ──┐                     ┌─▶ a subscription ───┐
 *                                   ├─▶ process: broker ──┤                     ├ in this process
 *     process: publishers 3, 4, 5 ──┘       (killed)      └─▶ two consumers ────┘
 *
 * @module
 */

import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { type BrokerOptions, connectLog, type Log, type TopicInfo } from "../../log.ts";
import { Random } from "../support/random.ts";
import { Interrupted } from "./faulty.ts";
import { Judge, Positions, type Promised } from "./judge.ts";
import { KillReaders } from "./kill_readers.ts";
import { PUBLISHERS, publishersOf, RECYCLED, TOPICS, WRITTEN } from "./kill_topics.ts";
import { Processes, type StressProcess } from "./processes.ts";
import { RECONNECT } from "./reconnect.ts";
import { RecordSource } from "./records.ts";
import { Watchdog } from "./watchdog.ts";

export interface KillOptions {
  /** How often the broker is killed. */
  readonly times: number;
  readonly seed: string;
  readonly say: (line: string) => void;
}

export interface KillOutcome {
  readonly kills: number;
  /** Of these, while the broker was starting. */
  readonly startKills: number;
  readonly promises: readonly Promised[];
  readonly topics: readonly TopicInfo[];
  readonly seconds: number;
}

const KIB = 1_024;
/** In part of the kills, the broker is killed while it starts, so many milliseconds after. */
const START_KILLS = 0.25;
const START_MS_MAX = 400;
/** Otherwise when so many more records of one publisher are acknowledged, at most, and so many milliseconds have passed. */
const LOAD_RECORDS_MAX = 4_000;
/** Where they wait for the disk more often: every round, every small segment. */
const LOAD_RECORDS_SLOW_MAX = 400;
const LOAD_MS_MAX = 60;
/** Ports below those that the system gives out by itself: nobody else takes one while the broker is dead. */
const PORT_MIN = 10_000;
const PORTS = 20_000;

/** See the module. Rejects with what is wrong; the folder is kept then. */
export async function runKill(options: KillOptions): Promise<KillOutcome> {
  const dir = await mkdtemp(join(tmpdir(), "hawser-stress-"));
  const processes = new Processes();
  const run = new KillRun(options, processes, dir);
  const watchdog = new Watchdog(() => run.progress);
  let keep = false;
  try {
    return await Promise.race([run.run(), processes.failed, watchdog.failed]);
  } catch (error) {
    keep = !(error instanceof Interrupted);
    if (keep) options.say(`The seed was ${options.seed}; the log's files are kept in ${dir}.`);
    throw error;
  } finally {
    watchdog.stop();
    await processes.kill();
    await run.abandon();
    if (!keep) await rm(dir, { recursive: true, force: true });
  }
}

class KillRun {
  readonly #options: KillOptions;
  readonly #processes: Processes;
  readonly #dir: string;
  readonly #random: Random;
  readonly #source: RecordSource;
  #endpoint = "";
  #publishers: readonly StressProcess[] = [];
  #log: Log | undefined;
  #readers: KillReaders | undefined;
  #kills = 0;
  #startKills = 0;
  #starts = 0;
  #ended = false;

  constructor(options: KillOptions, processes: Processes, dir: string) {
    this.#options = options;
    this.#processes = processes;
    this.#dir = dir;
    this.#random = new Random(`kill:${options.seed}`);
    this.#source = new RecordSource(options.seed);
  }

  /** How far it is, in words. */
  get progress(): string {
    const read = this.#readers?.progress ?? "nothing read";
    return `${this.#kills} kills, ${this.#starts} starts, ${this.#acknowledged} records acknowledged, ${read}`;
  }

  async run(): Promise<KillOutcome> {
    const startMs = performance.now();
    this.#endpoint = `tcp://127.0.0.1:${await freePort()}`;
    let broker = await this.#started();
    await this.#startPublishers();
    this.#log = await connectLog(this.#endpoint, RECONNECT);
    this.#readers = new KillReaders(this.#log, this.#source, this.#random.fork("readers"));
    const reading = this.#readers.read();
    // Whoever waits for it hears of it; it must not be unhandled until then.
    reading.catch(() => {});
    const killing = async (): Promise<StressProcess> => {
      while (this.#kills < this.#options.times) broker = await this.#killOnce(broker);
      return broker;
    };
    broker = await Promise.race([killing(), reading.then(() => broker)]);
    const promises = await this.#stopPublishers(reading);
    const topics = await this.#readers.finish(promises, reading);
    await this.#readAgain(promises, topics);
    await this.#log.close();
    await broker.end();
    return {
      kills: this.#kills,
      startKills: this.#startKills,
      promises,
      topics,
      seconds: (performance.now() - startMs) / 1_000,
    };
  }

  /** Ends what is left of a run that failed. */
  async abandon(): Promise<void> {
    this.#ended = true;
    await this.#log?.close();
  }

  get #acknowledged(): number {
    return this.#publishers.reduce((sum, { records }) => sum + records, 0);
  }

  #startBroker(): StressProcess {
    this.#starts++;
    const options: BrokerOptions = {
      listen: [this.#endpoint],
      dir: this.#dir,
      stagingBufferBytes: 64 * KIB,
      batchBytesMax: 64 * KIB,
      topics: TOPICS,
    };
    return this.#processes.start("The broker", { kind: "broker", options });
  }

  async #started(): Promise<StressProcess> {
    const broker = this.#startBroker();
    await broker.ready;
    return broker;
  }

  /** Kills the broker at the next moment, and answers the one that follows. */
  async #killOnce(broker: StressProcess): Promise<StressProcess> {
    await this.#load();
    await delay(this.#random.upTo(LOAD_MS_MAX));
    await broker.kill();
    this.#kills++;
    while (this.#kills < this.#options.times && this.#random.chance(START_KILLS)) {
      const starting = this.#startBroker();
      await delay(this.#random.upTo(START_MS_MAX));
      await starting.kill();
      this.#kills++;
      this.#startKills++;
    }
    if (this.#ended) return broker;
    const next = await this.#started();
    this.#options.say(`kill ${this.#kills}: ${this.progress}`);
    return next;
  }

  /** Resolves when one of the publishers is so much further. */
  async #load(): Promise<void> {
    const chosen = this.#random.integer(0, this.#publishers.length - 1);
    const process = this.#publishers[chosen]!;
    const index = this.#random.integer(0, PUBLISHERS[chosen]!.length - 1);
    const { topic } = PUBLISHERS[chosen]![index]!;
    const acknowledged = (): number => process.each[index] ?? 0;
    const records = acknowledged() +
      this.#random.size(topic === WRITTEN ? LOAD_RECORDS_MAX : LOAD_RECORDS_SLOW_MAX);
    while (acknowledged() < records && !this.#ended) await process.progress();
  }

  async #startPublishers(): Promise<void> {
    this.#publishers = PUBLISHERS.map((publishers, index) =>
      this.#processes.start(`The process of publishers, number ${index},`, {
        kind: "publishers",
        endpoint: this.#endpoint,
        seed: this.#options.seed,
        publishers,
      })
    );
    await Promise.all(this.#publishers.map(({ ready }) => ready));
  }

  /** Resolves when everything is acknowledged. */
  async #stopPublishers(reading: Promise<void>): Promise<Promised[]> {
    for (const publisher of this.#publishers) publisher.tell("stop");
    const reports = Promise.all(this.#publishers.map(({ done }) => done));
    // A reader that fails ends the run; one that ends in order is not there yet.
    await Promise.race([reports, reading]);
    return (await reports).flatMap(({ promises = [] }) => promises);
  }

  /** Reads everything once more, from the beginning, with eyes that have seen nothing. */
  async #readAgain(promises: readonly Promised[], topics: readonly TopicInfo[]): Promise<void> {
    await using log = await connectLog(this.#endpoint, RECONNECT);
    for (const { topic, tail } of topics) {
      // Its beginning is gone.
      if (topic === RECYCLED) continue;
      const ids = publishersOf(topic);
      const own = promises.filter(({ publisher }) => ids.includes(publisher));
      const judge = new Judge(`topic ${topic}, read once more`, this.#source, ids);
      const positions = new Positions(own);
      if (tail > 0n) {
        for await (const records of log.subscribe(topic, { from: "earliest" }).batches()) {
          judge.check(records);
          positions.check(records);
          if (judge.position >= tail) break;
        }
      }
      judge.finish(own);
    }
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A port that nobody listens on. */
async function freePort(): Promise<number> {
  for (let attempt = 0;; attempt++) {
    const port = PORT_MIN + (process.pid * 37 + attempt) % PORTS;
    const server = createServer();
    const free = await new Promise<boolean>((resolve, reject) => {
      server.once("error", (error) => attempt < PORTS ? resolve(false) : reject(error));
      server.listen(port, "127.0.0.1", () => resolve(true));
    });
    if (!free) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}
