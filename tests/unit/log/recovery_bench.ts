/**
 * Logs as topics write them, entry by entry, with what each prefix adds up to, computed without the machines under test.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { crc32 } from "../../../src/bytes/crc32.ts";
import { encodeUtf8 } from "../../../src/bytes/utf8.ts";
import { LogError } from "../../../src/log/errors.ts";
import { type Recovered, recoverTopic, type RecoveryInit } from "../../../src/log/order/recovery.ts";
import { Sequencer, type SequencerInit } from "../../../src/log/order/sequencer.ts";
import { encodeSnapshot } from "../../../src/log/order/snapshot.ts";
import { TopicState } from "../../../src/log/order/topic_state.ts";
import type { Order } from "../../../src/log/topic_options.ts";
import type { Random } from "../../support/random.ts";
import { BytesStore, type PlacedEntry, rowOf } from "./entries_bench.ts";

const WALL_MS = 1_750_000_000_000;

export interface ModelSession {
  readonly publisher: string;
  epoch: number;
  fenced: boolean;
  nextBatch: number;
  lastSequence: bigint | undefined;
}

export interface ModelRow {
  readonly position: bigint;
  readonly offset: number;
  readonly count: number;
}

/** What a log adds up to. */
export interface Model {
  nextPosition: bigint;
  lastTimestampMs: number;
  trimmedTo: bigint;
  readonly sessions: Map<bigint, ModelSession>;
  readonly consumers: Map<string, { epoch: number; position: bigint | undefined; generation: number }>;
  readonly generations: { generation: number; firstPosition: bigint }[];
  readonly rows: ModelRow[];
}

function emptyModel(): Model {
  return {
    nextPosition: 0n,
    lastTimestampMs: 0,
    trimmedTo: 0n,
    sessions: new Map(),
    consumers: new Map(),
    generations: [],
    rows: [],
  };
}

/** See the module. */
export class LogWriter {
  readonly bytes: BytesStore = new BytesStore();
  /** Behind each entry, what all up to it add up to; and the highest offset that one of them names as synced. */
  readonly steps: { readonly entry: PlacedEntry; readonly model: Model }[] = [];
  /** Bases of segments. */
  readonly bases: number[] = [];
  model: Model = emptyModel();
  /** What the next entries name as synced. */
  synced = 0;
  #waiting: { readonly session: bigint; readonly payload: PlacedEntry; readonly count: number }[] = [];

  /** A new segment, with opening and snapshot. */
  roll(): this {
    const { model, bytes, synced: syncedThrough } = this;
    const reaches = this.#waiting[0]?.payload.offset ?? bytes.tail;
    this.bases.push(bytes.tail);
    this.#note(bytes.begin(model.nextPosition, { syncedThrough, reaches, startedMs: model.lastTimestampMs }));
    const snapshot = encodeSnapshot({
      ...model,
      sessions: [...model.sessions].map(([session, one]) => ({ session, ...one, ahead: [], ageMs: 0 })),
      consumers: [...model.consumers].map(([name, one]) => ({ name, ...one })),
    });
    this.#note(bytes.append("snapshot", {}, snapshot));
    return this;
  }

  generation(): void {
    const { model } = this;
    const generation = (model.generations.at(-1)?.generation ?? 0) + 1;
    model.generations.push({ generation, firstPosition: model.nextPosition });
    this.#note(this.bytes.append("generation", { epoch: generation, number: model.nextPosition }));
  }

  open(session: bigint, publisher = ""): void {
    const older = this.model.sessions.get(session);
    const epoch = (older?.epoch ?? 0) + 1;
    const lastSequence = older?.lastSequence;
    this.model.sessions.set(session, { publisher, epoch, fenced: false, nextBatch: 0, lastSequence });
    this.#note(this.bytes.append("sessionOpened", { id: session, epoch }, encodeUtf8(publisher)));
  }

  fence(session: bigint): void {
    const one = this.model.sessions.get(session)!;
    this.model.sessions.set(session, { ...one, fenced: true });
    const fields = { id: session, epoch: one.epoch, number: BigInt(one.nextBatch) };
    this.#note(this.bytes.append("fence", fields));
  }

  /** A session is forgotten. What waits must have been ordered. */
  ended(session: bigint): void {
    const { epoch } = this.model.sessions.get(session)!;
    this.model.sessions.delete(session);
    this.#note(this.bytes.append("sessionEnded", { id: session, epoch }));
  }

  payload(session: bigint, body: Uint8Array, count = 1): void {
    const payload = this.bytes.payload(body);
    this.#waiting.push({ session, payload, count });
    this.#note(payload);
  }

  /** Orders what waits: all, or so many. */
  order(batches: number = this.#waiting.length): void {
    const { model } = this;
    const taken = this.#waiting.splice(0, batches);
    if (taken.length === 0) return;
    model.lastTimestampMs = Math.max(model.lastTimestampMs, WALL_MS) + 1;
    const rows = taken.map(({ session, payload, count }) => {
      const one = model.sessions.get(session)!;
      const lastSequence = one.publisher === "" ? undefined : (one.lastSequence ?? 0n) + BigInt(count);
      const position = model.nextPosition;
      model.nextPosition += BigInt(count);
      model.rows.push({ position, offset: payload.offset, count });
      model.sessions.set(session, { ...one, nextBatch: one.nextBatch + 1, lastSequence });
      const { offset, body, fields } = payload;
      const { epoch, nextBatch: batch } = one;
      const own = { position, session, epoch, batch, count, offset, lastSequence };
      return rowOf({ ...own, bodyBytes: body.length, bodyCrc: fields.bodyCrc! });
    });
    this.#note(this.bytes.round(rows, this.synced, model.lastTimestampMs));
  }

