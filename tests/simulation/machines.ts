/**
 * The machines without sockets: a sender that makes its connection again whenever it is lost, and a receiver with an engine
 * for every connection. Every machine can be replaced by a faulty one, so that a test can tell whether the simulation
 * would notice.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { concat } from "../../src/bytes/bytes.ts";
import { Driver } from "../../src/engine/driver.ts";
import { Engine, type EngineInit } from "../../src/engine/engine.ts";
import type { CloseReason } from "../../src/engine/engine_events.ts";
import type { Timings } from "../../src/engine/liveness.ts";
import { DEFAULT_LIMITS } from "../../src/engine/limits.ts";
import type { Inbound, Outbound } from "../../src/engine/link.ts";
import { PendingTotal } from "../../src/engine/pending_chunks.ts";
import { Scheduler } from "../../src/engine/scheduler.ts";
import { InboundQueue } from "../../src/pattern/pipe/inbound_queue.ts";
import { OutboundQueue } from "../../src/pattern/pipe/outbound_queue.ts";
import type { Dial, Transport, TransportFactory } from "../../src/ports.ts";
import { nullMechanism } from "../../src/zmtp/mechanism/null.ts";
import { SegmentPool } from "../../src/zmtp/segment.ts";
import type { World } from "../support/world.ts";
import { makeMessage, type MessageShape, readMessage } from "./messages.ts";

/** The machines as they are, or as a planted fault makes them. */
export interface Machines {
  readonly engine?: new (init: EngineInit) => Engine;
  readonly outbound?: (queue: OutboundQueue, pool: SegmentPool) => Outbound;
  readonly inbound?: (queue: InboundQueue) => Inbound;
  readonly transport?: (transport: Transport) => Transport;
  /** What is used instead of the world's streams: something on top of them. */
  readonly streams?: (network: TransportFactory, world: World) => TransportFactory;
  readonly scheduler?: new (host: World["host"]) => Scheduler;
  /** Called when the sender's connection is lost, before another is made. */
  readonly lost?: (queue: OutboundQueue) => void;
}

interface Receiver {
  readonly queue: InboundQueue;
  live: boolean;
}

const PENDING_BYTES_MAX = 3_000;
const RECEIVE_MARK = 4;
const CALM_AFTER_LINKS = 5;

/** One stream through one world. Throws whatever shows that a message was lost, doubled, damaged, out of place or held too long. */
export class Stream {
  readonly #world: World;
  readonly #machines: Machines;
  readonly #scheduler: Scheduler;
  readonly #pool: SegmentPool = new SegmentPool();
  readonly #pending: PendingTotal = new PendingTotal(Infinity);
  readonly #queue: OutboundQueue;
  readonly #outbound: Outbound;
  readonly #receivers: Receiver[] = [];
  /** By connection: the numbers of the messages that the queue gave to it, in order. */
  readonly #given: number[][] = [];
  readonly #streams: TransportFactory;
  #sent = 0;
  readonly #received: number[] = [];
  readonly #count: number;
  readonly #shape: MessageShape;
  readonly #sendMark: number;
  #restUntilMs = 0;
  #ticking = false;

