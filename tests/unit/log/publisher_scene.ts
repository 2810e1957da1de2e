/**
 * A publisher's session against a small honest broker, message by message. Links keep order and lose what is under way when
 * they are cut; the broker orders per session, holds behind gaps, fences, forgets nothing but on request.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { crc32 } from "../../../src/bytes/crc32.ts";
import type { LogError, LogErrorCode } from "../../../src/log/errors.ts";
import { PublisherSession } from "../../../src/log/publisher/publisher_session.ts";
import {
  FULL,
  type PublisherEvent,
  type PublisherInit,
  type PublisherLink,
} from "../../../src/log/publisher/publisher_types.ts";
import type { PublishedRecordOptions } from "../../../src/log/publisher/sealer.ts";
import type { Ack, Order } from "../../../src/log/topic_options.ts";
import type {
  AckRun,
  Batch,
  BrokerMessage,
  ClientMessage,
  Fenced,
  OpenSession,
} from "../../../src/log/wire/messages.ts";
import { RecordBatch } from "../../../src/log/wire/record.ts";

interface Sent {
  readonly message: ClientMessage;
  readonly body: Uint8Array | undefined;
}

interface ModelSession {
  readonly id: bigint;
  readonly publisher: string;
  epoch: number;
  fenced: boolean;
  /** Orders 4 and 5: the first batch that has no place. Orders 0 and 2: the first one that is missing. */
  expected: number;
  readonly held: Map<number, Sent>;
  /** Of this epoch, with their positions. */
  positions: Map<number, { readonly position: number; readonly count: number }>;
  /** Positions in the log before which the session's epochs ended. */
  synced: number;
  lastSequence: bigint | undefined;
  limit: number;
  /** What it was asked to lower to; meanwhile nothing is raised. */
  lowerTo: number | undefined;
  /** The epoch has a link. */
  attached: boolean;
}

/** What a record of the log is told apart by. */
export interface Committed {
  readonly value: string;
  readonly session: bigint;
  readonly epoch: number;
  readonly batch: number;
}

/** See the module. */
export class ModelBroker {
  readonly log: Committed[] = [];
  readonly sessions: Map<bigint, ModelSession> = new Map();
  readonly out: BrokerMessage[] = [];
  order: Order = 5;
  window = 4;
  generation = 1;
  /** Refuses these batches of any epoch for good, by the text of one of their records. */
  refuses: (value: string) => LogErrorCode | undefined = () => undefined;
  full = false;
  /** Of each pair: (value of the first record, times). */
  received = 0;
  #nextId = 1_000n;

  /** A message of the client arrives. */
  take(sent: Sent): void {
    const { message } = sent;
    switch (message.type) {
      case "openSession":
        return this.#open(message);
      case "batch":
        this.received++;
        return this.#batch(message, sent);
      case "yield": {
        const session = this.#find(message);
        if (session === undefined || session.lowerTo === undefined) return;
        session.limit = message.limit;
        session.lowerTo = undefined;
        return;
      }
      case "closeSession":
        this.#find(message)?.held.clear();
        return;
      default:
        throw new Error(`the model does not know ${message.type}`);
    }
  }

  /** Tells how far every session is. */
  ackAll(): void {
    for (const session of this.sessions.values()) this.ack(session);
  }

  ack(session: ModelSession, runs: readonly AckRun[] = runsOf(session)): void {
    if (!session.attached || session.fenced) return;
    if (session.lowerTo === undefined) {
      session.limit = Math.max(session.limit, session.expected + this.window);
    }
    this.out.push({ type: "ack", ...this.#frontiers(session), runs });
  }

  /** The gap of a session has outlived its lease. */
  fence(session: ModelSession, reason: Fenced["reason"] = "gap"): void {
    if (session.fenced) return;
    session.fenced = true;
    session.held.clear();
    if (session.attached) this.#tellFenced(session, reason);
  }

  /** Asks for what is not used. */
  lower(session: ModelSession): void {
    if (session.fenced || !session.attached) return;
    const limit = session.expected + 1;
    if (limit >= session.limit || session.lowerTo !== undefined) return;
    session.lowerTo = limit;
    this.out.push({ type: "grant", session: session.id, epoch: session.epoch, limit, lowered: true });
  }

  /** The link is gone. */
  unlinked(): void {
    this.out.length = 0;
    for (const session of this.sessions.values()) {
      session.attached = false;
      session.lowerTo = undefined;
      if (session.fenced) continue;
      // As a broker does that gives a session without a link nothing beyond what it has.
      session.limit = session.expected;
    }
  }

  /** Synced to here. */
  sync(): void {
    for (const session of this.sessions.values()) session.synced = session.expected;
  }

  /** The machine crashes: only `keep` records are left. */
  crash(keep: number): void {
    this.log.length = Math.min(this.log.length, keep);
    this.generation++;
    for (const session of this.sessions.values()) {
      session.held.clear();
      session.attached = false;
      for (const [batch, { position, count }] of session.positions) {
        if (position + count > keep) session.positions.delete(batch);
      }
      session.expected = 0;
      while (session.positions.has(session.expected)) session.expected++;
      session.synced = Math.min(session.synced, session.expected);
    }
  }

  #open(message: OpenSession): void {
    const session = this.#sessionOf(message);
    if (message.epoch !== 0) {
      if (session === undefined || message.epoch > session.epoch) {
        return this.#refuse(message, "ERR_LOG_SESSION_UNKNOWN");
      }
      if (message.epoch < session.epoch) return this.#refuse(message, "ERR_LOG_SUPERSEDED");
      session.attached = true;
      if (session.fenced) return this.#tellFenced(session, "gap");
      return this.#tellOpened(message, session);
    }
    const fresh = session ?? this.#make(message);
    fresh.epoch++;
    fresh.fenced = false;
    fresh.expected = 0;
    fresh.synced = 0;
    fresh.positions = new Map();
    fresh.held.clear();
    fresh.lowerTo = undefined;
    fresh.attached = true;
    this.#tellOpened(message, fresh);
  }

  #make({ session: id, publisher }: OpenSession): ModelSession {
    const session: ModelSession = {
      id: id === 0n ? this.#nextId++ : id,
      publisher,
      epoch: 0,
      fenced: false,
      expected: 0,
      held: new Map(),
      positions: new Map(),
      synced: 0,
      lastSequence: undefined,
      limit: 0,
      lowerTo: undefined,
      attached: true,
    };
    this.sessions.set(session.id, session);
    return session;
  }

