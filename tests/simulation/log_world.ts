/**
 * The simulated world of the ordered log: a virtual clock, chance from a seed, one broker over memory or over a disk that
 * behaves badly, and clients behind connections that delay, shuffle and double batches. The broker can be killed, lose power,
 * stand still and be started again on the same disk. The same seed gives the same run; nothing here waits for real time.
 *
 * @module
 */

import { Broker } from "../../src/log/broker/broker.ts";
import type { Topic } from "../../src/log/broker/topic.ts";
import type { BrokerInput } from "../../src/log/configuration/broker.ts";
import type { AcceptLink, FrameLink } from "../../src/log/link.ts";
import { DiskStores } from "../../src/log/store/disk_stores.ts";
import { MemoryStores } from "../../src/log/store/memory_store.ts";
import { SegmentPool } from "../../src/log/store/segment_pool.ts";
import type { StoreFactory } from "../../src/log/store/store.ts";
import { EventLoop, type EventLoopOptions } from "../support/event_loop.ts";
import { SimulatedDisk } from "../support/log_disk.ts";
import { Random } from "../support/random.ts";
import { PLAIN_LOOP, swarmLoop } from "../support/world_options.ts";
import { SimulatedClient } from "./log_client.ts";
import { SimulatedProcess } from "./log_process.ts";
import type { Wire, WireBroker, WireOptions, WireSurroundings } from "./log_wire.ts";

/** What a test breaks on purpose, to see that it is found. */
export interface PlantedFaults {
  stores?(stores: StoreFactory): StoreFactory;
  /** The broker's end of each connection. */
  link?(link: FrameLink): FrameLink;
  /** Each topic, before the first message that needs it. */
  topic?(topic: Topic): void;
  broker?(broker: Broker): void;
  /** When the broker is about to be started again. */
  disk?(disk: SimulatedDisk): void;
}

/** How a world is. */
export interface LogWorldInit {
  readonly wire?: Partial<WireOptions> | undefined;
  readonly loop?: Partial<EventLoopOptions> | undefined;
  /** Default: memory. */
  readonly store?: "memory" | "disk" | undefined;
  readonly diskLatencyMsMax?: number | undefined;
  readonly broker?: BrokerInput | undefined;
  readonly faults?: PlantedFaults | undefined;
}

/** When waiting gives up. */
export interface Patience {
  readonly withinMs?: number;
  readonly eventsMax?: number;
}

/** A regular wire. */
export const PLAIN_WIRE: WireOptions = {
  delayMsMax: 0.5,
  heldShare: 0,
  holdMsMax: 0,
  doubledShare: 0,
  chunkBytesMax: 65_536,
  bytesMax: 1_048_576,
  referenceBytesMin: 100,
};

const BROKER: BrokerInput = {
  stagingBuffers: 4,
  stagingBufferBytes: 4_096,
  ringSlots: 64,
  holdBatchesMax: 256,
  holdBytesMax: 65_536,
  memoryBytesMax: 4_194_304,
  topics: { "*": { segmentBytes: 16_384 } },
};

const WITHIN_MS = 600_000;
const EVENTS_MAX = 1_000_000;

/** What was waited for did not happen: somebody would wait for ever. */
export class StuckWorld extends Error {
  override readonly name: string = "StuckWorld";
}

/** Whoever looks at memory that he has given back sees this. */
class PoisoningPool extends SegmentPool {
  override give(memory: Uint8Array): void {
    memory.fill(0xee);
    super.give(memory);
  }
}

/** See the module. */
export class LogWorld {
  readonly seed: number | string;
  /** For the test's own choices. */
  readonly random: Random;
  readonly loop: EventLoop;
  readonly init: LogWorldInit;
  readonly around: WireSurroundings;
  readonly wires: Set<Wire> = new Set();
  readonly clients: SimulatedClient[] = [];
  readonly disk: SimulatedDisk | undefined;
  /** What brokers had to tell people. */
  readonly notices: string[] = [];
  broker: Broker | undefined;
  /** How far the wall clock has jumped; the monotonic one does not. */
  wallJumpMs = 0;
  process: SimulatedProcess;
  /** Says more when something goes wrong. */
  readonly explainers: (() => string)[] = [];
  readonly #root: Random;
  readonly #violations: string[] = [];
  readonly #processes: Map<SimulatedClient, SimulatedProcess> = new Map();
  #door: WireBroker | undefined;

