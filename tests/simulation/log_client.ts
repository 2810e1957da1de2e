/**
 * A client's process in a simulated log world: the real connection, publishers, subscriptions and consumers, driven by events
 * alone, and a link that is made again when it is lost. Whatever they are told is kept, for the judge.
 *
 * @module
 */

import { crc32 } from "../../src/bytes/crc32.ts";
import type { ClientLinkEvents } from "../../src/log/client/client_link.ts";
import { Connection, type LinkUser, refusalOf, type RenewedLink } from "../../src/log/client/connection.ts";
import { DeadlineTimer } from "../../src/log/client/deadline_timer.ts";
import type { LogError } from "../../src/log/errors.ts";
import { PublisherSession } from "../../src/log/publisher/publisher_session.ts";
import {
  FULL,
  type PublisherEvent,
  SEALED,
  STARTED,
  TAKEN,
} from "../../src/log/publisher/publisher_types.ts";
import type { OutgoingBatch } from "../../src/log/publisher/window.ts";
import type { TopicInput } from "../../src/log/configuration/topic.ts";
import type { Ack } from "../../src/log/topic_options.ts";
import type {
  AckMessage,
  BrokerMessage,
  Fenced,
  Grant,
  OpenTopic,
  Refused,
  StoreState,
  TopicOpened,
  Welcome,
} from "../../src/log/wire/messages.ts";
import type { Host } from "../../src/ports.ts";
import { AckWatch } from "./log_ack_watch.ts";
import { Wire, type WireBroker, type WireSurroundings } from "./log_wire.ts";

/** What a client needs of its world. */
export interface ClientWorld {
  readonly host: Host;
  readonly around: WireSurroundings;
  /** Of its wires: these live on when the client's process does not. */
  readonly wiring: WireSurroundings;
  /** The broker, while its process lives. */
  readonly broker: WireBroker | undefined;
  readonly wires: Set<Wire>;
  newSession(): bigint;
}

const REDIAL_MS = 20;

/** A link that is made again. */
export class SimulatedLink implements RenewedLink {
  readonly local = false;
  readonly ended: Promise<void> = Promise.resolve();
  readonly #world: ClientWorld;
  readonly #events: ClientLinkEvents;
  #wire: Wire | undefined;
  #closed = false;

  constructor(world: ClientWorld, events: ClientLinkEvents) {
    this.#world = world;
    this.#events = events;
    this.#dialLater();
  }

  /** The connection in use. */
  get wire(): Wire | undefined {
    return this.#wire;
  }

  trySend(frames: readonly Uint8Array[]): boolean {
    return this.#wire?.send(frames) ?? false;
  }

  reset(reason?: Error): void {
    this.#wire?.leave(reason);
  }

  close(reason?: Error): void {
    this.#closed = true;
    this.#wire?.leave(reason);
  }

  #dialLater(): void {
    this.#world.around.later(this.#world.around.random.upTo(REDIAL_MS), () => this.#dial());
  }

  #dial(): void {
    if (this.#closed) return;
    const { broker, wiring, host, wires } = this.#world;
    if (broker === undefined || broker.stopped) return this.#dialLater();
    const wire = new Wire(wiring, () => host.nowMs(), {
      message: (frames) => this.#events.message(frames),
      endOfBurst: () => this.#events.endOfBurst?.(),
      writable: () => this.#events.writable(),
      closed: (reason) => {
        wires.delete(wire);
        this.#wire = undefined;
        this.#events.closed(reason);
        if (!this.#closed) this.#dialLater();
      },
    }, broker);
    wires.add(wire);
    this.#wire = wire;
    this.#events.opened();
  }
}

/** A process with one connection. */
export class SimulatedClient {
  readonly world: ClientWorld;
  readonly connection: Connection;
  link!: SimulatedLink;
  /** Versions that do not fit: never. */
  readonly failures: LogError[] = [];
  /** Times that its connection was lost. */
  disconnects = 0;

  constructor(world: ClientWorld) {
    this.world = world;
    this.connection = new Connection({
      host: world.host,
      crc32,
      link: (events) => this.link = new SimulatedLink(world, events),
      connected: () => {},
      disconnected: () => void this.disconnects++,
      failed: (error) => this.failures.push(error),
    });
  }

