/**
 * Sessions out of the log, and into it: snapshots, and the replay of entries. Replay leaves the state that the running
 * sequencer had when it caused the entries.
 *
 * @module
 */

import { assert } from "../../assert.ts";
import { AckSlot } from "./acks.ts";
import { Prefix } from "./prefix.ts";
import type { SequencerParts } from "./sequencer_parts.ts";
import type { SequencedBatch } from "./sequencer_types.ts";
import { laterSequence, type Session } from "./session.ts";
import type { KeptRun, SessionSnapshot } from "./snapshot_types.ts";

/** See `Sequencer.exportSessions`. */
export function exportSessions(parts: SequencerParts, nowMs: number, runsMax: number): SessionSnapshot[] {
  const snapshots: SessionSnapshot[] = [];
  const runs = exportRuns(parts, runsMax);
  for (const session of parts.table.values()) {
    const { id, publisher, epoch, assigned, assignedSequence, attached, lastActiveMs } = session;
    // Without an entry there is no session yet.
    if (epoch === 0) continue;
    snapshots.push({
      session: id,
      publisher,
      epoch,
      // The fence entry is stored right after the decision: nothing of this epoch will ever follow.
      fenced: session.over,
      nextBatch: assigned.next,
      ahead: assigned.ahead,
      lastSequence: assignedSequence,
      ageMs: attached ? 0 : Math.max(0, nowMs - lastActiveMs),
      runs: runs.get(session),
    });
  }
  return snapshots;
}

/** The newest runs of each session, at most `runsMax` together: of what is committed, and of what is in the log and about to be. */
function exportRuns(parts: SequencerParts, runsMax: number): Map<Session, readonly KeptRun[]> {
  const { table, placed, init } = parts;
  const slots = new Map<Session, AckSlot>();
  // Of an epoch that is over nobody asks again.
  for (const session of table.values()) {
    if (session.acks.size > 0 && !session.over) slots.set(session, session.acks);
  }
  placed.each((batch, position) => {
    const session = table.get(batch.session);
    if (session === undefined || session.epoch !== batch.epoch || session.over) return;
    let slot = slots.get(session);
    if (slot === undefined || slot === session.acks) {
      slot = new AckSlot();
      slot.restore(session.acks.kept(Infinity));
      slots.set(session, slot);
    }
    slot.add(batch.batch, batch.count, position, Math.max(1, init.runsKept, session.grant.wanted));
  });
  const order = [...slots];
  const total = order.reduce((sum, [, slot]) => sum + slot.size, 0);
  // Who needs less than an equal share leaves the rest to the others; among equals, who was active last comes first.
  if (total > runsMax) {
    order.sort(([a, aSlot], [b, bSlot]) => aSlot.size - bSlot.size || b.lastActiveMs - a.lastActiveMs);
  }
  let left = runsMax;
  const runs = new Map<Session, readonly KeptRun[]>();
  order.forEach(([session, slot], at) => {
    const share = total > runsMax ? Math.ceil(left / (order.length - at)) : slot.size;
    const kept = slot.kept(Math.min(share, slot.size));
    if (kept.length > 0) runs.set(session, kept);
    left -= kept.length;
  });
  return runs;
}

/** See `Sequencer.importSessions`. */
export function importSessions(
  parts: SequencerParts,
  sessions: readonly SessionSnapshot[],
  nowMs: number,
): void {
  assert(parts.table.size === 0, "a snapshot after something else");
  for (const one of sessions) {
    const { session: id, publisher, epoch, fenced, nextBatch, ahead, lastSequence, ageMs, runs } = one;
    const session = begin(parts, id, publisher, epoch);
    if (runs !== undefined) session.acks.restore(runs);
    session.assigned = new Prefix(nextBatch, ahead);
    session.committed = new Prefix(nextBatch, ahead);
    session.synced = new Prefix(nextBatch, ahead);
    session.lastSequence = lastSequence;
    session.assignedSequence = lastSequence;
    if (fenced) fence(session);
    rest(parts, session, nowMs - ageMs);
  }
}

/** See `Sequencer.replaySessionOpened`. */
export function replaySessionOpened(
  parts: SequencerParts,
  id: bigint,
  publisher: string,
  epoch: number,
  nowMs: number,
): void {
  const { table } = parts;
  // The id or the name is used again: the one before had been forgotten.
  const session = table.get(id);
  if (session !== undefined && (epoch <= session.epoch || publisher !== session.publisher)) {
    parts.erase(session);
  }
  const namesake = publisher === "" ? undefined : table.named(publisher);
  if (namesake !== undefined && namesake.id !== id) parts.erase(namesake);
  rest(parts, begin(parts, id, publisher, epoch), nowMs);
}

/** See `Sequencer.replayEnded`. */
export function replayEnded(parts: SequencerParts, id: bigint, epoch: number): void {
  const session = parts.table.get(id);
  if (session !== undefined && session.epoch === epoch) parts.erase(session);
}

/** See `Sequencer.replayFence`. */
export function replayFence(
  parts: SequencerParts,
  id: bigint,
  epoch: number,
  nextBatch: number,
  nowMs: number,
): void {
  const session = parts.table.get(id);
  if (session === undefined || session.epoch !== epoch) return;
  for (const prefix of [session.assigned, session.committed, session.synced]) prefix.raise(nextBatch);
  if (session.state === "open") fence(session);
  rest(parts, session, nowMs);
}

/** See `Sequencer.replayOrder`. */
export function replayOrder(
  parts: SequencerParts,
  batch: SequencedBatch,
  position: bigint,
  nowMs: number,
): void {
  const { table, init, keepsOrder } = parts;
  // It may have been closed before its last batches were stored.
  const session = table.get(batch.session);
  if (session === undefined) return;
  session.lastSequence = laterSequence(session.lastSequence, batch.lastSequence);
  session.assignedSequence = session.lastSequence;
  table.used(session, nowMs);
  if (session.epoch !== batch.epoch || session.assigned.has(batch.batch)) return;
  for (const prefix of [session.assigned, session.committed, session.synced]) {
    if (keepsOrder) prefix.raise(batch.batch + 1);
    else prefix.add(batch.batch);
  }
  session.acks.add(batch.batch, batch.count, position, Math.max(1, init.runsKept));
  settle(parts, session);
}

/** The session with this id in this epoch, from its beginning. */
function begin({ table }: SequencerParts, id: bigint, publisher: string, epoch: number): Session {
  let session = table.get(id);
  if (session === undefined) session = table.add(id, publisher);
  else session.move("requested");
  session.begin(epoch);
  session.openingEpoch = epoch;
  session.move("opened");
  return session;
}

function fence(session: Session): void {
  session.over = true;
  session.move("leaseExpired");
  session.move("fenceStored");
}

/** Nobody has a link yet. */
function rest(parts: SequencerParts, session: Session, nowMs: number): void {
  parts.table.used(session, nowMs);
  settle(parts, session);
}

/** Everything that is known is committed: nothing is reserved. */
function settle({ grants }: SequencerParts, session: Session): void {
  grants.restore(session.grant, session.committed.next);
}
