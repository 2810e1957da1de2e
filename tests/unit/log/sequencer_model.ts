/**
 * A naive sequencer: sets and lists, no grants, nothing that is clever. Its owner drives it next to the real one and compares.
 *
 * @module
 */

import type {
  Admission,
  FenceDecision,
  OpenDecision,
  OpenRequest,
  SequencedBatch,
} from "../../../src/log/order/sequencer.ts";

type State = "open" | "fencing" | "fenced" | "closed";

interface NaiveSession {
  readonly id: bigint;
  readonly publisher: string;
  epoch: number;
  state: State;
  attached: boolean;
  /** Below it everything is assigned. */
  next: number;
  assigned: Set<number>;
  committed: Set<number>;
  inFlight: Set<number>;
  waiting: SequencedBatch[];
  gapSinceMs: number;
  activeMs: number;
  /** Batches and fences of any epoch that are on their way into the log. */
  owed: number;
  left: boolean;
}

/** See the module. Every method is the one of the sequencer with the same name. */
export class NaiveSequencer {
  readonly sessions: Map<bigint, NaiveSession> = new Map();
  readonly discarded: SequencedBatch[] = [];
  accepted = 0;
  readonly #ordered: boolean;
  readonly #leaseMs: number;
  readonly #idleMs: number;
  readonly #limit: number;
  #startedMs: number | undefined;
  #round: SequencedBatch[] = [];

  constructor(ordered: boolean, leaseMs: number, idleMs: number, limit: number) {
    this.#ordered = ordered;
    this.#leaseMs = leaseMs;
    this.#idleMs = idleMs;
    this.#limit = limit;
  }

  find(session: bigint, publisher: string): NaiveSession | undefined {
    if (publisher === "") return this.sessions.get(session);
    return [...this.sessions.values()].find((one) => one.publisher === publisher);
  }