  publisher(topic: string, options: PublisherSetup = {}): SimulatedPublisher {
    return new SimulatedPublisher(this, topic, options);
  }

  close(): void {
    this.connection.close();
  }
}

/** How a publisher is made. */
export interface PublisherSetup {
  readonly name?: string;
  readonly ack?: Ack;
  readonly batchBytes?: number;
  readonly batchRecordsMax?: number;
  readonly lingerMs?: number;
  readonly windowBytes?: number;
  readonly windowBatches?: number;
  readonly resendTimeoutMs?: number;
  readonly onTopic?: TopicInput;
}

/** A record that a program has submitted, and what it was told of it. */
export interface Submission {
  readonly value: Uint8Array;
  readonly sequence: bigint | undefined;
  /** Set once: acknowledged, or refused. */
  outcome: "pending" | "acknowledged" | "refused";
  position: bigint | undefined;
  error: LogError | undefined;
}

/** See the module. */
export class SimulatedPublisher implements LinkUser {
  readonly topic: string;
  readonly client: SimulatedClient;
  readonly setup: PublisherSetup;
  readonly session: PublisherSession<Submission>;
  /** In the order of submission. */
  readonly submitted: Submission[] = [];
  readonly events: PublisherEvent[] = [];
  /** What was said of a record that had its answer already. */
  readonly complaints: string[] = [];
  durability: string | undefined;
  /** Settled batches, with what was in them. */
  readonly batches: (readonly Submission[])[] = [];
  readonly #watch: AckWatch = new AckWatch();
  #bound = 0n;
  readonly #timer: DeadlineTimer;

