/**
 * A publisher's session against a small honest broker, message by message. Links keep order and lose what is under way when
 * they are cut.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { crc32 } from "../../../src/bytes/crc32.ts";
import type { LogError } from "../../../src/log/errors.ts";
import { PublisherSession } from "../../../src/log/publisher/publisher_session.ts";
import {
  FULL,
  type PublisherEvent,
  type PublisherInit,
  type PublisherLink,
} from "../../../src/log/publisher/publisher_types.ts";
import type { PublishedRecordOptions } from "../../../src/log/publisher/sealer.ts";
import type { Ack, Order } from "../../../src/log/topic_options.ts";
import type { BrokerMessage, ClientMessage } from "../../../src/log/wire/messages.ts";
import { ModelBroker, type Sent } from "./publisher_model.ts";

/** What became of a record that somebody waits for. */
export type Outcome = { readonly position: bigint | undefined } | { readonly error: LogError };

/** Options of a {@link Scene}. */
export interface SceneOptions extends Partial<Omit<PublisherInit<string>, "target">> {
  readonly ack?: Ack;
  readonly topicAck?: Ack;
  readonly order?: Order;
}

/** A session, its link and a broker. Time is what the test says. */
export class Scene {
  readonly broker: ModelBroker = new ModelBroker();
  readonly session: PublisherSession<string>;
  readonly events: PublisherEvent[] = [];
  /** By the record's text. */
  readonly outcomes: Map<string, Outcome> = new Map();
  /** What the client sent and the broker has not read. */
  readonly wire: Sent[] = [];
  readonly #link: PublisherLink;
  nowMs = 0;
  linked = false;
  /** The link takes no batches. */
  blocked = false;
  #request = 0;
  #acknowledged = 0;
  logId = 7n;

  constructor(options: SceneOptions = {}) {
    const { ack = 1, topicAck = 1, order = 5, ...init } = options;
    this.broker.order = order;
    let sessions = 0n;
    this.#link = {
      brokerId: 0,
      logId: 0n,
      durability: "machine",
      batchBytesMax: init.batchBytesMax ?? 4_096,
      order,
      ack,
      topicAck,
      generation: 0,
    };
    this.session = new PublisherSession<string>({
      topic: "t",
      publisher: "",
      newSession: () => ++sessions,
      batchBytes: 64,
      batchRecordsMax: 100,
      batchBytesMax: 4_096,
      buffersKept: 4,
      crc32,
      memory: (bytes) => new Uint8Array(bytes).fill(0xee),
      lingerMs: 0,
      windowBytes: 1_000,
      windowBatches: 64,
      resendTimeoutMs: 100,
      ...init,
      target: {
        nextRequest: () => ++this.#request,
        send: (message) => void this.#send(message),
        trySendBatch: (message, body) => !this.blocked && this.#send(message, body),
        settled: ({ tokens, tokenRecords, position, error }) => {
          tokens?.forEach((token, index) => {
            assert(!this.outcomes.has(token), `"${token}" was told twice`);
            const at = position === undefined ? undefined : position + BigInt(tokenRecords![index]!);
            this.outcomes.set(token, error === undefined ? { position: at } : { error });
          });
        },
        happened: (event) => void this.events.push(event),
        violated: (error) => {
          throw error;
        },
      },
    });
  }

  #send(message: ClientMessage, body?: Uint8Array): boolean {
    assert(this.linked, "something was sent without a link");
    this.wire.push({ message, body });
    return true;
  }

  /** The link comes up. */
  link(more: Partial<PublisherLink> = {}): void {
    this.linked = true;
    this.session.linked({ ...this.#link, logId: this.logId, generation: this.broker.generation, ...more });
  }

  /** The link breaks: what is under way is lost. */
  cut(): void {
    if (!this.linked) return;
    this.linked = false;
    this.wire.length = 0;
    this.broker.unlinked();
    this.session.unlinked();
    this.check();
  }

  /** Publishes and waits. False: no room. */
  publish(value: string, options?: PublishedRecordOptions): boolean {
    if (this.session.append(value, options, value) === FULL) return false;
    this.session.pump(this.nowMs);
    return true;
  }

  /** The broker reads the next message. */
  toBroker(): boolean {
    const sent = this.wire.shift();
    if (sent !== undefined) this.broker.take(sent);
    return sent !== undefined;
  }

  /** The client reads the next message. */
  toClient(): boolean {
    const message = this.broker.out.shift();
    if (message !== undefined) this.give(message);
    return message !== undefined;
  }

  give(message: BrokerMessage): void {
    const { session, nowMs } = this;
    switch (message.type) {
      case "sessionOpened":
        session.sessionOpened(message, nowMs);
        break;
      case "ack":
        session.ack(message, nowMs);
        break;
      case "grant":
        session.grant(message, nowMs);
        break;
      case "fenced":
        session.fenced(message, nowMs);
        break;
      case "refused":
        session.refused(message, nowMs);
        break;
      case "storeState":
        session.storeState(message, nowMs);
        break;
      default:
        throw new Error(`a publisher does not read ${message.type}`);
    }
    this.check();
  }

  /** Time goes on. */
  wait(ms: number): void {
    this.nowMs += ms;
    if (this.session.nextTimeoutMs <= this.nowMs) this.session.handleTimeout(this.nowMs);
    this.check();
  }

  /** Until everything is answered: the link is up, everything is delivered, time passes. */
  settle(): void {
    if (!this.flow(1_000)) throw new Error(`it never settles: ${this.session.state}`);
  }

  /** The same for so many rounds at most. Answers whether everything is answered. */
  flow(rounds: number): boolean {
    this.blocked = false;
    if (!this.linked) this.link();
    for (let round = 0; round < rounds; round++) {
      this.session.due(this.nowMs);
      this.session.pump(this.nowMs);
      let moved = false;
      while (this.toBroker() || this.toClient()) moved = true;
      this.broker.sync();
      this.broker.ackAll();
      while (this.toClient());
      if (!moved && this.wire.length === 0 && this.session.settledThrough === this.session.submitted) {
        return true;
      }
      if (!moved) this.wait(1_000);
    }
    return false;
  }

  /** What must hold at all times. */
  check(): void {
    const { acknowledged, submitted, refused } = this.session.progress;
    assert(acknowledged + refused <= submitted, "more was answered than submitted");
    assert(acknowledged >= this.#acknowledged, "progress fell");
    this.#acknowledged = acknowledged;
  }

  /** Every one of these records is in the log once, in this order, and whoever waited knows its position. */
  expectLog(values: readonly string[]): void {
    assertEquals(this.broker.log.map(({ value }) => value), values);
    for (const [value, outcome] of this.outcomes) {
      if ("error" in outcome || outcome.position === undefined) continue;
      assertEquals(this.broker.log[Number(outcome.position)]?.value, value);
    }
  }

  /** The frames that are on their way to the broker, in short. */
  get sent(): string[] {
    return this.wire.map(({ message }) => {
      if (message.type === "batch") return `batch ${message.epoch}/${message.batch}`;
      if (message.type === "openSession") return `open ${message.epoch} acknowledged ${message.acknowledged}`;
      if (message.type === "yield") return `yield ${message.limit}`;
      return message.type;
    });
  }
}
