/**
 * The life of sessions: who may open, resume or take over one, and how their epochs end.
 *
 * @module
 */

import { assert } from "../../assert.ts";
import type { SequencerParts } from "./sequencer_parts.ts";
import type {
  FenceDecision,
  OpenDecision,
  OpenRequest,
  ReplacedEpoch,
  SequencedBatch,
} from "./sequencer_types.ts";
import type { Session } from "./session.ts";

const EPOCH_MAX = 0xffff_ffff;
/** A source of chance that gives taken ids this often is none. */
const ID_TRIES_MAX = 64;

/** See the module. */
export class Lifecycle {
  readonly #parts: SequencerParts;
  /** Sessions with a request that waits for their fence to be stored. */
  readonly #fenceAwaited = new Set<bigint>();
  /** When this broker began to live, as opposed to replay. */
  #startedMs: number | undefined = undefined;

  constructor(parts: SequencerParts) {
    this.#parts = parts;
  }

  /** See `Sequencer.open`. */
  open(request: OpenRequest, nowMs: number): OpenDecision {
    this.#startedMs ??= nowMs;
    const { table } = this.#parts;
    const { session: id, publisher, epoch, acknowledged } = request;
    const session = publisher === "" ? table.get(id) : table.named(publisher);
    if (session === undefined) {
      const known = epoch > 0 || acknowledged > 0 || (id === 0n && publisher === "");
      if (known || table.get(id) !== undefined) return this.#refuse(request, "unknown");
      return this.#create(request, nowMs);
    }
    const another = session.publisher !== publisher || (id !== 0n && id !== session.id);
    if (another) return this.#refuse(request, "unknown");
    if (epoch === 0) return this.#raise(session, request, nowMs);
    if (epoch > session.openingEpoch) return this.#refuse(request, "unknown");
    const superseded = epoch < session.epoch || session.state === "opening";
    return superseded ? this.#refuse(request, "superseded") : this.#resume(session, request, nowMs);
  }

  cancelOpen(request: OpenRequest): void {
    this.#parts.grants.cancel(keyOf(request));
  }