  consumerOpened(name: string): void {
    const older = this.model.consumers.get(name);
    const epoch = (older?.epoch ?? 0) + 1;
    const { position, generation = 0 } = older ?? {};
    this.model.consumers.set(name, { epoch, position, generation });
    this.#note(this.bytes.append("consumerOpened", { epoch }, encodeUtf8(name)));
  }

  commit(name: string, position: bigint, generation: number): void {
    const epoch = this.model.consumers.get(name)?.epoch ?? 0;
    this.model.consumers.set(name, { epoch, position, generation });
    this.#note(this.bytes.append("commit", { number: position, epoch: generation }, encodeUtf8(name)));
  }

  trim(before: bigint): void {
    if (before > this.model.trimmedTo) this.model.trimmedTo = before;
    this.#note(this.bytes.append("trim", { number: before }));
  }

  cleanStop(): void {
    this.#note(this.bytes.append("cleanStop", { number: BigInt(this.bytes.tail) }));
  }

  /** What everything before `offset` adds up to. */
  before(offset: number): Model {
    return this.steps.filter(({ entry }) => entry.end <= offset).at(-1)?.model ?? emptyModel();
  }

  #note(entry: PlacedEntry): void {
    this.steps.push({ entry, model: structuredClone(this.model) });
  }
}

const SESSIONS: readonly (readonly [bigint, string])[] = [[1n, ""], [2n, "named"], [
  0xffff_ffff_ffff_ffffn,
  "",
]];

/** A log as a broker may write it in some days. */
export function writeAny(random: Random, steps: number): LogWriter {
  const log = new LogWriter();
  log.roll();
  log.generation();
  for (const [session, publisher] of SESSIONS) log.open(session, publisher);
  for (let step = 0; step < steps; step++) {
    const [session, publisher] = random.pick(SESSIONS);
    const state = log.model.sessions.get(session)!;
    const kind = random.integer(0, 19);
    if (kind < 8 && !state.fenced) {
      log.payload(session, random.bytes(random.integer(1, 60)), random.integer(1, 3));
    } else if (kind < 14) log.order();
    else if (kind === 14 && random.chance(0.7)) log.synced = random.integer(log.synced, log.bytes.tail);
    else if (kind === 15) log.consumerOpened(random.pick(["a", "b"]));
    else if (kind === 16) log.commit("a", log.model.nextPosition, 1);
    else if (kind === 17) {
      log.order();
      if (random.chance(0.5)) log.synced = log.bytes.tail;
      log.roll();
    } else if (kind === 18) {
      if (random.chance(0.5)) log.generation();
      else {
        log.order();
        log.ended(session);
        if (random.chance(0.5)) log.roll();
        log.open(session, publisher);
      }
    } else if (kind === 19) {
      log.order();
      if (state.fenced) log.open(session, publisher);
      else log.fence(session);
    }
  }
  log.order();
  return log;
}

const SEQUENCER: Omit<SequencerInit, "order"> = {
  leaseMs: 1_000,
  sessionsMax: 100,
  sessionIdleMs: 1e12,
  holdBatchesMax: 64,
  holdBytesMax: 65_536,
  grantBatchesMax: 64,
  grantBytesMax: 65_536,
  batchBytesMax: 1_024,
  runsKept: 8,
  newSession: () => 99n,
};

export function makeSequencer(order: Order = 5): Sequencer {
  return new Sequencer({ ...SEQUENCER, order });
}

/** Recovers, and waits for it. */
export function recover(bytes: BytesStore, change: Partial<RecoveryInit> = {}): Recovered | LogError {
  const results: (Recovered | LogError)[] = [];
  recoverTopic({
    topic: "orders",
    store: bytes.store,
    crc32,
    nowMs: 500,
    wallMs: WALL_MS + 1_000,
    indexRowsMax: 1_000,
    makeState: () => new TopicState(makeSequencer()),
    ...change,
  }, (result) => results.push(result));
  bytes.settle();
  assertEquals(results.length, 1, "answers once");
  return results[0]!;
}

/** Fails unless what was recovered is what the entries add up to. */
export function assertModel({ state, index }: Recovered, wanted: Model): void {
  assertEquals(state.nextPosition, wanted.nextPosition);
  assertEquals(state.lastTimestampMs, wanted.lastTimestampMs);
  assertEquals(state.trimmedTo, wanted.trimmedTo);
  const { consumers, sequencer } = state;
  assertEquals(
    new Map(
      consumers.list().map((
        { name, epoch, position, generation },
      ) => [name, { epoch, position, generation }]),
    ),
    wanted.consumers,
  );
  assertEquals(state.generations, wanted.generations);
  const sessions = sequencer.exportSessions(500).map(({ session, ageMs: _, runs: __, ahead, ...one }) => {
    assertEquals(ahead, []);
    return [session, one] as const;
  });
  assertEquals(new Map(sessions), new Map(wanted.sessions));
  const found = index.segments.flatMap(({ index: rows }) =>
    rows === undefined ? [] : Array.from({ length: rows.rows }, (_, row) => ({
      position: rows.positionOf(row),
      offset: rows.offsetOf(row),
      count: rows.countOf(row),
    }))
  );
  const first = index.segments.find(({ index: rows }) => rows !== undefined)?.firstPosition ?? 0n;
  assertEquals(found, wanted.rows.filter(({ position }) => position >= first));
}

/** Fails unless it was refused at this offset. */
export function assertCorrupt(result: Recovered | LogError, offset: number): void {
  assert(result instanceof LogError, "it was not refused");
  assertEquals([result.code, result.offset], ["ERR_LOG_CORRUPT", offset], result.message);
}

export function assertRecovered(result: Recovered | LogError): asserts result is Recovered {
  if (result instanceof LogError) throw result;
}
