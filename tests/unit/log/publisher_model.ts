/**
 * A small honest broker, message by message: it orders per session, holds behind gaps, fences, and forgets nothing but on
 * request.
 *
 * @module
 */

import { assert } from "@std/assert";
import { crc32 } from "../../../src/bytes/crc32.ts";
import type { LogErrorCode } from "../../../src/log/errors.ts";
import type { Order } from "../../../src/log/topic_options.ts";
import type {
  AckRun,
  Batch,
  BrokerMessage,
  ClientMessage,
  Fenced,
  OpenSession,
} from "../../../src/log/wire/messages.ts";
import { RecordBatch } from "../../../src/log/wire/record.ts";

/** What goes to a broker. */
export interface Sent {
  readonly message: ClientMessage;
  readonly body: Uint8Array | undefined;
}

export interface ModelSession {
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
