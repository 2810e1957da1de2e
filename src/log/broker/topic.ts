/**
 * One topic of one broker: what arrives is stored, ordered in rounds, made durable, and then seen by readers and
 * acknowledged to publishers, in this order.
 *
 * @module
 */

import type { Crc32 } from "../../bytes/crc32.ts";
import type { Host } from "../../ports.ts";
import { encodeRound, type OrderRow } from "../order/entries.ts";
import type { OrderIndex, SegmentIndex, SegmentSummary } from "../order/order_index.ts";
import { type CutReport, loadSegmentRows, type Recovered } from "../order/recovery.ts";
import { encodeOpening } from "../order/segment_opening.ts";
import type { SequencedBatch, Sequencer } from "../order/sequencer.ts";
import { encodeSnapshot, runsThatFit } from "../order/snapshot.ts";
import { firstGeneration, type TopicState } from "../order/topic_state.ts";
import type { StoreFailure, TopicStore } from "../store/store.ts";
import type { TopicOptions } from "../topic_options.ts";
import type { FeedTopic } from "./feed.ts";
import { Journal, type NewEntry } from "./journal.ts";
import { TopicIngest } from "./topic_ingest.ts";
import { TopicReaders } from "./topic_readers.ts";
import { TopicRetention } from "./topic_retention.ts";
import { TopicSessions } from "./topic_sessions.ts";

/** Bounds of a topic that are its broker's. */
export interface TopicLimits {
  readonly ringSlots: number;
  readonly claimTimeoutMs: number;
}

/** What a topic tells its broker. */
export interface TopicEvents {
  /** Call {@link Topic.run} at the end of this burst. */
  due(): void;
  /** The store cannot go on: the topic must be opened anew. */
  stopped(failure: StoreFailure): void;
}

/** What a {@link Topic} is made of. */
export interface TopicInit {
  readonly name: string;
  readonly options: TopicOptions;
  readonly limits: TopicLimits;
  readonly brokerId: number;
  readonly store: TopicStore;
  readonly recovered: Recovered;
  readonly host: Host;
  readonly crc32: Crc32;
  readonly events: TopicEvents;
}

const NO_BODY: Uint8Array = new Uint8Array(0);

/** See the module. */
export class Topic implements FeedTopic {
  readonly name: string;
  readonly options: TopicOptions;
  readonly store: TopicStore;
  readonly index: OrderIndex;
  readonly state: TopicState;
  readonly sequencer: Sequencer;
  readonly journal: Journal;
  readonly ingest: TopicIngest;
  readonly sessions: TopicSessions;
  readonly readers: TopicReaders;
  readonly retention: TopicRetention;
  /** What a crash of the machine cost, as far as it was seen when the topic was opened. */
  readonly cut: CutReport | undefined;
  /** The position behind the last one that readers may see. */
  visibleTail: bigint;
  /** Batches are stored and not ordered while set. */
  paused = false;
  readonly rounds: { count: number; batches: number; bytes: number } = { count: 0, batches: 0, bytes: 0 };
  readonly #init: TopicInit;
  #rows!: SegmentIndex;
  /** Who waits for the rows of the segment at this offset. */
  readonly #loading: Map<number, ((index: SegmentIndex | StoreFailure) => void)[]> = new Map();
  #roundDue = false;
  #running = false;
  #syncDueMs = Infinity;
  /** `closing`: nothing is taken any more. `over`: the store is not ours any more. */
  #life: "open" | "closing" | "over" = "open";
  /** Ends a close that waits for a sync. */
  #closing: (() => void) | undefined;