  constructor(client: SimulatedClient, topic: string, setup: PublisherSetup) {
    this.client = client;
    this.topic = topic;
    this.setup = setup;
    const { connection, world } = client;
    this.#timer = new DeadlineTimer(world.host, (nowMs) => {
      this.session.handleTimeout(nowMs);
      this.#moved(nowMs);
    });
    const { batchBytes = 200, windowBytes = 4_000 } = setup;
    this.session = new PublisherSession<Submission>({
      topic,
      publisher: setup.name ?? "",
      newSession: () => world.newSession(),
      lingerMs: setup.lingerMs ?? 0,
      windowBytes,
      windowBatches: setup.windowBatches ?? 64,
      resendTimeoutMs: setup.resendTimeoutMs ?? 200,
      batchBytes,
      batchRecordsMax: setup.batchRecordsMax ?? 8,
      batchBytesMax: 1_048_576,
      buffersKept: Math.ceil(windowBytes / batchBytes) + 1,
      crc32,
      memory: (bytes) => new Uint8Array(bytes).fill(0xdb),
      target: {
        nextRequest: () => connection.nextRequest((message, nowMs) => this.#answered(message, nowMs)),
        send: (message) => connection.send(message),
        trySendBatch: (message, body) => {
          const sent = connection.trySendBatch(message, body);
          if (sent) this.#watch.sent(message);
          return sent;
        },
        settled: (batch) => this.#settled(batch),
        happened: (event) => this.events.push(event),
        violated: (error) => {
          this.complaints.push(error.message);
          connection.violated(error);
        },
      },
    });
    this.#bind();
    connection.add(connection.publishers, this);
  }

  /** Submits a record, if there is room. */
  publish(value: Uint8Array, sequence?: bigint): boolean {
    const { host } = this.client.world;
    const submission: Submission = {
      value,
      sequence,
      outcome: "pending",
      position: undefined,
      error: undefined,
    };
    const answer = this.session.append(value, sequence === undefined ? undefined : { sequence }, submission);
    if (answer === FULL) return false;
    this.submitted.push(submission);
    const nowMs = host.nowMs();
    if ((answer & SEALED) !== 0) this.session.pump(nowMs);
    if ((answer & STARTED) !== 0) {
      if (this.session.started(nowMs) === "callback") host.microtask(() => this.#due());
    }
    if (answer > TAKEN) this.#arm(nowMs);
    return true;
  }

  get isWritable(): boolean {
    return this.session.error === undefined && this.session.isWritable;
  }

  /** Records that were not answered. */
  get pending(): number {
    return this.session.submitted - this.session.settledThrough;
  }

  lost(): number {
    return this.events.reduce(
      (sum, event) => event.type === "acknowledgedLost" ? sum + event.batches : sum,
      0,
    );
  }

  count(type: PublisherEvent["type"]): number {
    return this.events.filter((event) => event.type === type).length;
  }

  close(): void {
    const nowMs = this.client.world.host.nowMs();
    this.session.close(nowMs);
    this.#moved(nowMs);
  }

  linked(broker: Welcome): void {
    const { connection } = this.client;
    const request = connection.nextRequest((message) => this.#topicAnswered(message, broker));
    const options = (this.setup.onTopic ?? {}) as OpenTopic["options"];
    connection.send({ type: "openTopic", request, topic: this.topic, options });
  }

  unlinked(): void {
    this.session.unlinked();
    this.#moved();
  }

  writable(nowMs: number): void {
    this.session.pump(nowMs);
    this.#moved(nowMs);
  }

  sessionMessage(message: AckMessage | Grant | Fenced | StoreState | Refused, nowMs: number): void {
    const { session } = this;
    if (message.type === "ack") {
      const fault = this.#watch.acknowledged(message);
      if (fault !== undefined) this.complaints.push(fault);
      session.ack(message, nowMs);
    } else if (message.type === "grant") session.grant(message, nowMs);
    else if (message.type === "fenced") session.fenced(message, nowMs);
    else if (message.type === "storeState") session.storeState(message, nowMs);
    else session.refused(message, nowMs);
    this.#moved(nowMs);
  }

  #due(): void {
    const nowMs = this.client.world.host.nowMs();
    this.session.due(nowMs);
    this.#arm(nowMs);
  }

  #arm(nowMs?: number): void {
    this.#timer.set(this.session.nextTimeoutMs, nowMs);
  }

  #moved(nowMs: number = this.client.world.host.nowMs()): void {
    this.#bind();
    if (this.session.error === undefined) return this.#arm(nowMs);
    const { connection } = this.client;
    connection.publishers.delete(this);
    connection.bindSession(0n, this.#bound, this);
    this.#timer.stop();
  }

  #bind(): void {
    const { session } = this.session;
    if (session === this.#bound) return;
    this.client.connection.bindSession(session, this.#bound, this);
    this.#bound = session;
  }

  #topicAnswered(message: BrokerMessage, broker: Welcome): void {
    if (message.type !== "topicOpened") {
      const error = refusalOf(message, this.topic);
      if (error.code === "ERR_LOG_CLOSED") return;
      this.session.fail(error);
    } else this.#topicOpened(message, broker);
    this.#moved();
  }

  #topicOpened({ options, durability, generation }: TopicOpened, broker: Welcome): void {
    const { brokerId, logId, batchBytesMax } = broker;
    this.durability = durability;
    this.session.linked({
      brokerId,
      logId,
      durability,
      batchBytesMax,
      order: options.order,
      ack: this.setup.ack ?? options.ack,
      topicAck: options.ack,
      generation,
    });
  }

  #answered(message: BrokerMessage, nowMs: number): void {
    if (message.type === "sessionOpened") {
      this.#watch.opened(message);
      this.session.sessionOpened(message, nowMs);
    } else if (message.type === "refused") this.session.refused(message, nowMs);
    else this.session.fail(refusalOf(message, this.topic));
    this.#moved(nowMs);
  }

  #settled({ tokens, tokenRecords, position, error }: OutgoingBatch<Submission>): void {
    this.batches.push(tokens ?? []);
    for (const [at, submission] of (tokens ?? []).entries()) {
      if (submission.outcome !== "pending") this.complaints.push(`a record was answered twice`);
      submission.outcome = error === undefined ? "acknowledged" : "refused";
      submission.error = error;
      submission.position = position === undefined ? undefined : position + BigInt(tokenRecords![at]!);
    }
  }
}