  #sessionOf({ session, publisher }: OpenSession): ModelSession | undefined {
    if (publisher === "") return this.sessions.get(session);
    for (const known of this.sessions.values()) if (known.publisher === publisher) return known;
    return undefined;
  }

  #tellOpened({ request }: OpenSession, session: ModelSession): void {
    session.limit = session.expected + this.window;
    this.out.push({
      type: "sessionOpened",
      request,
      ...this.#frontiers(session),
      windowBytes: 1_000_000,
      lastSequence: session.lastSequence,
      generation: this.generation,
      runs: runsOf(session),
    });
  }

  #frontiers(session: ModelSession) {
    return {
      session: session.id,
      epoch: session.epoch,
      nextBatch: session.expected,
      nextSyncedBatch: session.synced,
      limit: session.lowerTo ?? session.limit,
    };
  }

  #tellFenced(session: ModelSession, reason: Fenced["reason"]): void {
    this.out.push({
      type: "fenced",
      session: session.id,
      epoch: session.epoch,
      nextBatch: session.expected,
      reason,
    });
  }

  #refuse({ request }: OpenSession, code: LogErrorCode): void {
    const error = { code, message: code };
    this.out.push({ type: "refused", request, session: 0n, epoch: 0, batch: 0, error });
  }

  #find({ session, epoch }: { readonly session: bigint; readonly epoch: number }): ModelSession | undefined {
    const found = this.sessions.get(session);
    return found !== undefined && found.epoch === epoch && !found.fenced ? found : undefined;
  }

  #batch(message: Batch, sent: Sent): void {
    const session = this.#find(message);
    if (session === undefined) return this.#refuseBatch(message, "ERR_LOG_FENCED");
    assert(message.batch < session.limit, `batch ${message.batch} is above the limit ${session.limit}`);
    if (session.positions.has(message.batch) || session.held.has(message.batch)) return this.ack(session);
    if (this.full) return this.#refuseBatch(message, "ERR_LOG_STORE_FULL");
    if (crc32(sent.body!, 0) !== message.bodyCrc) return this.#refuseBatch(message, "ERR_LOG_MALFORMED");
    for (const value of valuesOf(sent)) {
      const code = this.refuses(value);
      if (code !== undefined) return this.#refuseBatch(message, code);
    }
    // The memory is the client's again once the batch is acknowledged, as it is when it was copied into a segment.
    const copy = { message, body: sent.body!.slice() };
    if (this.order >= 4) session.held.set(message.batch, copy);
    else this.#assign(session, copy);
    for (
      let next = session.held.get(session.expected);
      next !== undefined;
      next = session.held.get(session.expected)
    ) {
      session.held.delete(session.expected);
      this.#assign(session, next);
    }
  }

  #assign(session: ModelSession, sent: Sent): void {
    const { batch, count, lastSequence } = sent.message as Batch;
    session.positions.set(batch, { position: this.log.length, count });
    if (lastSequence !== undefined) session.lastSequence = lastSequence;
    for (const value of valuesOf(sent)) {
      this.log.push({ value, session: session.id, epoch: session.epoch, batch });
    }
    while (session.positions.has(session.expected)) session.expected++;
  }

  #refuseBatch({ session, epoch, batch }: Batch, code: LogErrorCode): void {
    this.out.push({ type: "refused", request: 0, session, epoch, batch, error: { code, message: code } });
  }
}

/** The records of a batch as text. */
export function valuesOf({ message, body }: Sent): string[] {
  const { count } = message as Batch;
  const opened = RecordBatch.open(body!, { position: 0n, timestampMs: 0, count });
  if (!(opened instanceof RecordBatch)) throw opened;
  return opened.records().map(({ value }) => new TextDecoder().decode(value));
}

function runsOf(session: ModelSession): AckRun[] {
  const runs: { batch: number; batches: number; position: bigint; end: bigint }[] = [];
  for (const [batch, { position, count }] of [...session.positions].sort(([a], [b]) => a - b)) {
    const last = runs.at(-1);
    if (last !== undefined && last.batch + last.batches === batch && last.end === BigInt(position)) {
      last.batches++;
      last.end += BigInt(count);
    } else {
      runs.push({ batch, batches: 1, position: BigInt(position), end: BigInt(position + count) });
    }
  }
  return runs.map(({ batch, batches, position }) => ({ batch, batches, position }));
}

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
