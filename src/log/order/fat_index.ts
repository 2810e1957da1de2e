/**
 * Finds a grant that is large, or one that nobody uses, without looking at the others.
 *
 * @module
 */

import type { Grant, GrantPool } from "./grant.ts";
import { LinkedList, ListNode } from "./linked_list.ts";

/** Powers of two up to 2^53. */
const SIZES = 54;
/** Grants that look unused and are not, that are passed over in one search. */
const PASSED_MAX = 8;

/** A grant that is not used for so long shrinks before one that is. */
export const GRANT_IDLE_MS = 1_000;

/** The grants that can be lowered: those with a link, with more than one batch, that are not being lowered already. */
export class FatIndex<Owner> {
  readonly #pool: GrantPool<Owner>;
  readonly #byBatches: LinkedList<Grant<Owner>>[] = [];
  readonly #byBytes: LinkedList<Grant<Owner>>[] = [];
  readonly #byActivity = new LinkedList<Grant<Owner>>();

  constructor(pool: GrantPool<Owner>) {
    this.#pool = pool;
    for (let i = 0; i < SIZES; i++) {
      this.#byBatches.push(new LinkedList<Grant<Owner>>());
      this.#byBytes.push(new LinkedList<Grant<Owner>>());
    }
  }

  /** The grant's window or standing has changed. */
  place(grant: Grant<Owner>): void {
    const { window } = grant;
    if (!grant.attached || grant.lowerTo !== undefined || window <= 1) {
      this.remove(grant);
      return;
    }
    this.#byBatches[sizeOf(window)]!.append(grant.fat ??= new ListNode(grant));
    const bytes = this.#pool.weigh(grant, window);
    this.#byBytes[sizeOf(bytes)]!.append(grant.fatBytes ??= new ListNode(grant));
    grant.activity ??= new ListNode(grant);
    if (grant.activity.list === undefined) this.#byActivity.append(grant.activity);
  }

  remove(grant: Grant<Owner>): void {
    grant.fat?.list?.remove(grant.fat);
    grant.fatBytes?.list?.remove(grant.fatBytes);
    grant.activity?.list?.remove(grant.activity);
  }

  /** The grant is in use. */
  touch(grant: Grant<Owner>, nowMs: number): void {
    if (nowMs - grant.touchedMs < GRANT_IDLE_MS / 8) return;
    grant.touchedMs = nowMs;
    if (grant.activity?.list !== undefined) this.#byActivity.append(grant.activity);
  }

  /** One that nobody uses. */
  idle(nowMs: number): Grant<Owner> | undefined {
    for (let passed = 0; passed < PASSED_MAX; passed++) {
      const grant = this.#byActivity.first;
      if (grant === undefined || grant.touchedMs + GRANT_IDLE_MS > nowMs) return undefined;
      if (grant.claimed <= grant.committed) return grant;
      this.touch(grant, nowMs);
    }
    return undefined;
  }

  /** One of the largest, within a factor of two. */
  fattest(): Grant<Owner> | undefined {
    return largest(this.#byBatches);
  }

  fattestByBytes(): Grant<Owner> | undefined {
    return largest(this.#byBytes);
  }
}

function sizeOf(amount: number): number {
  return Math.floor(Math.log2(amount));
}

function largest<Owner>(lists: readonly LinkedList<Grant<Owner>>[]): Grant<Owner> | undefined {
  for (let size = lists.length - 1; size >= 0; size--) {
    const first = lists[size]!.first;
    if (first !== undefined) return first;
  }
  return undefined;
}
