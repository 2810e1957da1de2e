/**
 * Decides the order of a topic: which batch is next, which waits, which is a copy, and which session is over.
 * Knows nothing of bytes, stores or links.
 *
 * Everything that it decided for good is in the order log: what it assigned, in rounds, and the beginnings and fences of
 * epochs. So it can be replayed. What is assigned is in the log or about to be; what is committed is what publishers are told.
 *
 * @module
 */

import { assert } from "../../assert.ts";
import type { AckMessage, AckRun } from "../wire/messages.ts";
import { Lifecycle } from "./lifecycle.ts";
import {
  exportSessions,
  importSessions,
  replayEnded,
  replayFence,
  replayOrder,
  replaySessionOpened,
} from "./restoring.ts";
import { SequencerParts } from "./sequencer_parts.ts";
import type {
  Admission,
  EndedSession,
  FenceDecision,
  GrantChange,
  OpenDecision,
  OpenRequest,
  SequencedBatch,
  SequencerCounters,
  SequencerInit,
  SessionView,
} from "./sequencer_types.ts";
import { laterSequence, type Session } from "./session.ts";
import type { SessionSnapshot } from "./snapshot_types.ts";

export type * from "./sequencer_types.ts";
export type { SessionSnapshot } from "./snapshot_types.ts";

/** One per topic and broker. */
export class Sequencer {
  readonly #parts: SequencerParts;
  readonly #lifecycle: Lifecycle;
  #round: SequencedBatch[] = [];

  /** @throws {MisuseError} `ERR_OPTION`: a hold that cannot take what may be granted. */
  constructor(init: SequencerInit) {
    this.#parts = new SequencerParts(init);
    this.#lifecycle = new Lifecycle(this.#parts);
  }

  /**
   * Called for each accepted batch that will never be ordered, except those that {@link fenced} answers with: of an epoch that
   * is over, or held by a session that was closed, replaced or forgotten. From inside of calls: the sequencer must not be called.
   */
  set onDiscarded(run: ((batch: SequencedBatch) => void) | undefined) {
    this.#parts.onDiscarded = run;
  }

  /**
   * Requests that were told to wait may be worth another try. Called last in the call that freed something: `open` may be called
   * from inside, but better at the end of the burst.
   */
  set onGrantFreed(run: (() => void) | undefined) {
    this.#parts.onGrantFreed = run;
  }

  /** A publisher wants a session. See {@link OpenDecision}. */
  open(request: OpenRequest, nowMs: number): OpenDecision {
    const decision = this.#lifecycle.open(request, nowMs);
    this.#parts.tellFreed();
    return decision;
  }

  /** A request that was told to wait will not come again. */
  cancelOpen(request: OpenRequest): void {
    this.#lifecycle.cancelOpen(request);
    this.#parts.tellFreed();
  }

  /**
   * The entry of a new epoch was appended: batches of it are admitted from here on, those of lower ones are not. What the lower
   * one held is discarded. Throws `BugError` for an epoch that `open` did not give.
   */
  opened(session: bigint, epoch: number, nowMs: number): void {
    this.#lifecycle.opened(session, epoch, nowMs);
    this.#parts.tellFreed();
  }

  /**
   * The publisher is done: batches in flight are still taken, what waits behind a gap is forgotten, then an unnamed session is,
   * too: see {@link takeEnded}. Until that entry is stored a restart brings it back.
   */
  close(session: bigint, epoch: number, nowMs: number): void {
    this.#lifecycle.close(session, epoch, nowMs);
    this.#parts.tellFreed();
  }

  /** The link that last opened or resumed this epoch is gone. Not to be called for a link that another one has replaced. */
  disconnected(session: bigint, epoch: number, nowMs: number): void {
    this.#lifecycle.disconnected(session, epoch, nowMs);
    this.#parts.tellFreed();
  }

