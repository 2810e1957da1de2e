/**
 * The states of a publisher's session, as its own side sees it, and nothing else. The rules:
 *
 * 1. Batches leave only in `open`. Everything else keeps them; none is lost by a change of state but the last three.
 * 2. What an epoch was given is renumbered when the epoch is over, and goes out again, in order, in the next one.
 * 3. `superseded`, `failed` and `closed` are final: what was not acknowledged by then never resolves, but is rejected.
 *
 * @module
 */

import type { Table } from "../../state_table.ts";

/**
 * How far the session is.
 *
 * - `unopened`: no link, and no epoch to resume: there was none yet, or it is over.
 * - `opening`: a new epoch was asked for.
 * - `open`: batches go out and are acknowledged.
 * - `draining`: a batch was refused for good, so that its number will stay a gap. What stands before it is waited for.
 * - `offline`: no link; the epoch will be resumed.
 * - `resuming`: the epoch was asked for again, over a new link.
 * - `superseded`: a newcomer of the same name took over.
 * - `failed`: the broker refused the session, or its topic cannot go on.
 * - `closed`: by its owner.
 */
export type PublisherState =
  | "unopened"
  | "opening"
  | "open"
  | "draining"
  | "offline"
  | "resuming"
  | "superseded"
  | "failed"
  | "closed";

/**
 * What moves the session. `epochOver`: it was fenced, forgotten or cannot be filled up again. `batchRefused`: a batch will never be
 * taken. `gapClosed`: nothing had been sent behind that batch, so its number is free. `drained`: something had, and
 * all before it is committed. `doubted`: the broker refuses batches of this epoch and did not say how it ended.
 */
export type PublisherInput =
  | "linked"
  | "unlinked"
  | "opened"
  | "epochOver"
  | "batchRefused"
  | "gapClosed"
  | "drained"
  | "doubted"
  | "superseded"
  | "failed"
  | "closed";

const ENDS = { superseded: "superseded", failed: "failed", closed: "closed" } as const;
const SUPERSEDED = stay("superseded");
const FAILED = stay("failed");
const CLOSED = stay("closed");

export const PUBLISHER_TRANSITIONS: Table<PublisherState, PublisherInput> = {
  unopened: { linked: "opening", unlinked: "unopened", epochOver: "unopened", ...ENDS },
  opening: { opened: "open", epochOver: "opening", unlinked: "unopened", ...ENDS },
  open: {
    batchRefused: "draining",
    epochOver: "opening",
    doubted: "resuming",
    unlinked: "offline",
    ...ENDS,
  },
  draining: {
    batchRefused: "draining",
    gapClosed: "open",
    drained: "opening",
    epochOver: "opening",
    doubted: "resuming",
    unlinked: "offline",
    ...ENDS,
  },
  offline: { linked: "resuming", unlinked: "offline", epochOver: "unopened", ...ENDS },
  resuming: { opened: "open", epochOver: "opening", unlinked: "offline", ...ENDS },
  superseded: SUPERSEDED,
  failed: FAILED,
  closed: CLOSED,
};

/** Whether nothing will change any more. */
export function isFinal(state: PublisherState): boolean {
  return state === "superseded" || state === "failed" || state === "closed";
}

/** A row that leads nowhere. */
function stay<S extends PublisherState>(state: S): Readonly<Record<PublisherInput, S>> {
  return {
    linked: state,
    unlinked: state,
    opened: state,
    epochOver: state,
    batchRefused: state,
    gapClosed: state,
    drained: state,
    doubted: state,
    superseded: state,
    failed: state,
    closed: state,
  };
}
