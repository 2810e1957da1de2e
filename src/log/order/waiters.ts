/**
 * Requests for a session that wait for a grant, first come first served.
 *
 * @module
 */

import type { GrantPool } from "./grant.ts";
import { LinkedList, ListNode } from "./linked_list.ts";

class Waiter {
  readonly key: string;
  /** When its batch was set aside. */
  readyMs = 0;
  readonly node: ListNode<Waiter> = new ListNode<Waiter>(this);

  constructor(key: string) {
    this.key = key;
  }
}

/** Knows requests by a key: the publisher's name or its session. */
export class Waiters<Owner> {
  readonly #pool: GrantPool<Owner>;
  readonly #keepMs: number;
  readonly #byKey = new Map<string, Waiter>();
  readonly #waiting = new LinkedList<Waiter>();
  readonly #ready = new LinkedList<Waiter>();

  /** One that does not ask again for `keepMs` after its batch was set aside has lost it. */
  constructor(pool: GrantPool<Owner>, keepMs: number) {
    this.#pool = pool;
    this.#keepMs = keepMs;
  }

  /** Requests that have nothing set aside yet. */
  get waiting(): number {
    return this.#waiting.size;
  }

  get size(): number {
    return this.#byKey.size;
  }

  get nextTimeoutMs(): number {
    const first = this.#ready.first;
    return first === undefined ? Infinity : first.readyMs + this.#keepMs;
  }

  /** Whether the request may take a batch now: its turn has come, or there is no queue. Otherwise it waits from here on. */
  enter(key: string): boolean {
    const known = this.#byKey.get(key);
    if (known === undefined) {
      if (this.#waiting.size === 0 && this.#pool.freeBatches > 0) return true;
      const waiter = new Waiter(key);
      this.#byKey.set(key, waiter);
      this.#waiting.append(waiter.node);
      return false;
    }
    if (known.node.list !== this.#ready) return false;
    this.cancel(key);
    return true;
  }

  /** The request will not come again. Answers whether there was one. */
  cancel(key: string): boolean {
    const waiter = this.#byKey.get(key);
    if (waiter === undefined) return false;
    this.#byKey.delete(key);
    if (waiter.node.list === this.#ready) this.#pool.promise(-1);
    waiter.node.list?.remove(waiter.node);
    return true;
  }

  /** Sets batches aside, in order. Answers whether any request is worth another try. */
  serve(nowMs: number): boolean {
    let served = false;
    for (let first = this.#waiting.first; first !== undefined; first = this.#waiting.first) {
      if (this.#pool.freeBatches < 1) break;
      this.#pool.promise(1);
      first.readyMs = nowMs;
      this.#ready.append(first.node);
      served = true;
    }
    return served;
  }

  /** Takes batches back that nobody came for. */
  expire(nowMs: number): void {
    for (let first = this.#ready.first; first !== undefined; first = this.#ready.first) {
      if (first.readyMs + this.#keepMs > nowMs) break;
      this.cancel(first.key);
    }
  }
}