  /** What to answer a publisher with; `undefined`: no such session, or it is only being opened. */
  view(session: bigint): SessionView | undefined {
    const found = this.#parts.table.get(session);
    if (found === undefined || found.epoch === 0) return undefined;
    return {
      session: found.id,
      publisher: found.publisher,
      epoch: found.epoch,
      nextBatch: found.nextBatch,
      nextSyncedBatch: found.nextSyncedBatch,
      assigned: found.assignedEnd,
      limit: found.limit,
      windowBytes: found.grant.windowBytes,
      lastSequence: found.lastSequence,
      held: found.held?.size ?? 0,
    };
  }

  /** A batch's header has arrived. See {@link Admission}. */
  admit(session: bigint, epoch: number, batch: number, bytes: number): Admission {
    const { table, grants, counts, acks, init } = this.#parts;
    const found = table.get(session);
    if (found === undefined || epoch > found.epoch) {
      counts.unknown++;
      return "unknownSession";
    }
    if (epoch < found.epoch || found.state === "opening") {
      counts.stale++;
      return "staleEpoch";
    }
    if (found.state !== "open") {
      counts.fencedArrivals++;
      return "fenced";
    }
    if (isKnown(found, batch)) {
      counts.duplicates++;
      if (found.committed.has(batch)) found.acks.again(batch);
      acks.mark(found);
      return "duplicate";
    }
    const { grant } = found;
    // The batch that is expected never waits: it may be as large as any.
    const fits = batch === found.assigned.next || found.bytes + bytes <= grant.windowBytes;
    if (batch >= grant.limit || bytes > init.batchBytesMax || !fits) {
      counts.beyondWindow++;
      return "beyondWindow";
    }
    (found.inFlight ??= new Map()).set(batch, bytes);
    found.bytes += bytes;
    grants.claim(grant, batch + 1);
    return "take";
  }

  /** A batch that was told `take` will not come: its connection ended half-way, or it was refused for another reason. */
  abandon(session: bigint, epoch: number, batch: number): void {
    const { table, hold } = this.#parts;
    const found = table.get(session);
    if (found === undefined || found.epoch !== epoch) return;
    const bytes = found.inFlight?.get(batch);
    if (bytes === undefined) return;
    found.inFlight!.delete(batch);
    found.bytes -= bytes;
    if (batch === found.assigned.next) hold.check(found);
    // Without a link it reserves only what is there.
    if (!found.attached) this.#parts.detach(found);
    this.#lifecycle.settleClosed(found);
    this.#parts.tellFreed();
  }

  /** A batch that was told `take` is stored. In ring order. */
  accept(batch: SequencedBatch, nowMs: number): void {
    const parts = this.#parts;
    parts.counts.accepted++;
    const session = parts.table.get(batch.session);
    if (session === undefined || session.epoch !== batch.epoch || !takes(session)) return parts.drop(batch);
    const claimed = session.inFlight?.get(batch.batch);
    if (claimed === undefined) {
      // It was abandoned, and a copy may have come in its place.
      if (isKnown(session, batch.batch)) {
        parts.counts.duplicates++;
        return parts.drop(batch);
      }
    } else session.inFlight!.delete(batch.batch);
    session.bytes += batch.bytes - (claimed ?? 0);
    session.lastActiveMs = Math.max(session.lastActiveMs, nowMs);
    parts.grants.touch(session.grant, nowMs);
    if (!parts.keepsOrder || batch.batch === session.assigned.next) this.#assign(session, batch, nowMs);
    else this.#hold(session, batch, nowMs);
    if (session.state === "closed") this.#lifecycle.settleClosed(session);
    parts.tellFreed();
  }

  /** What was assigned since the last call, in order, held successors included. The array is the caller's. */
  takeRound(): SequencedBatch[] {
    const round = this.#round;
    this.#round = [];
    return round;
  }

  /** The order entry of what `takeRound` answered begins at `position`. Only snapshots want to know it so early. */
  placed(round: readonly SequencedBatch[], position: bigint): void {
    this.#parts.placed.add(round, position);
  }

