/**
 * The states of reading, and nothing else: of a subscription, and of a consumer's name.
 *
 * @module
 */

import type { Table } from "../../state_table.ts";

/**
 * How far a subscription is.
 *
 * - `offline`: no link. What was received before is still read.
 * - `waiting`: linked. What was received before is read first, so that the credit is whole again.
 * - `subscribing`: asked for the next position.
 * - `flowing`: batches come, each where the last one ended.
 * - `ended`: the broker or the data ended it, with an error.
 * - `closed`: by its owner.
 */
export type CursorState = "offline" | "waiting" | "subscribing" | "flowing" | "ended" | "closed";

/** What moves a subscription. `broken`: something was missing or damaged, or is not kept any more; it is asked for again. */
export type CursorInput = "linked" | "unlinked" | "asked" | "subscribed" | "broken" | "ended" | "closed";

export const CURSOR_TRANSITIONS: Table<CursorState, CursorInput> = {
  offline: { linked: "waiting", unlinked: "offline", ended: "ended", closed: "closed" },
  waiting: { asked: "subscribing", unlinked: "offline", ended: "ended", closed: "closed" },
  subscribing: {
    subscribed: "flowing",
    broken: "waiting",
    unlinked: "offline",
    ended: "ended",
    closed: "closed",
  },
  flowing: { broken: "waiting", unlinked: "offline", ended: "ended", closed: "closed" },
  ended: { linked: "ended", unlinked: "ended", ended: "ended", closed: "closed" },
  closed: { linked: "closed", unlinked: "closed", ended: "closed", closed: "closed" },
};

/**
 * How far a consumer's name is ours.
 *
 * - `offline`: no link. Commits wait.
 * - `opening`: asked for the name.
 * - `open`: commits are sent, one at a time.
 * - `superseded`: a newcomer has the name.
 * - `failed`: the broker refused it.
 * - `closed`: by its owner.
 */
export type ConsumerState = "offline" | "opening" | "open" | "superseded" | "failed" | "closed";

/** What moves a consumer. */
export type ConsumerInput = "linked" | "unlinked" | "opened" | "superseded" | "failed" | "closed";

const ENDS = { superseded: "superseded", failed: "failed", closed: "closed" } as const;

export const CONSUMER_TRANSITIONS: Table<ConsumerState, ConsumerInput> = {
  offline: { linked: "opening", unlinked: "offline", ...ENDS },
  opening: { opened: "open", unlinked: "offline", ...ENDS },
  open: { unlinked: "offline", ...ENDS },
  superseded: stay("superseded"),
  failed: stay("failed"),
  closed: stay("closed"),
};

/** A row that leads nowhere. */
function stay<S extends ConsumerState>(state: S): Readonly<Record<ConsumerInput, S>> {
  return { linked: state, unlinked: state, opened: state, superseded: state, failed: state, closed: state };
}
