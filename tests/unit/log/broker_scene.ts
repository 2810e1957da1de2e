/**
 * A broker in virtual time, on memory or on a simulated disk, with peers that say messages one by one.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { crc32 } from "../../../src/bytes/crc32.ts";
import { decodeUtf8 } from "../../../src/bytes/utf8.ts";
import { Broker } from "../../../src/log/broker/broker.ts";
import type { TopicStatus } from "../../../src/log/broker/status.ts";
import type { Topic } from "../../../src/log/broker/topic.ts";
import type { BrokerInput } from "../../../src/log/configuration/broker.ts";
import type { TopicInput } from "../../../src/log/configuration/topic.ts";
import { DiskStores } from "../../../src/log/store/disk_stores.ts";
import { MemoryStores } from "../../../src/log/store/memory_store.ts";
import { SegmentPool } from "../../../src/log/store/segment_pool.ts";
import type { StoreFactory } from "../../../src/log/store/store.ts";
import type { Host } from "../../../src/ports.ts";
import { EventLoop } from "../../support/event_loop.ts";
import { SimulatedDisk } from "../../support/log_disk.ts";
import { Random } from "../../support/random.ts";
import { Peer, type PeerOptions } from "./broker_peer.ts";

export interface BrokerSceneOptions {
  readonly seed?: number;
  /** Default: memory. */
  readonly store?: "memory" | "process" | "machine";
  readonly broker?: BrokerInput;
  /** Options of every topic. */
  readonly topic?: TopicInput;
  readonly writeBytesMax?: number | undefined;
  readonly writeBehindBytesMax?: number;
  readonly latencyMsMax?: number;
}

const WALL_MS = 1_750_000_000_000;

/** Small enough that limits are reached with little. */
export const SMALL: BrokerInput = {
  stagingBuffers: 4,
  stagingBufferBytes: 1_024,
  ringSlots: 8,
  holdBatchesMax: 32,
  holdBytesMax: 32_768,
  memoryBytesMax: 65_536,
  sessionsMax: 16,
};

/** See the module. */
export class BrokerScene {
  readonly random: Random;
  readonly loop: EventLoop;
  readonly disk: SimulatedDisk;
  readonly notices: string[] = [];
  readonly options: BrokerSceneOptions;
  broker: Broker;
  stores: StoreFactory;
  /** Added to the wall clock. */
  wallJumpMs = 0;
  #life = 0;
  #sessions = 0n;