  /** The order entry of `batch` is written. In the order of the log. */
  committed(batch: SequencedBatch, position: bigint): void {
    const { table, grants, acks, init, keepsOrder, placed } = this.#parts;
    placed.committed(batch);
    const session = table.get(batch.session);
    if (session === undefined) return;
    session.lastSequence = laterSequence(session.lastSequence, batch.lastSequence);
    session.uncommitted--;
    if (session.epoch === batch.epoch) {
      const { committed, grant } = session;
      assert(!keepsOrder || batch.batch === committed.next, "committed out of order");
      assert(session.assigned.has(batch.batch), "committed before it was assigned");
      assert(committed.add(batch.batch), "committed twice");
      session.bytes -= batch.bytes;
      session.acks.add(batch.batch, batch.count, position, Math.max(1, init.runsKept, grant.wanted));
      grants.commit(grant, committed.next);
      acks.mark(session);
    }
    if (session.state === "closed") this.#lifecycle.settleClosed(session);
    this.#parts.tellFreed();
  }

  /** The order entry of `batch` is synced. In the order of the log, after `committed`. */
  synced(batch: SequencedBatch): void {
    const { table, acks } = this.#parts;
    const session = table.get(batch.session);
    if (session === undefined || session.epoch !== batch.epoch) return;
    // A closed session is not remembered until it is synced, and its id may have been used again: for later payloads.
    if (batch.offset < session.firstOffset) return;
    if (session.committed.has(batch.batch) && session.synced.add(batch.batch)) acks.mark(session);
  }

  /** When `expire` wants to be called; `Infinity`: nothing runs out. May be earlier than anything happens. */
  get nextTimeoutMs(): number {
    return this.#lifecycle.nextTimeoutMs;
  }

  /**
   * Fences what has a gap older than the lease, forgets idle sessions, and lowers publishers that do not answer. Accept what is
   * in the ring first. A gap is spared while the batch that fills it is in flight, and once where this is called more than half a
   * lease late: then the process stood still, and what fills the gap may not have been read yet.
   */
  expire(nowMs: number): readonly FenceDecision[] {
    const decisions = this.#lifecycle.expire(nowMs);
    this.#parts.tellFreed();
    return decisions;
  }

  /**
   * The fence entry is durable. Answers with what was held, which is discarded. The session has no link from here on. Take its
   * last ack, then tell its publisher.
   */
  fenced(session: bigint, epoch: number): SequencedBatch[] {
    const held = this.#lifecycle.fenced(session, epoch);
    this.#parts.tellFreed();
    return held;
  }

  /**
   * Sessions that were forgotten since the last call. Store an entry of each before the next one of a new epoch, so that a replay
   * forgets them, too.
   */
  takeEnded(): readonly EndedSession[] {
    return this.#parts.ended.splice(0);
  }

