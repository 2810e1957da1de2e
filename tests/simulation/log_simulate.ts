/**
 * Runs tests in many simulated log worlds, and says which one failed.
 *
 * @module
 */

import type { TopicInput } from "../../src/log/configuration/topic.ts";
import { chosenSeeds, SEED_SHARE } from "../support/simulate.ts";
import { judge, type JudgedLog, judgeReader } from "./log_judge.ts";
import { type ReaderStart, type ReadRecord, SimulatedReader } from "./log_reader.ts";
import { Stream, type StreamInit } from "./log_stream.ts";
import { LogWorld, type LogWorldInit } from "./log_world.ts";

export const TOPIC = "orders";

/** As many worlds run as the test asks for, so that it may count on what happens in some of them. */
export const DEFAULT_SEEDS: boolean = SEED_SHARE === 1 && process.env["HAWSER_SEED"] === undefined &&
  process.env["HAWSER_SEEDS"] === undefined;

/** How worlds of a test are: by their seed, or all alike. */
export type WorldsInit = LogWorldInit | ((seed: number) => LogWorldInit);

/** What a test does in a world. */
export type WorldBody = (world: LogWorld, seed: number) => void;

/**
 * Runs `body` in a swarm world for each seed from 1 to {@link SEED_SHARE} of `seeds`. A failure names its seed and shows the world.
 * `HAWSER_SEED=n` runs that seed alone; `HAWSER_SEEDS=n` runs 1 to n.
 */
export function simulateLog(name: string, seeds: number, init: WorldsInit, body: WorldBody): void {
  for (const seed of chosenSeeds(Math.ceil(seeds * SEED_SHARE))) simulateSeed(name, seed, init, body);
}

/** Runs `body` in the world of one seed. */
export function simulateSeed(name: string, seed: number, init: WorldsInit, body: WorldBody): void {
  const world = LogWorld.swarm(`${name} ${seed}`, typeof init === "function" ? init(seed) : init);
  try {
    body(world, seed);
  } catch (cause) {
    const said = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
    const report = said.includes("seed=") ? "" : `\n${world.report()}`;
    const text = `${name}: seed=${seed} (again: HAWSER_SEED=${seed}): ${said}${report}`;
    throw new Error(text, { cause });
  }
}

/** What a load is made of. */
export interface LoadInit extends Partial<StreamInit> {
  readonly publishers: number;
  /** Connections; default: one for each publisher. */
  readonly clients?: number;
  readonly onTopic?: TopicInput;
  /** Publishers with names. */
  readonly named?: boolean;
  /** Readers that are there from the beginning. */
  readonly readers?: readonly ReaderStart[];
}

/** A broker and wires for {@link largeBodies}. */
export const LARGE: LogWorldInit = {
  broker: {
    stagingBuffers: 2,
    stagingBufferBytes: 65_536,
    holdBytesMax: 1_048_576,
    grantBytesMax: 262_144,
    topics: { "*": { segmentBytes: 262_144 } },
  },
  wire: { chunkBytesMax: 10_000, bytesMax: 1_048_576, delayMsMax: 2 },
};

/** Batches that are read in place, over connections that end in the middle of them. */
export const largeBodies: WorldBody = (world) => {
  const load = new Load(world, { publishers: 4, records: 40, valueBytesMin: 20_000, valueBytesMax: 20_000 });
  load.strikes(8, () => world.cutWires());
  load.finish();
  load.judge();
  const { staging, ingest } = world.broker!.status();
  if (staging.inUse !== 0) throw new Error(`${staging.inUse} staging buffers stay in use`);
  // What is refused is sent again, so that nothing else would tell of it.
  const { checksum } = ingest.refusals;
  if (checksum !== 0) throw new Error(`${checksum} bodies were damaged on their way through staging`);
};

/** Publishers that have something to say, and readers that listen. */
export class Load {
  readonly world: LogWorld;
  readonly topic: string;
  readonly init: LoadInit;
  readonly streams: Stream[] = [];
  readonly readers: SimulatedReader[] = [];

  constructor(world: LogWorld, init: LoadInit) {
    this.world = world;
    this.init = init;
    this.topic = init.topic ?? TOPIC;
    const clients = Array.from({ length: init.clients ?? init.publishers }, () => world.client());
    for (let index = 0; index < init.publishers; index++) {
      const name = init.named === true ? { name: `publisher-${index}` } : {};
      const client = clients[index % clients.length]!;
      const { topic } = this;
      this.streams.push(new Stream(world, client, `p${index}`, { records: 30, ...init, ...name, topic }));
    }
    for (const start of init.readers ?? []) {
      this.readers.push(new SimulatedReader(world.client(), this.topic, start));
    }
    world.explainers.push(() => this.readers.join("\n  "));
  }

  /** Everything was said and answered. */
  get done(): boolean {
    return this.streams.every((stream) => stream.done);
  }

  /** Runs for a while, or until all is done. */
  steps(max: number): void {
    for (let steps = this.world.random.size(max); steps > 0 && !this.done; steps--) this.world.step();
  }

  /** Runs for a while, and strikes at an arbitrary event; then the broker starts again. `count` times. */
  strikes(count: number, strike: () => void): void {
    const { world } = this;
    this.begin();
    for (let index = 0; index < count && !this.done; index++) {
      this.steps(600);
      strike();
      world.runFor(world.random.pick([0, 1, 30, 400]));
      world.start();
    }
  }

  /** Runs until everything is acknowledged. */
  finish(): void {
    this.world.until(() => this.done, "all records to be acknowledged");
  }

  /** Runs until every publisher has a link again: it knows then what it has lost. */
  settle(): void {
    this.world.until(
      () => this.streams.every(({ publisher }) => ["open", "closed"].includes(publisher.session.state)),
      "every publisher to be open",
    );
  }

  /** Runs until the topic is there, as the first publisher wants it. */
  begin(): void {
    this.world.until(
      () => this.streams.some(({ publisher }) => publisher.session.everOpened),
      "a publisher to be open",
    );
  }

  /** Reads the whole log anew, and judges it and what the readers got. */
  judge(how: Partial<JudgedLog> = {}): readonly ReadRecord[] {
    const { streams, topic } = this;
    if (how.lossy === true) this.settle();
    const order = this.init.onTopic?.order ?? 5;
    const records = readAll(this.world, topic);
    judge({ order, streams, records, ...how });
    for (const reader of this.readers) {
      const reached = (): boolean => reader.error !== undefined || reader.next === BigInt(records.length);
      this.world.until(reached, "a reader to reach the end");
      judgeReader(reader, records, reader.happened.find(({ type }) => type === "logCut")?.error.from);
    }
    return records;
  }
}

/** All of a topic, through a connection of its own. */
export function readAll(world: LogWorld, topic: string): readonly ReadRecord[] {
  const client = world.client();
  const reader = new SimulatedReader(client, topic);
  world.explainers.push(() => `last ${reader}`);
  world.until(
    () =>
      reader.error !== undefined ||
      (world.topic(topic) !== undefined && reader.next === world.topic(topic)!.visibleTail),
    "a reader to read everything",
  );
  if (reader.error !== undefined) throw reader.error;
  client.close();
  return reader.records;
}

/** What was acknowledged at each position. */
export function acknowledgedAt(load: Load): Map<bigint, Uint8Array> {
  const values = new Map<bigint, Uint8Array>();
  for (const { programs } of load.streams) {
    for (const { submitted } of programs) {
      for (const { position, value } of submitted) if (position !== undefined) values.set(position, value);
    }
  }
  return values;
}
