/**
 * The bound on what the subscriptions of all peers of a context take. At the bound, the peer that holds the
 * most is refused, so one that floods a publisher with topics drives out itself.
 *
 * @module
 */

import { PeerError } from "../../errors.ts";
import type { Pipe } from "../pipe/pipe.ts";

/**
 * What one topic of one peer counts besides its own bytes, as documented. It takes about a hundred bytes, and
 * three times as many for a moment when arrays grow.
 */
const TOPIC_BYTES = 1_024;

/** What holds the total of a context's publishers, once there is one. */
export interface SubscriptionsTotalOwner {
  readonly subscriptionsTotalBytesMax: number;
  subscriptionsTotal: SubscriptionsTotal | undefined;
}

/** Counts what all peers' subscriptions take. Above the bound, refuses the peers that hold the most. */
export class SubscriptionsTotal {
  /** Bytes that all subscriptions take. */
  bytes = 0;
  readonly bytesMax: number;
  readonly #held: Map<Pipe, number> = new Map();

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** Returns the total of `owner`, made for the first publisher: most pages have none. */
  static of(owner: SubscriptionsTotalOwner): SubscriptionsTotal {
    return owner.subscriptionsTotal ??= new SubscriptionsTotal(owner.subscriptionsTotalBytesMax);
  }

  /**
   * Counts a new topic of `pipe`. While the total is above the bound, the peer that holds the most is
   * refused. Returns `false` if that includes `pipe` itself.
   */
  take(pipe: Pipe, topicBytes: number): boolean {
    const cost = topicBytes + TOPIC_BYTES;
    this.#held.set(pipe, (this.#held.get(pipe) ?? 0) + cost);
    this.bytes += cost;
    while (this.bytes > this.bytesMax) {
      const most = this.#largest();
      this.forget(most);
      most.refuse(
        new PeerError(
          "ERR_PEER_SUBSCRIPTIONS",
          `Cannot keep the peer's subscriptions: those of all peers take more than ${this.bytesMax} bytes, ` +
            "and this peer holds the most",
        ),
      );
      if (most === pipe) return false;
    }
    return true;
  }

  /** `pipe` cancelled a topic. */
  give(pipe: Pipe, topicBytes: number): void {
    const held = this.#held.get(pipe);
    if (held === undefined) return;
    const cost = topicBytes + TOPIC_BYTES;
    this.bytes -= cost;
    if (held === cost) this.#held.delete(pipe);
    else this.#held.set(pipe, held - cost);
  }

  /** `pipe` is gone. */
  forget(pipe: Pipe): void {
    this.bytes -= this.#held.get(pipe) ?? 0;
    this.#held.delete(pipe);
  }

  #largest(): Pipe {
    let most: Pipe | undefined;
    let mostBytes = 0;
    for (const [pipe, bytes] of this.#held) {
      if (bytes <= mostBytes) continue;
      most = pipe;
      mostBytes = bytes;
    }
    return most!;
  }
}
