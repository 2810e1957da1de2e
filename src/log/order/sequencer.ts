/**
 * Decides the order of a topic: which batch is next, which waits, which is a copy, and which session is over.
 * Knows nothing of bytes, stores or links.
 *
 * @module
 */

import { BugError } from "../../errors.ts";
import type { AckMessage, AckRun } from "../wire/messages.ts";
import type {
  Admission,
  FenceDecision,
  GrantChange,
  OpenDecision,
  OpenRequest,
  SequencedBatch,
  SequencerCounters,
  SequencerInit,
  SessionView,
} from "./sequencer_types.ts";
import type { SessionSnapshot } from "./snapshot_types.ts";

export type * from "./sequencer_types.ts";
export type { SessionSnapshot } from "./snapshot_types.ts";

/** One per topic and broker. */
export class Sequencer {
  /**
   * Requests that were told to wait may be worth another try. Called last in the call that freed something: `open` may be called
   * from inside, but better at the end of the burst.
   */
  onGrantFreed: (() => void) | undefined = undefined;
  readonly #init: SequencerInit;

  constructor(init: SequencerInit) {
    this.#init = init;
  }

  /** A publisher wants a session. See {@link OpenDecision}. */
  open(request: OpenRequest, nowMs: number): OpenDecision {
    throw this.#later(request, nowMs);
  }

  /** A request that was told to wait will not come again. */
  cancelOpen(request: OpenRequest): void {
    throw this.#later(request);
  }

  /** The entry of a new epoch was appended: batches of it are admitted from here on, those of lower ones are not. What the lower one held is discarded. */
  opened(session: bigint, epoch: number, nowMs: number): void {
    throw this.#later(session, epoch, nowMs);
  }

  /** The publisher is done: batches in flight are still taken, what waits behind a gap is forgotten, then an unnamed session is, too. */
  close(session: bigint, epoch: number, nowMs: number): void {
    throw this.#later(session, epoch, nowMs);
  }

  /** The link that last opened or resumed this epoch is gone. Not to be called for a link that another one has replaced. */
  disconnected(session: bigint, epoch: number, nowMs: number): void {
    throw this.#later(session, epoch, nowMs);
  }

  /** What to answer a publisher with; `undefined`: no such session, or it is only being opened. */
  view(session: bigint): SessionView | undefined {
    throw this.#later(session);
  }

  /** A batch's header has arrived. See {@link Admission}. */
  admit(session: bigint, epoch: number, batch: number, bytes: number): Admission {
    throw this.#later(session, epoch, batch, bytes);
  }

  /** A batch that was told `take` will not come: its connection ended half-way. */
  abandon(session: bigint, epoch: number, batch: number): void {
    throw this.#later(session, epoch, batch);
  }

  /** A batch that was told `take` is stored. In ring order. */
  accept(batch: SequencedBatch, nowMs: number): void {
    throw this.#later(batch, nowMs);
  }

  /** What was assigned since the last call, in order, held successors included. The array is the caller's. */
  takeRound(): SequencedBatch[] {
    throw this.#later();
  }

  /** The order entry of `batch` is written. In the order of the log. */
  committed(batch: SequencedBatch, position: bigint): void {
    throw this.#later(batch, position);
  }

  /** The order entry of `batch` is synced. In the order of the log, after `committed`. */
  synced(batch: SequencedBatch): void {
    throw this.#later(batch);
  }

  /** When `expire` wants to be called; `Infinity`: nothing runs out. */
  get nextTimeoutMs(): number {
    throw this.#later();
  }

  /** Fences what has a gap older than the lease, and forgets idle sessions. Accept what is in the ring first. */
  expire(nowMs: number): readonly FenceDecision[] {
    throw this.#later(nowMs);
  }

  /** The fence entry is durable. Answers with what was held, which is discarded. Take the session's last ack, then tell its publisher. */
  fenced(session: bigint, epoch: number): SequencedBatch[] {
    throw this.#later(session, epoch);
  }

  /** Limits that changed since they were last told by an ack or here. Take acks first. */
  takeGrants(): GrantChange[] {
    throw this.#later();
  }

  /** The publisher's answer to a lowered grant. */
  yielded(session: bigint, epoch: number, limit: number): void {
    throw this.#later(session, epoch, limit);
  }

  /** Batches below may be sent; 0 of an unknown session. */
  limitOf(session: bigint): number {
    throw this.#later(session);
  }

  /** Sessions that have an ack to be told which they had not at the last call. Each is named once until its ack is taken. */
  takeMarked(): bigint[] {
    throw this.#later();
  }

  /** All that is to be told since the last take; `undefined`: nothing. */
  takeAck(session: bigint): AckMessage | undefined {
    throw this.#later(session);
  }

  /** Everything that is known of a session's committed batches, for a link that resumes; counts as told. */
  takeRuns(session: bigint): readonly AckRun[] {
    throw this.#later(session);
  }

  /** For a snapshot. Append what `takeRound` has first. */
  exportSessions(nowMs: number): SessionSnapshot[] {
    throw this.#later(nowMs);
  }

  /** Before anything else: the sessions of a snapshot. All that they name counts as committed and synced. */
  importSessions(sessions: readonly SessionSnapshot[], nowMs: number): void {
    throw this.#later(sessions, nowMs);
  }

  /** Replay of a session entry. `nowMs`: when it was appended, on the clock of all other calls; may be negative. */
  replaySessionOpened(session: bigint, publisher: string, epoch: number, nowMs: number): void {
    throw this.#later(session, publisher, epoch, nowMs);
  }

  /** Replay of a fence entry. */
  replayFence(session: bigint, epoch: number, nextBatch: number, nowMs: number): void {
    throw this.#later(session, epoch, nextBatch, nowMs);
  }

  /** Replay of one batch of an order entry. Counts as committed and synced: sync the store before the first session is answered. */
  replayOrder(batch: SequencedBatch, position: bigint, nowMs: number): void {
    throw this.#later(batch, position, nowMs);
  }

  get counters(): SequencerCounters {
    throw this.#later();
  }

  #later(...given: readonly unknown[]): BugError {
    return new BugError(`order ${this.#init.order}: the sequencer is not there yet (${given.length})`);
  }
}