  constructor(options: BrokerSceneOptions = {}) {
    this.options = options;
    this.random = new Random(options.seed ?? 1);
    this.loop = new EventLoop(this.random.fork("loop"), {
      startMs: 5,
      turnEventsMax: 3,
      shuffleTies: true,
      timerLateMsMax: 1,
      timerEarlyMsMax: 0,
    });
    this.disk = new SimulatedDisk({
      random: this.random.fork("disk"),
      schedule: (delayMs, run) => this.loop.io(delayMs, "disk", run),
      latencyMsMax: options.latencyMsMax ?? 2,
      sectorBytes: 64,
    });
    ({ broker: this.broker, stores: this.stores } = this.#start());
  }

  get topics(): readonly TopicStatus[] {
    return this.broker.status().topics;
  }

  /** The status of a topic, by default of the first one. */
  topic(name?: string): TopicStatus {
    const found = this.topics.find((one) => name === undefined || one.name === name);
    assert(found !== undefined, "the topic is open");
    return found;
  }

  /** The machine itself. */
  machine(name?: string): Topic {
    const found = this.broker.topics.all.find((one) => name === undefined || one.name === name);
    assert(found !== undefined, "the topic is open");
    return found;
  }

  /** A link, that has said hello unless told otherwise. */
  peer(options: PeerOptions = {}): Peer {
    const peer = new Peer(this, options);
    if (options.greet !== false) {
      peer.say({ type: "hello", versionMin: 1, versionMax: 1, features: 0 });
      peer.expect("welcome");
    }
    return peer;
  }

  newSession(): bigint {
    return ++this.#sessions;
  }

  /** Runs what is due without moving the clock further than `ms`. */
  run(ms: number): void {
    const endMs = this.loop.nowMs + ms;
    while (this.loop.nextAtMs <= endMs) this.loop.step();
    this.loop.advanceTo(endMs);
  }

  /** Until nothing is left but timers that lie further away than `withinMs`. */
  settle(withinMs = 40): void {
    while (this.loop.nextAtMs <= this.loop.nowMs + withinMs && this.loop.step());
  }

  /** Up to so many events, but not what is far away: timers of days would let sessions expire. */
  steps(count: number): void {
    for (let step = 0; step < count && this.loop.nextAtMs <= this.loop.nowMs + 100; step++) this.loop.step();
  }

  until(reached: () => boolean, what: string = "that"): void {
    for (let step = 0; !reached(); step++) {
      const near = this.loop.nextAtMs <= this.loop.nowMs + 60_000;
      assert(near && step < 100_000 && this.loop.step(), `${what} never happens`);
    }
  }

  /** Closes the broker, and waits. */
  close(): void {
    let closed = 0;
    this.broker.close(() => closed++);
    this.until(() => closed > 0, "the broker's end");
    this.settle();
    assertEquals(closed, 1);
  }

  /** The process dies. Links end without a word. */
  kill(): void {
    this.disk.kill();
    this.#again();
  }

  powerLoss(): void {
    this.disk.powerLoss();
    this.#again();
  }

  /** A new process, after {@link BrokerScene.close}. */
  restart(): void {
    this.#again();
  }

  /** Nothing is under way and nobody is left: every claim was given back. */
  assertNothingHeld(): void {
    const { staging, ingest, topics, connections } = this.broker.status();
    assertEquals([staging.inUse, staging.utilisationPercent, connections], [0, 0, 0], "staging and links");
    assertEquals(staging.pauses, staging.resumes + this.broker.pool.forgotten, "pauses");
    assertEquals([this.broker.pool.waiting, ingest.drops], [0, 0]);
    for (const { ring, sequencer, publishers, subscriptions } of topics) {
      assertEquals([ring.inFlight, ring.waiting], [0, 0], "ring");
      assertEquals([sequencer.waiting, sequencer.attached, sequencer.heldNow], [0, 0, 0], "sequencer");
      assertEquals([sequencer.grantedBatches, sequencer.grantedBytes], [0, 0], "grants");
      assertEquals([publishers, subscriptions], [0, 0], "users");
    }
    for (const topic of this.broker.topics.all) {
      assertEquals(topic.ingest.reaches(-1), -1, "a payload that waits for its order");
    }
  }

  #again(): void {
    this.#life++;
    ({ broker: this.broker, stores: this.stores } = this.#start());
  }

  #start(): { broker: Broker; stores: StoreFactory } {
    const host = this.#host();
    const { options } = this;
    const { store = "memory", writeBytesMax, writeBehindBytesMax } = options;
    const pool = new SegmentPool();
    const stores = store === "memory" ? new MemoryStores(pool) : new DiskStores({
      folders: this.disk.folders,
      host,
      durability: store,
      writeBytesMax,
      writeBehindBytesMax,
      pool,
    });
    const topics = {
      "*": { segmentBytes: 8_192, leaseMs: 1_000, ...options.topic },
      ...options.broker?.topics,
    };
    const broker = new Broker({
      host,
      stores,
      options: { ...SMALL, ...options.broker, topics },
      notice: (text) => this.notices.push(text),
    });
    return { broker, stores };
  }

  /** Of one life: what it asked for does not happen after its end. */
  #host(): Host {
    const life = this.#life;
    const random = this.random.fork(`host ${life}`);
    const ofLife = (run: () => void): () => void => () => {
      if (life === this.#life) run();
    };
    return {
      nowMs: () => this.loop.nowMs,
      wallMs: () => WALL_MS + this.wallJumpMs + this.loop.nowMs,
      schedule: (delayMs, run, referenced) => this.loop.timer(delayMs, ofLife(run), referenced),
      microtask: (run) => this.loop.microtask(ofLife(run)),
      turn: (run) => this.loop.turn(ofLife(run)),
      random: (into) => random.fill(into),
      keepAlive: () => {},
      memory: (bytes) => new Uint8Array(bytes).fill(0xdb),
      crc32,
    };
  }
}

export function text(bytes: Uint8Array): string {
  return decodeUtf8(bytes);
}
