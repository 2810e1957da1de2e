/**
 * Every session that is remembered, by its id and by its publisher's name, and which of them nobody has used for long.
 *
 * @module
 */

import { assert } from "../../assert.ts";
import { Deadlines } from "./deadlines.ts";
import { Session } from "./session.ts";

/** Looks up in constant time; knows the most idle sessions without looking at the others. */
export class SessionTable {
  readonly #byId = new Map<bigint, Session>();
  readonly #byPublisher = new Map<string, Session>();
  readonly #idleMs: number;
  /** Sessions without a link, by the time at which they are forgotten: those without a name, those with one. */
  readonly #idleUnnamed = new Deadlines<Session>();
  readonly #idleNamed = new Deadlines<Session>();

  /** A session without a link is idle for too long after `idleMs`. */
  constructor(idleMs: number) {
    this.#idleMs = idleMs;
  }

  get size(): number {
    return this.#byId.size;
  }

  /** When the next session will have been idle for too long. */
  get nextMs(): number {
    return Math.min(this.#idleUnnamed.nextMs, this.#idleNamed.nextMs);
  }

  get(id: bigint): Session | undefined {
    return this.#byId.get(id);
  }

  named(publisher: string): Session | undefined {
    return this.#byPublisher.get(publisher);
  }

  /** In the order in which they were added. */
  values(): IterableIterator<Session> {
    return this.#byId.values();
  }

  /** Neither the id nor the name may be there. */
  add(id: bigint, publisher: string): Session {
    assert(!this.#byId.has(id) && !this.#byPublisher.has(publisher), "the session is there already");
    const session = new Session(id, publisher);
    this.#byId.set(id, session);
    if (publisher !== "") this.#byPublisher.set(publisher, session);
    return session;
  }

  /** Forgets a session that has no link. */
  remove(session: Session): void {
    session.move("forgotten");
    this.#byId.delete(session.id);
    if (session.publisher !== "") this.#byPublisher.delete(session.publisher);
    this.#idle(session).clear(session.idle);
  }

  /** The session has a link: it is not idle however long nothing comes. */
  keep(session: Session): void {
    this.#idle(session).clear(session.idle);
  }

  /** The session has no link, and did something at `nowMs`. */
  used(session: Session, nowMs: number): void {
    session.lastActiveMs = Math.max(session.lastActiveMs, nowMs);
    // One that is used again is noticed when its old time comes.
    if (!session.idle.isSet) this.#idle(session).set(session.idle, session.lastActiveMs + this.#idleMs);
  }

  /** A session that has been idle for too long; `undefined`: none has. */
  expired(nowMs: number): Session | undefined {
    return this.#due(this.#idleUnnamed, nowMs) ?? this.#due(this.#idleNamed, nowMs);
  }

  #due(idle: Deadlines<Session>, nowMs: number): Session | undefined {
    for (let first = idle.first; first !== undefined && first.dueMs <= nowMs; first = idle.first) {
      const dueMs = first.owner.lastActiveMs + this.#idleMs;
      if (dueMs <= nowMs) return first.owner;
      idle.set(first, dueMs);
    }
    return undefined;
  }

  #idle(session: Session): Deadlines<Session> {
    return session.publisher === "" ? this.#idleUnnamed : this.#idleNamed;
  }
}