  constructor(seed: number | string, init: LogWorldInit = {}) {
    this.seed = seed;
    this.init = init;
    const root = new Random(`log ${seed}`);
    this.#root = root;
    this.random = root.fork("test");
    this.loop = new EventLoop(root.fork("loop"), { ...PLAIN_LOOP, ...init.loop });
    this.around = {
      random: root.fork("wire"),
      options: { ...PLAIN_WIRE, ...init.wire },
      later: (delayMs, run) => void this.loop.io(delayMs, "wire", run),
      microtask: (run) => this.loop.microtask(run),
      violated: (what) => void this.#violations.push(what),
    };
    this.process = this.#newProcess();
    if (init.store === "disk") {
      this.disk = new SimulatedDisk({
        random: root.fork("disk"),
        latencyMsMax: init.diskLatencyMsMax ?? 1,
        schedule: (delayMs, run) => {
          const { process } = this;
          this.loop.io(delayMs, "disk", () => process.enter(run));
        },
      });
    }
    this.start();
  }

  /** A world whose features the seed switches on and off. */
  static swarm(seed: number | string, init: LogWorldInit = {}): LogWorld {
    const random = new Random(`log swarm ${seed}`);
    const loop = { ...swarmLoop(random.fork("loop")), ...init.loop };
    const wire = { ...swarmWire(random.fork("wire")), ...init.wire };
    const broker = { ...swarmBroker(random.fork("broker")), ...init.broker };
    const diskLatencyMsMax = init.diskLatencyMsMax ?? random.pick([0.1, 1, 10]);
    return new LogWorld(seed, { ...init, loop, wire, broker, diskLatencyMsMax });
  }

  get nowMs(): number {
    return this.loop.nowMs;
  }

  get door(): WireBroker | undefined {
    return this.#door;
  }

