/**
 * The states of taking in batches, and nothing else. Two tables, because a connection may be reading one batch while
 * earlier ones, whole already, wait for a slot of the ring:
 *
 * - the connection: where its input stands;
 * - the batch: how far one of them has come.
 *
 * Together they are the cycle `init → waitHeader → waitPayload → waitSlot → complete → waitHeader`.
 *
 * @module
 */

import type { Table } from "../../state_table.ts";
import type { LogErrorCode } from "../errors.ts";
import type { Admission } from "../order/sequencer_types.ts";

/**
 * Where a connection's input stands.
 *
 * - `init`: nothing has arrived.
 * - `waitHeader`: between two bodies of batches. Control messages and discarded bodies change nothing.
 * - `waitMemory`: paused in front of a body. It goes on when there is memory.
 * - `waitPayload`: a body is arriving in staging memory.
 * - `closed`: over. Nothing moves it any more.
 */
export type IngestState = "init" | "waitHeader" | "waitMemory" | "waitPayload" | "closed";

/**
 * `header`: a message begins, so the one before it is whole. `granted`: a body has memory. `noMemory`: it has none.
 * `arrived`: the message that was being read is delivered. `lost`: it never will be.
 */
export type IngestInput = "header" | "granted" | "noMemory" | "arrived" | "lost" | "closed";

export const INGEST_TRANSITIONS: Table<IngestState, IngestInput> = {
  init: { header: "waitHeader", arrived: "waitHeader", closed: "closed" },
  waitHeader: {
    header: "waitHeader",
    granted: "waitPayload",
    noMemory: "waitMemory",
    arrived: "waitHeader",
    closed: "closed",
  },
  waitMemory: {
    granted: "waitPayload",
    noMemory: "waitMemory",
    // A connection that ends discards the body that it was waiting with, and what has arrived behind it is read.
    header: "waitHeader",
    arrived: "waitHeader",
    lost: "waitHeader",
    closed: "closed",
  },
  waitPayload: { header: "waitHeader", arrived: "waitHeader", lost: "waitHeader", closed: "closed" },
  closed: {},
};

/**
 * How far one batch has come.
 *
 * - `waitHeader`: its header is being judged.
 * - `waitMemory`: admitted; its connection is paused in front of its body.
 * - `waitPayload`: admitted; its body is arriving, or has arrived and nobody has looked at it.
 * - `waitSlot`: whole and checked. The ring is full, or the store is behind. Survives the end of its connection.
 * - `complete`: stored, its descriptor is in the ring, its staging memory is free.
 * - `refused`: its publisher is told. Its body, if there is more of it, is discarded.
 * - `lost`: the connection ended before the body was whole. Its publisher knows that by the connection's end.
 */
export type BatchPhase =
  | "waitHeader"
  | "waitMemory"
  | "waitPayload"
  | "waitSlot"
  | "complete"
  | "refused"
  | "lost";

export type BatchInput = "granted" | "noMemory" | "noSlot" | "stored" | "refused" | "lost";

export const BATCH_TRANSITIONS: Table<BatchPhase, BatchInput> = {
  waitHeader: { granted: "waitPayload", noMemory: "waitMemory", refused: "refused" },
  waitMemory: { granted: "waitPayload", noMemory: "waitMemory", lost: "lost" },
  waitPayload: { noSlot: "waitSlot", stored: "complete", refused: "refused", lost: "lost" },
  waitSlot: { noSlot: "waitSlot", stored: "complete", refused: "refused" },
  complete: {},
  refused: {},
  lost: {},
};

/**
 * Why a batch was not taken.
 *
 * - `tooLarge`: its body is above the limit. `malformed`: its frames are not what its header says. `checksum`: its body was
 *   damaged on the way; a resend is welcome.
 * - `storeFull`: the store has no room; a resend is welcome when it has. `storeStopped`: the store takes nothing any more.
 * - Otherwise see {@link Admission}.
 */
export type IngestRefusal =
  | Exclude<Admission, "take">
  | "tooLarge"
  | "malformed"
  | "checksum"
  | "storeFull"
  | "storeStopped";

/** The code that goes with a refusal. `undefined`: no error, the batch is answered with what is committed. */
export const REFUSAL_CODES: Readonly<Record<IngestRefusal, LogErrorCode | undefined>> = {
  duplicate: undefined,
  staleEpoch: "ERR_LOG_FENCED",
  fenced: "ERR_LOG_FENCED",
  unknownSession: "ERR_LOG_SESSION_UNKNOWN",
  beyondWindow: "ERR_LOG_WINDOW",
  tooLarge: "ERR_LOG_BATCH_TOO_LARGE",
  malformed: "ERR_LOG_MALFORMED",
  checksum: "ERR_LOG_MALFORMED",
  storeFull: "ERR_LOG_STORE_FULL",
  storeStopped: "ERR_LOG_STORE_FAILED",
};

/**
 * Whether a body can be stored now.
 *
 * - `wait`: not now. Only where room comes *without any further message of a client*, since waiting may stop the input of the
 *   connections concerned; `waitSlot`'s waiters are woken then.
 * - `full`, `stopped`: the batch is refused, and its publisher stays pending.
 */
export type IngestRoom = "room" | "wait" | "full" | "stopped";

/** What a store without room means for a batch. One that is only behind is waited for. */
export const ROOM_REFUSALS: Readonly<Record<IngestRoom, IngestRefusal | undefined>> = {
  room: undefined,
  wait: undefined,
  full: "storeFull",
  stopped: "storeStopped",
};
