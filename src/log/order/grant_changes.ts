/**
 * The limits that publishers are to be told, each at most once however often it changed.
 *
 * @module
 */

import type { Grant } from "./grant.ts";

/** Grants whose limit is not the one that was told. */
export class GrantChanges<Owner> {
  #changed: Grant<Owner>[] = [];

  /** `raised`: worth a message where no ack says it before. `lowered`: to be answered by the publisher. */
  add(grant: Grant<Owner>, kind: "raised" | "lowered"): void {
    grant.change = kind;
    this.#list(grant);
  }

  /** The link was told the limit when its session opened. */
  answered(grant: Grant<Owner>): void {
    grant.answered = true;
    grant.told = grant.tellable;
    grant.change = "none";
  }

  /** An ack told the limit. It never lowers what the publisher knows. */
  told(grant: Grant<Owner>): void {
    grant.told = Math.max(grant.told, grant.tellable);
    if (grant.change === "raised") grant.change = "none";
  }

  /** Calls `tell` for every limit that changed and was not told yet. Links that were not answered yet are told later. */
  take(tell: (owner: Owner, limit: number, lowered: boolean) => void): void {
    if (this.#changed.length === 0) return;
    const changed = this.#changed;
    this.#changed = [];
    for (const grant of changed) {
      grant.listed = false;
      const lowered = grant.change === "lowered";
      if (!grant.attached || grant.change === "none" || (!lowered && grant.told >= grant.tellable)) continue;
      if (!grant.answered) {
        this.#list(grant);
        continue;
      }
      grant.change = "none";
      // What a publisher makes of a lowered limit is in its answer.
      if (!lowered) grant.told = grant.tellable;
      tell(grant.owner, grant.tellable, lowered);
    }
  }

  #list(grant: Grant<Owner>): void {
    if (grant.listed) return;
    grant.listed = true;
    this.#changed.push(grant);
  }
}
