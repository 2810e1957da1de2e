/**
 * What goes into the sequencer and what comes out of it.
 *
 * @module
 */

import type { Order } from "../topic_options.ts";

/** One batch whose payload is stored: all that the sequencer needs to know, and what the order entry carries. */
export interface SequencedBatch {
  /** u64. */
  readonly session: bigint;
  /** u32, all bits. */
  readonly epoch: number;
  /** Its number in the session's epoch: 0, 1, 2 … */
  readonly batch: number;
  /** Records in it. */
  readonly count: number;
  /** Bytes of its body. */
  readonly bytes: number;
  /** CRC-32 of its body. */
  readonly crc: number;
  /** The last record's sequence, of a named publisher that gives them. */
  readonly lastSequence: bigint | undefined;
  /** Of its payload entry in the store. */
  readonly offset: number;
}

/**
 * What becomes of a batch that arrives, decided before it is stored.
 *
 * - `take`: store it. It counts as in flight until `accept` or `abandon`.
 * - `duplicate`: it was assigned, is held, or is in flight already. Its session's ack is marked, so that the sender learns what is committed.
 * - `staleEpoch`: a newer epoch of this session exists or is being opened.
 * - `unknownSession`: never opened, expired, closed, or an epoch that was never given.
 * - `fenced`: this epoch is over, or its session is closing.
 * - `beyondWindow`: at or above the granted limit, or beyond the granted bytes. Refused to its sender alone.
 */
export type Admission = "take" | "duplicate" | "staleEpoch" | "unknownSession" | "fenced" | "beyondWindow";

/** A publisher's wish to begin, resume or take over a session: the fields of the message of that name. */
export interface OpenRequest {
  /** Chosen by the client; 0 of a named publisher that does not know its session yet. */
  readonly session: bigint;
  /** "": without a name. */
  readonly publisher: string;
  /** 0: a new epoch, whatever the last one was. Otherwise the epoch to resume. */
  readonly epoch: number;
  /** The first batch that was not acknowledged. */
  readonly acknowledged: number;
  /** How much the publisher would like to have on its way. At least 1 of each is granted. */
  readonly windowBatches: number;
  readonly windowBytes: number;
}

/** How an epoch ended that a newcomer replaces. */
export interface ReplacedEpoch {
  readonly epoch: number;
  /** Batches below are assigned, and committed once the newcomer's entry is; none of the others will ever be. */
  readonly nextBatch: number;
  /** Whether that epoch had a link, which is to be told. */
  readonly attached: boolean;
}

/**
 * The answer to an {@link OpenRequest}.
 *
 * - `resume`: the epoch goes on; `Sequencer.view` has what to answer.
 * - `newEpoch`: append what `takeRound` has, then a session entry, call `opened`, and answer when the entry is durable.
 *   `replaced` is what to tell the link of the epoch before, then, too.
 * - `fenced`: this epoch is over; answer with `nextBatch`. The publisher asks for a new epoch.
 * - `superseded`: a newer epoch exists.
 * - `unknown`: there is no such session or epoch, and the publisher believes that there is.
 * - `full`: `sessionsMax` sessions, none of which is idle for long enough, or no epoch is left.
 * - `wait`: nothing is left to be granted, or a fence of this session is being stored. Ask again, with an equal request, when
 *   `onGrantFreed` is called; call `cancelOpen` if the link goes meanwhile.
 */
export type OpenDecision =
  | { readonly kind: "resume"; readonly session: bigint; readonly epoch: number }
  | {
    readonly kind: "newEpoch";
    readonly session: bigint;
    readonly epoch: number;
    readonly publisher: string;
    readonly replaced: ReplacedEpoch | undefined;
  }
  | { readonly kind: "fenced"; readonly session: bigint; readonly epoch: number; readonly nextBatch: number }
  | { readonly kind: "superseded" }
  | { readonly kind: "unknown" }
  | { readonly kind: "full" }
  | { readonly kind: "wait" };