  constructor(world: World, machines: Machines = {}) {
    this.#world = world;
    const slow = world.options.link.bufferBytes < 1_000 || world.options.link.splitBytesMax < 10;
    // Large bodies make several segments wait, small ones many messages in one.
    const large = !slow && world.random.chance(0.5);
    this.#shape = large ? { framesMax: 12, bytesMax: 15_000 } : { bytesMax: 600 };
    this.#sendMark = large ? 60 : 8;
    this.#count = slow ? 25 : large ? 70 : 120;
    this.#machines = machines;
    this.#streams = machines.streams?.(world.network, world) ?? world.network;
    this.#scheduler = new (machines.scheduler ?? Scheduler)(world.host);
    this.#queue = new OutboundQueue({
      pool: this.#pool,
      mark: { messages: this.#sendMark, bytes: 0 },
      writable: () => {},
    });
    this.#outbound = this.#counted(machines.outbound?.(this.#queue, this.#pool) ?? this.#queue);
  }

  async run(): Promise<void> {
    const { network } = this.#world;
    network.onLink = () => {
      if (network.links.length < CALM_AFTER_LINKS) return;
      const calm = { cutBytesMean: 0, silenceBytesMean: 0, refuseChance: 0, blackholeChance: 0 };
      network.links.at(-1)!.configure(calm);
    };
    const listener = await this.#streams.listen("sim://stream", {})(
      (attach) => this.#accept(attach),
      () => {},
    );
    this.#connect();
    this.#world.run(() => {
      this.#act();
      return this.#done;
    }, { waitingFor: "the last message", eventsMax: 100_000, withinMs: 2e6 });
    this.#check();
    await listener.close();
  }

  get #done(): boolean {
    const last = this.#given.at(-1)?.at(-1);
    if (this.#sent < this.#count || last !== this.#count - 1 || this.#queue.messages > 0) return false;
    return this.#received.includes(this.#count - 1) || this.#world.links.at(-1)!.broken;
  }

  #act(): void {
    const { random } = this.#world;
    this.#tick();
    for (let left = random.integer(0, 5); left > 0 && this.#sent < this.#count; left--) {
      if (!this.#queue.write(makeMessage(1, this.#sent, this.#shape))) break;
      this.#sent++;
    }
    assert(this.#queue.messages <= this.#sendMark, "the sender holds more than its mark");
    // The chunk that reaches the bound, and three that may still come after the pause.
    const slack = 4 * (Math.min(65_536, this.#world.options.link.bufferBytes) + 16_384);
    assert(
      this.#pending.bytes <= (PENDING_BYTES_MAX + slack) * this.#receivers.length,
      "the receiver holds more than its bound",
    );
    if (this.#world.nowMs < this.#restUntilMs) return;
    for (const { queue, live } of this.#receivers) {
      // Only the end of a connection delivers what is complete whatever the mark.
      assert(!live || queue.messages <= RECEIVE_MARK, "the receiver decodes more than its mark");
      for (let left = random.integer(0, 3); left > 0; left--) {
        const message = queue.read();
        if (message === undefined) break;
        this.#received.push(readMessage(message, this.#shape).number);
      }
    }
    this.#restUntilMs = this.#world.nowMs + (random.chance(0.02) ? 2_000 : 0);
  }

  /** Sees to it that time passes and this stream acts again, even if nothing else happens. */
  #tick(): void {
    const busy = this.#sent < this.#count || this.#receivers.some(({ queue }) => queue.messages > 0);
    if (!busy || this.#ticking) return;
    this.#ticking = true;
    this.#world.host.schedule(this.#world.random.pick([1, 20, 101]), () => this.#ticking = false, true);
  }

  #check(): void {
    assertEquals(
      this.#given.flat(),
      Array.from({ length: this.#count }, (_, index) => index),
      "given to connections",
    );
    assertEquals(new Set(this.#received).size, this.#received.length, "a message came twice");
    for (const given of this.#given) {
      const known = new Set(given);
      const arrived = this.#received.filter((number) => known.has(number));
      assertEquals(arrived, given.slice(0, arrived.length), "not how the connection's messages began");
    }
    const last = this.#given.at(-1)!;
    if (!this.#world.links.at(-1)!.broken) {
      assert(this.#received.includes(last.at(-1)!), "the calm connection lost one");
    }
  }

  /** Notes which messages each connection was given. */
  #counted(outbound: Outbound): Outbound {
    return {
      get hasSegments() {
        return outbound.hasSegments;
      },
      get presses() {
        return outbound.presses;
      },
      take: () => {
        const segment = outbound.take();
        if (segment !== undefined) this.#given.at(-1)!.push(...numbersIn(segment.chunks()));
        return segment;
      },
      release: (segment) => outbound.release(segment),
      discard: (segment) => outbound.discard(segment),
    };
  }

  #connect(): void {
    const driver = this.#driver("PUSH", {
      attach: (engine, driver) => {
        this.#given.push([]);
        this.#queue.listener = driver;
        engine.attach(
          { credit: Infinity, run: () => {}, message: () => {}, announce: () => {} },
          this.#outbound,
        );
        driver.resumeDecoding();
        if (this.#outbound.hasSegments) driver.queued();
      },
      lost: () => this.#queue.listener = undefined,
      gone: () => {
        this.#machines.lost?.(this.#queue);
        this.#world.host.schedule(5, () => this.#connect(), true);
      },
    });
    driver.start(this.#wrapped(this.#streams.dial("sim://stream", { connectTimeoutMs: 500 })));
  }

  #accept(attach: Dial): void {
    let receiver: Receiver | undefined;
    const driver = this.#driver("PULL", {
      attach: (engine, driver) => {
        const queue: InboundQueue = new InboundQueue({
          mark: { messages: RECEIVE_MARK, bytes: 0 },
          events: { readable: () => {}, drained: () => driver.resumeDecoding() },
        });
        receiver = { queue, live: true };
        this.#receivers.push(receiver);
        const nothing: Outbound = {
          hasSegments: false,
          presses: false,
          take: () => undefined,
          release: () => {},
          discard: () => {},
        };
        engine.attach(this.#machines.inbound?.(queue) ?? queue, nothing);
        driver.resumeDecoding();
      },
      lost: () => {
        if (receiver !== undefined) receiver.live = false;
      },
      gone: () => {},
    });
    driver.start(this.#wrapped(attach));
  }

  /** Heartbeats only where there is silence to find: they would wake whatever has fallen asleep. */
  get #timings(): Timings {
    const silences = this.#world.options.link.silenceBytesMean > 0;
    return {
      handshakeMs: silences ? 20_000 : 0,
      heartbeatIntervalMs: silences ? 500 : 0,
      heartbeatTimeoutMs: silences ? 6_000 : 0,
      heartbeatTtlMs: 0,
    };
  }

  /** Nobody here breaks the protocol, and nobody's time runs out unless he fell silent. */
  #closed(reason: CloseReason): void {
    if (reason.kind !== "peer") return;
    const { code } = reason.error;
    const patient = code === "ERR_PEER_HEARTBEAT_TIMEOUT" || code === "ERR_PEER_HANDSHAKE_TIMEOUT";
    const silent = this.#world.links.some(({ toServer, toClient }) => toServer.silent || toClient.silent);
    if (!patient || !silent) throw new Error(`closed for ${code}`, { cause: reason.error });
  }

  #wrapped(dial: Dial): Dial {
    const { transport = (one: Transport): Transport => one } = this.#machines;
    return (handlers) => transport(dial(handlers));
  }

  #driver(socketType: "PUSH" | "PULL", events: {
    attach(engine: Engine, driver: Driver): void;
    lost(): void;
    gone(): void;
  }): Driver {
    const engine = new (this.#machines.engine ?? Engine)({
      socketType,
      identity: new Uint8Array(0),
      mechanism: nullMechanism,
      limits: { ...DEFAULT_LIMITS, pendingBytesMax: PENDING_BYTES_MAX },
      timings: this.#timings,
      pendingTotal: this.#pending,
      random: (into) => this.#world.host.random(into),
    });
    const driver: Driver = new Driver(engine, this.#scheduler, {
      opened: () => {},
      dropped: () => {},
      engine: (event) => {
        if (event.type === "ready") events.attach(engine, driver);
        else if (event.type === "closed") {
          events.lost();
          this.#closed(event.reason);
        }
      },
      gone: () => events.gone(),
    });
    return driver;
  }
}

/** The numbers of the messages in the chunks of a segment. */
function numbersIn(chunks: readonly Uint8Array[]): number[] {
  const numbers: number[] = [];
  const bytes = concat(chunks);
  const view = new DataView(bytes.buffer);
  for (let at = 0, first = true; at < bytes.length;) {
    const flags = bytes[at]!;
    const long = (flags & 2) !== 0;
    const size = long ? Number(view.getBigUint64(at + 1)) : bytes[at + 1]!;
    const bodyAt = at + (long ? 9 : 2);
    if (first) numbers.push(view.getUint32(bodyAt + 3));
    first = (flags & 1) === 0;
    at = bodyAt + size;
  }
  return numbers;
}
