/**
 * The states of a session, and nothing else. As everywhere, a state changes only through `next`: a missing cell is a bug.
 *
 * A session is one publisher's run of batches, told apart by epochs. The table is about its current epoch; lower epochs
 * are stale in every state. Whether it has a link is no state: a session outlives its links.
 *
 * @module
 */

import type { Table } from "../../state_table.ts";

/**
 * How far a session's current epoch is.
 *
 * - `opening`: a new epoch was given away, its entry is not appended yet. Nothing is admitted, the epoch before is stale.
 * - `open`: batches are admitted.
 * - `fencing`: a gap outlived the lease; the fence entry is being stored. Nothing is admitted or assigned any more.
 * - `fenced`: the fence entry is stored, what was held is discarded. Only a new epoch goes on.
 * - `closed`: the publisher is done. What was in flight is still taken, nothing else; a resume opens it again.
 * - `gone`: forgotten.
 */
export type SessionState = "opening" | "open" | "fencing" | "fenced" | "closed" | "gone";

/**
 * `requested`: somebody was given a new epoch. `opened`: its entry was appended. `resumed`: a link takes up the current
 * epoch. `leaseExpired`: a gap is too old. `fenceStored`: the fence entry is durable. `closed`: the publisher said so.
 * `forgotten`: idle for too long, or nothing is left of a closed one.
 */
export type SessionInput =
  | "requested"
  | "opened"
  | "resumed"
  | "leaseExpired"
  | "fenceStored"
  | "closed"
  | "forgotten";

export const SESSION_TRANSITIONS: Table<SessionState, SessionInput> = {
  opening: {
    requested: "opening",
    opened: "open",
    // The fence or the end of the epoch before.
    fenceStored: "opening",
    closed: "opening",
    forgotten: "gone",
  },
  open: {
    requested: "opening",
    resumed: "open",
    leaseExpired: "fencing",
    closed: "closed",
    forgotten: "gone",
  },
  fencing: { requested: "opening", fenceStored: "fenced", closed: "fencing", forgotten: "gone" },
  fenced: { requested: "opening", closed: "fenced", forgotten: "gone" },
  closed: { requested: "opening", resumed: "open", closed: "closed", forgotten: "gone" },
  gone: {},
};