  /** Limits that changed since they were last told by an ack or here. Take acks first. */
  takeGrants(): GrantChange[] {
    const changes: GrantChange[] = [];
    this.#parts.grants.takeChanges(({ id: session, epoch, state }, limit, lowered) => {
      if (state === "open") changes.push({ session, epoch, limit, lowered });
    });
    return changes;
  }

  /** The publisher's answer to a lowered grant: the lowest limit that it can keep. */
  yielded(session: bigint, epoch: number, limit: number): void {
    const found = this.#parts.table.get(session);
    if (found === undefined || found.epoch !== epoch || found.state !== "open") return;
    this.#parts.grants.yielded(found.grant, limit);
    this.#parts.tellFreed();
  }

  /** Batches below may be sent; 0 of an unknown session. */
  limitOf(session: bigint): number {
    return this.#parts.table.get(session)?.limit ?? 0;
  }

  /** Sessions that have an ack to be told which they had not at the last call. Each is named once until its ack is taken. */
  takeMarked(): bigint[] {
    return this.#parts.acks.takeMarked();
  }

  /** All that is to be told since the last take; `undefined`: nothing. */
  takeAck(session: bigint): AckMessage | undefined {
    const { table, acks, grants } = this.#parts;
    const found = table.get(session);
    if (found === undefined) return undefined;
    const ack = acks.take(found);
    if (ack !== undefined) grants.told(found.grant);
    return ack;
  }

  /**
   * Everything that is known of a session's committed batches, for the answer to a link that opens or resumes it; counts as told,
   * as does the limit. No limit is told by {@link takeGrants} before.
   */
  takeRuns(session: bigint): readonly AckRun[] {
    const { table, grants } = this.#parts;
    const found = table.get(session);
    if (found === undefined) return [];
    grants.answered(found.grant);
    return found.acks.takeAll();
  }

  /** For a snapshot, with at most `runsMax` runs of all sessions together. Append what `takeRound` has first. */
  exportSessions(nowMs: number, runsMax: number = Infinity): SessionSnapshot[] {
    return exportSessions(this.#parts, nowMs, runsMax);
  }

  /** Before anything else: the sessions of a snapshot. All that they name counts as committed and synced. */
  importSessions(sessions: readonly SessionSnapshot[], nowMs: number): void {
    importSessions(this.#parts, sessions, nowMs);
  }

  /** Replay of a session entry. `nowMs`: when it was appended, on the clock of all other calls; may be negative. */
  replaySessionOpened(session: bigint, publisher: string, epoch: number, nowMs: number): void {
    replaySessionOpened(this.#parts, session, publisher, epoch, nowMs);
  }

  /** Replay of a fence entry. */
  replayFence(session: bigint, epoch: number, nextBatch: number, nowMs: number): void {
    replayFence(this.#parts, session, epoch, nextBatch, nowMs);
  }

  /** Replay of the entry of a session that was forgotten. */
  replayEnded(session: bigint, epoch: number): void {
    replayEnded(this.#parts, session, epoch);
  }

  /** Replay of one batch of an order entry. Counts as committed and synced: sync the store before the first session is answered. */
  replayOrder(batch: SequencedBatch, position: bigint, nowMs: number): void {
    replayOrder(this.#parts, batch, position, nowMs);
  }

  get counters(): SequencerCounters {
    return this.#parts.counters;
  }

  #assign(session: Session, batch: SequencedBatch, nowMs: number): void {
    const { hold, grants } = this.#parts;
    this.#emit(session, batch);
    if (session.held === undefined || session.held.size === 0) return;
    for (let next = hold.takeNext(session); next !== undefined; next = hold.takeNext(session)) {
      this.#emit(session, next);
    }
    if (session.held.size === 0) grants.block(session.grant, false);
    else hold.progressed(session, nowMs);
  }

  #emit(session: Session, batch: SequencedBatch): void {
    const { counts } = this.#parts;
    session.assigned.add(batch.batch);
    session.assignedSequence = laterSequence(session.assignedSequence, batch.lastSequence);
    session.uncommitted++;
    if (batch.offset < session.firstOffset) session.firstOffset = batch.offset;
    this.#round.push(batch);
    counts.assigned++;
    counts.assignedRecords += batch.count;
    counts.assignedBytes += batch.bytes;
  }

  #hold(session: Session, batch: SequencedBatch, nowMs: number): void {
    const { hold, grants } = this.#parts;
    hold.put(session, batch, nowMs);
    grants.block(session.grant, true);
  }
}

/** Whether a batch of this number is assigned, held or in flight. */
function isKnown(session: Session, batch: number): boolean {
  return session.assigned.has(batch) || (session.inFlight !== undefined && session.inFlight.has(batch)) ||
    (session.held !== undefined && session.held.has(batch));
}

/** Whether batches that are in the ring are still ordered. */
function takes({ state }: Session): boolean {
  return state === "open" || state === "closed";
}