/** A session's epoch is to be fenced: store the entry, then call `Sequencer.fenced`. */
export interface FenceDecision {
  readonly session: bigint;
  readonly epoch: number;
  /** The assigned prefix, exclusive: "nothing" is 0. All of it is committed when the fence entry is. */
  readonly nextBatch: number;
}

/** A session is forgotten: store an entry, so that a replay forgets it, too. */
export interface EndedSession {
  readonly session: bigint;
  /** Its last one. */
  readonly epoch: number;
}

/** A session's limit has changed. `lowered`: the publisher answers with the lowest limit that it can keep. */
export interface GrantChange {
  readonly session: bigint;
  readonly epoch: number;
  readonly limit: number;
  readonly lowered: boolean;
}

/** What a session's publisher is told when it opens. */
export interface SessionView {
  readonly session: bigint;
  readonly publisher: string;
  readonly epoch: number;
  /** Batches below are committed. */
  readonly nextBatch: number;
  /** Batches below are synced. */
  readonly nextSyncedBatch: number;
  /** Batches below are assigned: their order entries are stored or are in the round to come. */
  readonly assigned: number;
  /** Batches below may be sent. */
  readonly limit: number;
  /** Bytes that may be sent and not committed. */
  readonly windowBytes: number;
  /** The greatest committed sequence of any of its epochs. */
  readonly lastSequence: bigint | undefined;
  /** Batches that wait behind a gap. */
  readonly held: number;
}

/** Bounds and surroundings of a sequencer. */
export interface SequencerInit {
  readonly order: Order;
  /** A session with a gap older than this is fenced. */
  readonly leaseMs: number;
  /** Sessions that are remembered, with and without a link. */
  readonly sessionsMax: number;
  /** A session without link and batches for so long is forgotten. */
  readonly sessionIdleMs: number;
  /** Descriptors that may wait behind gaps, of all sessions. At least `grantBatchesMax`. */
  readonly holdBatchesMax: number;
  /** Bytes of their payloads. At least `grantBytesMax`. */
  readonly holdBytesMax: number;
  /** Batches that all publishers together may have on their way. */
  readonly grantBatchesMax: number;
  /** Bytes that all publishers together may have on their way. At least `batchBytesMax`. */
  readonly grantBytesMax: number;
  /** Bytes of the largest batch body: what one batch is worth. */
  readonly batchBytesMax: number;
  /** Runs of acknowledged batches that are kept of each session. */
  readonly runsKept: number;
  /** A random u64 for a named publisher's session. Asked again where it is 0 or taken. */
  readonly newSession: () => bigint;
}

/** What a sequencer has done so far. `accepted` is always `assigned + heldNow + discarded`. */
export interface SequencerCounters {
  /** Batches that `accept` was given. */
  readonly accepted: number;
  /** Batches, records and bytes of bodies that got a place in the order. */
  readonly assigned: number;
  readonly assignedRecords: number;
  readonly assignedBytes: number;
  /** Batches that had to wait behind a gap, ever and now. */
  readonly held: number;
  readonly heldNow: number;
  readonly heldNowBytes: number;
  /** Copies that were not taken. */
  readonly duplicates: number;
  /** Epochs that were fenced because of a gap. */
  readonly fences: number;
  /** Accepted batches that will never be ordered: behind a fence, of a replaced epoch, of a closed session. */
  readonly discarded: number;
  /** Batches that were not taken: above the limit, of a lower epoch, of an unknown session, of a fenced one. */
  readonly beyondWindow: number;
  readonly stale: number;
  readonly unknown: number;
  readonly fencedArrivals: number;
  /** Sessions that were forgotten because nothing came for `sessionIdleMs`. */
  readonly expired: number;
  /** Sessions now, and those of them that have a link. */
  readonly sessions: number;
  readonly attached: number;
  /** Requests that wait for a grant now. */
  readonly waiting: number;
  /** Batches and bytes that are granted now. */
  readonly grantedBatches: number;
  readonly grantedBytes: number;
}