  /** See `Sequencer.opened`. */
  opened(id: bigint, epoch: number, nowMs: number): void {
    const { table, grants } = this.#parts;
    const session = table.get(id);
    if (this.#fenceAwaited.delete(id)) grants.freed = true;
    // Forgotten while its entry was on the way.
    if (session === undefined) return;
    assert(
      session.state === "opening" && epoch > session.epoch && epoch <= session.openingEpoch,
      "an epoch that was not given",
    );
    this.#parts.dropHeld(session);
    session.begin(epoch);
    grants.restart(session.grant);
    session.lastActiveMs = Math.max(session.lastActiveMs, nowMs);
    if (epoch < session.openingEpoch) return;
    session.move("opened");
    if (!session.attached) table.used(session, nowMs);
  }

  /** See `Sequencer.close`. */
  close(id: bigint, epoch: number, nowMs: number): void {
    const session = this.#parts.table.get(id);
    if (session === undefined || session.epoch !== epoch || session.state === "opening") return;
    session.move("closed");
    session.left = true;
    this.#detach(session, nowMs);
    this.settleClosed(session);
  }

  /** See `Sequencer.disconnected`. */
  disconnected(id: bigint, epoch: number, nowMs: number): void {
    const session = this.#parts.table.get(id);
    if (session === undefined || !session.attached) return;
    // Of an epoch that is being replaced, the link belongs to the newcomer.
    if (epoch !== (session.state === "opening" ? session.openingEpoch : session.epoch)) return;
    this.#detach(session, nowMs);
  }

  /** A closed session with nothing in flight is over: what is held is forgotten, and so is one without a name. */
  settleClosed(session: Session): void {
    const parts = this.#parts;
    if (session.inFlight !== undefined && session.inFlight.size > 0) return;
    if (session.state === "closed") {
      parts.dropHeld(session);
      parts.detach(session);
    } else if (session.state !== "fenced") return;
    if (session.publisher === "" && !session.pending) parts.forget(session);
  }

  /** When {@link expire} wants to be called. */
  get nextTimeoutMs(): number {
    const { hold, table, grants, init } = this.#parts;
    const idleMs = Math.max(table.nextMs, (this.#startedMs ?? -Infinity) + init.leaseMs);
    return Math.min(hold.nextMs, grants.nextTimeoutMs, idleMs);
  }

  /** See `Sequencer.expire`. */
  expire(nowMs: number): FenceDecision[] {
    const { hold, grants } = this.#parts;
    this.#startedMs ??= nowMs;
    grants.expire(nowMs);
    const decisions: FenceDecision[] = [];
    for (let session = hold.expired(nowMs); session !== undefined; session = hold.expired(nowMs)) {
      session.move("leaseExpired");
      session.over = true;
      session.fences++;
      const { id, epoch, assigned } = session;
      decisions.push({ session: id, epoch, nextBatch: assigned.next });
    }
    this.#forgetIdle(nowMs);
    return decisions;
  }

  /** See `Sequencer.fenced`. */
  fenced(id: bigint, epoch: number): SequencedBatch[] {
    const { table, grants } = this.#parts;
    if (this.#fenceAwaited.delete(id)) grants.freed = true;
    const session = table.get(id);
    if (session === undefined) return [];
    session.fences--;
    if (session.epoch !== epoch) {
      if (session.state === "closed") this.settleClosed(session);
      return [];
    }
    session.move("fenceStored");
    this.#parts.counts.fences++;
    const held = this.#parts.discardHeld(session);
    session.inFlight = undefined;
    // A newcomer has the link already.
    if (session.state !== "fenced") return held;
    this.#detach(session, session.lastActiveMs);
    if (session.left) this.settleClosed(session);
    return held;
  }

  #create(request: OpenRequest, nowMs: number): OpenDecision {
    const { table, init, counts } = this.#parts;
    const { publisher } = request;
    if (table.size >= init.sessionsMax) this.#forgetIdle(nowMs);
    if (table.size >= init.sessionsMax) return this.#refuse(request, "full");
    const id = request.session === 0n ? this.#newId() : request.session;
    const session = table.add(id, publisher);
    if (!this.#attach(session, request, nowMs)) {
      table.remove(session);
      return { kind: "wait" };
    }
    counts.attached++;
    return this.#give(session, undefined, nowMs);
  }

  /** A new epoch of a session that is there. */
  #raise(session: Session, request: OpenRequest, nowMs: number): OpenDecision {
    const { counts } = this.#parts;
    if (session.openingEpoch >= EPOCH_MAX) return this.#refuse(request, "full");
    const { attached, epoch } = session;
    if (!this.#attach(session, request, nowMs)) return { kind: "wait" };
    if (!attached) counts.attached++;
    const replaced = epoch === 0 ? undefined : { epoch, nextBatch: session.assigned.next, attached };
    session.move("requested");
    return this.#give(session, replaced, nowMs);
  }

  #resume(session: Session, request: OpenRequest, nowMs: number): OpenDecision {
    const { counts, hold } = this.#parts;
    const { id, epoch, attached, state } = session;
    if (state === "fenced") {
      this.cancelOpen(request);
      return { kind: "fenced", session: id, epoch, nextBatch: session.assigned.next };
    }
    if (state === "fencing") {
      this.#fenceAwaited.add(id);
      return { kind: "wait" };
    }
    if (!this.#attach(session, request, nowMs)) return { kind: "wait" };
    if (!attached) counts.attached++;
    session.move("resumed");
    session.left = false;
    // Nobody looked at its gap meanwhile.
    if (state === "closed") hold.progressed(session, nowMs);
    session.lastActiveMs = Math.max(session.lastActiveMs, nowMs);
    return { kind: "resume", session: id, epoch };
  }

  #give(session: Session, replaced: ReplacedEpoch | undefined, nowMs: number): OpenDecision {
    session.openingEpoch++;
    session.lastActiveMs = Math.max(session.lastActiveMs, nowMs);
    const { id, publisher, openingEpoch: epoch } = session;
    return { kind: "newEpoch", session: id, epoch, publisher, replaced };
  }

  #attach(session: Session, request: OpenRequest, nowMs: number): boolean {
    const { grants, table } = this.#parts;
    const wish = { batches: request.windowBatches, bytes: request.windowBytes };
    const taken = { end: session.takenEnd, bytes: session.bytes };
    if (!grants.attach(session.grant, keyOf(request), wish, taken, nowMs)) return false;
    table.keep(session);
    return true;
  }

  #detach(session: Session, nowMs: number): void {
    this.#parts.detach(session);
    // One that is being opened is kept until it is.
    if (session.state !== "opening") this.#parts.table.used(session, nowMs);
  }

  #forgetIdle(nowMs: number): void {
    const { table, init, counts } = this.#parts;
    // Who was connected before a restart comes back first.
    if (nowMs < this.#startedMs! + init.leaseMs) return;
    for (let session = table.expired(nowMs); session !== undefined; session = table.expired(nowMs)) {
      if (session.pending) {
        table.used(session, nowMs);
        continue;
      }
      counts.expired++;
      this.#parts.forget(session);
    }
  }

  #newId(): bigint {
    const { table, init } = this.#parts;
    for (let tries = 0; tries < ID_TRIES_MAX; tries++) {
      const id = BigInt.asUintN(64, init.newSession());
      if (id !== 0n && table.get(id) === undefined) return id;
    }
    assert(false, "no new session id in so many tries");
  }

  #refuse(request: OpenRequest, kind: "unknown" | "superseded" | "full"): OpenDecision {
    this.cancelOpen(request);
    return { kind };
  }
}

/** How a request that waits is known when it comes again. */
function keyOf({ publisher, session }: OpenRequest): string {
  return publisher === "" ? String(session) : `=${publisher}`;
}