  /** Starts the broker, on what is there. Nothing happens where it runs. */
  start(): void {
    if (this.broker !== undefined) return;
    const { faults = {}, broker: options } = this.init;
    if (this.disk !== undefined) faults.disk?.(this.disk);
    const { process } = this;
    const stores = this.#makeStores();
    const broker = new Broker({
      host: process.host,
      stores: faults.stores?.(stores) ?? stores,
      options: { ...BROKER, ...options },
      notice: (text) => this.notices.push(`${this.nowMs.toFixed(1)} ms: ${text}`),
    });
    faults.broker?.(broker);
    this.broker = broker;
    this.#door = {
      accept: this.#plantingDoor(broker),
      endOfBurst: broker.endOfBurst,
      get stopped() {
        return process.stopped;
      },
      enter: (run) => process.enter(run),
    };
  }

  /** The broker's process dies. What it wrote is there, what it had not written is not. */
  kill(): void {
    this.#end();
    this.disk?.kill();
  }

  /** The broker's machine dies. What it synced is there; of the rest, anything or nothing. */
  powerLoss(): void {
    this.#end();
    this.disk?.powerLoss();
  }

  /** The broker closes in order, and its process ends. */
  stop(): void {
    let closed = false;
    this.broker!.close(() => closed = true);
    this.until(() => closed, "the broker to be closed");
    this.kill();
  }

  /** A process of its own with a connection. */
  client(): SimulatedClient {
    const process = this.#newProcess();
    const { around, wires, loop } = this;
    const ids = this.#root.fork("ids");
    const brokerOf = (): WireBroker | undefined => this.#door;
    const client = new SimulatedClient({
      host: process.host,
      around: {
        ...around,
        later: (delayMs, run) => void loop.io(delayMs, "client", () => process.enter(run)),
      },
      wiring: around,
      get broker() {
        return brokerOf();
      },
      wires,
      newSession: () => (BigInt(ids.uint32()) << 32n | BigInt(ids.uint32())) + 1n,
    });
    this.clients.push(client);
    this.#processes.set(client, process);
    return client;
  }

  /** A client's process dies. */
  killClient(client: SimulatedClient): void {
    this.#processes.get(client)!.kill();
    const { wire } = client.link;
    if (wire === undefined) return;
    this.wires.delete(wire);
    wire.clientDied();
  }

  /** Takes every connection away. */
  cutWires(): void {
    for (const wire of [...this.wires]) wire.cut();
  }

  /** Nothing is ordered, while everything else goes on. */
  pauseSequencers(): void {
    for (const topic of this.broker!.topics.all) topic.paused = true;
  }

  resumeSequencers(): void {
    for (const topic of this.broker!.topics.all) {
      topic.paused = false;
      topic.run(this.nowMs);
    }
    this.broker!.endOfBurst();
  }

  /** One event. False: nothing is left to happen. */
  step(): boolean {
    const moved = this.loop.step();
    if (this.#violations.length > 0) throw new Error(`${this.#violations.join("; ")}\n${this.report()}`);
    return moved;
  }

  /** Runs events until `holds`. Throws {@link StuckWorld} when it never will. */
  until(
    holds: () => boolean,
    what: string,
    { withinMs = WITHIN_MS, eventsMax = EVENTS_MAX }: Patience = {},
  ): void {
    const { loop } = this;
    const endMs = loop.nowMs + withinMs;
    const lastEvent = loop.eventCount + eventsMax;
    loop.flushMicrotasks();
    while (!holds()) {
      const problem = loop.nextAtMs === Infinity
        ? "nothing is left to happen"
        : loop.nextAtMs > endMs
        ? `it did not happen within ${withinMs} ms`
        : loop.eventCount > lastEvent
        ? `it did not happen within ${eventsMax} events`
        : undefined;
      if (problem !== undefined) {
        throw new StuckWorld(`Waited in vain for ${what}: ${problem}\n${this.report()}`);
      }
      this.step();
    }
  }

  /** Runs everything that happens within `forMs`. */
  runFor(forMs: number): void {
    const endMs = this.loop.nowMs + forMs;
    while (this.loop.nextAtMs <= endMs) this.step();
    this.loop.advanceTo(Math.max(endMs, this.loop.nowMs));
  }

  /** A topic that is open. */
  topic(name: string): Topic | undefined {
    return this.broker?.topics.all.find((topic) => topic.name === name);
  }

  /** Everything that helps to understand a failure. */
  report(): string {
    const { wire, loop, broker, store = "memory" } = this.init;
    const topics = this.broker?.status().topics.map(({ options: _, ...topic }) => JSON.stringify(topic)) ??
      [];
    return [
      `seed=${this.seed} at ${this.nowMs.toFixed(3)} ms after ${this.loop.eventCount} events, store ${store}`,
      `wire ${JSON.stringify(wire)}`,
      `loop ${JSON.stringify(loop)}`,
      `broker ${JSON.stringify(broker)}`,
      `broker ${
        this.broker === undefined ? "dead" : this.process.stopped ? "stopped" : "running"
      }, ${this.wires.size} wires`,
      ...topics,
      ...this.explainers.map((explain) => explain()),
      ...this.notices.slice(-8),
      `waiting: ${this.loop.waiting.slice(0, 8).join("; ")}`,
    ].join("\n  ");
  }

  #end(): void {
    this.process.kill();
    this.process = this.#newProcess();
    for (const wire of [...this.wires]) wire.brokerDied();
    this.broker = undefined;
    this.#door = undefined;
  }

  #newProcess(): SimulatedProcess {
    return new SimulatedProcess(this.loop, this.#root.fork("process"), () => this.wallJumpMs);
  }

  #makeStores(): StoreFactory {
    const { host } = this.process;
    const pool = new PoisoningPool({ memory: (bytes) => host.memory!(bytes) });
    if (this.disk === undefined) return new MemoryStores(pool);
    return new DiskStores({ folders: this.disk.folders, host, pool });
  }

  #plantingDoor(broker: Broker): AcceptLink {
    const { faults } = this.init;
    if (faults === undefined) return broker.accept;
    const touched = new Set<Topic>();
    const touch = (): void => {
      for (const topic of broker.topics.all) {
        if (!touched.has(topic)) faults.topic?.(topic);
        touched.add(topic);
      }
    };
    return (link, input, peer) => {
      const { events, allocator } = broker.accept(faults.link?.(link) ?? link, input, peer);
      const message = (frames: Uint8Array[]): void => {
        touch();
        events.message(frames);
        touch();
      };
      return {
        events: { message, writable: () => events.writable(), closed: (reason) => events.closed(reason) },
        allocator,
      };
    };
  }
}

function swarmWire(random: Random): WireOptions {
  const on = (): boolean => random.chance(0.5);
  return {
    delayMsMax: random.pick([0.1, 2, 20]),
    heldShare: on() ? random.pick([0.05, 0.3]) : 0,
    holdMsMax: random.pick([2, 30, 250]),
    doubledShare: on() ? random.pick([0.05, 0.3]) : 0,
    chunkBytesMax: random.pick([200, 1_000, 65_536, 65_536]),
    bytesMax: random.pick([1_500, 8_000, 1_048_576]),
    referenceBytesMin: 100,
  };
}

function swarmBroker(random: Random): BrokerInput {
  const grantBatchesMax = random.pick([4, 16, 256]);
  return {
    ...BROKER,
    stagingBuffers: random.pick([1, 2, 8]),
    ringSlots: random.pick([1, 3, 64]),
    grantBatchesMax,
    holdBatchesMax: grantBatchesMax * random.pick([1, 2]),
    grantBytesMax: random.pick([8_192, 65_536]),
    runsKept: random.pick([0, 4, 64]),
  };
}