  /** `newId`: what the sequencer has chosen, where it had to. */
  open(request: OpenRequest, newId: bigint, nowMs: number): OpenDecision {
    this.#startedMs ??= nowMs;
    const { publisher, epoch } = request;
    const found = this.find(request.session, publisher);
    if (found === undefined) {
      if (epoch > 0 || request.acknowledged > 0) return { kind: "unknown" };
      const id = request.session === 0n ? newId : request.session;
      this.sessions.set(id, this.#make(id, publisher, 1, nowMs));
      return { kind: "newEpoch", session: id, epoch: 1, publisher, replaced: undefined };
    }
    const { id } = found;
    if (epoch === 0) {
      const replaced = { epoch: found.epoch, nextBatch: found.next, attached: found.attached };
      this.discarded.push(...found.waiting);
      this.sessions.set(id, this.#make(id, publisher, found.epoch + 1, nowMs));
      return { kind: "newEpoch", session: id, epoch: found.epoch + 1, publisher, replaced };
    }
    if (epoch > found.epoch) return { kind: "unknown" };
    if (epoch < found.epoch) return { kind: "superseded" };
    if (found.state === "fencing") return { kind: "wait" };
    if (found.state === "fenced") {
      return { kind: "fenced", session: id, epoch, nextBatch: found.next };
    }
    if (found.state === "closed") found.gapSinceMs = nowMs;
    found.state = "open";
    found.left = false;
    found.attached = true;
    found.activeMs = Math.max(found.activeMs, nowMs);
    return { kind: "resume", session: id, epoch };
  }

  close(id: bigint, epoch: number, nowMs: number): void {
    const found = this.sessions.get(id);
    if (found?.epoch !== epoch) return;
    if (found.state === "open") found.state = "closed";
    found.left = true;
    found.attached = false;
    found.activeMs = Math.max(found.activeMs, nowMs);
    this.#settle(found);
  }

  disconnected(id: bigint, epoch: number, nowMs: number): void {
    const found = this.sessions.get(id);
    if (found?.epoch !== epoch || !found.attached) return;
    found.attached = false;
    found.activeMs = Math.max(found.activeMs, nowMs);
  }

  /** `limit`: of the real one, where it has no link. */
  admit(id: bigint, epoch: number, batch: number, limit: number): Admission {
    const found = this.sessions.get(id);
    if (found === undefined || epoch > found.epoch) return "unknownSession";
    if (epoch < found.epoch) return "staleEpoch";
    if (found.state !== "open") return "fenced";
    if (this.#known(found, batch)) return "duplicate";
    const first = [...Array(this.#limit * 100).keys()].find((one) => !found.committed.has(one))!;
    if (batch >= (found.attached ? first + this.#limit : limit)) return "beyondWindow";
    found.inFlight.add(batch);
    return "take";
  }

  abandon(id: bigint, epoch: number, batch: number): void {
    const found = this.sessions.get(id);
    if (found?.epoch !== epoch || !found.inFlight.delete(batch)) return;
    this.#settle(found);
  }

  accept(batch: SequencedBatch, nowMs: number): void {
    this.accepted++;
    const found = this.sessions.get(batch.session);
    if (found?.epoch !== batch.epoch || (found.state !== "open" && found.state !== "closed")) {
      this.discarded.push(batch);
      return;
    }
    found.inFlight.delete(batch.batch);
    found.activeMs = Math.max(found.activeMs, nowMs);
    if (found.waiting.length === 0) found.gapSinceMs = nowMs;
    found.waiting.push(batch);
    for (;;) {
      const at = found.waiting.findIndex((one) => !this.#ordered || one.batch === found.next);
      if (at < 0) break;
      const one = found.waiting.splice(at, 1)[0]!;
      found.assigned.add(one.batch);
      while (found.assigned.has(found.next)) found.next++;
      found.gapSinceMs = nowMs;
      this.#round.push(one);
      found.owed++;
    }
    this.#settle(found);
  }

  takeRound(): SequencedBatch[] {
    const round = this.#round;
    this.#round = [];
    return round;
  }

  committed({ session, epoch, batch }: SequencedBatch): void {
    const found = this.sessions.get(session);
    if (found === undefined) return;
    found.owed--;
    if (found.epoch === epoch) found.committed.add(batch);
    if (found.state === "closed") this.#settle(found);
  }

  expire(nowMs: number): FenceDecision[] {
    this.#startedMs ??= nowMs;
    const decisions: FenceDecision[] = [];
    for (const found of this.sessions.values()) {
      const { id, epoch, next, state, waiting, inFlight, gapSinceMs } = found;
      if (state !== "open" || waiting.length === 0 || nowMs < gapSinceMs + this.#leaseMs) continue;
      if (inFlight.has(next)) continue;
      found.state = "fencing";
      found.owed++;
      decisions.push({ session: id, epoch, nextBatch: next });
    }
    if (nowMs < this.#startedMs + this.#leaseMs) return decisions;
    for (const found of [...this.sessions.values()]) {
      if (found.attached || nowMs < found.activeMs + this.#idleMs) continue;
      if (found.owed + found.inFlight.size > 0) found.activeMs = nowMs;
      else this.#forget(found);
    }
    return decisions;
  }

  fenced(id: bigint, epoch: number): SequencedBatch[] {
    const found = this.sessions.get(id);
    if (found === undefined) return [];
    found.owed--;
    if (found.epoch !== epoch) {
      this.#settle(found);
      return [];
    }
    found.state = "fenced";
    found.attached = false;
    found.inFlight.clear();
    const given = found.waiting.splice(0).sort((a, b) => a.batch - b.batch);
    if (found.left) this.#settle(found);
    return given;
  }

  #make(id: bigint, publisher: string, epoch: number, nowMs: number): NaiveSession {
    const before = this.sessions.get(id);
    const activeMs = Math.max(nowMs, before?.activeMs ?? 0);
    return {
      id,
      publisher,
      epoch,
      state: "open",
      attached: true,
      next: 0,
      assigned: new Set(),
      committed: new Set(),
      inFlight: new Set(),
      waiting: [],
      gapSinceMs: 0,
      activeMs,
      owed: before?.owed ?? 0,
      left: false,
    };
  }

  #known(found: NaiveSession, batch: number): boolean {
    return found.assigned.has(batch) || found.inFlight.has(batch) ||
      found.waiting.some((one) => one.batch === batch);
  }

  /** A closed session without anything in flight. */
  #settle(found: NaiveSession): void {
    if (found.inFlight.size > 0) return;
    if (found.state === "closed") this.discarded.push(...found.waiting.splice(0));
    else if (found.state !== "fenced") return;
    const over = found.publisher === "" && found.owed === 0;
    if (over && (found.state === "closed" || !found.attached)) this.#forget(found);
  }

  #forget(found: NaiveSession): void {
    this.discarded.push(...found.waiting.splice(0));
    this.sessions.delete(found.id);
  }
}