  constructor(init: TopicInit) {
    const { name, options, store, recovered, host, crc32 } = init;
    this.#init = init;
    this.name = name;
    this.options = options;
    this.store = store;
    this.index = recovered.index;
    this.state = recovered.state;
    this.sequencer = recovered.state.sequencer;
    this.cut = recovered.cut;
    this.visibleTail = recovered.state.nextPosition;
    this.journal = new Journal({
      store,
      crc32,
      segmentBytes: options.segmentBytes,
      durable: options.ack === 2 ? "synced" : "written",
      opening: (base) => this.#segmentBegins(base),
    });
    this.retention = new TopicRetention({
      retention: options.retention,
      store,
      index: this.index,
      state: this.state,
      journal: this.journal,
      visibleTail: () => this.visibleTail,
      host,
    });
    this.ingest = new TopicIngest({
      sequencer: this.sequencer,
      journal: this.journal,
      store,
      ...init.limits,
      nowMs: () => host.nowMs(),
      roundDue: () => this.#due(),
      runRound: () => this.runRound(host.nowMs()),
      makeRoom: () => this.retention.apply(2 * options.segmentBytes),
    });
    // Retention must not wait for it.
    this.sequencer.onDiscarded = (batch) => this.ingest.ordered(batch);
    this.sessions = new TopicSessions(this, () => this.#due(), () => host.wallMs());
    this.readers = new TopicReaders(this);
    this.#begin(recovered);
  }

  get generation(): number {
    return this.state.generation;
  }

  get nowMs(): number {
    return this.#init.host.nowMs();
  }

  get earliest(): bigint {
    const kept = this.index.segments[0]?.firstPosition ?? 0n;
    return kept > this.state.trimmedTo ? kept : this.state.trimmedTo;
  }

  /** Runs `run` when what was found in the store is as durable as what will be acknowledged. */
  whenSettled(run: () => void): void {
    if (this.store.durability === "machine") {
      this.journal.whenSynced(run);
      this.journal.sync();
      this.journal.flush();
    } else {
      this.journal.whenDurable(run);
    }
  }

  /** Orders what has arrived, passes it to the store, and tells who waits for what became durable. At the end of each burst. */
  run(nowMs: number): void {
    if (this.#life === "over") return;
    this.#running = true;
    do {
      this.#roundDue = false;
      this.runRound(nowMs);
      if (this.#life === "open") this.ingest.ring.wake();
    } while (this.#roundDue && !this.paused);
    this.#running = false;
    this.retention.roundEnded();
    this.journal.flush();
    this.sessions.flush(this.#life === "open");
    this.readers.pump();
  }

  /** Orders what is in the ring. */
  runRound(nowMs: number): void {
    if (this.paused) return;
    const { ring } = this.ingest;
    for (let batch = ring.consume(); batch !== undefined; batch = ring.consume()) {
      this.sequencer.accept(batch, nowMs);
    }
    const batches = this.sequencer.takeRound();
    if (batches.length > 0) this.#order(batches);
  }

  /** When {@link handleTimeout} is due. */
  get nextTimeoutMs(): number {
    if (this.#life !== "open") return Infinity;
    const ownMs = Math.min(this.#syncDueMs, this.retention.nextTimeoutMs);
    // While what fills a gap may lie in the ring, leases do not run out.
    const leaseMs = this.paused ? Infinity : this.sequencer.nextTimeoutMs;
    return Math.min(leaseMs, this.readers.nextTimeoutMs, ownMs);
  }

  handleTimeout(nowMs: number): void {
    if (this.#life !== "open") return;
    if (!this.paused && nowMs >= this.sequencer.nextTimeoutMs) {
      this.runRound(nowMs);
      this.sessions.expire(nowMs);
    }
    this.readers.handleTimeout(nowMs);
    if (nowMs >= this.#syncDueMs) {
      this.#syncDueMs = Infinity;
      this.journal.sync();
      this.retention.apply(0);
    }
    this.retention.handleTimeout(nowMs);
    this.#due();
  }

  /** The store's frontiers moved. */
  storeMoved(): void {
    this.journal.moved();
    // Who waited for the store to catch up tries again, and what became visible leaves.
    this.#due();
  }

  storeFailed(failure: StoreFailure): void {
    if (failure.kind === "full") this.ingest.state = "full";
    else this.ingest.state = "stopped";
    this.sessions.tellStoreState(failure.kind === "full" ? "full" : "stopped", failure.message);
    this.#due();
    if (this.#closing !== undefined) this.#closing();
    else if (failure.kind !== "full") this.#init.events.stopped(failure);
  }

  storeResumed(): void {
    if (this.ingest.state !== "full") return;
    this.ingest.state = "open";
    this.sessions.tellStoreState("resumed", "");
    this.#due();
  }

  /** Positions below `before` are not needed any more. `done` when that is durable. */
  trim(before: bigint, done: (earliest: bigint) => void): void {
    const to = before < this.visibleTail ? before : this.visibleTail;
    if (to > this.state.trimmedTo) {
      this.journal.append("trim", { number: to }, NO_BODY);
      this.state.trimmedTo = to;
      this.retention.apply(0);
    }
    this.journal.whenDurable(() => done(this.earliest));
    this.#due();
  }

  /** Readers that want the same rows at the same time share one reading of them. */
  loadRows(segment: SegmentSummary, done: (index: SegmentIndex | StoreFailure) => void): void {
    const { base, firstPosition } = segment;
    const loading = this.#loading.get(base);
    if (loading !== undefined) {
      loading.push(done);
      return;
    }
    const waiting = [done];
    this.#loading.set(base, waiting);
    loadSegmentRows(this.store, this.#init.crc32, base, firstPosition, (result) => {
      this.#loading.delete(base);
      if (!("kind" in result)) this.index.loaded(result);
      for (const tell of waiting) tell(result);
    });
  }

  /** Orders what is there, syncs, notes that it did, and lets go of the store. */
  close(done: (failure?: StoreFailure) => void): void {
    const { journal, store, ingest } = this;
    this.paused = false;
    this.runRound(this.#init.host.nowMs());
    this.#life = "closing";
    const end = (): void => {
      this.#closing = undefined;
      this.sessions.flush(false);
      if (ingest.state === "open") {
        // The note is only true of what is synced: everything before it was, unless somebody has added to it since.
        journal.append("cleanStop", { number: BigInt(store.synced) }, NO_BODY);
      }
      this.#end();
      store.close(done);
    };
    if (store.durability === "none" || ingest.state !== "open") return end();
    this.#closing = end;
    const settled = (): void => this.#closing?.();
    if (store.durability === "process") return journal.whenDurable(settled);
    journal.whenSynced(settled);
    journal.sync();
    journal.flush();
  }

  /** The store is gone: nothing is called any more. */
  abandon(): void {
    this.#closing = undefined;
    this.#end();
    // What waited for a slot is refused, and its memory comes free.
    this.ingest.state = "stopped";
    this.ingest.ring.wake();
  }

  #end(): void {
    this.#life = "over";
    this.journal.abandon();
    this.readers.close();
  }

  #begin({ opening, state }: Recovered): void {
    if (opening === undefined) {
      state.generations.push(firstGeneration(this.store.durability, this.#init.host));
      this.journal.roll();
      this.journal.append("generation", { epoch: state.generation, number: 0n }, NO_BODY);
      return;
    }
    this.#rows = this.index.segments.at(-1)!.index!;
    if (!state.stoppedCleanly) {
      const generation = state.generation + 1;
      this.journal.append("generation", { epoch: generation, number: state.nextPosition }, NO_BODY);
      state.generations.push({ generation, firstPosition: state.nextPosition });
    }
  }

  #due(): void {
    if (this.#life === "over") return;
    this.#roundDue = true;
    const { host, events } = this.#init;
    const { store, options: { syncIntervalMs } } = this;
    const unsynced = store.durability === "machine" && store.synced < store.tail;
    if (this.#syncDueMs === Infinity && syncIntervalMs > 0 && unsynced) {
      this.#syncDueMs = host.nowMs() + syncIntervalMs;
    }
    if (!this.#running) events.due();
  }

  #order(batches: readonly SequencedBatch[]): void {
    const { state } = this;
    const timestampMs = Math.max(state.lastTimestampMs, Math.floor(this.#init.host.wallMs()));
    state.lastTimestampMs = timestampMs;
    const first = state.nextPosition;
    this.sequencer.placed(batches, first);
    let position = first;
    const rows: OrderRow[] = batches.map((batch) => {
      const row: OrderRow = {
        position,
        session: batch.session,
        epoch: batch.epoch,
        count: batch.count,
        batch: batch.batch,
        offset: batch.offset,
        bodyBytes: batch.bytes,
        bodyCrc: batch.crc,
        lastSequence: batch.lastSequence,
        broker: this.#init.brokerId,
      };
      position += BigInt(batch.count);
      return row;
    });
    state.nextPosition = position;
    const body = encodeRound({ timestampMs, syncedThrough: this.store.synced, rows });
    this.journal.appendHere("order", { number: first, count: rows.length }, body);
    for (const batch of batches) this.ingest.ordered(batch);
    const index = this.#rows;
    this.journal.whenDurable(() => this.#commit(batches, rows, timestampMs, index));
    this.journal.whenSynced(() => {
      for (const batch of batches) this.sequencer.synced(batch);
    });
    if (this.sessions.wantSync) this.journal.sync();
  }

  /** From here on it is a fact: readers see it, and publishers are told. */
  #commit(
    batches: readonly SequencedBatch[],
    rows: readonly OrderRow[],
    timestampMs: number,
    index: SegmentIndex,
  ): void {
    for (const row of rows) index.append(row.offset, row.count, row.bodyBytes, row.bodyCrc, timestampMs);
    this.visibleTail = index.endPosition;
    const { rounds } = this;
    rounds.count++;
    rounds.batches += batches.length;
    batches.forEach((batch, at) => {
      rounds.bytes += batch.bytes;
      this.sequencer.committed(batch, rows[at]!.position);
    });
  }

  #segmentBegins(base: number): readonly NewEntry[] {
    const { state, store, name, options } = this;
    const opening = {
      topic: name,
      options,
      reaches: this.ingest.reaches(base),
      syncedThrough: store.synced,
      startedMs: state.lastTimestampMs,
    };
    const firstPosition = state.nextPosition;
    this.#rows = this.index.begin({ base, firstPosition, ...opening });
    const fields = { id: BigInt(base), number: firstPosition, epoch: state.generation };
    const entries: NewEntry[] = [{ type: "segment", fields, body: encodeOpening(opening) }];
    // What does not outlive the process needs no beginning to be read from.
    if (store.durability !== "none") {
      const snapshot = state.snapshot(this.#init.host.nowMs(), runsThatFit(options.segmentBytes));
      entries.push({ type: "snapshot", fields: {}, body: encodeSnapshot(snapshot) });
    }
    if (base > 0) this.retention.segmentBegan();
    return entries;
  }
}
